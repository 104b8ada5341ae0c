"""What the screen and reports show of a load, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.workload.load import Verdict
from lab.workload.measure import Moment, Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadView:
    """A load at one moment; `moments` and `outages` are oldest first."""

    running: bool = False
    ending: bool = False  # No more is asked; every key is read once more.
    rate: float = 50.0  # Wanted, operations a second.
    reads: float = 0.4  # Share of reads.
    keys: int = 5  # In use at a time.
    began_s: float | None = None  # None: there was none yet.
    verdict: Verdict = field(default_factory=Verdict)
    moments: tuple[Moment, ...] = ()
    outages: tuple[Outage, ...] = ()
