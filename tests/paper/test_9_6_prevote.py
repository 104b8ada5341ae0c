"""Chapter 9, section 9.6: preventing disruptions when a server rejoins the cluster (pre-vote)."""

from __future__ import annotations

import pytest

from lolraft.raft.events import Refusal, VoteRequest, VoteResponse
from lolraft.raft.types import Role
from lolraft.sim import Plan
from lolraft.sim.weather import Rule
from tests.paper.replica import FIVE, GROUP, P2, P3, Paper, append, only, saved, sent, vote
from tests.simulation.stage import Stage

# --- who would stand -----------------------------------------------------------------------------


def test_a_server_asks_before_it_increments_its_term() -> None:
    """§9.6: a candidate only increments its term if it first learns from a majority ..."""
    one = Paper(1)
    effects = one.expire()
    asked = sent(effects, VoteRequest)
    assert {(item.term, item.pre_vote) for item in asked} == {(2, True)}, "the term it would begin"
    assert (one.state.role, one.state.current_term) == (Role.PRE_CANDIDATE, 1)
    assert saved(effects) is None, "it has voted for nobody"


def test_it_needs_the_word_of_a_majority() -> None:
    """§9.6: ... from a *majority* that they would be willing to grant it their votes."""
    one = Paper(1, voters=FIVE)
    one.expire()
    one.tell(one.grant(P2, pre_vote=True))
    assert one.state.current_term == 1, "two of five"
    one.tell(one.grant(P3, pre_vote=True))
    assert (one.state.role, one.state.current_term) == (Role.CANDIDATE, 2)


def test_a_word_that_comes_twice_counts_once() -> None:
    """§9.6: ... a majority of the *cluster*."""
    one = Paper(1, voters=FIVE)
    one.expire()
    one.tell(one.grant(P2, pre_vote=True))
    one.tell(one.grant(P2, pre_vote=True))
    assert one.state.current_term == 1


def test_a_word_that_is_no_is_none() -> None:
    """§9.6: ... that they *would* grant it."""
    one = Paper(1)
    one.expire()
    for peer in (P2, P3):
        one.tell(one.grant(peer, pre_vote=True, granted=False))
    assert one.state.current_term == 1


def test_a_word_about_another_term_does_not_count() -> None:
    """§9.6: it was willing then, and may have voted since."""
    one = Paper(2)
    one.expire()
    late = VoteResponse(sender=P2, group=GROUP, term=2, granted=True, pre_vote=True, asked_term=2)
    one.tell(late)
    assert (one.state.role, one.state.current_term) == (Role.PRE_CANDIDATE, 2)


def test_a_pre_vote_elects_nobody() -> None:
    """§9.6: it only says that an election may be won: the votes are asked for after it."""
    one = Paper(1)
    one.candidate()
    pre = VoteResponse(sender=P2, group=GROUP, term=2, granted=True, pre_vote=True, asked_term=2)
    one.tell(pre)
    roles = [one.state.role]
    one.tell(one.grant(P2))
    roles.append(one.state.role)
    assert roles == [Role.CANDIDATE, Role.LEADER]


def test_a_refusal_of_a_later_term_is_heard() -> None:
    """§9.6, §3.3: who asks with an old term learns so, else it would ask for ever."""
    one = Paper(1)
    one.expire()
    one.tell(VoteResponse(sender=P2, group=GROUP, term=5, granted=False, pre_vote=True))
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 5)


# --- who is asked --------------------------------------------------------------------------------


def test_who_would_vote_says_so_and_changes_nothing() -> None:
    """§9.6: it says that it would be willing; it does not vote, nor adopt the term."""
    one = Paper(1)
    effects = one.tell(vote(P2, 2, (1, 2), pre_vote=True))
    assert only(effects, VoteResponse).granted
    assert saved(effects) is None
    assert one.state.ballot == (1, None)


def test_one_may_be_willing_to_vote_for_several() -> None:
    """§9.6: ... *would be* willing: only the vote itself is given once."""
    one = Paper(1)
    for candidate in (P2, P3):
        assert only(one.tell(vote(candidate, 2, (1, 2), pre_vote=True)), VoteResponse).granted


@pytest.mark.parametrize(("last", "granted"), [((1, 3), True), ((1, 2), False), ((2, 2), True)])
def test_the_candidates_log_must_be_up_to_date(last: tuple[int, int], granted: bool) -> None:
    """§9.6: if the candidate's log is sufficiently up-to-date ..."""
    answer = only(Paper(1, 1).tell(vote(P2, 3, last, pre_vote=True)), VoteResponse)
    assert answer.granted is granted


def test_who_hears_a_valid_leader_is_not_willing() -> None:
    """§9.6: ... and the voters have not received heartbeats from a valid leader for at least a
    baseline election timeout; ours: while the detector holds it for alive."""
    one = Paper(1).follow(P3)
    answer = only(one.tell(vote(P2, 2, (1, 2), pre_vote=True)), VoteResponse)
    assert (answer.granted, answer.refusal, answer.leader_id) == (False, Refusal.BELIEVES, P3)


def test_a_leader_is_not_willing_either() -> None:
    """§9.6: the leader itself is a valid leader (fault 9 of 0.10.2)."""
    one = Paper(1).settled()
    answer = only(one.tell(vote(P2, 3, (2, 3), pre_vote=True)), VoteResponse)
    assert not answer.granted
    assert (one.state.role, one.state.current_term) == (Role.LEADER, 2)


def test_nobody_is_willing_to_repeat_a_term() -> None:
    """§9.6, §3.4: a vote in a term that has begun already may have been given."""
    answer = only(Paper(1, term=4).tell(vote(P2, 4, (1, 2), pre_vote=True)), VoteResponse)
    assert (answer.granted, answer.term) == (False, 4)


# --- what it is for ------------------------------------------------------------------------------


def test_a_partitioned_server_cannot_increment_its_term() -> None:
    """§9.6: while a server is partitioned, it cannot receive permission from a majority."""
    one = Paper(1)
    for _ in range(50):
        one.expire()
    assert one.state.current_term == 1


def test_when_it_rejoins_others_still_refuse_it() -> None:
    """§9.6: it still cannot, since the others have been receiving heartbeats from the leader."""
    one = Paper(1).follow(P3)
    effects = one.tell(vote(P2, 9, (1, 2), pre_vote=True))
    assert not only(effects, VoteResponse).granted
    assert (one.state.leader_id, one.state.current_term) == (P3, 1), (
        "nor do they leave their leader"
    )


def test_it_returns_to_follower_in_the_same_term() -> None:
    """§9.6: once it receives a heartbeat from the leader, it returns to follower, same term."""
    one = Paper(1)
    one.expire()
    one.tell(append(P2, 1, (1, 2)))
    assert (one.state.role, one.state.leader_id) == (Role.FOLLOWER, P2)
    assert one.state.current_term == 1


def test_a_server_that_rejoins_disrupts_nothing() -> None:
    """§9.6: pre-vote solves the issue of a partitioned server disrupting the cluster."""
    stage = Stage(Plan(seed=1))
    leader, away = stage.leader(), stage.followers()[0]
    term = stage.state(leader).current_term
    cut = stage.world.network.put(stage.world_links(away), Rule(cut=True))
    stage.run(20.0)
    stage.world.network.take(cut)
    stage.until(lambda: stage.state(away).leader_id == leader.node_id)
    stage.run(5.0)
    nodes = stage.world.nodes.values()
    assert {stage.state(node).current_term for node in nodes} == {term}
    assert stage.leader() is leader


def test_a_leader_is_still_replaced_when_it_is_gone() -> None:
    """§9.6: a majority that hears no leader is willing: pre-vote costs no availability."""
    stage = Stage(Plan(seed=2))
    old = stage.leader()
    term = stage.state(old).current_term
    old.crash()
    stage.until(lambda: stage.leads() is not None and stage.leader() is not old)
    assert stage.state(stage.leader()).current_term > term
