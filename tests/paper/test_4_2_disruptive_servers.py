"""Chapter 4, section 4.2.3: disruptive servers."""

from __future__ import annotations

import pytest

from lolraft.raft.effects import Removed
from lolraft.raft.events import (
    AppendRequest,
    ChangeMembers,
    LeaderLost,
    Refusal,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Role
from tests.paper.replica import (
    FIVE,
    GROUP,
    ME,
    P2,
    P3,
    P4,
    THREE,
    Paper,
    append,
    configure,
    members,
    only,
    sent,
    vote,
)
from tests.unit.raft.group import Group


def removing() -> Paper:
    """Return a leader that removes n3: Cnew is in its log and not committed."""
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, removed=(P3,)))
    one.save()
    one.tell(one.holds(P2))
    one.save()
    assert one.state.configuration == members(ME, P2)
    return one


def test_a_server_outside_cnew_hears_nothing_any_more() -> None:
    """§4.2.3: once the leader has created Cnew, a server outside no longer receives heartbeats.

    Nor the Cnew entry: it does not know that it has been removed.
    """
    one = removing()
    assert P3 not in one.state.progress
    one.now_s += 10 * one.state.timing.retry_s
    assert sent(one.expire() + one.expire(), AppendRequest, P3) == []


@pytest.mark.parametrize("pre_vote", [False, True])
def test_who_hears_a_leader_takes_no_new_term_and_grants_no_vote(pre_vote: bool) -> None:
    """§4.2.3: within an election timeout of hearing from a leader it does not update its term."""
    one = Paper(1).follow(P2)
    answer = only(one.tell(vote(P4, 9, (9, 9), pre_vote=pre_vote)), VoteResponse)
    assert (answer.granted, answer.term, one.state.current_term) == (False, 1, 1)
    assert one.state.leader_id == P2


def test_it_replies_with_a_denial() -> None:
    """§4.2.3: it can drop the request, reply with a vote denial, or delay it: ours denies."""
    one = Paper(1).follow(P2)
    answer = only(one.tell(vote(P4, 9, (9, 9))), VoteResponse)
    assert (answer.refusal, answer.leader_id) == (Refusal.BELIEVES, P2)


def test_a_leader_is_not_deposed_by_a_larger_term_of_a_candidate() -> None:
    """§4.2.3: while a leader gets heartbeats to its cluster, larger terms do not depose it."""
    one = removing()
    answer = only(one.tell(vote(P3, 9, (2, 9))), VoteResponse)
    assert (answer.granted, one.state.role, one.state.current_term) == (False, Role.LEADER, 2)


def test_an_append_counts_as_hearing_from_a_leader() -> None:
    """§4.2.3: a leader is active if it is able to maintain heartbeats to its followers."""
    one = Paper(1)
    one.tell(append(P2, 1, (1, 2)))
    one.tell(vote(P4, 9, (9, 9)))
    assert one.state.current_term == 1


def test_normal_elections_are_not_affected() -> None:
    """§4.2.3: this does not affect normal elections, where each server has lost its leader."""
    one = Paper(1).follow(P2)
    one.lose(P2)
    assert only(one.tell(vote(P3, 2, (1, 2))), VoteResponse).granted


def test_who_was_told_to_by_the_leader_may_disrupt_it() -> None:
    """§4.2.3: a special flag: "I have permission to disrupt the leader, it told me to!"."""
    one = Paper(1).follow(P2)
    assert only(one.tell(vote(P3, 2, (1, 2), force_vote=True)), VoteResponse).granted
    assert one.state.current_term == 2


def test_the_flag_is_set_by_nobody_else() -> None:
    """§4.2.3: only a server that a leader told to stand carries it."""
    one = Paper(1)
    asked = sent(one.expire() + one.tell(one.grant(P2, pre_vote=True)), VoteRequest)
    assert len(asked) == 4
    assert {item.force_vote for item in asked} == {False}


def test_a_candidate_first_asks_whether_it_could_win() -> None:
    """§4.2.3: Pre-Vote: only if it could get a majority would it increment its term."""
    one = Paper(1, voters=FIVE)
    one.expire()
    one.tell(one.grant(P2, pre_vote=True))
    assert (one.state.role, one.state.current_term) == (Role.PRE_CANDIDATE, 1)
    one.tell(one.grant(P3, pre_vote=True))
    assert (one.state.role, one.state.current_term) == (Role.CANDIDATE, 2)


def test_to_be_asked_changes_nothing() -> None:
    """§4.2.3: Pre-Vote: a candidate would first ask if its log was enough to get their vote."""
    one = Paper(1)
    before = one.state.ballot
    assert only(one.tell(vote(P2, 7, (1, 2), pre_vote=True)), VoteResponse).granted
    assert one.state.ballot == before
    assert only(one.tell(vote(P3, 7, (1, 2), pre_vote=True)), VoteResponse).granted


def test_pre_vote_alone_would_not_protect_a_leader() -> None:
    """§4.2.3 (figure 4.7): the log of a removed server can be as good as those of the others.

    n4 has removed n1, and Cnew is in its log alone. n1 has lost its leader and asks n2 and n3,
    whose logs end where its own does: only that they hear n4 keeps it from standing.
    """
    group = Group("n1", "n2", "n3", "n4")
    group.elect("n4")
    group.tell("n4", ChangeMembers(ticket=1, removed=(ME,)))
    while group.state("n4").configuration != members(P2, P3, P4):
        for name in group.names:
            group.save(name)
        group.deliver()
    group.bag.clear()  # What n4 sent of Cnew is lost.
    assert group.state("n1").log.last_clock == group.state("n2").log.last_clock
    group.tell("n1", LeaderLost(leader_id=P4, term=1))
    for _ in range(3):
        group.elect("n1")
    assert group.state("n1").current_term == 1
    assert group.state("n4").role is Role.LEADER


def test_who_was_removed_is_told_when_it_asks() -> None:
    """§4.2.3: it does not learn of the entry's commitment: ours says so in the denial (L10)."""
    one = removing()
    one.tell(one.holds(P2))
    answer = only(one.tell(vote(P3, 3, (2, 4), pre_vote=True)), VoteResponse)
    assert (answer.refusal, answer.removed_at) == (Refusal.REMOVED, 5)


def test_who_is_told_stops() -> None:
    """§4.2.3: ... and so it does not go on to disrupt the cluster."""
    one = Paper(1).follow(P2)
    one.lose(P2)
    one.expire()
    told = VoteResponse(
        sender=P2,
        group=GROUP,
        term=1,
        granted=False,
        pre_vote=True,
        asked_term=2,
        refusal=Refusal.REMOVED,
        removed_at=5,
    )
    assert only(one.tell(told), Removed).index == 5
    assert (one.state.stopped, one.state.deadline_s) == (True, None)


def test_who_was_added_again_is_not_stopped_by_an_old_word() -> None:
    """§4.2.3: only a commit that its log does not know can have removed it (L10)."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), members(ME, P2)))
    one.tell(configure(P2, 1, (1, 3), members(*THREE)))
    late = VoteResponse(
        sender=P2, group=GROUP, term=1, granted=False, refusal=Refusal.REMOVED, removed_at=3
    )
    one.tell(late)
    assert not one.state.stopped
