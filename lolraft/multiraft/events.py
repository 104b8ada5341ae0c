"""What may happen to a node, seen from the pure machine: the driver turns the world into these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck, RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import Clock, Index, NodeId, ShardId, SnapshotMeta, Ticket

# --- peers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameArrived:
    """A peer's frame was read."""

    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatArrived:
    """A peer's heartbeat was read; the ack goes back on the stream it came by."""

    heartbeat: NodeHeartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class AckArrived:
    """A peer answered a heartbeat."""

    ack: NodeHeartbeatAck


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUp:
    """Our Exchange stream to *peer* stands and takes a frame."""

    peer: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDown:
    """Our Exchange stream to *peer* broke or was refused: what was in flight is lost (L2)."""

    peer: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameWritten:
    """The stream to *peer* took the last frame and can take the next."""

    peer: NodeId


# --- the disk ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    """Batch *number* is durable."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistFailed:
    """A batch could not be made durable: the node never goes on after that (DESIGN section 6)."""

    number: int
    reason: str


# --- the app -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """
    The app executed the items of one `RunApply`.

    `answers` are in the order of its items: (OK, the app's answer) or (ABORTED, what it said in
    `Rejected`).
    """

    shard_id: ShardId
    last_index: Index
    answers: tuple[tuple[Code, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDone:
    """The app answered one `RunRead`."""

    shard_id: ShardId
    ticket: Ticket
    code: Code
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFailed:
    """The app raised something else than `Rejected` at *index*: that replica stops (S11)."""

    shard_id: ShardId
    index: Index
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFound:
    """`get_latest_snapshot` answered a newer index: the app's half is durable (S5)."""

    shard_id: ShardId
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotArrived:
    """A fetched snapshot's app half is durable; this is Raft's half (S5)."""

    shard_id: ShardId
    meta: SnapshotMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLost:
    """Fetching the snapshot at *clock* was given up."""

    shard_id: ShardId
    clock: Clock
    source: NodeId
    reason: str


# --- clients and operators -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest:
    """Somebody asks for something of a shard; exactly one `Respond` carries the ticket back."""

    ticket: Ticket
    kind: RequestKind
    shard_id: ShardId
    message: bytes = b""  # As in `Forward`; transfer: "" means the best target.
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGone:
    """Nobody waits for *ticket* any more; its answer may be dropped, its effect stays possible."""

    ticket: Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTimeoutNow:
    """`SendTimeoutNow` of 0.10.2: this node's replica starts an election (S6, C4)."""

    ticket: Ticket
    shard_id: ShardId


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShard:
    """Serve this shard from now on, if not already."""

    shard_id: ShardId


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Stop in order: answer every ticket, withdraw every claim."""

    reason: str


Event: TypeAlias = (
    FrameArrived
    | HeartbeatArrived
    | AckArrived
    | StreamUp
    | StreamDown
    | FrameWritten
    | Persisted
    | PersistFailed
    | Applied
    | ReadDone
    | AppFailed
    | SnapshotFound
    | SnapshotArrived
    | SnapshotLost
    | ClientRequest
    | ClientGone
    | OperatorTimeoutNow
    | HostShard
    | Shutdown
)
