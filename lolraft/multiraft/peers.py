"""What a node knows of one peer: its rhythm, both ledgers, objections, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lolraft.multiraft.frames import (
    Claim,
    Forward,
    ForwardReply,
    Frame,
    NodeHeartbeat,
    NodeHeartbeatAck,
)
from lolraft.multiraft.phi import Detector
from lolraft.raft.events import AppendRequest, Message
from lolraft.raft.types import NodeId, ShardId, Term

SENT_REMEMBERED = 64  # Heartbeats whose time of sending is known.


@dataclass(slots=True)
class OutLedger:
    """
    The claims that one peer hears from us, as changes since what it acknowledged (DESIGN 5).

    The version rises with every change, before any message of that leadership leaves (L1).
    """

    version: int = 1
    claims: dict[ShardId, Claim] = field(default_factory=dict)
    changed: dict[ShardId, int] = field(default_factory=dict)  # Version of the last change.
    acked: int = 0

    def claim(self, claim: Claim) -> None:
        """Say that we lead; no change when it is said already."""
        if self.claims.get(claim.shard_id) != claim:
            self.version += 1
            self.claims[claim.shard_id] = claim
            self.changed[claim.shard_id] = self.version

    def withdraw(self, shard_id: ShardId) -> None:
        """Say that we lead no more."""
        if self.claims.pop(shard_id, None) is not None:
            self.version += 1
            self.changed[shard_id] = self.version

    def delta(self) -> tuple[int, tuple[Claim, ...], tuple[ShardId, ...]]:
        """Return (base version, claims, withdrawn) since what was acknowledged; base 0 is whole."""
        if self.acked == 0:
            return 0, tuple(self.claims.values()), ()
        if self.acked == self.version:
            return self.acked, (), ()
        news = [shard for shard, version in self.changed.items() if version > self.acked]
        claims = tuple(self.claims[shard] for shard in news if shard in self.claims)
        return self.acked, claims, tuple(shard for shard in news if shard not in self.claims)

    def acknowledge(self, version: int) -> None:
        """Remember what the peer holds; changes that it holds are forgotten where withdrawn."""
        if version > self.version:
            return
        if version < self.acked:
            self.acked = 0  # It lost what it held: whole again.
            return
        if version > self.acked:
            self.acked = version
            done = [s for s, v in self.changed.items() if v <= version and s not in self.claims]
            for shard_id in done:
                del self.changed[shard_id]

    def stands(self, shard_id: ShardId, term: Term) -> bool:
        """Return whether we say that we lead at this term."""
        claim = self.claims.get(shard_id)
        return claim is not None and claim.term == term

    def holds(self, shard_id: ShardId, term: Term) -> bool:
        """Return whether the peer acknowledged a version with this very claim (S13)."""
        return self.stands(shard_id, term) and self.changed[shard_id] <= self.acked


@dataclass(slots=True)
class InLedger:
    """A peer's claims as we heard them, also those without a replica here (L9)."""

    epoch: int = 0
    version: int = 0
    claims: dict[ShardId, Claim] = field(default_factory=dict)
    marks: dict[ShardId, int] = field(default_factory=dict)  # Versions that appends named (L1).

    def restart(self, epoch: int) -> tuple[ShardId, ...]:
        """Begin a new epoch; return the shards whose claims fell with the old one."""
        fallen = tuple(self.claims)
        self.epoch, self.version = epoch, 0
        self.claims.clear()
        self.marks.clear()
        return fallen

    def take(self, heartbeat: NodeHeartbeat) -> tuple[list[Claim], list[ShardId]]:
        """Apply a heartbeat of this epoch; return the new claims and the withdrawn shards."""
        if heartbeat.ledger_version <= self.version or heartbeat.base_version > self.version:
            return [], []  # Known already, or a gap: the ack says what we hold.
        news = [c for c in heartbeat.claims if self.claims.get(c.shard_id) != c]
        gone = list(heartbeat.withdrawn)
        if heartbeat.base_version == 0:
            named = {claim.shard_id for claim in heartbeat.claims}
            gone = [shard for shard in self.claims if shard not in named]
        gone = [s for s in gone if self.marks.get(s, 0) <= heartbeat.ledger_version]
        gone = [shard for shard in gone if self.claims.pop(shard, None) is not None]
        for claim in news:
            self.claims[claim.shard_id] = claim
        self.version = heartbeat.ledger_version
        self.marks = {s: v for s, v in self.marks.items() if v > self.version}
        return news, gone

    def take_append(self, claim: Claim, epoch: int, version: int) -> bool:
        """
        Learn a claim from an append; return False when it gives no belief (L1).

        That is so in another epoch, and under a ledger older than one that has withdrawn the claim:
        no beat would withdraw it again.
        """
        if epoch != self.epoch:
            return False
        if version < self.version:
            return self.claims.get(claim.shard_id) == claim
        self.claims[claim.shard_id] = claim
        if version > self.version:
            self.marks[claim.shard_id] = version
        return True


@dataclass(slots=True)
class Outbox:
    """What waits for one peer, bounded in bytes: what does not fit is dropped, Raft retries."""

    limit_bytes: int
    messages: list[tuple[ShardId, Message]] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    replies: list[ForwardReply] = field(default_factory=list)
    size_bytes: int = 0
    dropped: int = 0

    def put(self, shard_id: ShardId, message: Message) -> None:
        """Queue a message of a shard."""
        if self._fits(message_bytes(message)):
            self.messages.append((shard_id, message))

    def forward(self, forward: Forward) -> bool:
        """Queue a client's request; False when it does not fit."""
        fits = self._fits(64 + len(forward.message))
        if fits:
            self.forwards.append(forward)
        return fits

    def reply(self, reply: ForwardReply) -> None:
        """Queue an answer to a forwarded request."""
        if self._fits(64 + len(reply.message)):
            self.replies.append(reply)

    def _fits(self, size: int) -> bool:
        if self.size_bytes + size > self.limit_bytes and self.size_bytes > 0:
            self.dropped += 1
            return False
        self.size_bytes += size
        return True

    def __bool__(self) -> bool:
        return bool(self.messages or self.forwards or self.replies)

    def take(self, sender: NodeId, incarnation: int, epoch: int) -> Frame:
        """Return everything as one frame and be empty (coalescing)."""
        frame = Frame(
            sender=sender,
            incarnation=incarnation,
            epoch=epoch,
            messages=tuple(self.messages),
            forwards=tuple(self.forwards),
            replies=tuple(self.replies),
        )
        self.clear()
        return frame

    def clear(self) -> None:
        """Drop everything: the stream broke (L2)."""
        self.messages, self.forwards, self.replies = [], [], []
        self.size_bytes = 0


def message_bytes(message: Message) -> int:
    """Return roughly what a message takes on the wire, in bytes."""
    if isinstance(message, AppendRequest):
        return 64 + sum(map(len, message.entries.payloads)) + 8 * len(message.entries.terms)
    return 64


class Peer:
    """One peer of this node."""

    __slots__ = (
        "acked_sent_s",
        "acked_seq",
        "acking",
        "detector",
        "disk_is_well",
        "frame_epoch",
        "held_ack",
        "in_ledger",
        "lease_until_s",
        "live",
        "live_since_s",
        "my_objections",
        "my_objections_version",
        "node_id",
        "objections",
        "objections_version",
        "out_ledger",
        "outbox",
        "own_epoch",
        "pin_batch",
        "pinned_us",
        "priority",
        "promised_until_s",
        "ready",
        "refused",
        "round_trip_s",
        "sent",
        "shared",
        "stuck_since_s",
        "up",
    )

    def __init__(self, node_id: NodeId, detector: Detector, outbox_bytes: int) -> None:
        self.node_id = node_id
        self.detector = detector
        self.outbox = Outbox(outbox_bytes)
        self.out_ledger = OutLedger()
        self.in_ledger = InLedger()
        self.objections: dict[ShardId, Term] = {}  # Of the peer, against our claims.
        self.objections_version = 0
        self.my_objections: dict[ShardId, Term] = {}  # Ours, against its claims.
        self.my_objections_version = 0
        self.held_ack: tuple[int, NodeHeartbeatAck] | None = None  # (batch, ack).
        self.sent: dict[int, float] = {}  # seq -> when.
        self.acked_seq = 0
        self.acked_sent_s = float("-inf")  # When the last acked heartbeat was sent.
        self.lease_until_s = float("-inf")  # It votes for nobody else before, as we count (S6).
        self.promised_until_s = float("-inf")  # And so long we have promised it no vote.
        self.own_epoch = 0  # As its acks say (L2).
        self.frame_epoch = 0  # Of its newest frame: what it acknowledged before may be gone (S12).
        self.pinned_us = 0  # Our incarnation as pinned there (S4).
        self.pin_batch = 0  # Nothing is said to it before this batch is durable (S4).
        self.refused = False  # It has another incarnation than the pinned one.
        self.round_trip_s = 0.0
        self.up = False
        self.ready = False
        self.live = False
        self.live_since_s = 0.0
        self.acking = False
        self.disk_is_well = True
        self.priority = 0
        self.shared: set[ShardId] = set()  # Shards of which both are members, by our logs.
        self.stuck_since_s: float | None = None  # A frame is not taken since then (L7).

    @property
    def is_partner(self) -> bool:
        """
        Return whether heartbeats go to it: a shard is shared, or one of the two claims to lead one.

        A server that is being added shares nothing by its own log yet; its leader's claim is all
        it has, and without its heartbeats the leader would take it for dead.
        """
        return bool(self.shared or self.out_ledger.claims or self.in_ledger.claims)

    def note_sent(self, seq: int, now_s: float) -> None:
        """Remember when a heartbeat left."""
        self.sent[seq] = now_s
        if len(self.sent) > SENT_REMEMBERED:
            del self.sent[next(iter(self.sent))]
