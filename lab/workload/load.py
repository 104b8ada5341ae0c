"""Clients that write and read while faults strike; what they were told is judged (LAB part 3)."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from lab.apps import kv
from lab.workload.measure import Measure
from lab.workload.register import Register
from lolraft.errors import RequestFailed
from lolraft.raft.types import ShardId
from lolraft.sim.history import Operation

KEY_OPERATIONS = 60
"""A key is left after so many operations: its history is whole then, and can be judged."""

KEPT_KEYS = 500  # Judged keys that are read once more at the end.
LAST_READS_S = 10.0  # For reading them; a cluster that does not answer is not waited for.
READERS = 8  # At a time.
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
    judged: int = 0  # Operations whose answers an order was found for.
    judged_until_s: float = 0.0  # What began before is judged.
    waiting: int = 0  # Operations under way.
    too_hard: int = 0  # Keys whose histories were too long a search.
    lost: int = 0  # Acknowledged writes that are gone.
    longest_pause_s: float = 0.0  # Between two answers, since the last `mark`.
    slowest_s: float = 0.0
    slowest: str = ""  # What took so long.
    broken: str = ""  # Why the answers are not linearizable; empty while they are.

    @property
    def word(self) -> str:
        """Return the verdict in a few words; what cannot be known is said to be unknown."""
        if self.broken:
            return "NOT linearizable"
        if self.too_hard or not self.judged:
            return "UNKNOWN"
        return "linearizable so far"

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"{self.word}: {self.acknowledged} writes acknowledged, {self.lost} lost,"
            f" {self.read} reads, {self.unknown} unknown,"
            f" longest pause {self.longest_pause_s:.2f} s"
        )


@dataclass(slots=True, eq=False)
class _Key:
    """One key of one shard, from its first operation to its judgement."""

    shard_id: ShardId
    register: Register
    begun: int = 0
    under_way: int = 0


class Load:
    """
    Some clients, each of which puts and gets keys one after another.

    Every value is written once, a put answers the value before it, and a key is left after
    `KEY_OPERATIONS`. So a key's history can be judged while it grows, whenever nothing is under
    way on it, and what is kept of it stays small.
    """

    def __init__(
        self,
        client: KeyValueClient,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        shards: tuple[ShardId, ...] = (0,),
        clients: int = 5,
        keys: int = 5,
        rate: float = 50.0,
        reads: float = 0.4,
        seed: int = 0,
        prefix: str = "load",
    ) -> None:
        """
        Prepare; *rate* is operations a second over all clients, *reads* the share of reads.

        *keys* are in use at a time, over all shards. Rate, reads and keys may change under way.
        *now* and *sleep* belong to the cluster's time, which may be virtual.
        """
        self.rate = rate
        self.reads = reads
        self.keys = keys
        self.measure = Measure()
        self.began_s = now()
        self._client = client
        self._now = now
        self._prefix = prefix  # Of the names of keys: no other load may use them.
        self._sleep = sleep
        self._shards = shards
        self._count = clients
        self._dice = random.Random(f"{seed} load")
        self._live: list[_Key] = []
        self._leaving: list[_Key] = []  # Left, but not all of its operations have ended.
        self._made = 0
        self._value = 0
        self._done: deque[_Key] = deque(maxlen=KEPT_KEYS)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._verdict = Verdict()
        self._answered_s = 0.0
        self._pause_s = 0.0

    @property
    def is_running(self) -> bool:
        """Return whether clients ask."""
        return bool(self._tasks)

    @property
    def verdict(self) -> Verdict:
        """Return what is known now; a pause that goes on counts."""
        now_s = self._now()
        lasting_s = now_s - self._answered_s if self._tasks else 0.0
        keys = (*self._live, *self._leaving)
        unjudged = [since for key in keys if (since := key.register.unjudged_since_s) is not None]
        return replace(
            self._verdict,
            longest_pause_s=max(self._pause_s, lasting_s),
            judged_until_s=min(unjudged, default=now_s if self._tasks else self._answered_s),
            waiting=sum(key.under_way for key in keys),
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
        keys = iter([*self._done, *self._leaving, *self._live])
        until_s = self._now() + LAST_READS_S
        await asyncio.gather(*(self._read_again(keys, until_s) for _ in range(READERS)))
        self.measure.rest()
        return self.verdict

    async def cancel(self) -> None:
        """End at once, without a verdict."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.measure.rest()

    async def _read_again(self, keys: Iterator[_Key], until_s: float) -> None:
        for key in keys:
            if self._now() < until_s:
                await self._operate(-1, key, "read")
            self._judge(key)

    def _take_key(self) -> _Key:
        """Return a key to ask for; as many are in use as are wanted now."""
        while len(self._live) < max(1, self.keys):
            name = f"{self._prefix}{self._made}"
            self._live.append(_Key(self._dice.choice(self._shards), Register(name)))
            self._made += 1
        while len(self._live) > max(1, self.keys):
            self._leaving.append(self._live.pop())
        key = self._dice.choice(self._live)
        key.begun += 1
        if key.begun >= KEY_OPERATIONS or key.register.is_worn:
            self._live.remove(key)
            self._leaving.append(key)
        return key

    async def _work(self, number: int) -> None:
        await self._sleep(self._count / self.rate * self._dice.random())
        while not self._stopping:
            began_s = self._now()
            kind = "read" if self._dice.random() < self.reads else "write"
            await self._operate(number, self._take_key(), kind)
            each_s = self._count / self.rate * (0.5 + self._dice.random())
            await self._sleep(max(0.0, began_s + each_s - self._now()))

    async def _operate(self, number: int, key: _Key, kind: str) -> None:
        self._value += 1
        value = str(self._value) if kind == "write" else ""
        operation = Operation(number, key.register.name, kind, value, self._now())
        key.register.add(operation)
        key.under_way += 1
        asked = self.measure.begin(key.shard_id, operation.begin_s)
        try:
            operation.answer = await self._ask(key, kind, value)
            operation.end_s = self._now()
            self.measure.answered(key.shard_id, asked, operation.end_s)
            self._answered(operation)
        except RequestFailed as failed:
            unknown = kind == "write" and not failed.outcome_known
            self._count_one("unknown" if unknown else "refused")
            self.measure.failed(key.shard_id, asked, self._now())
            if not unknown:
                key.register.drop(operation)
        except (ValueError, KeyError, TypeError) as strange:  # No answer of the store.
            self.measure.failed(key.shard_id, asked, self._now())
            key.register.drop(operation)
            why = f"{kind} {operation.key} was answered by something that is none: {strange}"
            self._verdict = replace(self._verdict, broken=self._verdict.broken or why)
        finally:
            key.under_way -= 1
        if not key.under_way:
            self._judge(key)

    async def _ask(self, key: _Key, kind: str, value: str) -> str:
        name = key.register.name
        if kind == "write":
            raw = await self._client.write(key.shard_id, kv.put(name, value), timeout_s=TRY_S)
            was: str | None = kv.decode_answer(raw)["was"]
            return was or ""
        raw = await self._client.read(key.shard_id, kv.get(name), timeout_s=TRY_S)
        found: str | None = kv.decode_answer(raw)["value"]
        return found or ""

    def _count_one(self, what: str) -> None:
        self._verdict = replace(self._verdict, **{what: getattr(self._verdict, what) + 1})

    def _answered(self, operation: Operation) -> None:
        self._count_one("acknowledged" if operation.kind == "write" else "read")
        took_s = operation.end_s - operation.begin_s
        if took_s > self._verdict.slowest_s:
            what = f"{operation.kind} {operation.key}"
            self._verdict = replace(self._verdict, slowest_s=took_s, slowest=what)
        self._pause_s = max(self._pause_s, operation.end_s - self._answered_s)
        self._answered_s = operation.end_s

    def _judge(self, key: _Key) -> None:
        """Close what is whole of its history; nothing is under way on it."""
        register, before = key.register, self._verdict
        hard, judged, broken = register.too_hard, register.judged, register.broken
        register.judge()
        self._verdict = replace(
            before,
            judged=before.judged + register.judged - judged,
            too_hard=before.too_hard + (register.too_hard and not hard),
            lost=before.lost + (register.lost if register.broken and not broken else 0),
            broken=before.broken or register.broken,
        )
        if key in self._leaving:
            self._leaving.remove(key)
            register.forget()
            self._done.append(key)
