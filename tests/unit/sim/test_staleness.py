"""The judge of stale reads: what is within the bound passes, what is beyond does not."""

from __future__ import annotations

import pytest

from lolraft.multiraft.frames import RequestKind
from lolraft.sim.checkers.staleness import SLOWEST, why_too_stale
from lolraft.sim.history import PENDING, Operation


def write(value: str, before: str | None, begin_s: float, end_s: float) -> Operation:
    return Operation(1, "k", "write", value, begin_s, end_s, before, name=value)


def add(total: str, begin_s: float, end_s: float) -> Operation:
    return Operation(1, "+", "add", "1", begin_s, end_s, total)


def read(answer: str, begin_s: float, bound_s: float, key: str = "k") -> Operation:
    operation = Operation(2, key, "read", "", begin_s, begin_s + 0.1, answer)
    operation.read, operation.max_staleness_s = RequestKind.READ_STALE, bound_s
    return operation


WRITES = [write("a", "", 0.0, 1.0), write("b", "a", 2.0, 3.0)]


@pytest.mark.parametrize(
    ("answer", "begin_s", "bound_s", "kept"),
    [
        ("b", 9.0, 0.0, True),
        ("a", 2.5, 0.0, True),  # The write of b has not been acknowledged.
        ("a", 3.5, 0.0, False),
        ("a", 3.5, 1.0, True),
        ("a", 4.05, 1.0, True),  # By a clock that runs slowly.
        ("a", 3.0 + 1.01 / SLOWEST, 1.0, False),
        ("a", 9.0, float("inf"), True),
        ("", 3.5, 1.0, False),  # Replaced by a, at 1.
        ("b", 0.5, 9.0, False),  # Not begun yet.
        ("c", 9.0, 9.0, False),  # Never written.
    ],
)
def test_registers(answer: str, begin_s: float, bound_s: float, kept: bool) -> None:
    assert (why_too_stale(read(answer, begin_s, bound_s), WRITES) is None) is kept


def test_a_write_of_unknown_outcome_replaces_nothing_for_sure() -> None:
    unknown = write("b", None, 2.0, PENDING)
    assert why_too_stale(read("a", 9.0, 0.0), [WRITES[0], unknown]) is None
    assert why_too_stale(read("b", 9.0, 0.0), [WRITES[0], unknown]) is None


@pytest.mark.parametrize(("answer", "bound_s", "kept"), [("2", 0, True), ("1", 1, False)])
def test_counters(answer: str, bound_s: float, kept: bool) -> None:
    adds = [add("1", 0.0, 1.0), add("2", 2.0, 3.0)]
    assert (why_too_stale(read(answer, 9.0, bound_s, "+"), adds) is None) is kept
