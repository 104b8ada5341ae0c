"""A virtual disk: the memory store, with time, and with moments at which a crash can come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.types import Index, NodeId, ShardId
from lolraft.sim.clock import Clock
from lolraft.storage.columns import before
from lolraft.storage.interface import StorageError
from lolraft.storage.memory import MemoryDisk, MemoryStorage

WRITE_S = 0.0005
"""What a group commit takes at least; as much again, on average, comes by chance."""


class Disk:
    """
    What outlives a process: the store's rows, and the apps' snapshots by index.

    A batch is on its way for a while. A crash meanwhile decides whether it is there as a whole or
    not at all: what was not synced may be lost, and nobody was told that it is safe.
    """

    def __init__(self, record: NodeRecord, clock: Clock) -> None:
        self.rows = MemoryDisk(node=record)
        self.snapshots: dict[ShardId, dict[Index, bytes]] = {}
        self.slow_s = 0.0  # More time for each write.
        self.is_stuck = False  # Nothing finishes.
        self.fails: str | None = None  # Why the next write fails.
        self.on_way: Batch | None = None
        self._storage: MemoryStorage | None = None
        self._clock = clock
        self._chance: Random = clock.chance(f"disk {record.node_id}")
        self._write = 0  # Number of the write on its way: one that a crash ended is void.
        self._waiting: Callable[[], None] | None = None  # For the disk to move again.

    def open(self, node_id: NodeId) -> tuple[NodeRecord, dict[ShardId, ShardRecord]]:
        """Open the store as a new process does: a new epoch, and what every shard has."""
        self._storage = MemoryStorage(self.rows)
        return self._storage.open(node_id), self._storage.load()

    def commit(self, batch: Batch, done: Callable[[Batch, str | None], None]) -> None:
        """Write *batch*; *done* hears whether it is durable, or why not."""
        assert self.on_way is None, "one batch at a time is on its way (DESIGN 5)"
        self.on_way = batch
        self._write += 1
        delay_s = WRITE_S + self._chance.expovariate(1 / WRITE_S) + self.slow_s
        self._clock.after(delay_s, self._written, self._write, done)

    def _written(self, number: int, done: Callable[[Batch, str | None], None]) -> None:
        if number != self._write or self.on_way is None:
            return
        if self.is_stuck:
            self._waiting = lambda: self._written(number, done)
            return
        batch, self.on_way = self.on_way, None
        try:
            self._store(batch)
        except StorageError as failure:
            done(batch, str(failure))
        else:
            done(batch, None)

    def _store(self, batch: Batch) -> None:
        assert self._storage is not None, "a process has opened it"
        if self.fails is not None:
            self._storage.fail_next_commit(self.fails)
            self.fails = None
        self._storage.commit(batch)

    def move(self) -> None:
        """Let a disk that was stuck go on."""
        self.is_stuck = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._clock.after(0.0, waiting)

    def crash(self, keeps: bool | None = None) -> None:
        """
        Lose what was not synced, or not: a write on its way may have made it.

        *keeps* decides it; None leaves it to chance.
        """
        batch, self.on_way = self.on_way, None
        self._write += 1
        self._waiting = None
        if self._storage is None:
            return
        survives = self._chance.random() < 0.5 if keeps is None else keeps
        if batch is not None and survives and self.fails is None:
            with suppress(StorageError):  # It had failed before.
                self._storage.commit(batch)
        self._storage.close()
        self._storage = None

    def damage(self, shard_id: ShardId, keep: int) -> None:
        """Lose all but the first *keep* entries of a log, as a rotten batch does (S12)."""
        record = self.shard(shard_id)
        kept = before(record.entries, record.log_starts_after.index + 1 + keep)
        self.rows.shards[shard_id] = replace(record, entries=kept, damaged=True)

    def shard(self, shard_id: ShardId) -> ShardRecord:
        """Return what is durable of a shard."""
        return self.rows.shards.get(shard_id) or ShardRecord()
