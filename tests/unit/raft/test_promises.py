"""One replica and a lease: who has promised no vote gives none, not even to itself (S6)."""

from __future__ import annotations

import pytest

from lolraft.raft.effects import Send, ServeRead
from lolraft.raft.events import (
    LeaderLost,
    ReadIndex,
    Timeout,
    TimeoutNow,
    TransferLeadership,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import NodeId, Role
from tests.unit.raft.group import Group

PROMISED_S = 5.0


@pytest.fixture
def group() -> Group:
    """Return a settled group led by n1, whose followers have promised it no vote."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    for name in ("n2", "n3"):
        group.state(name).promised_until_s = group.now_s + PROMISED_S
    return group


def ask(group: Group, *, force_vote: bool, released: bool = False) -> VoteResponse:
    """Let n3 ask n2 for its vote in the next term, and return the answer."""
    request = VoteRequest(
        sender=NodeId("n3"),
        group=group.state("n2").group,
        term=group.state("n2").current_term + 1,
        last_clock=group.state("n3").log.last_clock,
        force_vote=force_vote,
        released=released,
    )
    group.tell("n2", request)
    group.save("n2")
    (answer,) = [message for _, message in group.bag if isinstance(message, VoteResponse)]
    return answer


def test_a_promise_stands_against_a_forced_vote(group: Group) -> None:
    term = group.state("n2").current_term
    assert not ask(group, force_vote=True).granted
    assert group.state("n2").current_term == term, "nor is the term settled (S8)"


def test_the_leaders_word_ends_a_promise(group: Group) -> None:
    assert ask(group, force_vote=True, released=True).granted


def test_a_promise_ends_with_its_time(group: Group) -> None:
    group.now_s += PROMISED_S
    assert ask(group, force_vote=True).granted


def test_the_own_vote_is_promised_too(group: Group) -> None:
    group.tell("n2", TimeoutNow())
    assert group.state("n2").role is Role.FOLLOWER
    assert group.state("n2").ballot.voted_for != NodeId("n2")


def test_who_is_told_by_the_leader_says_that_it_is_released(group: Group) -> None:
    leader = group.state("n1")
    told = TimeoutNow(sender=NodeId("n1"), group=leader.group, term=leader.current_term)
    effects = group.tell("n2", told)
    requests = [e.message for e in effects if isinstance(e, Send)]
    assert all(isinstance(m, VoteRequest) and m.released and m.force_vote for m in requests)
    assert len(requests) == 2


def test_without_a_leader_the_delay_begins_when_the_promise_ends(group: Group) -> None:
    state = group.state("n2")
    group.tell("n2", LeaderLost(leader_id=NodeId("n1"), term=state.current_term))
    assert state.deadline_s is not None
    assert state.deadline_s >= state.promised_until_s


def test_a_leased_read_is_served_at_once(group: Group) -> None:
    effects = group.tell("n1", ReadIndex(ticket=1, leased=True))
    assert effects == [ServeRead(ticket=1, index=group.state("n1").commit_index)]


def test_no_lease_after_timeout_now_in_this_term(group: Group) -> None:
    """The transfer may fail and its message be late: the target may still stand on it."""
    group.tell("n1", TransferLeadership(ticket=None, target=NodeId("n2")))
    deadline_s = group.state("n1").deadline_s
    assert deadline_s is not None
    group.now_s = deadline_s
    group.tell("n1", Timeout())
    leadership = group.state("n1").leadership
    assert leadership is not None
    assert leadership.transfer is None
    effects = group.tell("n1", ReadIndex(ticket=1, leased=True))
    assert not any(isinstance(effect, ServeRead) for effect in effects)
