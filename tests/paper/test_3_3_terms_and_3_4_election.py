"""Chapter 3, sections 3.3 (basics) and 3.4 (leader election)."""

from __future__ import annotations

import pytest

from lolraft.raft.events import AppendRequest, AppendResponse, LeaderLost, Objection, VoteRequest
from lolraft.raft.events import VoteResponse as Vote
from lolraft.raft.types import Ballot, Role
from tests.paper.replica import FIVE, GROUP, ME, P2, P3, P4, P5, Paper, append, only, saved, sent
from tests.paper.replica import vote as ask


@pytest.mark.parametrize(
    "message",
    [
        append(P2, 3, (1, 2)),
        ask(P2, 3, (1, 2), force_vote=True),  # Else a leader that is believed in stands above it.
        Vote(sender=P2, group=GROUP, term=3, granted=False),
        AppendResponse(sender=P2, group=GROUP, term=3, success=False),
        Objection(sender=P2, term=3),
    ],
    ids=lambda message: type(message).__name__,
)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_a_larger_term_is_adopted(role: Role, message: Vote) -> None:
    """§3.3: if one's current term is smaller than the other's, it updates it to the larger."""
    one = in_role(role)
    assert one.state.current_term < 3
    one.tell(message)
    assert one.state.current_term == 3


@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.LEADER], ids=lambda role: role.value)
def test_a_candidate_or_leader_that_is_out_of_date_becomes_a_follower(role: Role) -> None:
    """§3.3: who discovers that its term is out of date immediately reverts to follower."""
    one = in_role(role)
    one.tell(AppendResponse(sender=P2, group=GROUP, term=3, success=False))
    assert one.state.role is Role.FOLLOWER


def in_role(role: Role) -> Paper:
    """Return a replica in *role*, of term 1 or 2."""
    one = Paper(1)
    if role is Role.PRE_CANDIDATE:
        one.expire()
    elif role is Role.CANDIDATE:
        one.candidate()
    elif role is Role.LEADER:
        one.leader()
    assert one.state.role is role
    return one


def test_an_append_of_a_stale_term_is_rejected() -> None:
    """§3.3: a server that receives a request with a stale term number rejects it."""
    one = Paper(1, term=3)
    answer = only(one.tell(append(P2, 2, (1, 2), 2)), AppendResponse)
    assert (answer.success, answer.term) == (False, 3)
    assert one.terms() == [0, 1]


def test_a_vote_request_of_a_stale_term_is_rejected() -> None:
    """§3.3: a server that receives a request with a stale term number rejects it."""
    one = Paper(1, term=3)
    answer = only(one.tell(ask(P2, 2, (2, 9))), Vote)
    assert (answer.granted, answer.term) == (False, 3)


def test_terms_increase_by_one_with_each_election() -> None:
    """§3.3: terms are numbered with consecutive integers."""
    one = Paper(1, term=5)
    one.candidate()
    assert one.state.current_term == 6


def test_a_server_begins_as_a_follower() -> None:
    """§3.4: when servers start up, they begin as followers."""
    assert Paper(1, term=4, vote=ME).state.role is Role.FOLLOWER


def test_a_follower_that_hears_of_its_leader_stays_one() -> None:
    """§3.4: a server remains in follower state as long as it hears from a leader."""
    one = Paper(1).follow(P2)
    assert (one.state.leader_id, one.state.deadline_s) == (P2, None)


def test_an_append_of_the_leader_is_a_sign_of_life() -> None:
    """§3.4: ... as long as it receives valid messages from a leader."""
    one = Paper(1)
    one.tell(append(P2, 1, (1, 2)))
    assert (one.state.leader_id, one.state.deadline_s) == (P2, None)


def test_a_follower_that_lost_its_leader_begins_an_election() -> None:
    """§3.4: without communication it assumes that there is no viable leader and begins one."""
    one = Paper(1).follow(P2)
    one.tell(LeaderLost(leader_id=P2, term=1))
    asked = sent(one.expire(), VoteRequest)
    assert asked
    assert one.state.role is Role.PRE_CANDIDATE


def test_to_begin_an_election_it_increments_its_term_and_stands() -> None:
    """§3.4: a follower increments its current term and transitions to candidate state."""
    one = Paper(1)
    one.expire()
    effects = one.tell(one.grant(P2, pre_vote=True))
    assert (one.state.role, one.state.current_term) == (Role.CANDIDATE, 2)
    assert {(item.term, item.pre_vote) for item in sent(effects, VoteRequest)} == {(2, False)}


def test_it_votes_for_itself() -> None:
    """§3.4: it then votes for itself ..."""
    one = Paper(1)
    one.expire()
    save = saved(one.tell(one.grant(P2, pre_vote=True)))
    assert save is not None
    assert save.ballot == Ballot(2, ME)


def test_it_asks_each_of_the_other_servers_at_once() -> None:
    """§3.4: ... and issues RequestVote in parallel to each of the other servers."""
    one = Paper(1, voters=FIVE)
    one.expire()
    one.tell(one.grant(P2, pre_vote=True))
    effects = one.tell(one.grant(P3, pre_vote=True))
    assert [sent(effects, VoteRequest, peer)[0].term for peer in (P2, P3, P4, P5)] == [2] * 4


def test_a_majority_of_the_full_cluster_wins() -> None:
    """§3.4: a candidate wins with votes from a majority in the full cluster for the same term."""
    one = Paper(1, voters=FIVE).candidate()
    one.tell(one.grant(P2))
    assert one.state.role is Role.CANDIDATE, "two of five"
    one.tell(one.grant(P3))
    assert one.state.role is Role.LEADER


def test_refusals_do_not_elect() -> None:
    """§3.4: votes are what counts, not answers."""
    one = Paper(1).candidate()
    for peer in (P2, P3):
        one.tell(one.grant(peer, granted=False))
    assert one.state.role is Role.CANDIDATE


def test_a_vote_that_comes_twice_counts_once() -> None:
    """§3.4: each server has one vote."""
    one = Paper(1, voters=FIVE).candidate()
    one.tell(one.grant(P2))
    one.tell(one.grant(P2))
    assert one.state.role is Role.CANDIDATE


def test_a_vote_of_an_earlier_term_does_not_count() -> None:
    """§3.4: ... for the same term."""
    one = Paper(1).candidate()
    one.tell(Vote(sender=P2, group=GROUP, term=1, granted=True, asked_term=1))
    assert one.state.role is Role.CANDIDATE


def test_a_server_votes_for_one_candidate_in_a_term_first_come_first_served() -> None:
    """§3.4: each server votes for at most one candidate in a given term."""
    one = Paper(1)
    assert only(one.tell(ask(P2, 2, (1, 2))), Vote).granted
    assert not only(one.tell(ask(P3, 2, (1, 2))), Vote).granted


def test_the_same_candidate_gets_the_same_vote_again() -> None:
    """§3.4 (figure 3.1): votedFor is null or candidateId; messages may be repeated."""
    one = Paper(1)
    one.tell(ask(P2, 2, (1, 2)))
    assert only(one.tell(ask(P2, 2, (1, 2))), Vote).granted


def test_the_next_term_has_a_vote_of_its_own() -> None:
    """§3.4: at most one candidate *in a given term*."""
    one = Paper(1, term=2, vote=P2)
    assert only(one.tell(ask(P3, 3, (1, 2))), Vote).granted


def test_a_candidate_does_not_vote_for_another() -> None:
    """§3.4: it has voted for itself."""
    one = Paper(1).candidate()
    assert not only(one.tell(ask(P2, 2, (9, 9))), Vote).granted


def test_a_new_leader_tells_everybody_at_once() -> None:
    """§3.4: it then sends messages to all of the other servers to establish its authority."""
    one = Paper(1, voters=FIVE).candidate()
    one.tell(one.grant(P2))
    effects = one.tell(one.grant(P3))
    assert all(sent(effects, AppendRequest, peer) for peer in (P2, P3, P4, P5))


def test_a_candidate_that_hears_a_leader_of_its_term_follows_it() -> None:
    """§3.4: if the leader's term is at least as large, it recognizes it and returns to follower."""
    one = Paper(1).candidate()
    one.tell(append(P2, 2, (1, 2), 2))
    assert (one.state.role, one.state.leader_id) == (Role.FOLLOWER, P2)


def test_a_candidate_that_hears_a_leader_of_an_earlier_term_goes_on() -> None:
    """§3.4: if the term is smaller, the candidate rejects it and continues in candidate state."""
    one = Paper(1).candidate()
    assert not only(one.tell(append(P2, 1, (1, 2), 1)), AppendResponse).success
    assert one.state.role is Role.CANDIDATE


def test_a_candidate_without_a_winner_begins_another_round() -> None:
    """§3.4: when votes are split, each candidate times out and starts a new election."""
    one = Paper(1).candidate()
    one.expire()
    one.candidate()
    assert (one.state.role, one.state.current_term) == (Role.CANDIDATE, 3)


def test_election_delays_are_random() -> None:
    """§3.4: randomized election timeouts make split votes rare and quickly resolved."""
    delays = set()
    for seed in range(20):
        one = Paper(1)
        one.state.seed = seed
        one.follow(P2).tell(LeaderLost(leader_id=P2, term=1))
        assert one.state.deadline_s is not None
        delays.add(round(one.state.deadline_s, 6))
    assert len(delays) > 10


def test_each_round_has_a_delay_of_its_own() -> None:
    """§3.4: each candidate restarts its randomized timeout at the start of an election."""
    one = Paper(1)
    waits = set()
    for _ in range(4):
        began_s = one.now_s
        one.candidate()
        assert one.state.deadline_s is not None
        waits.add(round(one.state.deadline_s - began_s, 6))
        one.expire()
    assert len(waits) > 2
