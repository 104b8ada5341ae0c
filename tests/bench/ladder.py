"""Latency under load: more and more is offered, by the clock, until a system bends."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.children import BenchError
from tests.bench.lineup import Lineup, Say
from tests.bench.rounds import Settings
from tests.bench.systems.base import Pool
from tests.bench.work import Outcome, Work

LOWEST = 250.0
STEP = 1.6
KEPT_UP = 0.9
"""Who answers less than this share of what is offered has bent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One offered load, in operations a second, and what came back."""

    offered: float
    answered: float
    p50_ms: float
    p99_ms: float

    @property
    def bent(self) -> bool:
        """Return whether the system did not keep up."""
        return self.answered < KEPT_UP * self.offered


@dataclass(slots=True, kw_only=True)
class Ladder:
    """One system's rungs, lowest first; the last one is where it bent."""

    system: str
    rungs: list[Rung] = field(default_factory=list)
    why: str = ""

    @property
    def goes_on(self) -> bool:
        """Return whether more can be offered."""
        return not self.why and not (self.rungs and self.rungs[-1].bent)


def rung_of(offered: float, outcome: Outcome) -> Rung | None:
    """Return what an open loop came to; None where nothing was answered."""
    p50_s, p99_s = outcome.times.percentile(50), outcome.times.percentile(99)
    if p50_s is None or p99_s is None:
        return None
    return Rung(offered=offered, answered=outcome.rate, p50_ms=p50_s * 1e3, p99_ms=p99_s * 1e3)


def rates(highest: float) -> list[float]:
    """Return the loads that are offered one after another."""
    found = [LOWEST]
    while found[-1] * STEP <= highest:
        found.append(float(f"{found[-1] * STEP:.2g}"))
    return found


async def measure_ladders(lineup: Lineup, settings: Settings, say: Say) -> list[Ladder]:
    """Climb with all systems side by side, rung by rung."""
    ready: list[tuple[Ladder, Pool]] = []
    for one in lineup.running:
        most = max(one.system.processes)  # The client should not be what bends.
        ladder = Ladder(system=one.system.name)
        try:
            ready.append((ladder, await one.pool(processes=most)))
        except BenchError as broken:
            say(f"open loop, without {ladder.system}: {broken}")
    for rate in rates(settings.most_rate):
        for ladder, pool in ready:
            if ladder.goes_on:
                await _climb(ladder, pool, rate, settings)
    for ladder, _ in ready:
        last = ladder.rungs[-1] if ladder.rungs else None
        told = f"{last.answered:,.0f}/s of {last.offered:,.0f}/s" if last else ladder.why
        say(f"{'open loop, until it bends':34} {ladder.system:22} {told}")
    return [ladder for ladder, _ in ready]


async def _climb(ladder: Ladder, pool: Pool, rate: float, settings: Settings) -> None:
    # `callers` says how many workers may share it.
    work = Work(callers=1_000, rate=rate, warm_s=settings.warm_s, run_s=settings.run_s)
    try:
        rung = rung_of(rate, await pool.run(work))
    except (BenchError, TimeoutError) as broken:
        ladder.why = str(broken) or "wedged"
        return
    if rung is None:
        ladder.why = "nothing was answered in time"
    else:
        ladder.rungs.append(rung)
