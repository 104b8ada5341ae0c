"""Clients that write and read while faults strike; what they were told is judged (LAB part 3)."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from lab.apps import kv
from lolraft.errors import RequestFailed
from lolraft.raft.types import ShardId
from lolraft.sim.history import Operation
from lolraft.sim.linearizable import TooHard, why_not_linearizable

KEY_OPERATIONS = 60
"""A key is left after so many operations: its history is whole then, and can be judged."""

KEPT_KEYS = 500  # Judged keys that are read once more at the end.
KEPT_LATENCIES = 10_000
TRY_S = 5.0  # An operation without an answer for so long has an unknown outcome.


class KeyValueClient(Protocol):
    """What a load asks of `RaftClient`, or of a simulated one."""

    async def write(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """Replicate and apply a command, once."""

    async def read(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """Ask the app, linearizably."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of the answers so far."""

    acknowledged: int = 0  # Writes.
    read: int = 0
    unknown: int = 0  # Writes without an answer: they may have happened or not.
    refused: int = 0  # Operations that certainly did not happen.
    too_hard: int = 0  # Keys whose histories were too long a search.
    longest_pause_s: float = 0.0  # Between two answers, since the last `mark`.
    broken: str = ""  # Why the answers are not linearizable; empty while they are.

    def __str__(self) -> str:
        """Return one line."""
        found = "NOT linearizable" if self.broken else "linearizable so far"
        return (
            f"{found}: {self.acknowledged} writes acknowledged, {self.read} reads,"
            f" {self.unknown} unknown, longest pause {self.longest_pause_s:.2f} s"
        )


@dataclass(slots=True)
class _Key:
    """One key of one shard, from its first operation to its judgement."""

    shard_id: ShardId
    name: str
    operations: list[Operation] = field(default_factory=list)
    begun: int = 0
    under_way: int = 0


class Load:
    """
    Some clients, each of which puts and gets keys one after another.

    Every value is written once, a put answers the value before it, and a key is left after
    `KEY_OPERATIONS`: so the history of a key is short, exact to judge, and done soon.
    """

    def __init__(
        self,
        client: KeyValueClient,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        shards: tuple[ShardId, ...] = (0,),
        clients: int = 5,
        rate: float = 50.0,
        reads: float = 0.4,
        seed: int = 0,
    ) -> None:
        """
        Prepare; *rate* is operations a second over all clients, *reads* the share of reads.

        *now* and *sleep* belong to the cluster's time, which may be virtual.
        """
        self.rate = rate
        self.reads = reads
        self.latencies_s: deque[float] = deque(maxlen=KEPT_LATENCIES)
        self._client = client
        self._now = now
        self._sleep = sleep
        self._shards = shards
        self._count = clients
        self._dice = random.Random(f"{seed} load")
        self._keys = [self._new_key(n) for n in range(clients)]
        self._made = clients
        self._value = 0
        self._done: deque[_Key] = deque(maxlen=KEPT_KEYS)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._counts = {"acknowledged": 0, "read": 0, "unknown": 0, "refused": 0}
        self._too_hard = 0
        self._broken = ""
        self._answered_s = 0.0
        self._pause_s = 0.0

    @property
    def verdict(self) -> Verdict:
        """Return what is known now; a pause that goes on counts."""
        lasting_s = self._now() - self._answered_s if self._tasks else 0.0
        return Verdict(
            **self._counts,
            too_hard=self._too_hard,
            longest_pause_s=max(self._pause_s, lasting_s),
            broken=self._broken,
        )

    def start(self) -> None:
        """Begin."""
        self._answered_s = self._now()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work(number)) for number in range(self._count)]

    def mark(self) -> None:
        """Count the longest pause from now on."""
        self._pause_s = 0.0
        self._answered_s = self._now()

    async def stop(self) -> Verdict:
        """End, read every key once more, and return the verdict on everything."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        self._tasks = []
        for key in (*self._done, *self._keys):
            if key.operations:
                await self._operate(-1, key, "read")
                self._judge(key)
        return self.verdict

    async def cancel(self) -> None:
        """End at once, without a verdict."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _new_key(self, number: int) -> _Key:
        return _Key(self._dice.choice(self._shards), f"load{number}")

    async def _work(self, number: int) -> None:
        while not self._stopping:
            place = self._dice.randrange(len(self._keys))
            key = self._keys[place]
            kind = "read" if self._dice.random() < self.reads else "write"
            key.begun += 1
            if key.begun >= KEY_OPERATIONS:
                self._keys[place] = self._new_key(self._made)
                self._made += 1
            await self._operate(number, key, kind)
            if key.begun >= KEY_OPERATIONS and key.under_way == 0:
                self._judge(key)
                self._done.append(key)
            await self._sleep(self._count / self.rate * (0.5 + self._dice.random()))

    async def _operate(self, number: int, key: _Key, kind: str) -> None:
        self._value += 1
        value = str(self._value) if kind == "write" else ""
        operation = Operation(number, key.name, kind, value, self._now())
        key.operations.append(operation)
        key.under_way += 1
        try:
            if kind == "write":
                raw = await self._client.write(
                    key.shard_id, kv.put(key.name, value), timeout_s=TRY_S
                )
                operation.answer = kv.decode_answer(raw)["was"] or ""
            else:
                raw = await self._client.read(key.shard_id, kv.get(key.name), timeout_s=TRY_S)
                operation.answer = kv.decode_answer(raw)["value"] or ""
            operation.end_s = self._now()
            self._answered(operation)
        except RequestFailed as failed:
            unknown = kind == "write" and not failed.outcome_known
            self._counts["unknown" if unknown else "refused"] += 1
            if not unknown:
                key.operations.remove(operation)
        finally:
            key.under_way -= 1

    def _answered(self, operation: Operation) -> None:
        self._counts["acknowledged" if operation.kind == "write" else "read"] += 1
        self.latencies_s.append(operation.end_s - operation.begin_s)
        self._pause_s = max(self._pause_s, operation.end_s - self._answered_s)
        self._answered_s = operation.end_s

    def _judge(self, key: _Key) -> None:
        try:
            why = why_not_linearizable(key.operations)
        except TooHard:
            self._too_hard += 1
        else:
            self._broken = self._broken or why or ""
