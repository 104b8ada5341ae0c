"""What travels between two nodes, as values: `lolraft.rpc` turns them into protobuf and back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from lolraft.multiraft.commands import RequestId
from lolraft.raft.effects import Code
from lolraft.raft.events import Message
from lolraft.raft.types import Index, NodeId, ShardId, Term


class RequestKind(Enum):
    """Name a client's request, as it is forwarded to the leader's node."""

    WRITE = "write"
    READ = "read"  # Linearizable, at the leader.
    ADD_SERVER = "add-server"
    REMOVE_SERVER = "remove-server"
    TRANSFER = "transfer"  # `SendTimeoutNow` too, where there is a leader (S6).
    PROBE = "probe"  # To who is new: do you host the shard, which group, which incarnation?
    CHANGE_MEMBERS = "change-members"
    READ_LEASE = "read-lease"  # At the leader, without a round while it holds a lease (S6).
    READ_LOCAL = "read-local"  # Linearizable, at the replica that is asked; never forwarded.
    READ_STALE = "read-stale"  # At the replica that is asked, of a bounded age; never forwarded.
    READ_INDEX = "read-index"  # Within which index is every write acknowledged before?

    @property
    def is_read(self) -> bool:
        """Return whether it changes nothing, so that it may be asked twice."""
        return self in READS


READS = (
    RequestKind.READ,
    RequestKind.READ_LEASE,
    RequestKind.READ_LOCAL,
    RequestKind.READ_STALE,
    RequestKind.READ_INDEX,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """One hop of a client's request; (origin's epoch, number) is its ticket (C2)."""

    number: int
    kind: RequestKind
    shard_id: ShardId
    message: bytes = b""  # Write and read: the app's. Change: a `Wish`. Others: the server id.
    request_id: RequestId = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardReply:
    """The answer to `Forward` *number* of the sender's epoch *to_epoch*."""

    number: int
    to_epoch: int
    code: Code
    message: bytes = b""  # OK: the app's answer. Otherwise a sentence, UTF-8.
    leader_id: NodeId | None = None
    group: int = 0  # PROBE: the target's group id, low 64 bits; 0 for none.
    incarnation: int = 0  # PROBE: the target's.
    index: Index = 0  # READ_INDEX.


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All that waits for one peer, of all shards (coalescing, DESIGN section 5)."""

    sender: NodeId
    incarnation: int
    epoch: int
    messages: tuple[tuple[ShardId, Message], ...] = ()
    forwards: tuple[Forward, ...] = ()
    replies: tuple[ForwardReply, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The sender leads *shard_id* at *term*."""

    shard_id: ShardId
    term: Term
    group: int


@dataclass(slots=True, kw_only=True)  # Not frozen: an idle node makes little else (STYLE 1).
class NodeHeartbeat:
    """
    Say that this node lives, and which shards it leads (DESIGN section 5).

    `base_version` 0 means that `claims` is the whole ledger; else claims and `withdrawn` are the
    delta since that version, which the receiver has acknowledged.
    """

    sender: NodeId
    incarnation: int
    epoch: int
    seq: int
    is_beat: bool  # False: a read round between beats, no sample for phi (L4).
    ledger_version: int
    base_version: int
    claims: tuple[Claim, ...] = ()
    withdrawn: tuple[ShardId, ...] = ()
    disk_is_well: bool = True  # Without it, no leadership is handed to this node (L11).
    objections_seen: int = 0  # The version of the receiver's objections that is known (L6).
    priority: int = 0  # Above 0 the sender prefers to lead shards, below 0 it avoids it.


@dataclass(slots=True, kw_only=True)  # Not frozen: an idle node makes little else (STYLE 1).
class NodeHeartbeatAck:
    """Answer one heartbeat: what the receiver of the claims can vouch for (S7, L6)."""

    sender: NodeId
    incarnation: int
    to_epoch: int
    seq: int
    ledger_version: int
    own_epoch: int
    known_epoch: int = 0  # The highest epoch of the other side known here (a restored backup, S7).
    pinned: int = 0  # The other side's incarnation pinned here (S4).
    objections_version: int = 0
    objections: tuple[tuple[ShardId, Term], ...] | None = (
        None  # None: unchanged since that version.
    )
    promised_s: float = 0.0  # No vote for so long against what the receiver claims (S6).


PeerTraffic: TypeAlias = Frame | NodeHeartbeat | NodeHeartbeatAck
