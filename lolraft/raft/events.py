"""
What may happen to one replica: messages of peers, wishes of clients, news from the layers around.

Every event is a value. Messages are events too: what one replica returns in `Send`, another takes.
`group` is the low 64 bits of the sender's group id (S2); 0 only where the sender knows none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from lolraft.raft.types import (
    ZERO,
    Clock,
    Entries,
    EntryKind,
    Index,
    NodeId,
    SnapshotMeta,
    Term,
    Ticket,
)


class Refusal(Enum):
    """Say why a vote was refused, for L8 and L10."""

    NONE = "none"
    OTHER = "other"  # Older term, log behind, vote given away, not a voter, not proven (S4).
    BELIEVES = "believes"  # "I believe `leader_id`": stickiness; settles no term (S8).
    REMOVED = "removed"  # "You are no member since `removed_at`" (L10).


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRequest:
    """A candidate asks for a vote (§3.4), or what the answer would be (§9.6)."""

    sender: NodeId
    group: int
    term: Term  # The term voted in: of a pre-vote, the one it would start.
    last_clock: Clock
    pre_vote: bool = False
    force_vote: bool = False  # Told to stand: stickiness does not apply.
    released: bool = False  # Told by the leader, which has given its lease up (S6).


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteResponse:
    """The answer; `term` is the voter's own, or the asked one in a granted pre-vote."""

    sender: NodeId
    group: int
    term: Term
    granted: bool
    pre_vote: bool = False
    asked_term: Term = 0  # The term of the request, so that late answers are told apart.
    refusal: Refusal = Refusal.NONE
    leader_id: NodeId | None = None  # With BELIEVES.
    removed_at: Index = 0  # With REMOVED: up to here all is committed, and you are no member.


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRequest:
    """The leader's entries after `prev_clock`; without entries it asks for the follower's state."""

    sender: NodeId
    group: int
    term: Term
    prev_clock: Clock
    entries: Entries
    commit_index: Index  # min(match_index known, leader's commit) is the follower's to compute.
    ledger: tuple[int, int] = (0, 0)  # (epoch, version) it was sent under (L1).
    gives_belief: bool = True  # Set by the receiving node: the epoch is the newest heard (L1).
    repairs: int = 0  # Sent after the receiver's `damage` of this number was heard of (S12).


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendResponse:
    """A follower's answer to an append, or to an offered snapshot."""

    sender: NodeId
    group: int
    term: Term
    success: bool
    match_index: Index = 0  # On success: the follower's log equals the leader's up to here.
    rejected_index: Index = 0  # On failure: the index of the `prev_clock` that did not match.
    conflict: Clock = ZERO  # On failure: the follower's term there and its first index (§3.5).
    commit_index: Index = 0  # The follower's (L2).
    damage: int = 0  # Its log lost entries: earlier answers do not count any more (S12).


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotOffer:
    """The leader's log starts after what the follower needs: fetch this one (§5)."""

    sender: NodeId
    group: int
    term: Term
    clock: Clock
    ledger: tuple[int, int] = (0, 0)
    gives_belief: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutNow:
    """Start an election at once (§3.10): from the leader in a transfer, or from an operator."""

    sender: NodeId | None = None  # None: an operator.
    group: int = 0
    term: Term = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMismatch:
    """The receiver belongs to another group under the same number; it changed nothing (S2)."""

    sender: NodeId
    group: int


Message: TypeAlias = (
    VoteRequest
    | VoteResponse
    | AppendRequest
    | AppendResponse
    | SnapshotOffer
    | TimeoutNow
    | GroupMismatch
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Clients want these commands in the log; one event for all that arrived together."""

    tickets: tuple[Ticket, ...]
    payloads: tuple[bytes, ...]
    kind: EntryKind = EntryKind.COMMAND


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadIndex:
    """A client wants to read what is committed now (§6.4)."""

    ticket: Ticket
    leased: bool = False  # The node knows that this leader holds a lease at this moment (S6).


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Become a group of these voters: entry 1, clock (0, 1) (DESIGN section 10)."""

    ticket: Ticket | None
    voters: tuple[NodeId, ...]
    group_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMembers:
    """
    Let *voters* vote, *learners* only receive entries, and *removed* leave, in one change (§4.3).

    Nobody is named twice, and the node has asked who is new what it is (C2).
    """

    ticket: Ticket
    voters: tuple[NodeId, ...] = ()
    learners: tuple[NodeId, ...] = ()
    removed: tuple[NodeId, ...] = ()
    others_leave: bool = False  # Whoever is not named: the tuples are the whole set.
    incarnations: tuple[tuple[NodeId, int], ...] = ()  # Of who is new (S4).

    def applied_to(
        self, voters: tuple[NodeId, ...], learners: tuple[NodeId, ...]
    ) -> tuple[tuple[NodeId, ...], tuple[NodeId, ...]]:
        """Return the voters and the learners that this asks for where there are these now."""
        named = {*self.voters, *self.learners, *self.removed}
        stay = set() if self.others_leave else {*voters, *learners} - named
        return (
            tuple(sorted({*self.voters, *stay.intersection(voters)})),
            tuple(sorted({*self.learners, *stay.intersection(learners)})),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLeadership:
    """Hand leadership to *target*, or to the most caught-up voter (§3.10)."""

    ticket: Ticket | None
    target: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """`state.deadline_s` has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderClaim:
    """The ledger of *leader_id* says that it leads this shard at *term*: a message too."""

    leader_id: NodeId
    group: int
    term: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderLost:
    """Belief in *leader_id* at *term* ended: silent, restarted, or claim withdrawn."""

    leader_id: NodeId
    term: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """*sender* cannot vouch for our claim; its term, or 0 where it has no replica (DESIGN 5)."""

    sender: NodeId
    term: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """
    The node's view of the peers changed; sent only when one of the sets did.

    `live`: phi is under the threshold (retry appends, L8). `acking`: a heartbeat ack arrived
    within the election timeout, the stream moves (L7) and no objection to this shard stands (L6):
    what check quorum counts. A leader pauses appends to peers that are not live or that object.
    `priorities`: of the nodes, this one included, that prefer (above 0) or avoid leading shards.
    """

    live: frozenset[NodeId]
    acking: frozenset[NodeId]
    objecting: frozenset[NodeId] = field(default_factory=frozenset)
    priorities: tuple[tuple[NodeId, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRestarted:
    """*peer* has a new epoch, or the stream to it broke: what was in flight is lost (L2)."""

    peer: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadershipConfirmed:
    """A quorum acked a beat that was sent after read round *round_* was asked for (§6.4)."""

    round_: int
    term: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Every `Save` of this shard up to *number* is durable."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTaken:
    """The app has a complete snapshot of the state after *index*; the log before it may go."""

    meta: SnapshotMeta
    keep_after: Index  # Entries after this index stay, for followers a little behind.


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFetched:
    """The app's half of an offered snapshot is durable (S5); Raft's half comes with this event."""

    meta: SnapshotMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFailed:
    """Fetching the snapshot at *clock* was given up; the leader may offer again."""

    clock: Clock
    source: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Every listed member has said that it knows no other incarnation of us (S4): take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The node shuts down, or this replica failed: answer every ticket, then be silent."""

    reason: str


Event: TypeAlias = (
    Message
    | Propose
    | ReadIndex
    | Bootstrap
    | ChangeMembers
    | TransferLeadership
    | Timeout
    | LeaderClaim
    | LeaderLost
    | Objection
    | Liveness
    | PeerRestarted
    | LeadershipConfirmed
    | Saved
    | SnapshotTaken
    | SnapshotFetched
    | SnapshotFailed
    | Proven
    | Stop
)
