"""Latency under load: more and more is offered, by the clock, until a system bends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.children import BenchError
from tests.bench.lineup import Lineup, Say
from tests.bench.rounds import Settings, latency_ms
from tests.bench.stats import Spread, spread
from tests.bench.systems.base import Pool
from tests.bench.work import Outcome, Work

LOWEST = 250.0
STEP = 2.0
KEPT_UP = 0.9
"""Who answers less than this share of what is offered has bent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One offered load, in operations a second, and what came back in several rounds."""

    offered: float
    answered: Spread
    p50_ms: Spread
    p99_ms: Spread

    @property
    def bent(self) -> bool:
        """Return whether the system did not keep up."""
        return self.answered.median < KEPT_UP * self.offered


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


def rung_of(offered: float, outcomes: Sequence[Outcome]) -> Rung | None:
    """Return what the rounds of an open loop came to; None where nothing was answered."""
    answered = spread([one.rate for one in outcomes])
    p50_ms, p99_ms = latency_ms(outcomes, 50), latency_ms(outcomes, 99)
    if answered is None or p50_ms is None or p99_ms is None:
        return None
    return Rung(offered=offered, answered=answered, p50_ms=p50_ms, p99_ms=p99_ms)


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
        climbing = [(ladder, pool) for ladder, pool in ready if ladder.goes_on]
        await _climb(climbing, rate, settings)
    for ladder, _ in ready:
        last = ladder.rungs[-1] if ladder.rungs else None
        told = f"{last.answered.median:,.0f}/s of {last.offered:,.0f}/s" if last else ladder.why
        say(f"{'open loop, until it bends':34} {ladder.system:22} {told}")
    return [ladder for ladder, _ in ready]


async def _climb(climbing: Sequence[tuple[Ladder, Pool]], rate: float, settings: Settings) -> None:
    """Offer *rate* to each in turn, for all rounds."""
    # `callers` says how many workers may share it.
    work = Work(callers=1_000, rate=rate, warm_s=settings.warm_s, run_s=settings.run_s)
    outcomes: dict[str, list[Outcome]] = {ladder.system: [] for ladder, _ in climbing}
    for _ in range(settings.rounds):
        for ladder, pool in climbing:
            try:
                if not ladder.why:
                    outcomes[ladder.system].append(await pool.run(work))
            except (BenchError, TimeoutError) as broken:
                ladder.why = str(broken) or "wedged"
    for ladder, _ in climbing:
        rung = rung_of(rate, outcomes[ladder.system])
        if rung is not None:
            ladder.rungs.append(rung)
        else:
            ladder.why = ladder.why or "nothing was answered in time"
