"""Virtual time: a heap of (time, sequence, action), and a source of chance for each purpose."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

Action = Callable[..., None]


class Clock:
    """Run actions in the order of their times; equal times in the order they were asked for."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_s = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Action, tuple[object, ...]]] = []
        self._sequence = 0

    def chance(self, purpose: str) -> Random:
        """
        Return a source of random numbers for one purpose.

        Taking one fault out does not shift what the others draw.
        """
        return Random(f"{self.seed} {purpose}")

    def after(self, delay_s: float, action: Action, *arguments: object) -> None:
        """Do *action* in *delay_s* seconds of virtual time."""
        self._sequence += 1
        at_s = self.now_s + delay_s if delay_s > 0 else self.now_s
        heapq.heappush(self._heap, (at_s, self._sequence, action, arguments))

    def run(self, until_s: float, done: Callable[[], bool] | None = None) -> bool:
        """Go on to *until_s*; stop early and return True when *done* says so."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until_s:
            self.now_s, _, action, arguments = pop(heap)
            self.steps += 1
            action(*arguments)
            if done is not None and done():
                return True
        self.now_s = max(self.now_s, until_s)
        return False

    @property
    def next_s(self) -> float:
        """Return when the next action is due; infinity when there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def step(self) -> bool:
        """Do the next action, and return whether there was one."""
        return bool(self._heap) and self.run(self._heap[0][0], lambda: True)
