"""Every fault with its time, what was in force with it, and what came of it; a pure fold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.faults import Fault
from lab.observe.foresee import Consequence, consequence, struck
from lab.observe.shards import LED, Shards
from lab.observe.view import ClusterView
from lab.observe.words import counted

MOST_SPANS = 300
AFTER_S = 3.0  # What comes so soon after a fault's end still belongs to it.
NOTHING = Consequence()
_LED_OR_NEW = (*LED, "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One fault, from its beginning to its end, with what was expected and what happened."""

    fault: Fault
    until_s: float | None = None  # None: in force.
    expected: Consequence = NOTHING
    elections: int = 0  # Won since it began, until shortly after its end.
    detected_s: float | None = None  # From its beginning to the first suspicion.
    without_leader: int = 0  # At worst, shards at a time.
    leaderless_s: float = 0.0  # How long a shard was without a leader, at worst as far as seen.

    @property
    def happened(self) -> str:
        """Return one sentence."""
        parts = [counted(self.elections, "election") if self.elections else "no election"]
        if self.detected_s is not None:
            parts.append(f"suspected after {self.detected_s:.1f} s")
        if self.without_leader:
            shards = counted(self.without_leader, "shard")
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
