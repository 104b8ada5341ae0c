"""Every fault with its time, what was in force with it, and what came of it; a pure fold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.faults import Fault, FaultKind
from lab.observe.judge import reachable
from lab.observe.shards import LED, Shards
from lab.observe.view import ClusterView, ShardView
from lolraft.multiraft.phi import deviations_at

MOST_SPANS = 300
AFTER_S = 3.0  # What comes so soon after a fault's end still belongs to it.
SUDDEN = (FaultKind.KILL, FaultKind.PAUSE, FaultKind.ISOLATE, FaultKind.CRASH_LOOP)
MUTE = (*SUDDEN, FaultKind.STOP, FaultKind.FULL_DISK, FaultKind.FAILING_SYNC)
_LED_OR_NEW = (*LED, "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What is to be expected of a fault, from a picture taken before it."""

    elections: int | None = None  # None: it cannot be told beforehand.
    without_quorum: int = 0  # Shards that have a quorum now and would lose it.
    shards: int = 0  # All of them.
    detected_s: float | None = None  # When phi passes the threshold; 0: it says goodbye.

    @property
    def harms(self) -> bool:
        """Return whether a majority is lost."""
        return self.without_quorum > 0

    def __str__(self) -> str:
        """Return one sentence."""
        if self.harms:
            count = f"{self.without_quorum:,} of {self.shards:,} shards lose their majority"
            return f"{count}: no leader, no writes"
        if self.elections is None:
            return "every majority stays"
        word = f"{self.elections:,} election{'s' * (self.elections != 1)}"
        word = "no election" if not self.elections else word
        when = ""
        if self.elections and self.detected_s is not None:
            when = f" in about {self.detected_s:.1f} s" if self.detected_s else " at once"
        return f"{word}{when}, every majority stays, no write is lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One fault, from its beginning to its end, with what was expected and what happened."""

    fault: Fault
    until_s: float | None = None  # None: in force.
    expected: Consequence = Consequence()
    elections: int = 0  # Won since it began, until shortly after its end.
    detected_s: float | None = None  # From its beginning to the first suspicion.
    without_leader: int = 0  # At worst, shards at a time.
    leaderless_s: float = 0.0  # How long a shard was without a leader, at worst as far as seen.

    @property
    def happened(self) -> str:
        """Return one sentence."""
        word = f"{self.elections:,} election{'s' * (self.elections != 1)}"
        parts = [word if self.elections else "no election"]
        if self.detected_s is not None:
            parts.append(f"suspected after {self.detected_s:.1f} s")
        if self.without_leader:
            shards = f"{self.without_leader:,} shard{'s' * (self.without_leader != 1)}"
            parts.append(f"{shards} without a leader, {self.leaderless_s:.1f} s at most")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Account:
    """All faults of a session, oldest first, folded from its pictures."""

    spans: tuple[Span, ...] = ()
    view: ClusterView | None = None
    earlier: ClusterView | None = None  # The picture before that.

    def after(self, view: ClusterView) -> Account:
        """Return the account with *view* in it."""
        known = {span.fault.number for span in self.spans}
        here = {fault.number for fault in view.faults}
        spans = [_grown(span, view, here) for span in self.spans]
        for fault in view.faults:
            if fault.number not in known:
                names = struck(fault.kind, fault.nodes)
                before = self._before(names) or view
                expected = consequence(before, fault.kind, names, fault.links)
                spans.append(_grown(Span(fault=fault, expected=expected), view, here))
        return Account(tuple(spans[-MOST_SPANS:]), view, self.view)

    def _before(self, names: tuple[str, ...]) -> ClusterView | None:
        """Return the newest picture in which *names* run: they go before their fault is told."""
        for picture in (self.view, self.earlier):
            if picture is not None and all(
                node.state == "running" for node in picture.nodes if node.name in names
            ):
                return picture
        return self.view


def struck(kind: FaultKind, nodes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the nodes that a fault of *kind* takes out altogether."""
    return nodes[:1] if kind in MUTE else ()


def consequence(
    view: ClusterView,
    kind: FaultKind,
    names: tuple[str, ...],
    links: tuple[tuple[str, str], ...] = (),
) -> Consequence:
    """Return what to expect when *names* fall out, or only *links* are cut."""
    if kind is FaultKind.PARTITION and links:
        names = _weaker_side(view, links)
    if not names:
        return Consequence(shards=len(view.shards))
    live = reachable(view.nodes, view.now_s)
    left = live - set(names)
    lost = elections = 0
    for shard in view.shards.values():
        had, has = _has_quorum(shard, live), _has_quorum(shard, left)
        lost += had and not has
        elections += has and shard.leader in names
    return Consequence(
        elections=elections,
        without_quorum=lost,
        shards=len(view.shards),
        detected_s=0.0 if kind is FaultKind.STOP else crossing_s(view, names[0]),
    )


def crossing_s(view: ClusterView, name: str) -> float | None:
    """Return how long *name* must be silent until most of its peers suspect it."""
    times = sorted(
        link.mean_s + deviations_at(link.threshold) * link.deviation_s
        for link in view.links.values()
        if link.sender == name and link.mean_s > 0
    )
    return times[len(times) // 2] if times else None


def _has_quorum(shard: ShardView, live: frozenset[str]) -> bool:
    leader = shard.replicas.get(shard.leader or "")
    outgoing = leader.outgoing if leader is not None else ()
    halves = [half for half in (shard.voters, outgoing) if half]
    return bool(halves) and all(
        sum(voter in live for voter in half) > len(half) // 2 for half in halves
    )


def _weaker_side(view: ClusterView, links: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return the nodes that hear fewer than a majority of all."""
    names = [node.name for node in view.nodes]
    cut = set(links)
    return tuple(
        name
        for name in names
        if sum((other, name) not in cut for other in names) <= len(names) // 2
    )


def _grown(span: Span, view: ClusterView, here: set[int]) -> Span:
    """Return *span* with what *view* shows since; what is long over stays as it is."""
    until_s = span.until_s
    if until_s is None and span.fault.number not in here:
        until_s = view.now_s
    if span.until_s is not None and view.now_s > span.until_s + AFTER_S:
        return span
    since_s = span.fault.since_s
    last_s = float("inf") if until_s is None else until_s + AFTER_S
    elections, detected_s = 0, span.detected_s
    for event in reversed(view.events):
        if event.at_s < since_s:
            break
        if event.kind == "elected" and event.at_s <= last_s:
            elections += event.count
        elif event.kind != "suspect" or span.detected_s is not None:
            continue
        elif event.text.split(" ", 1)[0] in span.fault.nodes:
            detected_s = event.at_s - since_s
    sick = [one for one in Shards.of(view.shards).sick.values() if one.status not in _LED_OR_NEW]
    longest_s = max((view.now_s - max(shard.since_s, since_s) for shard in sick), default=0.0)
    return replace(
        span,
        until_s=until_s,
        elections=max(span.elections, elections),
        detected_s=detected_s,
        without_leader=max(span.without_leader, len(sick)),
        leaderless_s=max(span.leaderless_s, longest_s),
    )
