"""What the driver must do because of one turn; already ordered: nothing here waits for the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck
from lolraft.multiraft.records import Batch
from lolraft.raft.effects import Code
from lolraft.raft.types import Clock, Index, NodeId, ShardId, SnapshotMeta, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """Write *batch* in one transaction with one fsync, then say `Persisted(batch.number)`."""

    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Keep a beat stream and an Exchange stream to *peer*; dial again when one breaks."""

    peer: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """No shard is shared with *peer* any more, or its stream is stuck (L7: `Dial` follows)."""

    peer: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFrame:
    """Write *frame* on the Exchange stream, then say `FrameWritten`; no other is in flight."""

    peer: NodeId
    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class SendHeartbeat:
    """Write it on the beat stream; dropped when the stream is down or its last is not taken."""

    peer: NodeId
    heartbeat: NodeHeartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAck:
    """Answer on the stream that the heartbeat came by."""

    peer: NodeId
    ack: NodeHeartbeatAck


@dataclass(frozen=True, slots=True, kw_only=True)
class RunApply:
    """
    Execute *items*, (index, message), in order, in the shard's one queue; then say `Applied`.

    Items are only the commands to execute: no barriers, no duplicates. `last_index` covers what
    lies between them.
    """

    shard_id: ShardId
    last_index: Index
    items: tuple[tuple[Index, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRead:
    """Answer a read in the shard's one queue, behind the applies before it; then say `ReadDone`."""

    shard_id: ShardId
    ticket: Ticket
    message: bytes
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInstall:
    """`install_snapshot(index)` in the shard's one queue; the snapshot is complete (S5)."""

    shard_id: ShardId
    meta: SnapshotMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFetch:
    """Fetch a snapshot from *source*, save the app's half, then say `SnapshotArrived` or `Lost`."""

    shard_id: ShardId
    source: NodeId
    clock: Clock
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSnapshot:
    """The log has grown: `make_snapshot` in the shard's one queue; `SnapshotFound` may follow."""

    shard_id: ShardId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunForget:
    """Snapshots of this shard before *index* are not needed: `delete_snapshots_before(index)`."""

    shard_id: ShardId
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDrop:
    """This replica is gone (removed): drop its app and the app's snapshots."""

    shard_id: ShardId


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """End *ticket*."""

    ticket: Ticket
    code: Code
    message: bytes = b""  # OK: the app's answer. Otherwise a sentence, UTF-8.
    leader_id: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Something a watcher wants to know: an event of the timeline."""

    kind: str  # elected, stepped_down, election, suspect, trusted, configuration, stalled, ...
    text: str
    shard_id: ShardId | None = None
    term: int = 0
    peer: NodeId | None = None


Effect: TypeAlias = (
    Persist
    | Dial
    | HangUp
    | SendFrame
    | SendHeartbeat
    | SendAck
    | RunApply
    | RunRead
    | RunInstall
    | RunFetch
    | RunSnapshot
    | RunForget
    | RunDrop
    | Respond
    | Tell
)
