"""What one replica remembers, and how it comes back from its disk."""

from __future__ import annotations

from collections import deque
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

from lolraft.raft.effects import Answer, Code, Effect, FetchSnapshot, Notice
from lolraft.raft.events import ChangeMembers
from lolraft.raft.log import Log
from lolraft.raft.types import (
    NO_BALLOT,
    NO_CONFIGURATION,
    Ballot,
    Clock,
    Configuration,
    Entries,
    EntryKind,
    GroupId,
    Index,
    Limits,
    NodeId,
    Role,
    ShardId,
    SnapshotMeta,
    Term,
    Ticket,
    Timing,
)

GROUP_MASK = 2**64 - 1


@dataclass(slots=True)
class Progress:
    """What a leader knows of one member's log, and what is on its way to it."""

    next_index: Index
    match_index: Index = 0
    probing: bool = True  # One append at a time until one matches.
    snapshot: Clock | None = None  # Offered; no appends until the member has it.
    in_flight: int = 0  # Appends without an answer.
    sent_at_s: float = 0.0
    round_trip_s: float = 0.0  # Smoothed; the window follows it (P4).
    commit_sent: Index = 0
    commit_index: Index | None = None  # The member's own word (L2).
    must_ask: bool = True  # Send even without entries: its log or commit is unknown.
    progress_at_s: float = 0.0


class Round(NamedTuple):
    """One round of catching up: until a server has what was there when it began (§4.2.1)."""

    last: Index
    began_s: float
    is_quick: bool = False  # The one before took less than an election timeout.


@dataclass(slots=True)
class Change:
    """A change of membership under way at its leader: who shall vote and who learn at its end."""

    voters: tuple[NodeId, ...]
    learners: tuple[NodeId, ...]
    fallback: tuple[NodeId, ...] = ()  # The learners of before, for when it is given up.
    joining: dict[NodeId, Round] = field(default_factory=dict)  # Who must catch up first.
    tickets: list[Ticket] = field(default_factory=list)
    give_up_s: float | None = None  # When somebody will have stood still for too long (C2).
    aborted: str = ""  # Why it was given up; the new learners are being taken out again.


@dataclass(slots=True)
class Transfer:
    """A hand-over of leadership under way (§3.10)."""

    target: NodeId
    ticket: Ticket | None
    until_s: float
    told: bool = False


@dataclass(slots=True)
class Leadership:
    """What only a leader remembers; it goes with the term."""

    barrier_index: Index
    progress: dict[NodeId, Progress] = field(default_factory=dict)
    round_: int = 0
    reads: deque[tuple[int, Ticket, Index]] = field(default_factory=deque)
    early_reads: list[Ticket] = field(default_factory=list)  # Wait for the barrier (§6.4).
    early_changes: list[ChangeMembers] = field(default_factory=list)
    change: Change | None = None
    leaving: list[NodeId] = field(default_factory=list)  # To be told when that commits (L10).
    transfer: Transfer | None = None
    news_due_s: float | None = None  # When followers must hear of the commit at the latest.


@dataclass(slots=True, eq=False)
class RaftState:
    """One replica of one shard. Small when idle: what only a leader needs hangs on `leadership`."""

    node_id: NodeId
    shard_id: ShardId
    _: KW_ONLY
    seed: int
    timing: Timing
    limits: Limits
    now_s: float = 0.0
    role: Role = Role.FOLLOWER
    ballot: Ballot = NO_BALLOT
    ballot_number: int = 0  # The Save that made the ballot durable, or will.
    leader_id: NodeId | None = None  # Whom this replica believes in.
    log: Log = field(default_factory=Log)
    commit_index: Index = 0
    last_applied: Index = 0
    snapshot: SnapshotMeta | None = None
    configurations: list[tuple[Index, Configuration]] = field(default_factory=list)  # Rising.
    group_id: GroupId = 0
    saved_number: int = 0  # Of the last Save issued.
    durable_number: int = 0  # Of the last one that is durable.
    durable_index: Index = 0  # Entries up to here, as they are now, are durable.
    unsaved: deque[tuple[int, Index]] = field(default_factory=deque)  # (number, last index).
    deadline_s: float | None = None
    attempt: int = 0  # Failed election rounds since a leader was last believed in (L8).
    votes: dict[NodeId, bool] | None = None
    live: frozenset[NodeId] | None = None  # None: the node has not said yet.
    acking: frozenset[NodeId] | None = None
    objecting: frozenset[NodeId] = frozenset()
    priorities: tuple[tuple[NodeId, int], ...] = ()  # Of nodes, as `Liveness` says.
    proven: bool = True
    stopped: bool = False
    fetching: FetchSnapshot | None = None
    fetch_failed: bool = False  # The last one was given up.
    leadership: Leadership | None = None
    bootstrap_tickets: tuple[Ticket, ...] = ()
    odd_messages: int = 0

    @property
    def group(self) -> int:
        """Return the low 64 bits of the group id, as messages carry it (S2)."""
        return self.group_id & GROUP_MASK

    @property
    def current_term(self) -> Term:
        """Return the term of the ballot."""
        return self.ballot.current_term

    @property
    def last_clock(self) -> Clock:
        """Return the clock of the last entry."""
        return self.log.last_clock

    @property
    def configuration(self) -> Configuration:
        """Return the newest configuration in the log, committed or not (§4.1)."""
        return self.configurations[-1][1] if self.configurations else NO_CONFIGURATION

    @property
    def configuration_index(self) -> Index:
        """Return the index of the newest configuration, 0 without one."""
        return self.configurations[-1][0] if self.configurations else 0

    @property
    def progress(self) -> dict[NodeId, Progress]:
        """Return what a leader knows of the others; empty elsewhere."""
        return self.leadership.progress if self.leadership is not None else {}

    @property
    def is_silent(self) -> bool:
        """Return whether there is nothing yet to take part in (DESIGN section 10)."""
        return not self.configurations

    def configuration_at(self, index: Index) -> tuple[Index, Configuration]:
        """Return the configuration in force at *index*, with its own index."""
        found: tuple[Index, Configuration] = (0, NO_CONFIGURATION)
        for at, configuration in self.configurations:
            if at > index:
                break
            found = (at, configuration)
        return found

    def append(self, terms: tuple[Term, ...], kinds: bytes, payloads: tuple[bytes, ...]) -> None:
        """Put entries at the end of the log; a configuration counts from then on (§4.1)."""
        first = self.log.last_index + 1
        self.log.append(terms, kinds, payloads)
        position = kinds.find(EntryKind.CONFIGURATION)
        while position >= 0:
            self._learn_configuration(first + position, payloads[position])
            position = kinds.find(EntryKind.CONFIGURATION, position + 1)

    def _learn_configuration(self, index: Index, payload: bytes) -> None:
        configuration = Configuration.decode(payload)
        self.configurations.append((index, configuration))
        if self.group_id == 0:
            self.group_id = configuration.group_id

    def truncate_from(self, index: Index) -> None:
        """Drop a tail; configurations in it are rolled back (§4.1)."""
        assert index > self.commit_index, "committed entries are never truncated (§3.6)"
        self.log.truncate_from(index)
        while self.configurations and self.configurations[-1][0] >= index:
            self.configurations.pop()
        if not self.configurations:
            self.group_id = 0
        self.durable_index = min(self.durable_index, index - 1)
        self.unsaved = deque((number, min(last, index - 1)) for number, last in self.unsaved)

    def may_stand(self) -> bool:
        """Return whether this replica could be elected: a proven voter (S4, S13)."""
        return self.proven and not self.stopped and self.configuration.is_voter(self.node_id)


def restore(
    node_id: NodeId,
    shard_id: ShardId,
    *,
    ballot: Ballot,
    snapshot: SnapshotMeta | None,
    log_starts_after: Clock,
    entries: Entries,
    seed: int,
    timing: Timing,
    limits: Limits,
    proven: bool = True,
    now_s: float = 0.0,
) -> RaftState:
    """
    Return a replica as its disk left it: everything in the log is durable, nothing is applied.

    What the snapshot covers is committed and in the app; where there is none, entry 1 is the
    app's initial state but still an entry (DESIGN section 10).
    """
    state = RaftState(node_id, shard_id, seed=seed, timing=timing, limits=limits)
    state.now_s = now_s
    state.ballot = ballot
    state.proven = proven
    state.snapshot = snapshot
    base = log_starts_after
    if snapshot is not None:
        state.commit_index = state.last_applied = snapshot.clock.index
        state.configurations.append((snapshot.configuration_index, snapshot.configuration))
        state.group_id = snapshot.configuration.group_id
        if snapshot.clock.index > base.index + len(entries.terms):
            base, entries = snapshot.clock, Entries(snapshot.clock.index + 1, (), b"", ())
    state.log = Log(base)
    if entries.terms:
        state.log.append(entries.terms, entries.kinds, entries.payloads)
        for position, kind in enumerate(entries.kinds):
            index = entries.first + position
            if kind == EntryKind.CONFIGURATION and index > state.configuration_index:
                state._learn_configuration(index, entries.payloads[position])
    state.log.take_change()
    state.durable_index = state.log.last_index
    return state


def answer(ticket: Ticket | None, code: Code, text: str = "") -> list[Effect]:
    """End a request, if anybody waits for it."""
    return [] if ticket is None else [Answer(ticket=ticket, code=code, message=text)]


def refuse(ticket: Ticket, state: RaftState, text: str = "") -> Answer:
    """Answer a request that only a leader can do."""
    if state.is_silent:
        return Answer(
            ticket=ticket,
            code=Code.FAILED_PRECONDITION,
            message=f"shard {state.shard_id} is not bootstrapped here: add this server to a group",
        )
    leader = state.leader_id if state.leader_id != state.node_id else None
    return Answer(
        ticket=ticket,
        code=Code.UNAVAILABLE,
        message=text or f"this replica of shard {state.shard_id} does not lead; try the leader",
        leader_id=leader,
    )


def step_down(state: RaftState, why: str) -> list[Effect]:
    """Become a follower without a leader; everybody who waited on the leadership is told."""
    effects: list[Effect] = []
    lost = state.leadership
    if lost is not None:
        effects.append(Notice(kind="stepped_down", text=why))
        text = f"leadership of shard {state.shard_id} was lost ({why}); outcome unknown, try again"
        tickets = [ticket for _, ticket, _ in lost.reads] + lost.early_reads
        tickets += [change.ticket for change in lost.early_changes]
        tickets += lost.change.tickets if lost.change else []
        effects += [refuse(ticket, state, text) for ticket in tickets]
        effects += answer(lost.transfer.ticket if lost.transfer else None, Code.OK)
    state.leadership = None
    state.role = Role.FOLLOWER
    state.leader_id = None
    state.votes = None
    state.deadline_s = None
    return effects


def observe_term(state: RaftState, term: Term) -> list[Effect]:
    """Settle a newer term: adopt it, without a vote and without a leader (§3.3)."""
    if term <= state.ballot.current_term:
        return []
    state.ballot = Ballot(term, None)
    state.attempt = 0 if state.leader_id is not None else state.attempt
    return step_down(state, f"term {term} began")
