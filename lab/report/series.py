"""Values over time in bounded room: when there are too many, each two neighbours become one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lab.workload.measure import Moment

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Track(Generic[Value]):
    """One series as it is drawn."""

    width_s: float = 1.0  # What one point stands for.
    points: tuple[tuple[float, Value], ...] = ()  # (begin, value), oldest first; gaps are missing.


class Series(Generic[Value]):
    """Gather a `Track` of at most *most* points; *join* makes one value of two."""

    def __init__(
        self, join: Callable[[Value, Value], Value], most: int, width_s: float = 1.0
    ) -> None:
        self._join, self._most, self._width_s = join, most, width_s
        self._points: dict[int, Value] = {}  # By their place in multiples of the width.

    def add(self, at_s: float, value: Value) -> None:
        """Take one more value; one so near that it is the same point is joined with it."""
        self._put(int(at_s // self._width_s), value)
        while len(self._points) > self._most:
            self._width_s *= 2
            old, self._points = self._points, {}
            for place, one in old.items():
                self._put(place // 2, one)

    def _put(self, place: int, value: Value) -> None:
        known = self._points.get(place)
        self._points[place] = value if known is None else self._join(known, value)

    @property
    def track(self) -> Track[Value]:
        """Return what there is so far."""
        ordered = sorted(self._points.items(), key=lambda item: item[0])
        return Track(self._width_s, tuple((at * self._width_s, value) for at, value in ordered))


def join_moments(one: Moment, other: Moment) -> Moment:
    """Return both as one: counts add up, p50 is their mean by answers, p99 the worse of the two."""
    answered = one.answered + other.answered
    middle_s = one.answered * one.p50_s + other.answered * other.p50_s
    return Moment(
        at_s=min(one.at_s, other.at_s),
        answered=answered,
        failed=one.failed + other.failed,
        p50_s=middle_s / answered if answered else 0.0,
        p99_s=max(one.p99_s, other.p99_s),
        max_s=max(one.max_s, other.max_s),
    )
