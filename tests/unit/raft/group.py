"""A whole group on one table: states, disks that lose what was not saved, and a bag of messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from lolraft.raft.core import step
from lolraft.raft.effects import (
    Answer,
    Apply,
    ConfirmLeadership,
    Effect,
    FetchSnapshot,
    InstallSnapshot,
    Proposed,
    Removed,
    Save,
    Send,
    ServeRead,
)
from lolraft.raft.events import (
    AppendRequest,
    Bootstrap,
    Event,
    LeadershipConfirmed,
    Message,
    Propose,
    Saved,
    Timeout,
)
from lolraft.raft.state import RaftState, restore
from lolraft.raft.types import (
    NO_BALLOT,
    ZERO,
    Ballot,
    Clock,
    Entries,
    EntryKind,
    Index,
    Limits,
    NodeId,
    Role,
    SnapshotMeta,
    Term,
    Timing,
)

# Stories tell of a commit at once; that it may wait has a test of its own.
TIMING, LIMITS = Timing(commit_news_s=0.0), Limits()


@dataclass
class Disk:
    """What survives a crash of one replica."""

    ballot: Ballot = NO_BALLOT
    snapshot: SnapshotMeta | None = None
    base: Clock = ZERO
    entries: list[tuple[Term, int, bytes]] = field(default_factory=list)

    def write(self, save: Save) -> None:
        if save.ballot is not None:
            self.ballot = save.ballot
        self.snapshot = save.snapshot or self.snapshot
        if save.log_starts_after is not None:
            drop = save.log_starts_after.index - self.base.index
            self.entries = self.entries[drop:]
            self.base = save.log_starts_after
        if save.truncate_from is not None:
            del self.entries[max(0, save.truncate_from - self.base.index - 1) :]
        if save.entries is not None:
            assert save.entries.first == self.base.index + len(self.entries) + 1, "no gap on disk"
            columns = (save.entries.terms, save.entries.kinds, save.entries.payloads)
            self.entries += zip(*columns, strict=True)

    def restore(self, node_id: NodeId, now_s: float) -> RaftState:
        terms, kinds, payloads = zip(*self.entries, strict=True) if self.entries else ((), (), ())
        return restore(
            node_id,
            0,
            ballot=self.ballot,
            snapshot=self.snapshot,
            log_starts_after=self.base,
            entries=Entries(self.base.index + 1, terms, bytes(kinds), payloads),
            seed=1,
            timing=TIMING,
            limits=LIMITS,
            now_s=now_s,
        )


@dataclass
class Replica:
    state: RaftState
    disk: Disk
    saves: list[Save] = field(default_factory=list)  # Issued, not durable.
    held: list[tuple[int, Send]] = field(default_factory=list)  # Until that Save is durable (S1).
    applied: list[tuple[Index, bytes]] = field(default_factory=list)
    up: bool = True


class Group:
    """Replicas of one shard; a test chooses what is delivered, saved, lost and who crashes."""

    def __init__(self, *names: str, bootstrap: bool = True) -> None:
        self.now_s = 0.0
        self.names = tuple(NodeId(name) for name in names)
        self.bag: list[tuple[NodeId, Message]] = []
        self.answers: list[Effect] = []
        self.leaders: dict[Term, set[NodeId]] = {}
        self.committed: dict[Index, tuple[Term, bytes]] = {}
        self.fetches: list[tuple[NodeId, FetchSnapshot]] = []
        self.replicas = {name: Replica(Disk().restore(name, 0.0), Disk()) for name in self.names}
        if bootstrap:
            for name in self.names:
                self.tell(name, Bootstrap(ticket=None, voters=self.names, group_id=7))
                self.save(name)

    def state(self, name: str) -> RaftState:
        return self.replicas[NodeId(name)].state

    def tell(self, name: str, event: Event) -> list[Effect]:
        """Step one replica and take care of what it wants, but for the disk."""
        replica = self.replicas[NodeId(name)]
        if not replica.up:
            return []
        effects = step(replica.state, self.now_s, event)
        for effect in effects:
            self._take(replica, effect)
        if replica.state.role is Role.LEADER:
            self.leaders.setdefault(replica.state.current_term, set()).add(NodeId(name))
        return effects

    def _take(self, replica: Replica, effect: Effect) -> None:
        match effect:
            case Save():
                replica.saves.append(effect)
            case Send(message=AppendRequest()):
                self.bag.append((effect.to, effect.message))
            case Send():
                if replica.saves:
                    replica.held.append((replica.saves[-1].number, effect))
                else:
                    self.bag.append((effect.to, effect.message))
            case Apply(entries=entries):
                for offset, (term, payload) in enumerate(
                    zip(entries.terms, entries.payloads, strict=True)
                ):
                    index = entries.first + offset
                    known = self.committed.setdefault(index, (term, payload))
                    assert known == (term, payload), f"two truths at index {index}"
                    if entries.kinds[offset] == EntryKind.COMMAND:
                        replica.applied.append((index, payload))
            case InstallSnapshot(meta=meta):
                replica.applied = [item for item in replica.applied if item[0] <= meta.clock.index]
            case ConfirmLeadership():
                pass
            case FetchSnapshot():
                self.fetches.append((replica.state.node_id, effect))
            case Answer() | Proposed() | ServeRead() | Removed():
                self.answers.append(effect)
            case _:
                pass

    def save(self, name: str) -> None:
        """Make everything that one replica issued durable, and let go what waited for it."""
        replica = self.replicas[NodeId(name)]
        while replica.up and replica.saves:
            save = replica.saves.pop(0)
            replica.disk.write(save)
            ready = [send for number, send in replica.held if number <= save.number]
            replica.held = [item for item in replica.held if item[0] > save.number]
            self.bag += [(send.to, send.message) for send in ready]
            self.tell(name, Saved(number=save.number))

    def deliver(self, position: int = 0) -> None:
        """Hand over one message of the bag."""
        to, message = self.bag.pop(position)
        self.tell(to, message)

    def settle(self, rounds: int = 1_000) -> None:
        """Save and deliver everything until nothing is left to do."""
        for _ in range(rounds):
            for name in self.names:
                self.save(name)
            if not self.bag:
                return
            self.deliver()
        raise AssertionError("the group does not come to rest")

    def crash(self, name: str) -> None:
        replica = self.replicas[NodeId(name)]
        replica.up, replica.saves, replica.held = False, [], []
        replica.applied = []

    def restart(self, name: str) -> None:
        replica = self.replicas[NodeId(name)]
        replica.state = replica.disk.restore(NodeId(name), self.now_s)
        replica.up = True
        replica.applied = []

    def elect(self, name: str) -> None:
        """Let one replica's delay pass, and settle."""
        state = self.state(name)
        assert state.deadline_s is not None, f"{name} waits for nothing"
        self.now_s = max(self.now_s, state.deadline_s)
        self.tell(name, Timeout())
        self.settle()

    def propose(self, name: str, *payloads: bytes) -> None:
        tickets = tuple(range(len(payloads)))
        self.tell(name, Propose(tickets=tickets, payloads=payloads))

    def confirm(self, name: str) -> None:
        """Say that a quorum acked every round that was asked for."""
        state = self.state(name)
        assert state.leadership is not None
        round_, term = state.leadership.round_, state.current_term
        self.tell(name, LeadershipConfirmed(round_=round_, term=term))
