"""The load itself: callers that wait for answers, or operations that begin by the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from tests.bench.stats import Histogram
from tests.bench.work import READ, Outcome, Work

BREATH_S = 0.01  # After a failure, so that a dead server is not asked a million times.
TICK_S = 0.001
LATE_S = 5.0
"""What is not answered so long after the end of a round has failed."""
BACKLOG_S = 2.0
"""An open loop with the operations of so many seconds under way has found its end."""

Ask = Callable[[int], Awaitable[object]]


class Client(Protocol):
    """One client of a system, as many callers use it."""

    async def write(self, number: int) -> object:
        """Put a value under a key."""

    async def read(self, number: int) -> object:
        """Get the value of a key, linearizably."""

    async def insist(self) -> float:
        """Write until a write is accepted; return the time of CLOCK_MONOTONIC then."""

    async def close(self) -> None:
        """Close."""


async def apply_load(clients: Sequence[Client], work: Work) -> Outcome:
    """Do the work with all *clients* at once."""
    asks = [client.read if work.operation == READ else client.write for client in clients]
    if work.rate is None:
        return await _Closed(work).run(asks)
    return await _Open(work).run(asks)


class _Tally:
    """Count what ends, apart from what only warms."""

    def __init__(self, work: Work) -> None:
        self._work = work
        began_s = time.perf_counter()
        self.counts_from_s = began_s + work.warm_s
        self.until_s = self.counts_from_s + work.run_s
        self._times_s: list[float] = []
        self._outcome = Outcome(run_s=work.run_s)

    def ended(self, began_s: float, at_s: float) -> None:
        self._outcome.total += 1
        if self.counts_from_s <= at_s <= self.until_s:
            self._outcome.counted += 1
            self._times_s.append(at_s - began_s)

    def failed(self, broken: BaseException) -> None:
        self._outcome.errors += 1
        self._outcome.error = self._outcome.error or f"{type(broken).__name__}: {broken}"[:300]

    async def _give_up(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Count what has not been answered by now as failures."""
        for task in (given_up := list(tasks)):
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        for _ in given_up:
            self.failed(TimeoutError(f"not answered {LATE_S:.0f} s after the end"))

    def outcome(self) -> Outcome:
        self._outcome.times = Histogram(self._times_s)
        return self._outcome


class _Closed(_Tally):
    async def run(self, asks: Sequence[Ask]) -> Outcome:
        callers = [
            asyncio.ensure_future(self._caller(number, asks[number % len(asks)]))
            for number in range(self._work.callers)
        ]
        patience_s = self._work.warm_s + self._work.run_s + LATE_S
        _, wedged = await asyncio.wait(callers, timeout=patience_s)
        await self._give_up(wedged)
        return self.outcome()

    async def _caller(self, number: int, ask: Ask) -> None:
        now_s = time.perf_counter
        step = self._work.callers
        began_s = now_s()
        while began_s < self.until_s:
            try:
                await ask(number)
            except Exception as broken:
                self.failed(broken)
                await asyncio.sleep(BREATH_S)
                began_s = now_s()
                continue
            ended_s = now_s()
            self.ended(began_s, ended_s)
            began_s = ended_s
            number += step


class _Open(_Tally):
    """
    Begin operations at even distances.

    All that are due within the time are begun, if late, and a latency counts from when its
    operation was due: a system, or a client, that falls behind cannot hide that by being asked
    less. The rate is that of answers within the time.
    """

    async def run(self, asks: Sequence[Ask]) -> Outcome:
        rate = self._work.rate
        assert rate is not None
        begin_s = time.perf_counter()
        last = round(rate * (self._work.warm_s + self._work.run_s))
        most = max(1_000, int(rate * BACKLOG_S))
        under_way: set[asyncio.Task[None]] = set()
        sent = 0
        while sent < last and len(under_way) < most:
            due = min(last, int((time.perf_counter() - begin_s) * rate))
            for number in range(sent, due):
                one = self._one(number, asks[number % len(asks)], begin_s + number / rate)
                task = asyncio.ensure_future(one)
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            sent = max(sent, due)
            await asyncio.sleep(TICK_S)
        for _ in range(sent, last):
            self.failed(TimeoutError(f"never begun: {most:,} others were not answered"))
        if under_way:
            await asyncio.wait(under_way, timeout=LATE_S)
        await self._give_up(under_way)
        return self.outcome()

    async def _one(self, number: int, ask: Ask, due_s: float) -> None:
        try:
            await ask(number)
        except Exception as broken:
            self.failed(broken)
        else:
            self.answered(due_s, time.perf_counter())

    def answered(self, due_s: float, at_s: float) -> None:
        """Count the latency of what was due while it is counted, also when it comes late."""
        self._outcome.total += 1
        if self.counts_from_s <= at_s <= self.until_s:
            self._outcome.counted += 1
        if self.counts_from_s <= due_s <= self.until_s:
            self._times_s.append(at_s - due_s)
