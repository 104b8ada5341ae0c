"""Chapter 3, sections 3.6 (safety) and 3.7 (follower and candidate crashes)."""

from __future__ import annotations

import pytest

from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    LeaderLost,
    PeerRestarted,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Ballot, NodeId, Role
from tests.paper.replica import (
    FIVE,
    ME,
    P2,
    P3,
    P4,
    Paper,
    append,
    applied,
    only,
    rejects,
    saved,
    sent,
    vote,
)
from tests.unit.raft.group import Group


def abandon(group: Group, leader: str) -> None:
    """Crash the leader; everybody hears that it is gone."""
    term = group.state(leader).current_term
    group.crash(leader)
    for name in group.names:
        group.tell(name, LeaderLost(leader_id=NodeId(leader), term=term))


# 3.6.1 Election restriction


@pytest.mark.parametrize("pre_vote", [False, True])
@pytest.mark.parametrize(
    ("candidates", "granted"),
    [
        ((3, 3), True),  # A later term, though the log is shorter.
        ((1, 9), False),  # An earlier term, though the log is longer.
        ((2, 5), True),  # The same term, and longer.
        ((2, 4), True),  # The same.
        ((2, 3), False),  # The same term, and shorter.
    ],
    ids=str,
)
def test_a_voter_denies_its_vote_to_a_log_that_is_behind_its_own(
    candidates: tuple[int, int], granted: bool, pre_vote: bool
) -> None:
    """§3.6.1: later term of the last entry, then length, says which log is more up-to-date."""
    one = Paper(1, 2, 2)  # Its last entry is (2, 4).
    answer = only(one.tell(vote(P2, 5, candidates, pre_vote=pre_vote)), VoteResponse)
    assert answer.granted is granted


def test_the_length_is_not_what_was_committed() -> None:
    """§3.6.1: what counts is the last entry of the log, committed or not."""
    one = Paper(1, 1, 1).follow(P2)
    one.tell(append(P2, 1, (1, 4), commit=2))
    one.lose(P2)
    assert not only(one.tell(vote(P3, 2, (1, 2))), VoteResponse).granted


def test_a_request_for_a_vote_tells_of_the_candidates_log() -> None:
    """§3.6.1: the RequestVote RPC includes information about the candidate's log."""
    one = Paper(1, 1, 3)
    asked = [
        *sent(one.expire(), VoteRequest),
        *sent(one.tell(one.grant(P2, pre_vote=True)), VoteRequest),
    ]
    assert {(item.pre_vote, item.last_clock) for item in asked} == {
        (True, (3, 4)),
        (False, (3, 4)),
    }


def test_a_vote_denied_for_the_log_is_still_free() -> None:
    """§3.6.1: the voter denies its vote; the term it has learnt of leaves it one to give."""
    one = Paper(1, 2)
    one.tell(vote(P2, 5, (1, 9)))
    assert one.state.ballot == Ballot(5, None)
    assert only(one.tell(vote(P3, 5, (2, 3))), VoteResponse).granted


def test_who_lacks_a_committed_entry_cannot_win() -> None:
    """§3.6.1: every committed entry is on one server of any majority, which denies its vote."""
    group = Group("n1", "n2", "n3", "n4", "n5")
    group.elect("n1")
    group.crash("n4")
    group.crash("n5")
    group.propose("n1", b"x")
    group.settle()
    assert group.state("n1").commit_index == 3
    abandon(group, "n1")
    for name in ("n4", "n5"):
        group.restart(name)
        group.tell(name, LeaderLost(leader_id=NodeId("n1"), term=1))
        assert group.state(name).log.last_index < 3
    for name in ("n4", "n5"):
        for _ in range(3):
            group.elect(name)
    assert group.state("n4").role is not Role.LEADER
    assert group.state("n5").role is not Role.LEADER
    group.elect("n2")
    assert group.state("n2").role is Role.LEADER


def test_entries_flow_from_leaders_to_followers_only() -> None:
    """§3.6.1: log entries only flow in one direction: a longer log of a follower is no gift."""
    one = Paper(1).leader()
    before = one.terms()
    effects = one.tell(one.holds(P2, index=9))
    assert (one.terms(), saved(effects)) == (before, None)
    assert one.state.progress[P2].match_index == one.state.log.last_index


# 3.6.2 Committing entries from previous terms


def test_an_entry_of_an_earlier_term_is_not_committed_by_counting() -> None:
    """§3.6.2: a leader cannot conclude that it is committed once it is stored on a majority."""
    one = Paper(1, 2).leader()
    for peer in (P2, P3):
        one.tell(one.holds(peer, index=3))
    assert one.state.commit_index == 0


def test_it_is_committed_indirectly_by_an_entry_of_the_leaders_own_term() -> None:
    """§3.6.2: once an entry from the current term has been committed, all prior ones are."""
    one = Paper(1, 2).leader()
    one.tell(one.holds(P2, index=3))
    assert applied(one.tell(one.holds(P2, index=4))) == [1, 2, 3, 4]


def test_entries_keep_their_terms_when_a_later_leader_replicates_them() -> None:
    """§3.6.2: log entries retain their original term numbers."""
    one = Paper(1, 1, 2).leader()
    (request,) = sent(one.tell(rejects(one, P2, 4, (0, 1))), AppendRequest, P2)
    assert (request.term, request.entries.terms) == (3, (0, 1, 1, 2, 3))


def test_a_future_leader_finishes_what_a_crashed_one_began() -> None:
    """§3.6.2: if a leader crashes before committing, future leaders try to finish replicating."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", b"x")
    group.bag = [item for item in group.bag if item[0] == "n2"]
    group.deliver()
    group.save("n2")
    abandon(group, "n1")
    assert [group.state(name).commit_index for name in ("n2", "n3")] == [2, 2]
    group.elect("n2")
    assert group.replicas[NodeId("n3")].applied == [(3, b"x")]


# 3.6.3 Safety argument


def test_who_voted_in_a_term_takes_nothing_from_a_leader_of_an_earlier_one() -> None:
    """§3.6.3: the voter must have accepted the committed entry *before* voting for leaderU."""
    one = Paper(1).follow(P2)
    one.lose(P2)
    assert only(one.tell(vote(P3, 2, (1, 2))), VoteResponse).granted
    answer = only(one.tell(append(P2, 1, (1, 2), 1)), AppendResponse)
    assert (answer.success, answer.term, one.terms()) == (False, 2, [0, 1])


def test_a_follower_removes_entries_only_where_they_conflict() -> None:
    """§3.6.3: followers only remove entries if they conflict with the leader."""
    one = Paper(1, 1, 1)
    one.tell(append(P2, 4, (1, 2), 1))
    assert one.terms() == [0, 1, 1, 1]
    one.tell(append(P2, 4, (1, 3), 2))
    assert one.terms() == [0, 1, 1, 2]


def test_a_new_leader_keeps_what_it_brought() -> None:
    """§3.6.3: leaders never remove entries; what was there at its election is there still."""
    one = Paper(1, 2, 2).leader()
    one.tell(rejects(one, P2, 4, (1, 2)))
    assert one.terms() == [0, 1, 2, 2, 3]


def test_no_other_entry_is_ever_applied_at_the_same_index() -> None:
    """§3.6.3: no other server will ever apply a different log entry for the same index.

    An append that asks for it is wrong, whoever sent it: ours changes nothing and does not answer.
    """
    one = Paper(1, 1, 1)
    one.tell(append(P2, 1, (1, 4), commit=3))
    effects = one.tell(append(P3, 2, (1, 2), 2, 2, commit=4))
    assert (applied(effects), sent(effects, AppendResponse)) == ([], [])
    assert one.terms() == [0, 1, 1, 1]


def test_all_servers_apply_the_same_entries_in_the_same_order() -> None:
    """§3.6.3: servers apply exactly the same log entries, in the same order."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", b"a", b"b")
    group.settle()
    group.propose("n1", b"lost")  # Nobody but the leader ever hears of this one.
    group.bag.clear()
    abandon(group, "n1")
    group.elect("n3")
    group.propose("n3", b"c")
    group.settle()
    group.restart("n1")
    group.tell("n3", PeerRestarted(peer=NodeId("n1")))
    group.settle()
    histories = [group.replicas[name].applied for name in group.names]
    assert [payload for _, payload in histories[0]] == [b"a", b"b", b"c"]
    assert histories[1:] == histories[:1] * 2


# 3.7 Follower and candidate crashes


def test_a_follower_that_has_crashed_is_told_all_when_it_is_back() -> None:
    """§3.7: Raft retries indefinitely; if the crashed server restarts, the RPC will complete."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.crash("n3")
    group.propose("n1", b"x")
    group.settle()
    for _ in range(20):
        group.elect("n1")  # Its deadline passes: what was not answered is sent again.
    group.restart("n3")
    group.elect("n1")
    assert group.replicas[NodeId("n3")].applied == [(3, b"x")]


def test_a_candidate_asks_again_as_long_as_nobody_answers() -> None:
    """§3.7: future RequestVote RPCs sent to a crashed server fail, and are retried for ever."""
    one = Paper(1, voters=FIVE)
    for _ in range(20):
        asked = sent(one.expire(), VoteRequest, P4)
        assert [item.pre_vote for item in asked] == [True], "a round nobody answers begins no term"
    assert one.state.current_term == 1


def test_an_append_that_comes_again_after_a_crash_does_no_harm() -> None:
    """§3.7: if it crashed before responding, the same RPC comes again, and has the same effect."""
    one = Paper(1)
    request = append(P2, 1, (1, 2), 1, 1)
    first = only(one.tell(request), AppendResponse)
    one.save()
    one.restart()
    effects = one.tell(request)
    assert only(effects, AppendResponse) == first
    assert saved(effects) is None, "it ignores entries that are already present in its log"
    assert one.terms() == [0, 1, 1, 1]


def test_a_vote_request_that_comes_again_after_a_crash_does_no_harm() -> None:
    """§3.7: Raft RPCs have the same effect if repeated: the vote is the same one."""
    one = Paper(1)
    first = only(one.tell(vote(P2, 2, (1, 2))), VoteResponse)
    one.save()
    one.restart()
    effects = one.tell(vote(P2, 2, (1, 2)))
    assert first.granted
    assert only(effects, VoteResponse) == first
    assert saved(effects) is None


def test_a_candidate_that_crashed_is_none() -> None:
    """§3.7: a crashed candidate starts as a follower; votes for its old round elect nobody."""
    one = Paper(1).candidate()
    late = [one.grant(P2), one.grant(P3)]
    one.restart()
    for answer in late:
        one.tell(answer)
    assert (one.state.role, one.state.ballot) == (Role.FOLLOWER, Ballot(2, ME))
