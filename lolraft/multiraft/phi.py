"""The phi accrual failure detector, one per peer (Hayashibara 2004, PROTOCOL L3, L4)."""

from __future__ import annotations

import math
from collections import deque

WINDOW = 100  # Intervals remembered.
ENOUGH = 5  # Intervals before the window counts for more than the prior.


def phi(elapsed_s: float, mean_s: float, stdev_s: float) -> float:
    """
    Return how strongly a silence of *elapsed_s* suggests that the peer is dead.

    The scale is logarithmic: at phi = k, a live peer that keeps the observed rhythm stays silent
    this long once in 10**k heartbeats.

    Args:
        elapsed_s: Seconds since the last heartbeat, not negative.
        mean_s: Mean interval between heartbeats, in seconds, positive.
        stdev_s: Standard deviation of that interval, in seconds, positive.

    Returns:
        A number >= 0, or `math.inf` when the tail is too small for a float.

    Source: Hayashibara et al., "The phi accrual failure detector", section 4.
    """
    if mean_s <= 0 or stdev_s <= 0:
        raise ValueError(f"need a positive interval, got mean_s={mean_s} stdev_s={stdev_s}")
    tail = math.erfc((elapsed_s - mean_s) / (stdev_s * math.sqrt(2))) / 2
    return max(0.0, -math.log10(tail)) if tail > 0 else math.inf


def deviations_at(threshold: float) -> float:
    """Return how many standard deviations late a peer is when phi reaches *threshold*."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if phi(middle + 1, 1, 1) < threshold else (low, middle)
    return high


class Detector:
    """Know one peer's rhythm; arithmetic only."""

    __slots__ = (
        "_deviations",
        "_heard_s",
        "_interval_s",
        "_seq",
        "_sum",
        "_sum_squares",
        "_suspect_at_s",
        "_suspected",
        "_window",
        "threshold",
    )

    def __init__(self, interval_s: float, threshold: float) -> None:
        self.threshold = threshold
        self._interval_s = interval_s
        self._deviations = deviations_at(threshold)
        self._window: deque[float] = deque()
        self._sum = 0.0
        self._sum_squares = 0.0
        self._heard_s: float | None = None
        self._seq = 0
        self._suspected = False
        self._suspect_at_s: float | None = None  # Asked several times a turn, so it is kept.

    def heard(self, now_s: float, seq: int | None = None) -> None:
        """
        Take a sign of life; *seq* numbers a regular beat, None is anything else.

        Only consecutive beats make samples, clamped to 0.5 to 3 intervals; an interval that ended
        in suspicion makes none, and two beats read at one moment are one (L3, L4).
        """
        if seq is not None:
            follows = seq == self._seq + 1 and self._heard_s is not None
            if follows and not self._suspected and now_s > (self._heard_s or 0.0):
                self._sample(now_s - (self._heard_s or 0.0))
            self._seq = seq
        self._suspected = False
        self._hear(now_s)

    def _hear(self, now_s: float) -> None:
        self._heard_s = now_s
        wait_s = self.mean_s + self._deviations * self.deviation_s
        self._suspect_at_s = now_s + min(max(wait_s, 2 * self._interval_s), 1.0)

    def _sample(self, interval_s: float) -> None:
        sample = min(max(interval_s, 0.5 * self._interval_s), 3 * self._interval_s)
        self._window.append(sample)
        self._sum += sample
        self._sum_squares += sample * sample
        if len(self._window) > WINDOW:
            old = self._window.popleft()
            self._sum -= old
            self._sum_squares -= old * old

    def restart(self, now_s: float) -> None:
        """Begin the silence anew: it was this node that slept (L5)."""
        if self._heard_s is not None:
            self._hear(now_s)

    def forget_seq(self) -> None:
        """Start counting beats anew: the peer did."""
        self._seq = 0

    @property
    def mean_s(self) -> float:
        """Return the mean interval; the configured one without enough history."""
        if len(self._window) < ENOUGH:
            return self._interval_s
        return self._sum / len(self._window)

    @property
    def deviation_s(self) -> float:
        """Return the standard deviation, at least 0.3 intervals; wide without enough history."""
        count = len(self._window)
        if count < ENOUGH:
            return self._interval_s
        variance = self._sum_squares / count - (self._sum / count) ** 2
        return max(0.3 * self._interval_s, math.sqrt(max(0.0, variance)))

    def elapsed_s(self, now_s: float) -> float:
        """Return the seconds since the last sign of life, infinity when there was none."""
        return math.inf if self._heard_s is None else now_s - self._heard_s

    def phi(self, now_s: float) -> float:
        """Return phi now; infinity when the peer was never heard."""
        if self._heard_s is None:
            return math.inf
        return phi(max(0.0, self.elapsed_s(now_s)), self.mean_s, self.deviation_s)

    def suspect_at_s(self) -> float | None:
        """Return when phi will reach the threshold: not before 2 intervals, always after 1 s."""
        return self._suspect_at_s

    def suspects(self, now_s: float) -> bool:
        """Return whether the peer counts as dead; a peer never heard does."""
        at_s = self._suspect_at_s
        self._suspected = at_s is None or now_s >= at_s - 1e-9
        return self._suspected
