"""The checker itself: histories known to be linearizable, and histories known not to be."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from lolraft.sim import linearizable
from lolraft.sim.history import PENDING, Operation
from lolraft.sim.linearizable import TooHard, why_not_linearizable


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


def history_of(count: int, clients: int, seed: int) -> list[Operation]:
    """Return what one register answers to clients that work at the same time."""
    chance = Random(seed)
    free_s = [0.0] * clients
    spans = []
    for number in range(count):
        client = min(range(clients), key=free_s.__getitem__)
        begin_s = free_s[client] + chance.random() * 0.01
        end_s = begin_s + chance.expovariate(100)
        free_s[client] = end_s
        spans.append(
            (begin_s + chance.random() * (end_s - begin_s), begin_s, end_s, client, number)
        )
    value, history = "", []
    for _, begin_s, end_s, client, number in sorted(spans):  # In the order of their effects.
        if number % 3:
            history.append(Operation(client, "k", "read", "", begin_s, end_s, value))
        else:
            history.append(Operation(client, "k", "write", f"v{number}", begin_s, end_s, value))
            value = f"v{number}"
    return history


@pytest.mark.parametrize("writes_answer", [True, False])
@pytest.mark.parametrize(("count", "clients"), [(100, 10), (10_000, 10)])
def test_a_good_history_takes_few_states_more_than_it_has_operations(
    count: int, clients: int, writes_answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state takes microseconds: 100 operations take milliseconds, 10,000 a second or two."""
    # A write that answers the value before it leaves fewer orders to try.
    monkeypatch.setattr(linearizable, "MOST_VISITS", (12 if writes_answer else 60) * count)
    for seed in range(1_000 // count + 1):
        history = history_of(count, clients, seed)
        if not writes_answer:
            blind = {"write": None}
            history = [replace(item, answer=blind.get(item.kind, item.answer)) for item in history]
        assert why_not_linearizable(history) is None


@pytest.mark.parametrize(("count", "clients"), [(100, 10), (10_000, 10)])
def test_a_read_of_an_old_value_is_found_in_a_long_history(count: int, clients: int) -> None:
    history = history_of(count, clients, 1)
    place = next(n for n in range(count // 2, count) if history[n].kind == "read")
    history[place] = replace(history[place], answer="v0")
    assert "no order explains" in (why_not_linearizable(history) or "")


def test_a_write_that_answers_the_wrong_value_is_found() -> None:
    history = history_of(100, 10, 2)
    writes = [n for n, item in enumerate(history) if item.kind == "write"]
    history[writes[9]] = replace(history[writes[9]], answer=history[writes[5]].answer)
    assert "no order explains" in (why_not_linearizable(history) or "")


def add(value: int, total: int | None, begin_s: float, end_s: float = PENDING) -> Operation:
    answer = None if total is None else str(total)
    return Operation(1, "+", "add", str(value), begin_s, end_s, answer)


def total(answer: int, begin_s: float, end_s: float) -> Operation:
    return Operation(2, "+", "read", "", begin_s, end_s, str(answer))


def test_a_counter_is_judged_too() -> None:
    good = [add(2, 5, 0, 9), add(3, 3, 0, 9), total(3, 1, 2), total(5, 10, 11)]
    assert why_not_linearizable(good, "0") is None
    lost = [add(2, 2, 0, 1), add(3, 3, 2, 3)]
    twice = [add(2, 2, 0, 1), total(4, 2, 3)]
    unknown = [add(2, None, 0), total(0, 1, 2), total(2, 3, 4), total(0, 5, 6)]
    for bad in (lost, twice, unknown):
        assert why_not_linearizable(bad, "0") is not None


def test_a_history_with_too_many_unknown_outcomes_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linearizable, "MOST_VISITS", 1000)
    unknown = [add(1 << n, None, 0) for n in range(16)]
    with pytest.raises(TooHard):
        why_not_linearizable([*unknown, total(-1, 1, 2)], "0")
