"""How often a picture is taken: less often where the terminal or the machine cannot keep up."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

LEVELS = (1, 2, 4)  # Every tick, every second one, every fourth.
LATE = 4  # So many late ticks in a row, and there are fewer pictures;
GOOD = 40  # so many punctual ones, and there are more again.


class Rate:
    """
    Ticks come at a fixed rate; late ones say that the event loop was held up.

    It is, by painting, or by a terminal that does not take what was painted: keys would wait as
    well. So pictures become fewer before that is felt.
    """

    def __init__(self, ticks_per_s: float, clock: Callable[[], float] = monotonic) -> None:
        """Begin with a picture at every tick; *clock* gives seconds."""
        self._ticks_per_s, self._clock = ticks_per_s, clock
        self._level = self._ticks = self._late = self._good = 0
        self._due_s: float | None = None

    @property
    def slow_hz(self) -> float | None:
        """Return how many pictures a second there are, or None while there are all."""
        return self._ticks_per_s / LEVELS[self._level] if self._level else None

    def tick(self) -> bool:
        """Count one tick; return whether a picture is to be taken at it."""
        now_s, period_s = self._clock(), 1 / self._ticks_per_s
        is_late = self._due_s is not None and now_s - self._due_s > period_s / 2
        self._due_s = now_s + period_s
        self._late, self._good = (self._late + 1, 0) if is_late else (0, self._good + 1)
        if self._late >= LATE and self._level + 1 < len(LEVELS):
            self._level, self._late = self._level + 1, 0
        elif self._good >= GOOD and self._level:
            self._level, self._good = self._level - 1, 0
        self._ticks += 1
        return self._ticks % LEVELS[self._level] == 0
