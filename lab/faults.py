"""Faults as values: what was done to whom, since when, by which mechanism."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class FaultKind(Enum):
    """Name a fault; the value is the word on the screen."""

    KILL = "kill"
    STOP = "stop"
    PAUSE = "pause"
    CUT = "cut"  # One way.
    CUT_BOTH = "cut both"
    ISOLATE = "isolate"
    PARTITION = "partition"
    DELAY = "delay"
    LOSS = "loss"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    BANDWIDTH = "bandwidth"
    FLAP = "flap"
    SLOW_DISK = "slow disk"
    FAILING_SYNC = "failing sync"
    FULL_DISK = "full disk"
    CLOCK = "clock"
    CRASH_LOOP = "crash loop"


BY_CHANCE = "by chance"
"""How the mechanism of a fault begins that a seed brings, and nobody at the keyboard."""

ENDED_BY_START = (FaultKind.KILL, FaultKind.STOP, FaultKind.PAUSE)
"""Faults that end when their node runs again; all others are healed."""

LINK_TROUBLES = (
    FaultKind.DELAY,
    FaultKind.LOSS,
    FaultKind.DUPLICATE,
    FaultKind.REORDER,
    FaultKind.BANDWIDTH,
    FaultKind.FLAP,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTrouble:
    """What happens to messages on some links, above the streams: probabilities and seconds."""

    drop: float = 0.0  # Probability; 1 cuts.
    delay_s: float = 0.0
    jitter_s: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    bandwidth_bytes_s: float = 0.0  # 0: no limit.


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTrouble:
    """What happens to one node's disk."""

    sync_delay_s: float = 0.0
    fail_sync: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTrouble:
    """What happens to one node's clock; it never goes back."""

    rate: float = 1.0
    jump_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Broken for half of each period, and whole for the other half."""

    period_s: float = 2.0


Trouble: TypeAlias = LinkTrouble | DiskTrouble | ClockTrouble | Rhythm
CUT = LinkTrouble(drop=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in force."""

    number: int  # Rising; the newest is undone first.
    kind: FaultKind
    nodes: tuple[str, ...]  # Kill, stop, pause, isolate: the node. Cuts: sender, receiver.
    since_s: float  # Wall clock, seconds since 1970.
    mechanism: str  # SIGKILL, freezer, SIGSTOP, packet filter, transport rule
    links: tuple[tuple[str, str], ...] = ()  # Every directed pair (sender, receiver) concerned.
    trouble: Trouble | None = None  # How much of it, where that is to be said.

    @property
    def by_chance(self) -> bool:
        """Return whether a seed has brought it."""
        return self.mechanism.startswith(BY_CHANCE)

    @property
    def cuts(self) -> bool:
        """Return whether nothing passes on `links`."""
        return bool(self.links) and self.kind not in LINK_TROUBLES

    def __str__(self) -> str:
        """Return the sentence for the timeline."""
        arrow = {
            FaultKind.CUT_BOTH: " ⇄ ",
            FaultKind.FLAP: " ⇄ ",
            FaultKind.PARTITION: " | ",
        }
        joined = arrow.get(self.kind, " → ").join(self.nodes)
        how_much = amount(self.trouble)
        return f"{self.kind.value} {joined}{how_much and ' ' + how_much} ({self.mechanism})"


def amount(trouble: Trouble | None) -> str:
    """Return how much trouble it is: `100 ± 20 ms`, `30 %`, `x2`."""
    match trouble:
        case LinkTrouble(delay_s=delay_s, jitter_s=jitter_s) if delay_s or jitter_s:
            around = f" ± {jitter_s * 1e3:g}" if jitter_s else ""
            return f"{delay_s * 1e3:g}{around} ms"
        case LinkTrouble(bandwidth_bytes_s=limit) if limit:
            return f"{limit / 1024:g} KiB/s"
        case LinkTrouble():
            share = max(trouble.drop, trouble.duplicate, trouble.reorder)
            return f"{share:.0%}" if share < 1 else ""
        case DiskTrouble(sync_delay_s=sync_delay_s) if sync_delay_s:
            return f"+{sync_delay_s * 1e3:g} ms a sync"
        case ClockTrouble(rate=rate, jump_s=jump_s):
            return " ".join(
                filter(None, (f"x{rate:g}" if rate != 1 else "", f"+{jump_s:g} s" * bool(jump_s)))
            )
        case Rhythm(period_s=period_s):
            return f"every {period_s:g} s"
        case _:
            return ""
