"""The load: as many callers as were asked for, and no latency that a slow client could hide."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import idle, load
from tests.bench.cases import Case
from tests.bench.children import BenchError
from tests.bench.clients import first_success
from tests.bench.ladder import Ladder, rates, rung_of
from tests.bench.lineup import Lineup
from tests.bench.load import apply_load
from tests.bench.rounds import QUICK, Row, in_turn
from tests.bench.stats import Histogram
from tests.bench.work import READ, Outcome, Work

SHORT = Work(callers=4, warm_s=0.1, run_s=0.5)


class Fake:
    """A system in memory that counts who is inside."""

    def __init__(self) -> None:
        self.inside = self.most = self.begun = self.reads = 0

    async def write(self, number: int) -> object:
        self.begun += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        return None

    async def read(self, number: int) -> object:
        self.reads += 1
        return await self.write(number)

    async def insist(self) -> float:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


async def test_a_closed_loop_has_its_callers_and_counts_their_answers() -> None:
    clients = [Fake(), Fake()]
    outcome = await apply_load(clients, SHORT)
    assert [client.most for client in clients] == [2, 2]
    assert outcome.total == sum(client.begun for client in clients)
    assert 0 < outcome.counted == outcome.times.total < outcome.total
    assert (outcome.errors, outcome.run_s) == (0, SHORT.run_s)


async def test_reads_are_reads() -> None:
    client = Fake()
    await apply_load([client], Work(operation=READ, warm_s=0, run_s=0.3))
    assert client.reads == client.begun > 0


@pytest.mark.parametrize("rate", [None, 400.0])
async def test_failures_are_counted_with_the_first_ones_reason(rate: float | None) -> None:
    class Failing(Fake):
        async def write(self, number: int) -> object:
            self.begun += 1
            raise BenchError(f"no, {self.begun}")

    client = Failing()
    outcome = await apply_load([client], Work(rate=rate, warm_s=0.1, run_s=0.3))
    assert outcome.errors == client.begun > 0
    assert (outcome.counted, outcome.total, outcome.error) == (0, 0, "BenchError: no, 1")


@pytest.mark.parametrize("rate", [None, 400.0])
async def test_who_is_never_answered_is_given_up(
    rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "LATE_S", 0.05)

    class Wedged(Fake):
        async def write(self, number: int) -> object:
            self.begun += 1
            return await asyncio.get_running_loop().create_future()

    client = Wedged()
    outcome = await apply_load([client], Work(callers=3, rate=rate, warm_s=0.1, run_s=0.3))
    assert outcome.errors == client.begun == (160 if rate else 3)
    assert outcome.error.startswith("TimeoutError")


def stand_still() -> None:
    """Let nobody in this process begin anything."""
    time.sleep(0.1)


async def test_an_open_loop_counts_from_when_an_operation_was_due() -> None:
    class Stalls(Fake):
        async def write(self, number: int) -> object:
            if self.begun == 5:
                stand_still()
            return await super().write(number)

    client = Stalls()
    outcome = await apply_load([client], Work(rate=500.0, warm_s=0.0, run_s=0.3))
    assert outcome.total == client.begun == 150, "all that was due, however late"
    stalled_s = outcome.times.percentile(90)
    assert stalled_s is not None
    assert stalled_s > 0.03, "only the one that stalled was late: the others were hidden"


async def test_an_open_loop_that_is_too_far_behind_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LATE_S", 0.01)
    monkeypatch.setattr(load, "BACKLOG_S", 0.0)

    class Wedged(Fake):
        async def write(self, number: int) -> object:
            self.begun += 1
            return await asyncio.get_running_loop().create_future()

    client = Wedged()
    outcome = await apply_load([client], Work(rate=2e4, warm_s=0.0, run_s=0.5))
    assert outcome.errors == 10_000, "those that were never begun are failures, too"


async def test_of_many_attempts_the_first_success_counts() -> None:
    tries = 0
    never: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def attempt() -> float:
        nonlocal tries
        tries += 1
        if tries == 1:
            return await never
        if tries == 2:
            raise BenchError("not yet")
        return float(tries)

    assert await first_success(attempt) == 3.0
    assert never.cancelled(), "nobody waits for it any more"


class FakePool:
    """Writes down whose turn it is."""

    def __init__(self, name: str, order: list[str], *, breaks: bool = False) -> None:
        self.name, self.order, self.breaks = name, order, breaks

    async def run(self, work: Work) -> Outcome:
        self.order.append(self.name)
        if self.breaks:
            raise TimeoutError
        return Outcome(counted=10, run_s=1.0)


async def test_rounds_are_interleaved_and_who_begins_changes() -> None:
    order: list[str] = []
    ready = [(Row(case=Case(), system=n), FakePool(n, order, breaks=n == "c")) for n in "abc"]
    await in_turn(ready, replace(QUICK, rounds=3), lambda line: None)
    assert "".join(order) == "abc" + "ba" + "ab"
    assert [len(row.outcomes) for row, _ in ready] == [3, 3, 0]
    assert [row.why for row, _ in ready] == ["", "", "wedged"]


def test_a_ladder_ends_where_it_bends() -> None:
    ladder = Ladder(system="x")
    assert ladder.goes_on
    one = Histogram([0.001])
    for answered, goes_on in (((9, 99, 100), True), ((150, 150, 200), False)):
        rounds = [Outcome(counted=count, run_s=1.0, times=one) for count in answered]
        rung = rung_of(100.0 if goes_on else 200.0, rounds)
        assert rung is not None
        ladder.rungs.append(rung)
        assert ladder.goes_on is goes_on, "the median decides, not the one round that was slow"
    steps = rates(5_000.0)
    assert steps[0] < 500
    assert 2_500 < steps[-1] <= 5_000
    assert steps == sorted(set(steps))
    assert rung_of(100.0, [Outcome()]) is None


async def test_what_fails_with_many_shards_keeps_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    class Cluster:
        pids = (os.getpid(),)

        def __init__(self, place: Path, name: str, shards: int) -> None:
            self.shards = shards

        async def start_nodes(self) -> None:
            pass

        async def all_led(self) -> None:
            pass

        async def close(self) -> None:
            closed.append(self.shards)

    async def refuse(*_: object) -> None:
        raise BenchError("no answer")

    monkeypatch.setattr(idle.ours, "LolraftCluster", Cluster)
    monkeypatch.setattr(idle, "measure_spread", refuse)
    empty = idle.Idle(system="lolraft", shards=1, cpu_percent=0.0, rss_mib=1.0)
    settings = replace(QUICK, idle_s=0.01)
    said: list[str] = []
    found = await idle.measure_shards(Lineup(place=tmp_path), 7, empty, settings, said.append)
    assert found.why == "no answer"
    assert said[-1] == "7 shards: no answer"
    assert (found.recovery.shards, found.recovery.after_death_s) == (7, None)
    (seen,) = found.idle
    assert seen.above_mib == pytest.approx(seen.rss_mib - 1.0)
    assert closed == [7]
