"""What a node says of itself (DESIGN section 10): frozen values, a function of its state."""

from __future__ import annotations

from dataclasses import dataclass

from lolraft.raft.types import NodeId, ShardId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerReport:
    """How one peer looks from here."""

    peer: NodeId
    phi: float  # `math.inf` when the tail is too small for a float.
    threshold: float
    mean_s: float
    deviation_s: float
    last_heard_s: float  # Seconds ago; `math.inf` when never.
    round_trip_s: float  # Of the last acked heartbeat; 0 when none.
    connected: bool  # Our Exchange stream stands.
    outbox_bytes: int
    epoch: int  # The newest heard; 0 when none.


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """One replica; compared with the last one sent to find what changed."""

    shard_id: ShardId
    role: str  # follower, pre-candidate, candidate, leader, learner, silent, stopped
    term: int
    leader_id: NodeId | None
    voted_for: NodeId | None
    commit_index: int
    applied_index: int  # What the app has executed, not what was handed to it.
    last_index: int
    last_term: int
    snapshot_index: int
    group: int
    voters: tuple[NodeId, ...]
    outgoing: tuple[NodeId, ...]
    learners: tuple[NodeId, ...]
    marks: tuple[tuple[int, bytes], ...]  # Of the hash chain over what is committed (`trail`).
    lags: tuple[tuple[NodeId, int], ...]  # Where it leads: match_index of each other member.


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """The whole picture that the pure machine has; the runtime adds CPU, memory and fsync."""

    node_id: NodeId
    incarnation: int
    epoch: int
    peers: tuple[PeerReport, ...]
    shards: tuple[ShardReport, ...]  # Those that were asked for.
    hosted: tuple[ShardId, ...]  # All, sorted.
    disk_is_well: bool
    pending_bytes: int
