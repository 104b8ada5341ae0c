"""A store in memory: public, of equal rank in every test, and able to fail when told to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import NO_ENTRIES, ZERO, Clock, Entries, NodeId, ShardId
from lolraft.storage.interface import Locked, Storage, StorageError, WrongNode


@dataclass
class MemoryDisk:
    """What outlives a `MemoryStorage`, as a data directory outlives a process."""

    node: NodeRecord | None = None
    shards: dict[ShardId, ShardRecord] = field(default_factory=dict)
    locked: bool = False


class MemoryStorage(Storage):
    """Keep committed batches in a `MemoryDisk`; a crash loses nothing that was committed."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self._open = False
        self._failed: str | None = None
        self._fail_next: str | None = None

    def open(self, node_id: NodeId) -> NodeRecord:
        """Bind the disk to *node_id* and raise its epoch."""
        if self.disk.locked:
            raise Locked("this disk is open already; close the other store first")
        known = self.disk.node
        if known is not None and known.node_id != node_id:
            raise WrongNode(f"this disk belongs to {known.node_id}, not to {node_id}")
        if known is None:
            incarnation = secrets.randbits(64) or 1
            known = NodeRecord(node_id=node_id, incarnation=incarnation, epoch=0)
        self.disk.node = replace(known, epoch=known.epoch + 1)
        self.disk.locked = self._open = True
        return self.disk.node

    def load(self) -> dict[ShardId, ShardRecord]:
        """Return what every shard restarts from."""
        if not self._open:
            raise StorageError("the store is not open")
        kept = self.disk.shards.items()
        return dict(sorted(item for item in kept if item[1] != ShardRecord()))

    def commit(self, batch: Batch) -> None:
        """Keep *batch* whole, or fail and take no more."""
        if not self._open:
            raise StorageError("the store is not open")
        if self._fail_next is not None:
            self._failed, self._fail_next = self._fail_next, None
        if self._failed is not None:
            raise StorageError(f"the store failed and takes no more batches: {self._failed}")
        for shard_id, save in batch.saves:
            self.disk.shards[shard_id] = after_save(self.disk.shards.get(shard_id), save)
        for shard_id in batch.dropped:
            kept = self.disk.shards.get(shard_id, ShardRecord())
            self.disk.shards[shard_id] = ShardRecord(ballot=kept.ballot, damaged=True)
        if batch.node is not None:
            self.disk.node = batch.node

    def fail_next_commit(self, reason: str) -> None:
        """Let the next commit fail, as a disk does; the store takes no more batches then."""
        self._fail_next = reason

    def close(self) -> None:
        """Let go of the disk."""
        if self._open:
            self.disk.locked = self._open = False


def after_save(record: ShardRecord | None, save: Save) -> ShardRecord:
    """Return what a shard restarts from after *save*: snapshot, then truncate, then append."""
    record = record or ShardRecord()
    base, entries = record.log_starts_after, record.entries
    if save.log_starts_after is not None:
        base, entries = _compact(base, entries, save.log_starts_after)
    if save.truncate_from is not None:
        entries = _cut(entries, 0, max(0, save.truncate_from - base.index - 1), base)
    if save.entries is not None and save.entries.terms:
        if save.entries.first != base.index + len(entries.terms) + 1:
            raise StorageError(f"a gap before index {save.entries.first}: that is our mistake")
        entries = Entries(
            base.index + 1,
            entries.terms + save.entries.terms,
            entries.kinds + save.entries.kinds,
            entries.payloads + save.entries.payloads,
        )
    return ShardRecord(
        ballot=save.ballot or record.ballot,
        snapshot=save.snapshot or record.snapshot,
        damaged=record.damaged and not save.repaired,
        log_starts_after=base,
        entries=entries if entries.terms else NO_ENTRIES if base == ZERO else _none_after(base),
    )


def _none_after(base: Clock) -> Entries:
    return Entries(base.index + 1, (), b"", ())


def _compact(base: Clock, entries: Entries, after: Clock) -> tuple[Clock, Entries]:
    if after.index <= base.index:
        return base, entries
    return after, _cut(entries, after.index - base.index, len(entries.terms), after)


def _cut(entries: Entries, start: int, stop: int, base: Clock) -> Entries:
    return Entries(
        base.index + 1,
        entries.terms[start:stop],
        entries.kinds[start:stop],
        entries.payloads[start:stop],
    )
