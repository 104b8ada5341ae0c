"""The contract of every store; `tests/contract` runs the same tests over all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.types import NodeId, ShardId


class StorageError(Exception):
    """The store cannot be opened, read or written; the text says what an operator can do."""


class WrongNode(StorageError):
    """The data directory belongs to another node id."""


class Locked(StorageError):
    """Another process holds the data directory."""


class NewerFormat(StorageError):
    """The data directory was written by a newer version."""


class Corrupted(StorageError):
    """A checksum does not match what was read."""

    def __init__(self, text: str, shard_id: ShardId | None = None) -> None:
        super().__init__(text)
        self.shard_id = shard_id


class Storage(ABC):
    """Keep what `Batch` says; one thread calls at a time, and every call may block on the disk."""

    @abstractmethod
    def open(self, node_id: NodeId) -> NodeRecord:
        """
        Lock the store, bind it to *node_id*, raise its epoch durably and return the facts.

        A new store draws an incarnation (64 random bits, not 0) and starts at epoch 1.

        Raises:
            WrongNode, Locked, NewerFormat, Corrupted, StorageError: see there.
        """

    @abstractmethod
    def load(self) -> dict[ShardId, ShardRecord]:
        """
        Return what every shard restarts from, in order of shard id; called once, before a commit.

        A shard of which nothing is kept is left out. One whose log may miss its end, because what
        held it rotted, has what is whole and is `damaged`, until a Save says `repaired` (S12).

        Raises:
            Corrupted: with `shard_id` where the damage is one shard's alone.
            StorageError: the disk cannot be read, or the store is not open.
        """

    @abstractmethod
    def commit(self, batch: Batch) -> None:
        """
        Make *batch* durable as a whole: one transaction, one fsync; on return it survives a crash.

        Raises:
            StorageError: nothing of it may be relied on, and the store takes no more batches.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the lock; may be called twice."""
