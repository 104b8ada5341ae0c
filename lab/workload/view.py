"""What the screen and reports show of a load, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.workload.load import Load, Verdict
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


def view_of(load: Load | None, now_s: float) -> LoadView:
    """Return what there is to see of a load, by its own settings."""
    if load is None:
        return LoadView()
    return LoadView(
        running=load.is_running,
        rate=load.rate,
        reads=load.reads,
        keys=load.keys,
        began_s=load.began_s,
        verdict=load.verdict,
        moments=load.measure.moments(now_s),
        outages=load.measure.outages(now_s),
    )
