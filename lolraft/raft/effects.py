"""What the node must do because of one step; `settle` (multiraft) orders it against the disk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from lolraft.raft.events import Message
from lolraft.raft.types import Ballot, Clock, Entries, Index, NodeId, SnapshotMeta, Ticket


class Code(Enum):
    """Say how a request ended; the names are gRPC's status codes."""

    OK = "OK"
    NOT_FOUND = "NOT_FOUND"
    UNAVAILABLE = "UNAVAILABLE"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"  # The app rejected the request (`lolraft.errors.Rejected`).
    INTERNAL = "INTERNAL"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """
    Make this durable; the first effect of its step, and numbered per shard (S1).

    Within one Save the order is: snapshot (drops the log before and, when it is ahead of the log's
    end, all of it), truncate, append.
    """

    number: int
    ballot: Ballot | None = None
    snapshot: SnapshotMeta | None = None
    log_starts_after: Clock | None = None  # A new base: of a snapshot, or of compaction alone.
    truncate_from: Index | None = None  # Drop this index and all after it.
    entries: Entries | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Give *message* to the replica on node *to*."""

    to: NodeId
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """These entries are committed: hand them to the shard's one queue, in order (S9)."""

    entries: Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """The entry at *clock* carries *ticket*: answer it when that very entry has been applied."""

    tickets: tuple[Ticket, ...]
    first: Clock  # Of the first ticket; the others follow by index, in the same term.


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """End *ticket* now; `leader_id` is a hint where another node could do it."""

    ticket: Ticket
    code: Code
    message: str = ""
    leader_id: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmLeadership:
    """Reads wait: send a beat now, and say `LeadershipConfirmed(round_)` when a quorum acked it."""

    round_: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRead:
    """The read may be served once everything up to *index* has been applied (§6.4)."""

    ticket: Ticket
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSnapshot:
    """Fetch the snapshot at *clock* from *source*; a newer wish replaces an older one."""

    source: NodeId
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSnapshot:
    """Tell the app, through its queue, to start from this complete snapshot (S5, S9)."""

    meta: SnapshotMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """This replica is no member any more and may clean up all but its ballot (L10, S12)."""

    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a watcher wants to know; never needed for correctness."""

    kind: str  # elected, stepped_down, term, election, configuration, transfer, ...
    text: str


Effect: TypeAlias = (
    Save
    | Send
    | Apply
    | Proposed
    | Answer
    | ConfirmLeadership
    | ServeRead
    | FetchSnapshot
    | InstallSnapshot
    | Removed
    | Notice
)
