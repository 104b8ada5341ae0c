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
    Message,
    Saved,
    Timeout,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.state import RaftState, restore
from lolraft.raft.types import (
    ZERO,
    Ballot,
    Clock,
    Configuration,
    Entries,
    EntryKind,
    Index,
    NodeId,
    Term,
)
from tests.unit.raft.group import LIMITS, TIMING

ME, P2, P3, P4, P5 = (NodeId(f"n{number}") for number in range(1, 6))
THREE, FIVE = (ME, P2, P3), (ME, P2, P3, P4, P5)
GROUP = 7

Kind = TypeVar("Kind")


class Paper:
    """A replica called n1, its driver, and nobody else."""

    def __init__(
        self,
        *terms: Term,
        term: Term | None = None,
        vote: NodeId | None = None,
        voters: tuple[NodeId, ...] = THREE,
        learners: tuple[NodeId, ...] = (),
    ) -> None:
        """Start n1 with entry 1, then entries of *terms*, and the ballot (*term*, *vote*)."""
        known = Configuration(voters=voters, learners=learners, group_id=GROUP)
        payloads = [f"{number}.{index}".encode() for index, number in enumerate(terms, start=2)]
        kinds = bytes((EntryKind.CONFIGURATION, *[EntryKind.COMMAND] * len(terms)))
        self.now_s = 0.0
        self.last: list[Effect] = []
        self.state: RaftState = restore(
            ME,
            0,
            ballot=Ballot(max(terms, default=0) if term is None else term, vote),
            snapshot=None,
            log_starts_after=ZERO,
            entries=Entries(1, (0, *terms), kinds, (known.encode(), *payloads)),
            seed=1,
            timing=TIMING,
            limits=LIMITS,
        )
        self.tell(Timeout())  # It has none yet: this gives it its first deadline.

    def tell(self, event: Event) -> list[Effect]:
        """Step the replica; its disk does nothing before `save`."""
        self.last = step(self.state, self.now_s, event)
        return self.last

    def save(self) -> list[Effect]:
        """Make all that it asked to save durable."""
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
        for peer in self.state.configuration.voters:
            if peer != ME:
                self.tell(self.grant(peer, pre_vote=True))
        self.save()
        return self

    def leader(self) -> Paper:
        """Let all voters elect it, and make its barrier durable: no follower holds that yet."""
        self.candidate()
        for peer in self.state.configuration.voters:
            if peer != ME:
                self.tell(self.grant(peer))
        self.save()
        return self

    def settled(self) -> Paper:
        """Let it lead, with all that it has on every member."""
        self.leader()
        for peer in [*self.state.progress] * 2:  # The second answers the news of the commit.
            self.tell(self.holds(peer))
        return self

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
        return AppendResponse(
            sender=peer,
            group=GROUP,
            term=self.state.current_term,
            success=True,
            match_index=self.state.log.last_index if index is None else index,
            commit_index=self.state.commit_index,
        )

    def follow(self, leader: NodeId, term: Term | None = None) -> Paper:
        """Let it believe in a leader of its term."""
        number = self.state.current_term if term is None else term
        self.tell(LeaderClaim(leader_id=leader, group=GROUP, term=number))
        return self

    def terms(self) -> list[Term]:
        """Return the terms of all entries in the log."""
        log = self.state.log
        return list(log.range(log.base.index + 1, log.last_index).terms)


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
