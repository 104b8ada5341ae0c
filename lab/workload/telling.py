"""Tell of a load piece by piece, so that a recording or a report has what its clients saw."""

from __future__ import annotations

from collections.abc import Callable

from lab.observe.happenings import Measured
from lab.workload.view import LoadView


class Teller:
    """Turn what is seen of a load, now and then, into happenings that add up to its history."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._told_s = 0.0  # When the last was told,
        self._second = 0  # and the last whole second of it.
        self._last: Measured | None = None

    def news(self, view: LoadView, at_s: float, *, final: bool = False) -> Measured | None:
        """
        Return what is new in *view*, taken at *at_s*; None where there is nothing.

        A second is told when it is over, the last one as it is: nothing may follow a *final* one.
        """
        if view.began_s is None:
            return None
        if view.began_s != self._began_s:
            self._began_s, self._told_s, self._second, self._last = view.began_s, 0.0, 0, None
        now = int(at_s) + final
        moments = tuple(one for one in view.moments if self._second < one.at_s < now)
        outages = tuple(one for one in view.outages if one.until_s >= self._told_s)
        told = Measured(
            at_s=at_s,
            began_s=view.began_s,
            verdict=view.verdict,
            moments=moments,
            outages=outages,
        )
        last = self._last
        if not moments and not outages and last is not None and last.verdict == told.verdict:
            return None
        self._told_s, self._last = at_s, told
        self._second = moments[-1].at_s if moments else self._second
        return told


def either(one: Callable[[], LoadView], other: Callable[[], LoadView]) -> Callable[[], LoadView]:
    """Return how to see the load that was begun by hand, or else the *other*."""
    return lambda: view if (view := one()).began_s is not None else other()
