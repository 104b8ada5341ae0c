"""One replica on paper: in a state that the dissertation speaks of, told one thing at a time."""

from __future__ import annotations

from typing import TypeVar

from lolraft.raft.core import step
from lolraft.raft.effects import Answer, Apply, Effect, Save, Send
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    Event,
    LeaderClaim,
    LeaderLost,
    Message,
    Saved,
    Timeout,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.state import RaftState
from lolraft.raft.types import (
    Ballot,
    Clock,
    Configuration,
    Entries,
    EntryKind,
    Index,
    NodeId,
    Term,
)
from tests.unit.raft.group import Disk

ME, P2, P3, P4, P5 = (NodeId(f"n{number}") for number in range(1, 6))
THREE, FIVE = (ME, P2, P3), (ME, P2, P3, P4, P5)
GROUP = 7

Kind = TypeVar("Kind")


class Paper:
    """A replica called n1, its driver, its disk, and nobody else."""

    def __init__(
        self,
        *terms: Term,
        term: Term | None = None,
        vote: NodeId | None = None,
        voters: tuple[NodeId, ...] = THREE,
        outgoing: tuple[NodeId, ...] = (),
        learners: tuple[NodeId, ...] = (),
    ) -> None:
        """Start n1 with entry 1, then entries of *terms*, and the ballot (*term*, *vote*)."""
        known = members(*voters, outgoing=outgoing, learners=learners)
        commands = [
            (number, int(EntryKind.COMMAND), f"{number}.{index}".encode())
            for index, number in enumerate(terms, start=2)
        ]
        self.now_s = 0.0
        self.last: list[Effect] = []
        self.pending: list[Save] = []  # Asked for, not durable.
        self.disk = Disk(
            ballot=Ballot(max(terms, default=0) if term is None else term, vote),
            entries=[(0, int(EntryKind.CONFIGURATION), known.encode()), *commands],
        )
        self.restart()

    def restart(self) -> Paper:
        """Start from what is on the disk; all else is gone."""
        self.pending.clear()
        self.state: RaftState = self.disk.restore(ME, self.now_s)
        self.tell(Timeout())  # It has none yet: this gives it its first deadline.
        return self

    def tell(self, event: Event) -> list[Effect]:
        """Step the replica; its disk does nothing before `save`."""
        self.last = step(self.state, self.now_s, event)
        self.pending += [effect for effect in self.last if isinstance(effect, Save)]
        return self.last

    def save(self) -> list[Effect]:
        """Make all that it asked to save durable."""
        for save in self.pending:
            self.disk.write(save)
        self.pending.clear()
        return self.tell(Saved(number=self.state.saved_number))

    def expire(self) -> list[Effect]:
        """Let its deadline pass."""
        deadline_s = self.state.deadline_s
        assert deadline_s is not None, "it waits for something"
        self.now_s = max(self.now_s, deadline_s)
        return self.tell(Timeout())

    def candidate(self) -> Paper:
        """Let it win a pre-vote and stand; its own vote is durable and counted."""
        self.expire()
        for peer in self.peers():
            self.tell(self.grant(peer, pre_vote=True))
        self.save()
        return self

    def leader(self) -> Paper:
        """Let all voters elect it, and make its barrier durable: no follower holds that yet."""
        self.candidate()
        for peer in self.peers():
            self.tell(self.grant(peer))
        self.save()
        return self

    def settled(self) -> Paper:
        """Let it lead, with all that it has on every member."""
        self.leader()
        for peer in [*self.state.progress] * 2:  # The second answers the news of the commit.
            self.tell(self.holds(peer))
        return self

    def agree(self) -> list[Effect]:
        """Let every member have all there is, until that leads to nothing more."""
        effects: list[Effect] = []
        for _ in range(10):
            last = self.state.log.last_index
            effects += self.save()
            for peer in [*self.state.progress]:
                effects += self.tell(self.holds(peer))
            if self.state.log.last_index == last:
                return effects
        raise AssertionError("it never comes to rest")

    def grant(self, peer: NodeId, *, pre_vote: bool = False, granted: bool = True) -> VoteResponse:
        """Return *peer*'s answer to the round under way."""
        asked = self.state.current_term + pre_vote
        return VoteResponse(
            sender=peer,
            group=GROUP,
            term=asked if granted else self.state.current_term,
            granted=granted,
            pre_vote=pre_vote,
            asked_term=asked,
        )

    def holds(self, peer: NodeId, index: Index | None = None) -> AppendResponse:
        """Return *peer*'s word that it has everything up to *index*, or all there is."""
        return holding(self.state, peer, index)

    def follow(self, leader: NodeId, term: Term | None = None) -> Paper:
        """Let it believe in a leader of its term."""
        number = self.state.current_term if term is None else term
        self.tell(LeaderClaim(leader_id=leader, group=GROUP, term=number))
        return self

    def peers(self) -> list[NodeId]:
        """Return the other voters, of both halves while joint."""
        known = self.state.configuration
        return sorted({*known.voters, *known.outgoing} - {ME})

    def lose(self, leader: NodeId) -> list[Effect]:
        """Let it hear that the leader it believed in is gone."""
        return self.tell(LeaderLost(leader_id=leader, term=self.state.current_term))

    def terms(self) -> list[Term]:
        """Return the terms of all entries in the log."""
        log = self.state.log
        return list(log.range(log.base.index + 1, log.last_index).terms)


def empty() -> Paper:
    """Return a replica that was just installed: it has no log and belongs to no group."""
    one = Paper()
    one.disk = Disk()
    return one.restart()


def holding(state: RaftState, peer: NodeId, index: Index | None = None) -> AppendResponse:
    """Return *peer*'s word to a leader that it has everything up to *index*, or all there is."""
    return AppendResponse(
        sender=peer,
        group=GROUP,
        term=state.current_term,
        success=True,
        match_index=state.log.last_index if index is None else index,
        commit_index=state.commit_index,
    )


def vote(sender: NodeId, term: Term, last: tuple[Term, Index], **flags: bool) -> VoteRequest:
    """Return a request for the vote in *term* of who has a log up to *last*."""
    return VoteRequest(sender=sender, group=GROUP, term=term, last_clock=Clock(*last), **flags)


def append(
    sender: NodeId, term: Term, prev: tuple[Term, Index], *terms: Term, commit: Index = 0
) -> AppendRequest:
    """Return the append that puts entries of *terms* after *prev*."""
    first = prev[1] + 1
    payloads = tuple(f"{number}.{index}".encode() for index, number in enumerate(terms, first))
    return AppendRequest(
        sender=sender,
        group=GROUP,
        term=term,
        prev_clock=Clock(*prev),
        entries=Entries(first, terms, bytes((EntryKind.COMMAND,)) * len(terms), payloads),
        commit_index=commit,
    )


def members(
    *voters: NodeId, outgoing: tuple[NodeId, ...] = (), learners: tuple[NodeId, ...] = ()
) -> Configuration:
    """Return a configuration of the group on paper; joint where there is an *outgoing* half."""
    return Configuration(voters=voters, outgoing=outgoing, learners=learners, group_id=GROUP)


def configure(
    sender: NodeId,
    term: Term,
    prev: tuple[Term, Index],
    configuration: Configuration,
    commit: Index = 0,
) -> AppendRequest:
    """Return the append that puts *configuration* after *prev*, in the leader's own term."""
    kinds, payloads = bytes((EntryKind.CONFIGURATION,)), (configuration.encode(),)
    return AppendRequest(
        sender=sender,
        group=GROUP,
        term=term,
        prev_clock=Clock(*prev),
        entries=Entries(prev[1] + 1, (term,), kinds, payloads),
        commit_index=commit,
    )


def rejects(one: Paper, peer: NodeId, index: Index, conflict: tuple[Term, Index]) -> AppendResponse:
    """Return *peer*'s refusal of an append after *index*."""
    return AppendResponse(
        sender=peer,
        group=GROUP,
        term=one.state.current_term,
        success=False,
        rejected_index=index,
        conflict=Clock(*conflict),
    )


def sent(effects: list[Effect], kind: type[Kind], to: NodeId | None = None) -> list[Kind]:
    """Return the messages of one kind among effects, in order."""
    letters: list[tuple[NodeId, Message]] = [
        (effect.to, effect.message) for effect in effects if isinstance(effect, Send)
    ]
    return [item for name, item in letters if isinstance(item, kind) and to in (None, name)]


def only(effects: list[Effect], kind: type[Kind]) -> Kind:
    """Return the one message or effect of a kind; there must be just one."""
    found = [*sent(effects, kind), *(item for item in effects if isinstance(item, kind))]
    (it,) = found
    return it


def saved(effects: list[Effect]) -> Save | None:
    """Return what must be durable before anything else leaves, if there is something."""
    saves = [effect for effect in effects if isinstance(effect, Save)]
    assert saves == [effect for effect in effects[:1] if isinstance(effect, Save)], "it is first"
    return saves[0] if saves else None


def applied(effects: list[Effect]) -> list[Index]:
    """Return the indexes that are handed to the state machine, in order."""
    columns = [effect.entries for effect in effects if isinstance(effect, Apply)]
    return [index for entries in columns for index in range(entries.first, entries.last + 1)]


def answers(effects: list[Effect]) -> list[Answer]:
    """Return how requests ended."""
    return [effect for effect in effects if isinstance(effect, Answer)]
