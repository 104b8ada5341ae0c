"""Interleaved rounds: every system in turn, again and again, so that all meet the same weather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.bench.cases import SHARD_CALLERS, SPREAD_OVER, SYSTEMS, Case
from tests.bench.children import BenchError
from tests.bench.lineup import Lineup, Say
from tests.bench.stats import Spread, spread
from tests.bench.systems import ours
from tests.bench.systems.base import Measured, Pool
from tests.bench.work import READ, Outcome, Work

TRIAL = Work(warm_s=0.2, run_s=0.4)
FEW = 16
"""With fewer callers, more than one client process only gets in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how often."""

    rounds: int = 3
    warm_s: float = 0.3
    run_s: float = 1.2
    tries: int = 3
    settle_s: float = 1.5
    idle_s: float = 6.0
    shards: Sequence[int] = (1_000,)
    most_rate: float = 200_000.0

    def work(self, case: Case) -> Work:
        """Return one round of a case."""
        return Work(
            operation=case.operation, callers=case.callers, warm_s=self.warm_s, run_s=self.run_s
        )


QUICK = Settings(
    rounds=1, warm_s=0.2, run_s=0.4, tries=1, settle_s=1.0, idle_s=1.0, shards=(50,),
    most_rate=2_000.0,
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Row:
    """One system in one case: all its rounds, or why there are none."""

    case: Case
    system: str
    outcomes: list[Outcome] = field(default_factory=list)
    processes: int = 1
    why: str = ""

    def rate(self) -> Spread | None:
        """Return operations a second."""
        return spread([one.rate for one in self.outcomes])

    def latency_ms(self, percent: float) -> Spread | None:
        """Return a percentile of the latency."""
        return latency_ms(self.outcomes, percent)

    def server_us(self) -> Spread | None:
        """Return the CPU time of all three servers for one operation."""
        return spread([one.per_operation_us(one.server_cpu_s) for one in self.outcomes])

    def client_us(self) -> Spread | None:
        """Return the CPU time of the client for one operation; None where it is a server."""
        return spread(
            [
                None if one.client_is_server else one.per_operation_us(one.client_cpu_s)
                for one in self.outcomes
            ]
        )

    def client_share(self) -> Spread | None:
        """Return the share of a core that each client process took."""
        return spread(
            [
                one.client_cpu_s / one.wall_s / self.processes
                for one in self.outcomes
                if one.wall_s and not one.client_is_server
            ]
        )

    @property
    def errors(self) -> int:
        """Return how many operations failed."""
        return sum(one.errors for one in self.outcomes)

    @property
    def error(self) -> str:
        """Return the first failure's text."""
        return next((one.error for one in self.outcomes if one.error), "")


def latency_ms(outcomes: Sequence[Outcome], percent: float) -> Spread | None:
    """Return a percentile of the latency over several rounds."""
    values = [one.times.percentile(percent) for one in outcomes]
    return spread([value * 1e3 if value is not None else None for value in values])


async def measure_case(case: Case, lineup: Lineup, settings: Settings, say: Say) -> list[Row]:
    """Let every system that can do *case* do it in turn; the others' rows say why not."""
    rows: list[Row] = []
    ready: list[tuple[Row, Pool]] = []
    for system in SYSTEMS:
        one = lineup.find(system)
        why = case.why_not(system) or lineup.missing.get(system.name, "" if one else "not chosen")
        row = Row(case=case, system=system.name, why=why)
        rows.append(row)
        if why or one is None:
            continue
        try:
            ready.append((row, await _open(one, case, row)))
        except (BenchError, TimeoutError) as broken:
            row.why = str(broken) or "wedged"
    await in_turn(ready, settings, say)
    return rows


async def in_turn(ready: Sequence[tuple[Row, Pool]], settings: Settings, say: Say) -> None:
    """Do the rounds; who begins changes, so that nobody always follows the same one."""
    for number in range(settings.rounds):
        turn = number % max(1, len(ready))
        for row, pool in [*ready[turn:], *ready[:turn]]:
            if row.why:
                continue
            try:
                row.outcomes.append(await pool.run(settings.work(row.case)))
            except (BenchError, TimeoutError) as broken:
                row.why = str(broken) or "wedged"
    for row, _ in ready:
        rate = row.rate()
        say(f"{row.case.title:34} {row.system:22} {f'{rate.median:,.0f}/s' if rate else row.why}")


async def _open(one: Measured, case: Case, row: Row) -> Pool:
    """Open clients in as many processes as serve the system best."""

    async def pool(processes: int) -> Pool:
        row.processes = processes
        filled = case.operation == READ
        return await one.pool(clients=case.clients, processes=processes, filled=filled)

    choices = one.system.processes if case.callers >= FEW else one.system.processes[:1]
    opened = await pool(choices[0])
    if len(choices) == 1:
        return opened
    trial = replace(TRIAL, operation=case.operation, callers=case.callers)
    rates = {choices[0]: (await opened.run(trial)).rate}
    for processes in choices[1:]:
        opened = await pool(processes)
        rates[processes] = (await opened.run(trial)).rate
    best = max(choices, key=lambda processes: rates[processes])
    return opened if best == row.processes else await pool(best)


async def measure_spread(
    lineup: Lineup, cluster: ours.LolraftCluster, settings: Settings, say: Say
) -> list[Row]:
    """Spread writes over one, some and all shards of one cluster, in interleaved rounds."""
    ready: list[tuple[Row, Pool]] = []
    for count in sorted({cluster.shards, *(n for n in SPREAD_OVER if n <= cluster.shards)}):
        case = Case(callers=SHARD_CALLERS, shards=count)
        one = lineup.measured(ours.RAFT_CLIENT, cluster)  # Each with a client of its own.
        pool = await one.pool(shards=count)
        await pool.ask("touch", shards=list(range(count)))  # Sessions begin, leaders are found.
        ready.append((Row(case=case, system=hosting(cluster.shards)), pool))
    await in_turn(ready, settings, say)
    return [row for row, _ in ready]


def hosting(shards: int) -> str:
    """Return the name of our system in a table where it hosts many shards."""
    return f"{ours.RAFT_CLIENT.name}, {shards:,} hosted"
