"""How long a silence lasts until phi passes a threshold: from the rhythm that a link reported."""

from __future__ import annotations

from functools import lru_cache

from lolraft.multiraft.phi import deviations_at

MOST_WAIT_S = 1.0  # A node suspects after this, whatever phi says (PROTOCOL L3),
LEAST_BEATS = 2.0  # and never before so many intervals.


def wait_s(mean_s: float, deviation_s: float, threshold: float) -> float:
    """
    Return how long a peer must be silent until it is suspected.

    Args:
        mean_s: Mean interval between heartbeats, in seconds.
        deviation_s: Standard deviation of that interval, in seconds.
        threshold: Of phi.

    Source: Hayashibara et al., "The phi accrual failure detector"; bounds of PROTOCOL L3, with the
    observed mean in the place of the configured interval, which no link reports.
    """
    late_s = mean_s + _deviations(threshold) * deviation_s
    return min(max(late_s, LEAST_BEATS * mean_s), MOST_WAIT_S)


@lru_cache(maxsize=64)
def _deviations(threshold: float) -> float:
    return deviations_at(threshold)
