"""The checker itself: histories known to be linearizable, and histories known not to be."""

from __future__ import annotations

import pytest

from lolraft.sim.history import PENDING, Operation
from lolraft.sim.linearizable import why_not_linearizable


def write(value: str, before: str | None, begin_s: float, end_s: float = PENDING) -> Operation:
    return Operation(1, "k", "write", value, begin_s, end_s, before)


def read(answer: str, begin_s: float, end_s: float) -> Operation:
    return Operation(2, "k", "read", "", begin_s, end_s, answer)


GOOD = {
    "nothing": [],
    "one after another": [write("a", "", 0, 1), read("a", 2, 3), write("b", "a", 4, 5)],
    "a read within a write sees either": [write("a", "", 0, 9), read("", 1, 2), read("a", 3, 4)],
    "concurrent writes in some order": [
        write("a", "b", 0, 9),
        write("b", "", 0, 9),
        read("a", 10, 11),
    ],
    "an unknown write happened late": [
        write("a", None, 0),
        write("b", "", 1, 2),
        read("b", 3, 4),
        read("a", 5, 6),
    ],
    "an unknown write never happened": [write("a", None, 0), read("", 1, 2), read("", 3, 4)],
}
BAD = {
    "a stale read": [write("a", "", 0, 1), read("", 2, 3)],
    "a lost write": [write("a", "", 0, 1), write("b", "", 2, 3)],
    "a value out of nowhere": [read("x", 0, 1)],
    "a read that goes back": [
        write("a", "", 0, 9),
        read("a", 1, 2),
        read("", 3, 4),
    ],
    "an unknown write that is seen and unseen": [
        write("a", None, 0),
        read("a", 1, 2),
        read("", 3, 4),
    ],
    "a write before it began": [read("a", 0, 1), write("a", "", 2, 3)],
    "executed twice": [
        write("a", "", 0, 1),
        write("b", "a", 2, 3),
        read("a", 4, 5),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_explained(name: str) -> None:
    assert why_not_linearizable(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_not(name: str) -> None:
    assert "no order explains" in (why_not_linearizable(BAD[name]) or "")


def test_many_unknown_writes_do_not_cost_for_ever() -> None:
    history = [write(f"u{n}", None, n) for n in range(12)]
    history += [write(f"w{n}", "" if n == 0 else f"w{n - 1}", 20 + n, 20.5 + n) for n in range(40)]
    assert why_not_linearizable(history) is None
