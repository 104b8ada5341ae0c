"""What a load measured: answers and latencies by the second, and when nobody was answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from lolraft.raft.types import ShardId

KEPT_S = 3600  # Seconds of history.
MOST_A_SECOND = 5_000  # Latencies of one second that are kept until it is over.
OUT_S = 0.2  # A shard whose clients wait for so long is out of service.
MOST_OUTAGES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One second of a load."""

    at_s: int  # Seconds since 1970, in the cluster's time.
    answered: int = 0
    failed: int = 0  # Refused, or nobody knows.
    p50_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Nobody was answered by one shard from the first that asked in vain to the next answer."""

    shard_id: ShardId
    from_s: float
    until_s: float

    @property
    def length_s(self) -> float:
        """Return how long it was."""
        return self.until_s - self.from_s


@dataclass(slots=True)
class _Service:
    """One shard as its clients see it."""

    answered_s: float = 0.0  # The end of its last answer.
    in_vain_s: float | None = None  # When the first began that has failed since.
    waiting: dict[int, float] = field(default_factory=dict)  # Beginning of what is under way.


class Measure:
    """Fold what clients saw; memory is bounded by time, not by how much was asked."""

    def __init__(self) -> None:
        self._moments: deque[Moment] = deque(maxlen=KEPT_S)
        self._second = 0
        self._latencies: list[float] = []
        self._answered = self._failed = 0
        self._services: dict[ShardId, _Service] = {}
        self._outages: deque[Outage] = deque(maxlen=MOST_OUTAGES)
        self._number = 0

    def begin(self, shard_id: ShardId, now_s: float) -> int:
        """Take note that an operation begins; return its number."""
        self._number += 1
        self._services.setdefault(shard_id, _Service()).waiting[self._number] = now_s
        return self._number

    def answered(self, shard_id: ShardId, number: int, now_s: float) -> None:
        """Take note of an answer."""
        self._turn(now_s)
        service = self._services[shard_id]
        began_s = service.waiting.pop(number)
        self._answered += 1
        if len(self._latencies) < MOST_A_SECOND:
            self._latencies.append(now_s - began_s)
        first_s = began_s if service.in_vain_s is None else min(began_s, service.in_vain_s)
        from_s = max(first_s, service.answered_s)
        if now_s - from_s >= OUT_S:
            self._outages.append(Outage(shard_id=shard_id, from_s=from_s, until_s=now_s))
        service.answered_s, service.in_vain_s = now_s, None

    def failed(self, shard_id: ShardId, number: int, now_s: float) -> None:
        """Take note that there was no answer, or a refusal."""
        self._turn(now_s)
        service = self._services[shard_id]
        began_s = service.waiting.pop(number)
        self._failed += 1
        if service.in_vain_s is None:
            service.in_vain_s = began_s

    def moments(self, now_s: float) -> tuple[Moment, ...]:
        """Return the seconds so far, oldest first; those in which nothing happened are missing."""
        self._turn(now_s)
        if not self._answered and not self._failed:
            return tuple(self._moments)
        return (*self._moments, self._moment())

    def outages(self, now_s: float) -> tuple[Outage, ...]:
        """Return every outage, those that go on last, as if they ended now."""
        lasting = []
        for shard_id, service in self._services.items():
            asked = [*service.waiting.values()]
            if service.in_vain_s is not None:
                asked.append(service.in_vain_s)
            from_s = max(min(asked, default=now_s), service.answered_s)
            if now_s - from_s >= OUT_S:
                lasting.append(Outage(shard_id=shard_id, from_s=from_s, until_s=now_s))
        return (*self._outages, *lasting)

    def rest(self) -> None:
        """Nobody asks any more: a shard that did not answer is no longer said to be out."""
        for service in self._services.values():
            service.in_vain_s = None
            service.waiting.clear()

    def _turn(self, now_s: float) -> None:
        second = int(now_s)
        if second > self._second:
            if self._answered or self._failed:
                self._moments.append(self._moment())
            self._second, self._latencies, self._answered, self._failed = second, [], 0, 0

    def _moment(self) -> Moment:
        ordered = sorted(self._latencies)
        return Moment(
            at_s=self._second,
            answered=self._answered,
            failed=self._failed,
            p50_s=percentile(ordered, 0.50),
            p99_s=percentile(ordered, 0.99),
            max_s=ordered[-1] if ordered else 0.0,
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that *share* of *ordered* do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def unavailable_s(outages: Sequence[Outage], from_s: float, until_s: float) -> float:
    """
    Return the longest outage of a shard that began within *from_s* and *until_s*.

    One that began a little before counts too: who asked just before a node died waits with all.
    """
    return max(
        (outage.length_s for outage in outages if from_s - OUT_S <= outage.from_s <= until_s),
        default=0.0,
    )
