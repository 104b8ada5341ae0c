"""What the lab knows around a moment: the faults and events that an explanation may name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.faults import Fault, FaultKind
from lab.observe.account import Account, Span
from lab.observe.judge import SILENT_S
from lab.observe.view import ClusterView, EventView, LinkView
from lab.observe.words import span_s

SLACK_S = 1.0  # A fault is told after it was done; two machines' clocks differ.
_DONE = {
    FaultKind.KILL: "killed {0}",
    FaultKind.STOP: "stopped {0}",
    FaultKind.PAUSE: "paused {0}",
    FaultKind.CUT: "cut {0} → {1}",
    FaultKind.CUT_BOTH: "cut {0} ⇄ {1}",
    FaultKind.ISOLATE: "isolated {0}",
    FaultKind.CRASH_LOOP: "put {0} into a crash loop",
}
OUT = (FaultKind.KILL, FaultKind.STOP, FaultKind.PAUSE, FaultKind.CRASH_LOOP)
"""Faults under which a node says nothing to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One link of a causal chain, as a sentence without a full stop."""

    text: str
    tone: str = "text"  # text; you: it was done on purpose; harm; unknown: the chain ends here.


def unknown(text: str) -> Reason:
    """Return a link that the lab cannot see."""
    return Reason(text=text, tone="unknown")


@dataclass(frozen=True, slots=True)
class Case:
    """A picture, and every fault up to it: all that is asked for evidence."""

    view: ClusterView
    account: Account

    def ago(self, at_s: float) -> str:
        """Return how long before the picture *at_s* was."""
        return f"{span_s(self.view.now_s - at_s)} ago"

    # Faults.

    def done(self, span: Span) -> Reason:
        """Say who did what, when, by which mechanism, and whether it is over."""
        fault = span.fault
        pattern = _DONE.get(fault.kind)
        what = pattern.format(*fault.nodes) if pattern else f"began “{_bare(fault)}”"
        if fault.kind is FaultKind.PARTITION:
            what = f"parted {' | '.join(fault.nodes)}"
        who = "chance" if fault.by_chance else "you"
        text = f"{who} {what} {self.ago(fault.since_s)}"
        if not fault.by_chance:
            text += f" ({fault.mechanism})"
        if span.until_s is not None:
            text += f", until {self.ago(span.until_s)}"
        return Reason(text=text, tone="you")

    def beside(self, span: Span) -> Reason:
        """Say that a fault was in force, of which nobody knows whether it is to blame."""
        return Reason(text=f"in force: {self.done(span).text}", tone="you")

    def faults(self, concerns: Callable[[Fault], bool], at_s: float | None = None) -> list[Span]:
        """Return the faults in force at *at_s* (now) that *concerns* holds of, newest first."""
        found = []
        for span in reversed(self.account.spans):
            begins_s, ends_s = span.fault.since_s, span.until_s
            if at_s is None:
                in_force = ends_s is None
            else:
                in_force = begins_s <= at_s + SLACK_S and (ends_s is None or ends_s >= at_s)
            if in_force and concerns(span.fault):
                found.append(span)
        return found

    def on_node(self, name: str, at_s: float | None = None) -> list[Span]:
        """Return the faults of a node itself: its process, disk, clock or all of its links."""
        return self.faults(
            lambda fault: (
                name in fault.nodes and (not fault.links or fault.kind is FaultKind.ISOLATE)
            ),
            at_s,
        )

    def on_link(self, sender: str, receiver: str, at_s: float | None = None) -> list[Span]:
        """Return the faults of what *sender* says to *receiver*, cuts before mere troubles."""
        spans = self.faults(lambda fault: (sender, receiver) in fault.links, at_s)
        return sorted(spans, key=lambda span: not span.fault.cuts)

    def between(self, sender: str, receiver: str, at_s: float | None = None) -> Span | None:
        """Return why *receiver* hears nothing of *sender*: that is out, or the link is cut."""
        out = [span for span in self.on_node(sender, at_s) if span.fault.kind in OUT]
        cuts = [span for span in self.on_link(sender, receiver, at_s) if span.fault.cuts]
        return next(iter(out + cuts), None)

    def is_cut(self, sender: str, receiver: str) -> bool:
        """Return whether nothing passes from one to the other now."""
        return any(span.fault.cuts for span in self.on_link(sender, receiver))

    # Nodes.

    def is_heard(self, name: str) -> bool:
        """Return whether the lab hears *name*: only then its report is of now."""
        return self.absence(name) is None

    def absence(self, name: str) -> Reason | None:
        """Return why the lab does not hear *name*, or None where it does."""
        node = self.view.node(name)
        if node is None:
            return unknown(f"{name} is no node of this cluster any more")
        if node.state == "exited":
            words = f"{name} ended by itself: {node.detail or 'it left no last words'}"
            return Reason(text=words, tone="harm")
        if node.state != "running":
            out = [span for span in self.on_node(name) if span.fault.kind in OUT]
            if out:
                return self.done(out[0])
            return unknown(f"{name} is {node.state}; who did that is not known")
        if node.reported_at_s is None:
            return Reason(text=f"{name} was started and has not reported yet")
        age_s = self.view.now_s - node.reported_at_s
        if age_s > SILENT_S:
            return unknown(f"{name} has not answered the lab for {span_s(age_s)}; why is not known")
        return None

    def link(self, sender: str, receiver: str) -> LinkView | None:
        """Return what *receiver* believes of *sender*, where its report is of now."""
        return self.view.links.get((sender, receiver)) if self.is_heard(receiver) else None

    # Events.

    def events(
        self, kind: str, node: str | None = None, *, before_s: float = float("inf")
    ) -> Iterator[EventView]:
        """Return the events of *kind* (of *node*) up to *before_s*, newest first."""
        for event in reversed(self.view.events):
            if event.kind == kind and event.at_s <= before_s and node in (None, event.node):
                yield event

    def suspicion(
        self, suspect: str, observer: str, before_s: float = float("inf")
    ) -> EventView | None:
        """Return when *observer* suspected *suspect*, unless it has heard it since."""
        for event in reversed(self.view.events):
            if (
                event.kind in ("suspect", "trusted")
                and event.node == observer
                and event.at_s <= before_s
                and event.text.split(" ", 1)[0] == suspect
            ):
                return event if event.kind == "suspect" else None
        return None


def phi_of(event: EventView) -> str:
    """Return the suspicion that a node has told: `φ 12.0`; empty where it told none."""
    _, found, rest = event.text.partition("(φ ")
    return f"φ {rest.partition(')')[0]}" if found else ""


def of_shard(event: EventView, shard_id: int) -> bool:
    """Return whether it is of this shard alone: like events of one moment are one line (fold)."""
    return event.shard_id == shard_id and event.count == 1


def _bare(fault: Fault) -> str:
    return str(fault).removesuffix(f" ({fault.mechanism})")
