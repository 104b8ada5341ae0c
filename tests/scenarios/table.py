"""The group of one story: replicas, disks, a network, and what is told of all that happens."""

from __future__ import annotations

from dataclasses import dataclass

from lolraft.raft.core import step
from lolraft.raft.effects import (
    Apply,
    ConfirmLeadership,
    Effect,
    FetchSnapshot,
    Notice,
    Proposed,
    Save,
    Send,
    ServeRead,
)
from lolraft.raft.events import AppendRequest, Event, Message, Saved, TimeoutNow
from lolraft.raft.state import RaftState
from lolraft.raft.types import (
    Ballot,
    Clock,
    Configuration,
    EntryKind,
    Index,
    NodeId,
    Role,
    SnapshotMeta,
    Term,
)
from tests.scenarios import lines
from tests.unit.raft.group import LIMITS, Disk, Replica

GROUP = 7


@dataclass(frozen=True)
class Letter:
    """One message on its way."""

    sender: NodeId
    to: NodeId
    message: Message


class Table:
    """Replicas of one shard; nothing happens but what the story says, and all of it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.replicas: dict[NodeId, Replica] = {}
        self.waiting: dict[NodeId, list[tuple[int, Effect]]] = {}  # Until that Save is durable.
        self.bag: list[Letter] = []
        self.held: list[Letter] = []
        self.cut: set[NodeId] = set()
        self.slow: set[NodeId] = set()  # Whose disk waits for `save`.
        self.fetches: dict[NodeId, FetchSnapshot] = {}
        self.snapshots: dict[Clock, SnapshotMeta] = {}
        self.limits = LIMITS
        self.told: list[str] = []
        self.last_ticket = 0
        self._leaders: dict[Term, NodeId] = {}
        self._truth: dict[Index, tuple[Term, bytes]] = {}

    def place(
        self, name: NodeId, terms: list[Term], voters: tuple[NodeId, ...], current_term: Term
    ) -> None:
        """Put a replica on the table whose disk holds entry 1 and entries of *terms* after it."""
        configuration = Configuration(voters=tuple(sorted(voters)), group_id=GROUP)
        disk = Disk(ballot=Ballot(current_term, None))
        disk.entries = [(0, int(EntryKind.CONFIGURATION), configuration.encode())]
        for index, term in enumerate(terms, start=2):
            disk.entries.append((term, int(EntryKind.COMMAND), f"{term}.{index}".encode()))
        self._seat(name, disk)

    def place_empty(self, name: NodeId) -> None:
        """Put a replica on the table that has no log and belongs to no group yet."""
        self._seat(name, Disk())

    def _seat(self, name: NodeId, disk: Disk) -> None:
        self.replicas[name] = Replica(disk.restore(name, self.now_s), disk)
        self.state(name).limits = self.limits
        self.waiting[name] = []
        self.tell(name, Saved(number=0))  # Nothing new, but it sets the first deadline.

    def state(self, name: NodeId) -> RaftState:
        """Return what one replica remembers."""
        return self.replicas[name].state

    def say(self, line: str) -> None:
        """Tell what happened."""
        self.told.append(line)

    def new_ticket(self) -> int:
        """Return the number of the next request of this story."""
        self.last_ticket += 1
        return self.last_ticket

    def tell(self, name: NodeId, event: Event) -> None:
        """Step one replica, and let its effects out as far as its disk allows."""
        replica = self.replicas[name]
        if not replica.up:
            self.say(f"{name} is down")
            return
        was = _standing(replica.state)
        effects = step(replica.state, self.now_s, event)
        if _standing(replica.state) != was:
            self.say(f"{name} is now {replica.state.role.value} term={replica.state.current_term}")
        for effect in effects:
            self._settle(name, replica, effect)
        if replica.state.role is Role.LEADER:
            known = self._leaders.setdefault(replica.state.current_term, name)
            assert known == name, f"two leaders in term {replica.state.current_term} (§3.4)"
        if name not in self.slow:
            self.save(name)

    def _settle(self, name: NodeId, replica: Replica, effect: Effect) -> None:
        if isinstance(effect, Save):
            replica.saves.append(effect)
            if name in self.slow:
                self.say(f"{name} begins save {effect.number}: {lines.save(effect)}")
            return
        if not replica.saves or _overtakes(effect, leads=replica.state.role is Role.LEADER):
            self._let_out(name, effect)
        else:
            self.waiting[name].append((replica.saves[-1].number, effect))

    def _let_out(self, name: NodeId, effect: Effect) -> None:
        if isinstance(effect, Send):
            lost = name in self.cut or effect.to in self.cut
            self.say(f"{name} -> {effect.to} {lines.message(effect.message)}" + " (lost)" * lost)
            if not lost:
                self.bag.append(Letter(name, effect.to, effect.message))
            return
        line = lines.effect(effect)
        if line is not None:
            self.say(f"{name} {line}")
        if isinstance(effect, FetchSnapshot):
            self.fetches[name] = effect
        if isinstance(effect, Apply):
            self._check_truth(effect)

    def _check_truth(self, effect: Apply) -> None:
        entries = effect.entries
        for offset, entry in enumerate(zip(entries.terms, entries.payloads, strict=True)):
            known = self._truth.setdefault(entries.first + offset, entry)
            assert known == entry, f"two truths at index {entries.first + offset} (§3.6.3)"

    def save(self, name: NodeId, count: int | None = None) -> None:
        """Make the oldest *count* Saves of one replica durable, or all that were begun."""
        replica = self.replicas[name]
        count = len(replica.saves) if count is None else count
        while replica.up and replica.saves and count > 0:
            count -= 1
            save = replica.saves.pop(0)
            replica.disk.write(save)
            waiting = self.waiting[name]
            self.waiting[name] = [item for item in waiting if item[0] > save.number]
            for number, effect in waiting:
                if number <= save.number:
                    self._let_out(name, effect)
            self.tell(name, Saved(number=save.number))

    def deliver(self, letters: list[Letter]) -> None:
        """Hand over these messages, in this order."""
        for letter in letters:
            self.bag.remove(letter)
            if letter.to not in self.replicas or not self.replicas[letter.to].up:
                self.say(f"{letter.to} is down: {lines.message(letter.message)} is lost")
            else:
                self.tell(letter.to, letter.message)

    def crash(self, name: NodeId) -> None:
        """Stop one replica at once: what was not durable and what waited for it is gone."""
        replica = self.replicas[name]
        replica.up, replica.saves, self.waiting[name] = False, [], []

    def restart(self, name: NodeId) -> None:
        """Let one replica come back as its disk remembers it."""
        replica = self.replicas[name]
        replica.state, replica.up = replica.disk.restore(name, self.now_s), True
        replica.state.limits = self.limits
        self.fetches.pop(name, None)
        self.tell(name, Saved(number=0))
        self.say(f"{name} {lines.state(replica.state)}")


def _standing(state: RaftState) -> tuple[Role, Term]:
    # A term that rises while somebody follows is left to `show`; a role that changes is told.
    return state.role, state.current_term if state.role is not Role.FOLLOWER else 0


def _overtakes(effect: Effect, *, leads: bool) -> bool:
    """Return whether this need not wait for the disk: the same rule as the node's (S1)."""
    if isinstance(effect, Notice):
        return True
    if isinstance(effect, Send):
        return leads and isinstance(effect.message, AppendRequest | TimeoutNow)
    return leads and isinstance(effect, Apply | Proposed | ConfirmLeadership | ServeRead)
