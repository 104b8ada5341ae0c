"""A world's course in stretches of virtual time, so that who looks on may stop anywhere between."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias

from lolraft.sim.clock import Clock


class Stretch(NamedTuple):
    """Time that is to pass before the course goes on."""

    until_s: float
    done: Callable[[], bool] | None = None  # Asked after each action; the stretch ends early.


Course: TypeAlias = Generator[Stretch, bool, None]
"""What happens from outside, and the stretches between; each answers whether it ended early."""


class Player:
    """Play a course on its clock: at once, up to a time, or one action at a time; all the same."""

    def __init__(self, clock: Clock, course: Course) -> None:
        self._clock = clock
        self._course = course
        self._stretch: Stretch | None = None
        self._begun = False

    @property
    def is_over(self) -> bool:
        """Return whether the course has come to its end."""
        return self._begun and self._stretch is None

    def play(self) -> None:
        """Play all that is left."""
        self.run(float("inf"))

    def run(self, until_s: float) -> None:
        """Go on to *until_s*, or to the end of the course."""
        while (stretch := self._current()) is not None:
            early = self._clock.run(min(until_s, stretch.until_s), stretch.done)
            if not early and stretch.until_s > until_s:
                return
            self._go_on(early)

    def step(self) -> bool:
        """Do the next action, and return whether there was one."""
        while (stretch := self._current()) is not None:
            if self._clock.next_s > stretch.until_s:
                self._clock.run(stretch.until_s)
                self._go_on(False)
                continue
            self._clock.step()
            if stretch.done is not None and stretch.done():
                self._go_on(True)
            return True
        return False

    def _current(self) -> Stretch | None:
        if not self._begun:
            self._begun = True
            self._stretch = next(self._course, None)
        return self._stretch

    def _go_on(self, early: bool) -> None:
        try:
            self._stretch = self._course.send(early)
        except StopIteration:
            self._stretch = None
