"""What a node keeps on disk, as values: the storage writes and reads these and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from lolraft.raft.effects import Save
from lolraft.raft.types import (
    NO_BALLOT,
    NO_ENTRIES,
    ZERO,
    Ballot,
    Clock,
    Entries,
    NodeId,
    ShardId,
    SnapshotMeta,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """Hold the facts of the node itself: small, written whole when one changes."""

    node_id: NodeId
    incarnation: int  # 64 random bits, drawn when the data directory was made (DESIGN 10).
    epoch: int  # Raised at each start, durable before the first frame leaves (S7).
    hosted: tuple[ShardId, ...] = ()  # Sorted; `--shards` adds, never removes (C3).
    pins: tuple[tuple[NodeId, int], ...] = ()  # (peer, incarnation) at first contact (S4), sorted.
    lease_s: float = 0.0  # The largest that any life has promised (S6).
    proven: bool = True  # False: static bootstrap, members not yet asked (S4).


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """Hold what a shard's replica restarts from."""

    ballot: Ballot = NO_BALLOT
    snapshot: SnapshotMeta | None = None
    log_starts_after: Clock = ZERO
    entries: Entries = NO_ENTRIES
    damaged: bool = False  # Entries are missing at the end: no vote until repaired (S12).


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    Hold one group commit: one transaction, one fsync (DESIGN section 5).

    `saves` keeps the order in which the shards asked; one shard may occur more than once.
    """

    number: int
    saves: tuple[tuple[ShardId, Save], ...] = ()
    node: NodeRecord | None = None
    dropped: tuple[ShardId, ...] = ()  # Delete all but the ballot; what is left is damaged (S12).
