"""A virtual disk: the memory store, with time, and with moments at which a crash can come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.types import Entries, Index, NodeId, ShardId
from lolraft.sim.clock import Clock
from lolraft.storage import blob
from lolraft.storage.columns import before
from lolraft.storage.interface import Corrupted, StorageError
from lolraft.storage.memory import MemoryDisk, MemoryStorage

WRITE_S = 0.0005
"""What a group commit takes at least; as much again, on average, comes by chance."""


class Disk:
    """
    What outlives a process: the store's rows, and the apps' snapshots by index.

    A batch is on its way for a while. A crash meanwhile decides whether it is there, or is lost,
    or is torn: some of its sectors were written. What is torn or rots is read as production reads
    it, by the checksum of the batch's blob; where that does not notice, garbage is what one gets.
    """

    def __init__(self, record: NodeRecord, clock: Clock) -> None:
        self.rows = MemoryDisk(node=record)
        self.snapshots: dict[ShardId, dict[Index, bytes]] = {}
        self.slow_s = 0.0  # More time for each write.
        self.is_stuck = False  # Nothing finishes.
        self.fails: str | None = None  # Why the next write fails.
        self.is_full = False  # Every write fails, that of the next epoch too.
        self.rotten: dict[ShardId, bytes] = {}  # Logs as the disk gives them back now.
        self.on_next_write: Callable[[], None] | None = None
        self.torn = 0  # So many writes were.
        self.on_way: Batch | None = None
        self._storage: MemoryStorage | None = None
        self._clock = clock
        self._chance: Random = clock.chance(f"disk {record.node_id}")
        self._write = 0  # Number of the write on its way: one that a crash ended is void.
        self._waiting: Callable[[], None] | None = None  # For the disk to move again.

    def open(self, node_id: NodeId) -> tuple[NodeRecord, dict[ShardId, ShardRecord]]:
        """
        Open the store as a new process does: a new epoch, and what every shard has.

        Raises:
            StorageError: the disk is full, or what it gives back is not what was written.
        """
        if self.is_full:
            raise StorageError("no space left on this disk, on purpose")
        for shard_id, rotten in sorted(self.rotten.items()):
            found = self._read(rotten, 0)
            if found is None:
                raise Corrupted(f"the log of shard {shard_id} is damaged, on purpose", shard_id)
            self.rows.shards[shard_id] = replace(self.shard(shard_id), entries=found[0])
        self._storage = MemoryStorage(self.rows)
        return self._storage.open(node_id), self._storage.load()

    def commit(self, batch: Batch, done: Callable[[Batch, str | None], None]) -> None:
        """Write *batch*; *done* hears whether it is durable, or why not."""
        assert self.on_way is None, "one batch at a time is on its way (DESIGN 5)"
        self.on_way = batch
        self._write += 1
        if self.on_next_write is not None:
            self.on_next_write()
            self.on_next_write = None
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
        if self.is_full:
            self._storage.fail_next_commit("no space left on this disk, on purpose")
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

    def mend(self) -> None:
        """End every fault of this disk."""
        self.fails, self.is_full, self.on_next_write = None, False, None
        self.rotten.clear()
        self.move()

    def rot(self, shard_id: ShardId, chance: Random) -> bool:
        """Change one bit of a shard's log until `rotten` is cleared; False where there is none."""
        entries = self.shard(shard_id).entries
        if not entries.terms:
            return False
        written = bytearray(blob.encode(0, [(shard_id, entries)]))
        written[chance.randrange(len(written))] ^= 1 << chance.randrange(8)
        self.rotten[shard_id] = bytes(written)
        return True

    def crash(self, keeps: bool | None = None, *, tears: bool = False) -> None:
        """
        Lose what was not synced, or not: a write on its way may have made it, in whole or in part.

        *keeps* and *tears* decide it; None leaves it to chance.
        """
        batch, self.on_way = self.on_way, None
        self._write += 1
        self._waiting = None
        if self._storage is None:
            return
        dice = self._chance.random()
        survives = dice < 0.4 if keeps is None else keeps
        if batch is not None and (tears or (keeps is None and dice > 0.7)):
            self.torn += 1
            batch, survives = self._torn(batch), True
        if batch is not None and survives and self.fails is None and not self.is_full:
            with suppress(StorageError):  # It had failed before.
                self._storage.commit(batch)
        self._storage.close()
        self._storage = None

    def damage(self, shard_id: ShardId, keep: int) -> None:
        """Lose all but the first *keep* entries of a log, as a rotten batch does (S12)."""
        record = self.shard(shard_id)
        kept = before(record.entries, record.log_starts_after.index + 1 + keep)
        self.rows.shards[shard_id] = replace(record, entries=kept, damaged=True)

    def _torn(self, batch: Batch) -> Batch | None:
        """
        Return what is there of a write that was torn: nothing, where the checksum notices.

        Its first bytes were written; the sectors after them are as they were.
        """
        parts = [(shard_id, save.entries) for shard_id, save in batch.saves if save.entries]
        whole = blob.encode(batch.number, parts)
        cut = self._chance.randrange(len(whole))
        found = self._read(whole[:cut] + bytes(len(whole) - cut), batch.number)
        if not parts or found is None:
            return None
        read = iter(found)
        saves = tuple(
            (shard_id, replace(save, entries=next(read)) if save.entries else save)
            for shard_id, save in batch.saves
        )
        return replace(batch, saves=saves)

    def _read(self, written: bytes, number: int) -> list[Entries] | None:
        """Return what a blob holds; None where its checksum says that it is damaged."""
        try:
            found = blob.sections(number, written)
        except blob.Damaged:
            return None
        return [blob.entries_of(written, section) for section in found]

    def shard(self, shard_id: ShardId) -> ShardRecord:
        """Return what is durable of a shard."""
        return self.rows.shards.get(shard_id) or ShardRecord()
