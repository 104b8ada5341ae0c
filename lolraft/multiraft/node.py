"""What the node machine remembers; the rules beside it are functions on this."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lolraft.errors import ConfigError
from lolraft.multiraft.commands import RequestId
from lolraft.multiraft.effects import Dial, Effect, HangUp, RunRead, Tell
from lolraft.multiraft.frames import NodeHeartbeat, RequestKind
from lolraft.multiraft.memory import Damaged, Row
from lolraft.multiraft.peers import Peer
from lolraft.multiraft.phi import Detector
from lolraft.multiraft.read_index import IndexAnswer
from lolraft.multiraft.records import NodeRecord, ShardRecord
from lolraft.multiraft.sessions import Sessions, chain_of
from lolraft.multiraft.trail import Trail
from lolraft.multiraft.waves import Elections
from lolraft.multiraft.wishes import Wish
from lolraft.raft import effects as core_effects
from lolraft.raft.events import Event as CoreEvent
from lolraft.raft.state import RaftState, restore
from lolraft.raft.types import (
    Ballot,
    Index,
    Limits,
    NodeId,
    ShardId,
    Term,
    Ticket,
    Timing,
)

if TYPE_CHECKING:
    from lolraft.multiraft.local_reads import LocalReads


MOST_STRANGERS = 64
"""So many who share no shard with us are known at once: anybody can say a name at the port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """Settings of one node."""

    node_id: NodeId
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    phi_threshold: float = 12.0
    members: tuple[NodeId, ...] = ()  # Static bootstrap of every hosted shard without a log.
    outbox_bytes: int = 16 * 1024 * 1024  # A peer; what does not fit is dropped.
    session_entries: int = 100_000  # An unused session, or an opaque id, lasts so many entries,
    session_bytes: int = 64 * 1024 * 1024  # an opaque id also so many bytes of commands (S10).
    proposal_entries: int = 200_000  # Requests without an answer, of all shards led here,
    proposal_bytes: int = 256 * 1024 * 1024  # and their bytes; `limits` has those of one shard.
    apply_entries: int = 16_384  # So many may wait for one shard's app,
    apply_bytes: int = 16 * 1024 * 1024  # of so many bytes; the others stay in the log.
    wait_s: float = 0.8  # A request waits so long for a leader to be known.
    waiting_requests: int = 10_000  # And so many may wait.
    lease_s: float = 0.0  # A leader's lease, by its voters' clocks; 0: none (S6).
    clock_drift: float = 0.05  # How far the rates of two clocks differ at most, as a ratio.
    answer_s: float = 10.0  # A forwarded request waits so long for the leader's answer.
    tail_entries: int = 10_000  # Kept behind a snapshot for a live follower that needs them.
    snapshot_entries: int = 100_000  # A log that grew so much since the last snapshot wants one,
    snapshot_bytes: int = 64 * 1024 * 1024  # or by so many bytes of commands.
    priority: int = 0  # Above 0 this node prefers to lead shards, below 0 it avoids it.

    def __post_init__(self) -> None:
        if self.members and self.node_id not in self.members:
            raise ConfigError(f"{self.node_id} is not in its own list of members")


@dataclass(slots=True)
class ApplyJob:
    """One `RunApply` on its way through the app, and how to answer each of its entries."""

    last: Index
    # (index, term, row or None, executes): a duplicate has a row and does not execute.
    plan: list[tuple[Index, Term, Row | None, bool]]
    size: int = 0  # Bytes of its commands.


class Shard:
    """One hosted shard: its replica, and what the node keeps beside it. Small when idle."""

    __slots__ = (
        "applied_index",
        "committed",
        "confirms",
        "durable",
        "grown_bytes",
        "handed",
        "held",
        "jobs",
        "led_since_s",
        "local",
        "pending",
        "pending_bytes",
        "pending_ids",
        "proposals",
        "queued",
        "queued_bytes",
        "read_messages",
        "reads_behind",
        "sessions",
        "shard_id",
        "snapshot_wanted_at",
        "state",
        "trail",
        "waiting",
    )

    def __init__(
        self, shard_id: ShardId, state: RaftState, sessions: Sessions, trail: Trail
    ) -> None:
        self.shard_id = shard_id
        self.state = state
        self.sessions = sessions
        self.trail = trail
        self.durable = 0  # Number of the last durable Save.
        self.held: deque[tuple[int, core_effects.Effect]] = deque()  # Wait for that Save (S1).
        self.jobs: deque[ApplyJob] = deque()
        self.applied_index: Index = state.last_applied
        self.handed: Index = state.last_applied  # To the app's queue, ...
        self.committed: Index = state.last_applied  # ... of what may be handed to it.
        self.queued = 0  # Commands in the app's queue,
        self.queued_bytes = 0  # and their bytes.
        self.reads_behind: deque[tuple[Index, RunRead]] = deque()  # When that was handed over.
        self.proposals: deque[tuple[Index, Term, tuple[Ticket, ...]]] = deque()
        self.pending_ids: dict[Hashable, list[Ticket]] = {}  # Duplicates of what is in flight.
        self.pending = 0  # Requests that were admitted here and have no answer,
        self.pending_bytes = 0  # and the bytes of their messages.
        self.read_messages: dict[Ticket, bytes] = {}
        self.confirms: deque[tuple[int, Term, int]] = deque()  # (round, term, seq needed).
        self.waiting: deque[tuple[float, Ticket]] = deque()  # Until a leader is known.
        self.local: LocalReads | None = None
        self.led_since_s = 0.0
        self.snapshot_wanted_at: Index = state.last_applied  # Or found at; growth counts from it.
        self.grown_bytes = 0  # Bytes of commands since then.

    @property
    def stopped_text(self) -> str:
        """Return what is told to who asks a replica that has stopped."""
        return (
            f"the replica of shard {self.shard_id} on {self.state.node_id} has stopped; see its log"
        )


@dataclass(slots=True)
class Request:
    """A client's request while somebody works on it."""

    kind: RequestKind
    shard_id: ShardId
    message: bytes
    request_id: RequestId
    origin: tuple[NodeId, int, int] | None = None  # (node, its epoch, its number): forwarded here.
    until_s: float = 0.0  # It may wait for a leader until then.
    max_staleness_s: float = 0.0
    stands: bool = False  # A transfer that becomes an election where nobody leads (S6).
    forwarded_to: NodeId | None = None
    answer_by_s: float = 0.0  # The leader that it was forwarded to answers until then.
    abandoned: bool = False
    admitted: bool = False  # It counts in what is pending.


@dataclass(slots=True)
class Probe:
    """A change of members whose new servers are being asked what they are (C2)."""

    ticket: Ticket
    wish: Wish
    until_s: float
    waits_for: dict[int, NodeId] = field(default_factory=dict)  # number -> who is asked.
    incarnations: list[tuple[NodeId, int]] = field(default_factory=list)  # Of who has answered.


class Node:
    """All state of the node machine."""

    def __init__(
        self,
        record: NodeRecord,
        shards: dict[ShardId, ShardRecord],
        *,
        config: NodeConfig,
        seed: int,
        now_s: float,
    ) -> None:
        self.config, self.seed, self.now_s = config, seed, now_s
        self.node_id = config.node_id
        self.record = record
        self.record_changed = False
        self.pins: dict[NodeId, int] = dict(record.pins)
        self.peers: dict[NodeId, Peer] = {}
        self.shards: dict[ShardId, Shard] = {}
        self.believers: dict[NodeId, set[ShardId]] = {}  # Shards whose replica believes in it.
        self.out: list[Effect] = []
        self.todo: deque[tuple[Shard, CoreEvent]] = deque()
        self.deadlines: list[tuple[float, ShardId]] = []  # Heap; stale ones are skipped.
        self.elections = Elections()
        # The disk.
        self.saves: list[tuple[ShardId, core_effects.Save]] = []
        self.drops: list[ShardId] = []
        self.batch_number = 0  # Of the last batch issued.
        self.persisted = 0  # Of the last durable one.
        self.batch_since_s: float | None = None  # One is in flight since then.
        self.batch_saves: dict[ShardId, int] = {}  # Last Save of each shard in it.
        self.ballot_batch = 0  # The last batch with a ballot: acks wait for it.
        self.disk_failed = False
        self.stalled = False
        self.handed_over_s = float("-inf")
        # Who leads rather.
        self.priorities: tuple[tuple[NodeId, int], ...] = ()  # Of this node and its peers, not 0.
        self.give_way_at_s: float | None = None  # Look then for shards that others lead rather.
        self.gave_way: dict[ShardId, tuple[float, float]] = {}  # (when last, how long to wait).
        # Heartbeats.
        self.seq = 0
        self.acks_due: list[tuple[Peer, NodeHeartbeat]] = []
        self.proving_batch = 0  # That we are proven is durable with this batch (S4).
        self.told: set[tuple[str, NodeId]] = set()
        self.beat_at_s = now_s
        self.round_seq = 0  # The read round in flight, 0 when none is.
        self.round_sent_s = 0.0
        self.wants_round = False
        self.confirming: set[ShardId] = set()
        self.grace: deque[tuple[float, ShardId, Term]] = deque()
        self.global_live: frozenset[NodeId] = frozenset()
        self.global_acking: frozenset[NodeId] = frozenset()
        # Requests.
        self.requests: dict[Ticket, Request] = {}
        self.forwarded: dict[int, Ticket] = {}  # number -> ticket
        self.next_number = 0
        self.next_internal: Ticket = -1
        self.probes: dict[int, Probe] = {}  # Each under the numbers that it waits for.
        self.waiting_shards: set[ShardId] = set()
        self.reading: set[ShardId] = set()  # Whose replica has reads of its own to serve.
        self.read_indexes: list[IndexAnswer] = []  # Of this turn.
        self.no_vote_before_s = 0.0  # A former life may have promised so (S6).
        self.forgets: deque[tuple[int, ShardId, Index]] = deque()  # After that batch (S5).
        self.removals: deque[tuple[int, ShardId, Ballot]] = deque()  # After that batch (S12).
        self.proposing: dict[ShardId, list[Ticket]] = {}  # Of this turn.
        self.pending = 0  # As those of the shards, over all of them.
        self.pending_bytes = 0
        self.stopping = False
        # Reporting.
        self.version = 0
        self.changes: dict[ShardId, int] = {}  # In order of version, oldest first.
        for shard_id, shard_record in sorted(shards.items()):
            self.host(shard_id, shard_record)

    def host(self, shard_id: ShardId, record: ShardRecord | None = None) -> Shard:
        """Serve a shard; from what the disk holds, or as a silent replica (DESIGN 10)."""
        kept = record or ShardRecord()
        state = restore(
            self.node_id,
            shard_id,
            ballot=kept.ballot,
            snapshot=kept.snapshot,
            log_starts_after=kept.log_starts_after,
            entries=kept.entries,
            seed=self.seed,
            timing=self.config.timing,
            limits=self.config.limits,
            proven=self.record.proven,
            now_s=self.now_s,
        )
        if kept.damaged:
            # A number of its own tells this question from one of an earlier loss or life (S12).
            self.next_number += 1
            state.damage = (self.record.epoch << 32) + self.next_number
        if kept.damaged and kept != ShardRecord(ballot=kept.ballot, damaged=True):
            text = "the log is damaged: no vote until the leader has repaired it"
            self.tell("damaged", text, shard_id=shard_id)
        sessions = Sessions(self.config.session_entries, self.config.session_bytes)
        trail = Trail()
        if kept.snapshot is not None:
            try:
                sessions.load(kept.snapshot.sessions, kept.snapshot.clock.index)
                trail = Trail(kept.snapshot.clock.index, chain_of(kept.snapshot.sessions))
            except Damaged as damage:
                raise ConfigError(
                    f"shard {shard_id}: the sessions in its snapshot are damaged: {damage}."
                    " Restore the data directory, or remove this server and add it again."
                ) from damage
        shard = Shard(shard_id, state, sessions, trail)
        self.shards[shard_id] = shard
        self.elections.standing.discard(shard_id)
        self.mark(shard_id)
        return shard

    def mark(self, shard_id: ShardId) -> None:
        """Remember that a shard's report may have changed."""
        self.version += 1
        self.changes.pop(shard_id, None)
        self.changes[shard_id] = self.version

    def tell(
        self,
        kind: str,
        text: str,
        *,
        shard_id: ShardId | None = None,
        term: Term = 0,
        peer: NodeId | None = None,
    ) -> None:
        """Put an event on the timeline."""
        self.out.append(Tell(kind=kind, text=text, shard_id=shard_id, term=term, peer=peer))

    def tell_once(self, kind: str, text: str, peer: NodeId) -> None:
        """Put an event on the timeline that would repeat with every heartbeat."""
        if (kind, peer) not in self.told:
            self.told.add((kind, peer))
            self.tell(kind, text, peer=peer)

    def raise_epoch(self, epoch: int) -> None:
        """Begin a new epoch above one that a peer has heard: the disk is an old copy (S7)."""
        self.record = replace(self.record, epoch=epoch)
        self.record_changed = True
        self.seq = 0
        for peer in self.peers.values():
            peer.out_ledger.acked = 0
            peer.sent.clear()
            peer.acked_seq = 0
            peer.acked_sent_s = peer.lease_until_s = float("-inf")
            peer.pin_batch = self.next_batch  # Nothing leaves before it is durable.
        self.tell("epoch", f"epoch raised to {epoch}: a peer knew a higher one than this disk")

    def set_proven(self) -> None:
        """Remember durably that every listed member accepts this incarnation (S4)."""
        self.record = replace(self.record, proven=True)
        self.record_changed = True

    def set_unproven(self) -> None:
        """Take no part until every listed member was asked, across restarts (S4)."""
        self.record = replace(self.record, proven=False)
        self.record_changed = True
        for shard in self.shards.values():
            shard.state.proven = False

    def add_hosted(self, shard_id: ShardId) -> None:
        """Serve this shard also after a restart (C3)."""
        hosted = tuple(sorted({*self.record.hosted, shard_id}))
        self.record = replace(self.record, hosted=hosted)
        self.record_changed = True

    def redial(self, peer: Peer) -> None:
        """Have the streams to a peer built anew."""
        peer.up = peer.ready = False
        peer.stuck_since_s = None
        self.out.append(Dial(peer=peer.node_id))

    def peer(self, node_id: NodeId) -> Peer:
        """Return the peer, dialling one that is new."""
        known = self.peers.get(node_id)
        if known is None:
            self._forget_a_stranger()
            detector = Detector(self.config.timing.heartbeat_s, self.config.phi_threshold)
            known = Peer(node_id, detector, self.config.outbox_bytes)
            self.peers[node_id] = known
            self.out.append(Dial(peer=node_id))
        return known

    def _forget_a_stranger(self) -> None:
        """Make room where too many shared nothing with us: who spoke up first, and its pin."""
        strangers = [
            name
            for name, peer in self.peers.items()
            if not (peer.shared or peer.out_ledger.claims or self.believers.get(name))
        ]
        if len(strangers) >= MOST_STRANGERS:
            oldest = strangers[0]
            del self.peers[oldest]
            self.told = {(kind, peer) for kind, peer in self.told if peer != oldest}
            if self.pins.pop(oldest, None) is not None:
                self.record_changed = True
            self.out.append(HangUp(peer=oldest))

    def watch_deadline(self, shard: Shard) -> None:
        """Put a shard's deadline, if it has one, where the turn finds it."""
        if shard.state.deadline_s is not None:
            heapq.heappush(self.deadlines, (shard.state.deadline_s, shard.shard_id))

    @property
    def next_batch(self) -> int:
        """Return the number of the batch that will hold what is saved now."""
        return self.batch_number + 1
