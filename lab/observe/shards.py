"""All shards of a picture: a mapping that never changes, and knows what is asked all the time."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from lab.observe.view import ShardView

LED = ("ok", "lagging")
Kind = tuple[tuple[str, ...], tuple[str, ...], str | None]
"""Voters, outgoing voters and leader: shards that have these in common fare alike."""

K = TypeVar("K")
T = TypeVar("T")


class Shards(Mapping[int, "ShardView"]):
    """
    Shards by id, in the order of their ids.

    `sick` are those that are not ok, `leads` counts those that each node leads, and `kinds` those
    of each kind, of which there are few. All come along from picture to picture, so that a change
    costs what has changed and not what there is.
    """

    __slots__ = ("_all", "kinds", "leads", "sick")

    def __init__(self, shards: Mapping[int, ShardView] = MappingProxyType({})) -> None:
        self._all: dict[int, ShardView] = {}
        self.sick: Mapping[int, ShardView] = MappingProxyType({})
        self.leads: Mapping[str, int] = MappingProxyType({})
        self.kinds: Mapping[Kind, int] = MappingProxyType({})
        self._take(shards, ())

    @classmethod
    def of(cls, shards: Mapping[int, ShardView]) -> Shards:
        """Return *shards* as they are, or made such a mapping."""
        return shards if isinstance(shards, cls) else cls(shards)

    def after(self, news: Mapping[int, ShardView], gone: Iterable[int] = ()) -> Shards:
        """Return these shards with *news* in them, and without those that are *gone*."""
        made = Shards.__new__(Shards)
        made._all, made.sick, made.leads = self._all, self.sick, self.leads
        made.kinds = self.kinds
        made._take(news, gone)
        return made

    def _take(self, news: Mapping[int, ShardView], gone: Iterable[int]) -> None:
        shards, sick, leads = self._all.copy(), dict(self.sick), dict(self.leads)
        kinds = dict(self.kinds)
        grows = False
        for number in gone:
            lost = shards.pop(number, None)
            _count(leads, _led_by(lost), -1)
            _count(kinds, _kind_of(lost), -1)
            sick.pop(number, None)
        for number, shard in news.items():
            before = shards.get(number)
            grows = grows or before is None
            for known, step in ((before, -1), (shard, 1)):
                _count(leads, _led_by(known), step)
                _count(kinds, _kind_of(known), step)
            shards[number] = shard
            if shard.status != "ok":
                sick[number] = shard
            elif before is not None and before.status != "ok":
                sick.pop(number, None)
        self._all = {number: shards[number] for number in sorted(shards)} if grows else shards
        self.sick, self.leads = MappingProxyType(sick), MappingProxyType(leads)
        self.kinds = MappingProxyType(kinds)

    def __getitem__(self, number: int) -> ShardView:
        return self._all[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, number: object) -> bool:
        return number in self._all

    def get(self, number: int, default: T | None = None) -> ShardView | T | None:  # type: ignore[override]  # Mapping's has overloads for the same.
        """Return a shard, or *default*."""
        return self._all.get(number, default)

    def keys(self) -> KeysView[int]:
        """Return the ids."""
        return self._all.keys()

    def values(self) -> ValuesView[ShardView]:
        """Return the shards."""
        return self._all.values()

    def items(self) -> ItemsView[int, ShardView]:
        """Return ids and shards."""
        return self._all.items()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Shards):
            return self._all is other._all or self._all == other._all
        return self._all == other

    __hash__ = None  # type: ignore[assignment]  # As mappings have none.

    def __repr__(self) -> str:
        """Return the same as for any read-only mapping: a picture may come from a file."""
        return repr(MappingProxyType(self._all))


def _led_by(shard: ShardView | None) -> str | None:
    return shard.leader if shard is not None and shard.status in LED else None


def _kind_of(shard: ShardView | None) -> Kind | None:
    if shard is None:
        return None
    leading = shard.replicas.get(shard.leader or "")
    return shard.voters, leading.outgoing if leading is not None else (), shard.leader


def _count(counts: dict[K, int], key: K | None, step: int) -> None:
    if key is not None:
        left = counts.get(key, 0) + step
        if left:
            counts[key] = left
        else:
            counts.pop(key, None)
