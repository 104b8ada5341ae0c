"""A load is judged piece by piece as exactly as at once; lost writes and outages are counted."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.workload.beside import LoadBeside
from lab.workload.measure import Measure, unavailable_s
from lab.workload.register import MOST_OPEN, Register
from lolraft.errors import RequestFailed
from lolraft.sim.history import PENDING, Operation
from lolraft.sim.linearizable import possible_ends, why_not_linearizable


def op(kind: str, value: str, begin_s: float, end_s: float, answer: str | None) -> Operation:
    return Operation(0, "k", kind, value, begin_s, end_s, answer)


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """Pieces of one to three operations that overlap; answers are right, or from anywhere."""
    operations: list[Operation] = []
    truth, now_s = "", 0.0
    for _ in range(draw(st.integers(1, 4))):
        for n in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["read", "write"]))
            value = str(len(operations)) if kind == "write" else ""
            seen = draw(st.sampled_from([truth, truth, truth, "0", "1", ""]))
            unknown = kind == "write" and draw(st.integers(0, 3)) == 0
            end_s = PENDING if unknown else now_s + 5 + n
            operations.append(op(kind, value, now_s + n, end_s, None if unknown else seen))
            truth = value if kind == "write" else truth
        now_s += 10
    return operations


@settings(max_examples=300)
@given(histories())
def test_piece_by_piece_it_is_judged_as_at_once(operations: list[Operation]) -> None:
    register, last = Register("k"), 0.0
    for operation in operations:
        if operation.begin_s // 10 != last:
            register.judge()
            last = operation.begin_s // 10
        register.add(operation)
    register.judge()
    assert bool(register.broken) == (why_not_linearizable(operations) is not None)


def test_an_open_write_may_take_effect_in_a_later_piece() -> None:
    register = Register("k")
    register.add(op("write", "late", 0, PENDING, None))
    register.judge()
    register.add(op("read", "", 10, 11, ""))
    register.judge()
    register.add(op("read", "", 20, 21, "late"))
    register.judge()
    assert not register.broken
    register.add(op("read", "", 30, 31, ""))
    register.judge()
    assert "no order explains" in register.broken


def test_a_lost_write_is_counted() -> None:
    register = Register("k")
    for n, was in ((1, ""), (2, "1"), (3, "1")):  # The third did not see the second.
        register.add(op("write", str(n), n, n + 0.5, was))
        register.judge()
    assert register.lost == 1
    assert register.judged == 2


def test_a_key_with_many_open_writes_is_left() -> None:
    register = Register("k")
    for n in range(MOST_OPEN):
        assert not register.is_worn
        register.add(op("write", str(n), n, PENDING, None))
    register.judge()
    assert register.is_worn


def test_ends_name_the_writes_that_may_still_happen() -> None:
    ends = possible_ends([op("write", "a", 0, 1, ""), op("write", "b", 0, PENDING, None)])
    assert ends == {("a", frozenset({"b"})), ("b", frozenset())}, "a would have seen b before it"


def test_an_outage_lasts_from_the_first_in_vain_to_the_next_answer() -> None:
    measure = Measure()
    measure.answered(0, measure.begin(0, 10.0), 10.01)
    measure.failed(0, measure.begin(0, 11.0), 12.0)
    late = measure.begin(0, 12.5)
    assert [outage.length_s for outage in measure.outages(13.0)] == [2.0], "it goes on"
    measure.answered(0, late, 13.5)
    measure.answered(1, measure.begin(1, 13.0), 13.01)
    assert [(o.shard_id, o.from_s, o.until_s) for o in measure.outages(20.0)] == [(0, 11.0, 13.5)]
    assert unavailable_s(measure.outages(20.0), 11.1, 12.0) == 2.5
    assert unavailable_s(measure.outages(20.0), 12.0, 15.0) == 0.0


def test_each_second_has_its_percentiles() -> None:
    measure = Measure()
    for n in range(100):
        measure.answered(0, measure.begin(0, 5.0), 5.001 + n / 1000)
    measure.answered(0, measure.begin(0, 6.9), 7.0)
    first, second = measure.moments(7.5)
    assert (first.at_s, first.answered) == (5, 100)
    assert first.p50_s == pytest.approx(0.051)
    assert first.p99_s == pytest.approx(0.100)
    assert (second.at_s, second.answered) == (7, 1)


class _Store:
    """A key-value store that forgets a write now and then, or answers nobody."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.forgets = self.silent = False

    async def write(
        self, shard_id: int, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        if self.silent:
            raise RequestFailed("UNAVAILABLE", "nobody", outcome_known=False)
        command = json.loads(message)
        was = self.values.get(command["key"])
        if not self.forgets:
            self.values[command["key"]] = command["value"]
        return json.dumps({"was": was}).encode()

    async def read(self, shard_id: int, message: bytes, *, timeout_s: float | None = None) -> bytes:
        if self.silent:
            raise RequestFailed("UNAVAILABLE", "nobody")
        return json.dumps({"value": self.values.get(json.loads(message)["key"])}).encode()


class _Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    async def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s / 20
        await asyncio.sleep(0)


async def _while(load: LoadBeside, condition: str) -> None:
    for _ in range(20_000):
        if eval(condition, {"v": load.view}):
            return
        await asyncio.sleep(0)
    raise AssertionError(f"never {condition}: {load.view.verdict}")


async def test_the_verdict_is_there_while_it_runs_and_moves_with_what_happens() -> None:
    store, time = _Store(), _Time()
    load = LoadBeside(store, now=lambda: time.now_s, sleep=time.sleep)
    assert load.view.verdict.word == "UNKNOWN"
    load.start((0, 1))
    await _while(load, "v.verdict.judged > 300")
    assert load.view.verdict.word == "linearizable so far"
    assert load.adjust("keys", 1) == "50/s, 40% reads, 10 keys"
    store.silent = True
    await _while(load, "v.verdict.unknown > 20 and v.verdict.refused > 5")
    store.silent = False
    await _while(load, "v.verdict.judged > 600")
    assert load.view.verdict.word == "linearizable so far"
    store.forgets = True
    await _while(load, "v.verdict.broken")
    verdict = await load.stop()
    assert verdict.word == "NOT linearizable"
    assert verdict.lost >= 1
    assert not load.is_running
