"""Latencies as histograms that can be added up, and what rounds have in common."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STEP = math.log(1.02)
"""Buckets are 2 % wide: a percentile is right to 1 %."""
LEAST_S = 1e-6


class Histogram:
    """How many operations took how long; histograms of several processes add up."""

    def __init__(self, times_s: Iterable[float] = ()) -> None:
        """Count *times_s*, in seconds."""
        logarithm = math.log
        self._counts = Counter(int(logarithm(max(s, LEAST_S) / LEAST_S) / STEP) for s in times_s)

    @classmethod
    def of(cls, counts: Iterable[tuple[int, int]]) -> Histogram:
        """Return the histogram whose `counts` were these."""
        made = cls()
        for bucket, count in counts:
            made._counts[bucket] += count
        return made

    @property
    def counts(self) -> list[tuple[int, int]]:
        """Return buckets and what fell into them, in order."""
        return sorted(self._counts.items())

    @property
    def total(self) -> int:
        """Return how many operations were counted."""
        return self._counts.total()

    def add(self, other: Histogram) -> None:
        """Count what *other* has counted, too."""
        self._counts.update(other._counts)

    def percentile(self, percent: float) -> float | None:
        """Return seconds within which *percent* of the operations ended; None of none."""
        wanted = self.total * percent / 100
        seen = 0
        for bucket, count in self.counts:
            seen += count
            if seen >= wanted:
                return LEAST_S * math.exp((bucket + 0.5) * STEP)
        return None


@dataclass(frozen=True, slots=True)
class Spread:
    """Several rounds of one measurement."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float | None]) -> Spread | None:
    """Return median, minimum and maximum of what was measured; None where nothing was."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known), len(known))


def ratio(value: Spread | None, to: Spread | None) -> float | None:
    """Return the ratio of two medians; None where one is missing."""
    if value is None or to is None or not to.median:
        return None
    return value.median / to.median
