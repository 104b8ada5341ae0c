"""A picture that comes too slowly comes less often, before keys have to wait."""

from __future__ import annotations

from lab.tui.rate import GOOD, LATE, Rate


class Clock:
    """A clock that is told what time it is."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def ticks(rate: Rate, clock: Clock, count: int, apart_s: float) -> int:
    """Let *count* ticks come; return how many pictures were taken."""
    taken = 0
    for _ in range(count):
        clock.now_s += apart_s
        taken += rate.tick()
    return taken


def test_every_tick_is_a_picture_while_all_is_well() -> None:
    clock = Clock()
    rate = Rate(4, clock)
    assert ticks(rate, clock, 100, 0.25) == 100
    assert rate.slow_hz is None


def test_late_ticks_in_a_row_make_pictures_fewer_and_fewer() -> None:
    clock = Clock()
    rate = Rate(4, clock)
    ticks(rate, clock, LATE + 1, 0.6)
    assert rate.slow_hz == 2
    ticks(rate, clock, LATE, 0.6)
    assert rate.slow_hz == 1
    assert ticks(rate, clock, 40, 0.6) == 10, "no fewer than that"
    assert rate.slow_hz == 1


def test_one_late_tick_now_and_then_is_no_reason() -> None:
    clock = Clock()
    rate = Rate(4, clock)
    for _ in range(50):
        ticks(rate, clock, LATE - 1, 0.6)
        ticks(rate, clock, 1, 0.25)
    assert rate.slow_hz is None


def test_it_comes_back_when_ticks_are_punctual_again() -> None:
    clock = Clock()
    rate = Rate(4, clock)
    ticks(rate, clock, 2 * LATE + 1, 0.6)
    assert rate.slow_hz == 1
    ticks(rate, clock, GOOD, 0.25)
    assert rate.slow_hz == 2
    ticks(rate, clock, GOOD, 0.25)
    assert rate.slow_hz is None
