"""Phi over the last minutes, folded from the pictures: views hold only phi's newest value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from lab.observe.detection import MOST_WAIT_S
from lab.observe.view import ClusterView, LinkView, NodeView

BUCKET_S = 1.0
KEPT = 120
HIGHEST = 99.0
NOTABLE = 1.0  # Of phi: a silence that never came so far would alarm nobody.
SILENCES, SILENCES_S = 200, 600.0  # Remembered of each pair: so many, and for so long.

Pair = tuple[str, str]  # (sender, receiver)
Value = TypeVar("Value")
Track = tuple[tuple[int, float], ...]  # (bucket, worst phi within it), oldest first.


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing came from a sender for longer than usual: from its last sign of life on."""

    from_s: float  # Wall clock of the lab.
    lasted_s: float  # As long as it was seen; what ended it came later than that.
    mean_s: float  # The rhythm by which the receiver judged it.
    deviation_s: float
    down: bool = False  # The sender's process was not running.

    @property
    def until_s(self) -> float:
        """Return until when it was seen to last."""
        return self.from_s + self.lasted_s


@dataclass(frozen=True, slots=True)
class PhiHistory:
    """The worst phi of each second for every link, and its silences of the last ten minutes."""

    tracks: Mapping[Pair, Track] = field(default_factory=lambda: MappingProxyType({}))
    silences: Mapping[Pair, tuple[Silence, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    since: Mapping[Pair, float] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, view: ClusterView) -> PhiHistory:
        """Return the history with *view* in it; a paused or dead receiver adds nothing."""
        now = int(view.now_s / BUCKET_S)
        nodes = {node.name: node for node in view.nodes}
        tracks: dict[Pair, Track] = {}
        silences: dict[Pair, tuple[Silence, ...]] = {}
        since: dict[Pair, float] = {}
        for pair, link in view.links.items():
            receiver = nodes.get(link.receiver)
            if receiver is None or receiver.state != "running":
                continue
            track = self.tracks.get(pair, ())
            added = _add(track, now, _drawable(link.phi))
            if added is not track:
                tracks[pair] = added
            if pair not in self.since:
                since[pair] = view.now_s
            if link.phi >= NOTABLE:
                heard = self.silences.get(pair, ())
                longer = _with_silence(heard, link, receiver, nodes.get(link.sender))
                if longer is not heard:
                    silences[pair] = longer
        if not (tracks or silences or since):
            return self
        return PhiHistory(
            _merged(self.tracks, tracks),
            _merged(self.silences, silences),
            _merged(self.since, since),
        )

    def bars(self, pair: Pair, now_s: float, width: int) -> list[float | None]:
        """Return *width* seconds up to now, oldest first; None where nothing was seen."""
        last = int(now_s / BUCKET_S)
        known = dict(self.tracks.get(pair, ()))
        return [known.get(bucket) for bucket in range(last - width + 1, last + 1)]


def _merged(old: Mapping[Pair, Value], news: Mapping[Pair, Value]) -> Mapping[Pair, Value]:
    return old if not news else MappingProxyType({**old, **news})


def _drawable(phi: float) -> float:
    """Return phi as a bar's height: a peer long silent has an infinite one."""
    return min(phi, HIGHEST) if phi >= 0 else 0.0


def _add(track: Track, bucket: int, phi: float) -> Track:
    if track and track[-1][0] == bucket:
        if phi <= track[-1][1]:
            return track
        return (*track[:-1], (bucket, phi))
    return (*track, (bucket, phi))[-KEPT:]


def _with_silence(
    heard: tuple[Silence, ...], link: LinkView, receiver: NodeView, sender: NodeView | None
) -> tuple[Silence, ...]:
    """
    Add a silence, or let the newest one go on.

    It is the same one as long as the last sign of life lies before the time at which nothing had
    come: reports arrive a little sooner or later, so that their times are not equal.
    """
    if receiver.reported_at_s is None or link.last_heard_s == float("inf") or link.mean_s <= 0:
        return heard
    from_s = receiver.reported_at_s - link.last_heard_s
    down = sender is None or sender.state != "running" or sender.reported_at_s is None
    newest = heard[-1] if heard else None
    if newest is None or from_s >= newest.until_s:
        kept = [one for one in heard if one.until_s >= from_s - SILENCES_S]
        begun = Silence(
            from_s=from_s,
            lasted_s=link.last_heard_s,
            mean_s=link.mean_s,
            deviation_s=link.deviation_s,
            down=down,
        )
        return (*kept, begun)[-SILENCES:]
    told = newest.down or not down
    if told and (newest.lasted_s > 2 * MOST_WAIT_S or link.last_heard_s <= newest.lasted_s):
        return heard  # Nothing more can come of it.
    lasted_s = max(newest.lasted_s, link.last_heard_s)
    return (*heard[:-1], replace(newest, lasted_s=lasted_s, down=newest.down or down))
