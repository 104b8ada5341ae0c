"""
Say before: what a picture lets expect of a fault, computed in one place for all who say it.

A shard is led on while its leader reaches a majority both ways. Where it does not, somebody else
may who does. Where nobody does, the majority is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lab.faults import FaultKind
from lab.observe.detection import wait_s
from lab.observe.judge import reachable
from lab.observe.shards import Shards
from lab.observe.view import ClusterView
from lab.observe.words import counted

MUTE = (
    FaultKind.KILL,
    FaultKind.PAUSE,
    FaultKind.ISOLATE,
    FaultKind.CRASH_LOOP,
    FaultKind.STOP,
    FaultKind.FULL_DISK,
    FaultKind.FAILING_SYNC,
)
"""Faults that take their node out altogether."""

SLOWING = (FaultKind.DELAY, FaultKind.LOSS, FaultKind.BANDWIDTH, FaultKind.SLOW_DISK)
"""Faults under which what is needed still comes, but late."""

HARMLESS = (FaultKind.DUPLICATE, FaultKind.REORDER)
"""Faults under which everything comes, and in time."""

Link = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What is to be expected of a fault, from a picture taken before it."""

    elections: int | None = None  # None: it cannot be told beforehand.
    without_quorum: int = 0  # Shards that have a quorum now and would lose it.
    shards: int = 0  # All of them.
    detected_s: float | None = None  # When phi passes the threshold; 0: it says goodbye.
    name: str = ""  # The node that falls out, where it is one.
    leads: int = 0  # Shards that it leads.
    threshold: float = 0.0  # Of phi.
    left: int = 0  # Nodes that are heard afterwards,
    nodes: int = 0  # of all.
    slowed: int | None = None  # Shards whose commits need what becomes slow.

    @property
    def harms(self) -> bool:
        """Return whether a majority is lost."""
        return self.without_quorum > 0

    def __str__(self) -> str:
        """Return one short sentence."""
        if self.harms:
            return f"{self._lost}: no leader, no writes"
        if self.slowed is not None:
            return self._late
        if self.elections is None:
            return "every majority stays"
        word = counted(self.elections, "election") if self.elections else "no election"
        when = ""
        if self.elections and self.detected_s is not None:
            when = f" in about {self.detected_s:.1f} s" if self.detected_s else " at once"
        return f"{word}{when}, every majority stays, no write is lost"

    @property
    def in_full(self) -> str:
        """Return the same with what it is computed from."""
        parts = []
        if self.name:
            parts.append(f"{self.name} leads {self.leads:,} of {counted(self.shards, 'shard')}")
        if self.slowed is not None:
            return "; ".join([*parts, self._late])
        if self.harms:
            return "; ".join([*parts, f"{self._lost}: no leader, no writes until that ends"])
        if self.name:
            parts.append(f"{self.left} of {self.nodes} nodes stay, and with them every majority")
        else:
            parts.append("every majority stays")
        if self.elections is None:
            return "; ".join(parts)
        if self.elections and self.detected_s == 0.0:
            parts.append("it says goodbye, so nobody has to suspect it")
        elif self.elections and self.detected_s is not None:
            parts.append(f"φ passes {self.threshold:g} in about {self.detected_s:.1f} s")
        word = counted(self.elections, "election") if self.elections else "no election"
        return "; ".join([*parts, f"expect {word}, no lost write"])

    @property
    def _lost(self) -> str:
        if self.without_quorum == self.shards == 1:
            return "the shard loses its majority"
        lose = "loses its" if self.without_quorum == 1 else "lose their"
        return f"{self.without_quorum:,} of {self.shards:,} shards {lose} majority"

    @property
    def _late(self) -> str:
        if not self.slowed:
            return "no shard needs it for a majority"
        need = "needs" if self.slowed == 1 else "need"
        return f"{self.slowed:,} of {self.shards:,} shards {need} it for a majority"


def struck(kind: FaultKind, nodes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the nodes that a fault of *kind* takes out altogether."""
    return nodes[:1] if kind in MUTE or kind is FaultKind.SLOW_DISK else ()


def consequence(
    view: ClusterView,
    kind: FaultKind,
    names: tuple[str, ...],
    links: Iterable[Link] = (),
) -> Consequence:
    """Return what to expect when *names* fall out, or *links* are cut or become slow."""
    kinds = Shards.of(view.shards).kinds
    cut, name = frozenset(links), names[0] if names else ""
    live = reachable(view.nodes, view.now_s)
    old = frozenset(pair for fault in view.faults if fault.cuts for pair in fault.links)
    before, after = Net(live, old), Net(live - set(names), old | cut)
    if kind is FaultKind.SLOW_DISK:
        after = Net(live, old, late=frozenset(names))
    lost = elections = slowed = 0
    losers = set()
    for (voters, outgoing, leader), count in kinds.items():
        halves = [half for half in (voters, outgoing) if half]
        if leader is None or not before.holds(leader, halves):
            lost += count * (before.can_lead(halves) and not after.can_lead(halves))
        elif not after.holds(leader, halves):
            slowed += count
            losers.add(leader)
            elects = after.can_lead(halves)
            elections += count * elects
            lost += count * (not elects)
    known = Consequence(
        shards=len(view.shards),
        name=name,
        leads=sum(count for (_, _, leader), count in kinds.items() if leader == name != ""),
        threshold=max((link.threshold for link in view.links.values()), default=0.0),
        left=len(live - set(names)),
        nodes=len(view.nodes),
    )
    if kind in SLOWING:
        return replace(known, slowed=slowed)
    if kind in HARMLESS or not (names or cut):
        return known
    mute = [pair for pair in view.links if pair[0] in names or (pair in cut and pair[0] in losers)]
    detected_s = 0.0 if kind is FaultKind.STOP else crossing_s(view, mute)
    return replace(known, elections=elections, without_quorum=lost, detected_s=detected_s)


@dataclass(frozen=True, slots=True)
class Net:
    """Who is there, and who does not hear whom."""

    live: frozenset[str]
    cut: frozenset[Link]  # (sender, receiver)
    late: frozenset[str] = frozenset()  # Who is there, but has nothing on disk in time.

    def holds(self, leader: str, halves: list[tuple[str, ...]]) -> bool:
        """Return whether *leader* reaches a majority of each half, both ways (S13)."""
        return bool(halves) and all(
            sum(self._are_whole(leader, voter) for voter in half if voter not in self.late)
            > len(half) // 2
            for half in halves
        )

    def can_lead(self, halves: list[tuple[str, ...]]) -> bool:
        """Return whether somebody could."""
        return any(self.holds(voter, halves) for half in halves for voter in half)

    def _are_whole(self, one: str, other: str) -> bool:
        if one not in self.live or other not in self.live:
            return False
        return (one, other) not in self.cut and (other, one) not in self.cut


def crossing_s(view: ClusterView, pairs: Iterable[Link]) -> float | None:
    """Return how long the senders of *pairs* are silent until most of their receivers suspect."""
    times = sorted(
        wait_s(link.mean_s, link.deviation_s, link.threshold)
        for pair in pairs
        if (link := view.links.get(pair)) is not None and link.mean_s > 0
    )
    return times[len(times) // 2] if times else None


def between_groups(groups: tuple[tuple[str, ...], ...]) -> tuple[Link, ...]:
    """Return the links that a partition into *groups* cuts, both ways."""
    return tuple(
        link
        for place, group in enumerate(groups)
        for later in groups[place + 1 :]
        for one in group
        for other in later
        for link in ((one, other), (other, one))
    )
