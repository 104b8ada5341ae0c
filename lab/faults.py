"""Faults as values: what was done to whom, since when, by which mechanism."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FaultKind(Enum):
    """Name a fault; the value is the word on the screen."""

    KILL = "kill"
    STOP = "stop"
    PAUSE = "pause"
    CUT = "cut"  # One way.
    CUT_BOTH = "cut both"
    ISOLATE = "isolate"
    PARTITION = "partition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in force."""

    number: int  # Rising; the newest is undone first.
    kind: FaultKind
    nodes: tuple[str, ...]  # Kill, stop, pause, isolate: the node. Cuts: sender, receiver.
    since_s: float  # Wall clock, seconds since 1970.
    mechanism: str  # SIGKILL, freezer, SIGSTOP, packet filter, transport rule
    links: tuple[tuple[str, str], ...] = ()  # Every directed pair (sender, receiver) that is cut.

    def __str__(self) -> str:
        """Return the sentence for the timeline."""
        arrow = {FaultKind.CUT: " → ", FaultKind.CUT_BOTH: " ⇄ ", FaultKind.PARTITION: " | "}
        return f"{self.kind.value} {arrow.get(self.kind, ' ').join(self.nodes)} ({self.mechanism})"
