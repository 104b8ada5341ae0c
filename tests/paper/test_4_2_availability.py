"""Chapter 4, sections 4.2.1 (catching up new servers) and 4.2.2 (removing the current leader)."""

from __future__ import annotations

from lolraft.raft.effects import Answer, Code, Proposed, Removed
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    ChangeMembers,
    Propose,
    TimeoutNow,
    VoteRequest,
)
from lolraft.raft.types import NodeId, Role
from tests.paper.replica import (
    FIVE,
    ME,
    P2,
    P3,
    P4,
    P5,
    THREE,
    Paper,
    answers,
    append,
    applied,
    configure,
    empty,
    members,
    only,
    rejects,
    sent,
)
from tests.unit.raft.group import Group

ADD_P4 = ChangeMembers(ticket=1, voters=(P4,))
REMOVE_ME = ChangeMembers(ticket=1, removed=(ME,))
COMMAND = Propose(tickets=(9,), payloads=(b"x",))
WITH_P4 = members(ME, P2, P3, P4, outgoing=THREE)


def adding(change: ChangeMembers = ADD_P4) -> Paper:
    """Return a leader that adds n4, which has nothing yet; the others have all there is."""
    one = Paper(1).settled()
    one.tell(change)
    commit(one)
    return one


def commit(one: Paper) -> None:
    """Let n2 and n3, and the own disk, have all there is."""
    one.save()
    for peer in (P2, P3):
        one.tell(one.holds(peer))


# 4.2.1 Catching up new servers


def lose_and_wait(one: Paper) -> None:
    """Let n1 lose P2, and be granted every pre-vote that it might ask for, three times over."""
    one.lose(P2)
    for _ in range(3):
        one.expire()
        for peer in (P2, P3):
            one.tell(one.grant(peer, pre_vote=True))


def test_a_new_server_joins_as_a_non_voting_member() -> None:
    """§4.2.1: a new server joins the cluster as a non-voting member."""
    assert adding().state.configuration == members(*THREE, learners=(P4,))


def test_the_leader_replicates_to_it() -> None:
    """§4.2.1: the leader replicates log entries to it ..."""
    one = Paper(1).settled()
    assert sent(one.tell(ADD_P4), AppendRequest, P4)
    assert sent(one.tell(COMMAND), AppendRequest, P4) == [], "one at a time until one matches"
    (request,) = sent(one.tell(rejects(one, P4, 3, (0, 1))), AppendRequest, P4)
    assert request.entries.terms == (0, 1, 2, 2, 2)


def test_it_is_not_counted_for_commitment() -> None:
    """§4.2.1: ... but it is not yet counted towards majorities for commitment ..."""
    one = Paper(1, learners=(P4, P5)).settled()
    one.tell(COMMAND)
    one.save()
    for peer in (P4, P5):
        one.tell(one.holds(peer))
    assert one.state.commit_index == 3
    assert applied(one.tell(one.holds(P2))) == [4]


def test_it_is_not_counted_for_voting() -> None:
    """§4.2.1: ... or voting purposes: it is not asked, and what it says elects nobody."""
    one = Paper(1, learners=(P4, P5))
    asked = one.expire() + one.tell(one.grant(P2, pre_vote=True))
    assert [peer for peer in FIVE if sent(asked, VoteRequest, peer)] == [P2, P3]
    one.save()
    for peer in (P4, P5):
        one.tell(one.grant(peer))
    assert one.state.role is Role.CANDIDATE


def test_it_does_not_stand() -> None:
    """§4.2.1: a non-voting member begins no election, though it has lost its leader."""
    one = Paper(1, voters=(P2, P3), learners=(ME,)).follow(P2)
    lose_and_wait(one)
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 1)


def test_once_it_has_caught_up_the_change_can_proceed() -> None:
    """§4.2.1: once the new server has caught up, the reconfiguration can proceed."""
    one = adding()
    one.tell(one.holds(P4))
    assert one.state.configuration == WITH_P4
    (answer,) = answers(one.agree())
    assert (answer.code, one.state.configuration) == (Code.OK, members(*THREE, P4))


def test_until_it_has_caught_up_nothing_changes() -> None:
    """§4.2.1: else it would be needed for a majority while it can commit nothing."""
    one = adding()
    one.tell(one.holds(P4, index=3))
    assert one.state.configuration == members(*THREE, learners=(P4,))


def test_a_round_replicates_what_was_there_when_it_began() -> None:
    """§4.2.1: each round replicates all the entries present in the log at its start."""
    one = adding()  # The round is until 4, where n4 was added.
    one.tell(COMMAND)
    one.tell(one.holds(P4, index=4))
    assert one.state.configuration == WITH_P4, "an entry of a quick round's own time is no hurdle"


def test_a_slow_round_is_followed_by_another() -> None:
    """§4.2.1: if the last round lasts less than an election timeout, the server is added.

    The dissertation counts ten rounds and gives up; ours goes on while there is progress (C2).
    """
    one = adding()
    one.tell(COMMAND)
    commit(one)
    one.now_s += 3 * one.state.timing.election_timeout_s
    one.tell(one.holds(P4, index=4))
    assert one.state.configuration == members(*THREE, learners=(P4,)), "that took too long"
    one.tell(COMMAND)
    one.now_s += one.state.timing.election_timeout_s / 2
    one.tell(one.holds(P4, index=5))
    assert one.state.configuration == WITH_P4, "and this did not, though it lacks an entry"


def give_up(one: Paper) -> list[Answer]:
    """Let deadlines pass while n4 is silent, until the change has ended."""
    for _ in range(300):
        one.expire()
        if P4 not in one.state.configuration.members:
            break
    return answers(one.agree())


def test_a_change_is_aborted_when_the_new_server_is_unavailable() -> None:
    """§4.2.1: the leader should also abort the change if the new server is unavailable."""
    one = adding()
    (answer,) = give_up(one)
    assert (answer.ticket, answer.code) == (1, Code.UNAVAILABLE)
    assert P4 in answer.message
    assert one.state.configuration == members(*THREE)


def test_it_is_aborted_after_a_while_without_progress() -> None:
    """§4.2.1: ... or so slow that it will never catch up: ours waits for 10 s of no progress."""
    one = adding()
    one.now_s = 9.0
    one.tell(one.holds(P4, index=2))
    give_up(one)
    assert 19.0 <= one.now_s < 20.0


def test_the_caller_may_try_again() -> None:
    """§4.2.1: the caller may always try again."""
    one = adding()
    give_up(one)
    assert answers(one.tell(ADD_P4)) == []
    (answer,) = answers(one.agree())
    assert (answer.code, one.state.configuration) == (Code.OK, members(*THREE, P4))


def test_a_server_that_never_comes_does_not_stop_the_others() -> None:
    """§4.2.1: they could make no more progress with drowned sailors: here a group of one can."""
    one = Paper(1, voters=(ME,))
    one.expire()
    one.save()
    one.save()
    assert one.state.role is Role.LEADER
    one.tell(ADD_P4)
    one.save()
    one.tell(COMMAND)
    assert applied(one.save()) == [one.state.log.last_index]


def test_a_follower_says_how_long_its_log_is() -> None:
    """§4.2.1: followers can return the length of their logs in the AppendEntries response."""
    answer = only(empty().tell(append(P2, 1, (1, 9), 1)), AppendResponse)
    assert (answer.success, answer.conflict) == (False, (0, 1))


def test_so_next_index_drops_to_one_at_once() -> None:
    """§4.2.1: the leader must discover that the log is empty; nextIndex finally drops to one."""
    one = adding()
    (request,) = sent(one.tell(rejects(one, P4, 3, (0, 1))), AppendRequest, P4)
    assert (request.prev_clock, request.entries.first) == ((0, 0), 1)


def test_a_non_voting_member_may_stay_one() -> None:
    """§4.2.1: non-voting servers can also serve read-only requests with relaxed consistency."""
    one = adding(ChangeMembers(ticket=1, learners=(P4,)))
    (answer,) = answers(one.tell(one.holds(P4)))
    assert answer.code is Code.OK
    assert one.state.configuration == members(*THREE, learners=(P4,))


def test_all_who_join_catch_up_before_any_votes() -> None:
    """§4.2.1: each new server goes through the phase, however many a change names."""
    one = adding(ChangeMembers(ticket=1, voters=(P4, P5)))
    one.tell(one.holds(P4))
    assert one.state.configuration == members(*THREE, learners=(P4, P5))
    one.tell(one.holds(P5))
    assert one.state.configuration == members(*FIVE, outgoing=THREE)


# 4.2.2 Removing the current leader


def leaving() -> Paper:
    """Return a leader that removes itself: Cnew is in its log and not committed."""
    one = Paper(1).settled()
    one.tell(REMOVE_ME)
    commit(one)
    one.save()
    assert one.state.configuration == members(P2, P3)
    return one


def test_a_leader_that_is_removed_leads_until_cnew_is_committed() -> None:
    """§4.2.2: the leader waits until Cnew is committed to step down."""
    one = leaving()
    assert one.state.role is Role.LEADER
    one.tell(one.holds(P2))
    assert one.state.role is Role.LEADER


def test_it_manages_a_cluster_that_does_not_include_itself() -> None:
    """§4.2.2: a leader can manage a cluster that does not include itself: it replicates ..."""
    one = leaving()
    assert only(one.tell(COMMAND), Proposed).first == (2, 6)
    (request,) = sent(one.tell(one.holds(P2, index=5)), AppendRequest, P2)
    assert request.entries.payloads == (b"x",)


def test_it_does_not_count_itself() -> None:
    """§4.2.2: ... but does not count itself in majorities."""
    one = leaving()
    one.tell(one.holds(P2))
    assert one.state.commit_index == 4, "itself and n2 are one of the two of Cnew"
    one.tell(one.holds(P3))
    assert one.state.commit_index == 5


def test_it_steps_down_once_cnew_is_committed() -> None:
    """§4.2.2: a leader that is removed steps down once the Cnew entry is committed."""
    one = leaving()
    one.tell(one.holds(P2))
    effects = one.tell(one.holds(P3))
    assert (one.state.role, one.state.leadership) == (Role.FOLLOWER, None)
    assert only(effects, Removed).index == 5
    assert [(item.ticket, item.code) for item in answers(effects)] == [(1, Code.OK)]


def test_it_hands_over_when_it_steps_down() -> None:
    """§4.2.2: a server in Cnew will time out and win an election.

    The gap could be avoided with a leadership transfer, says the dissertation: ours makes one.
    """
    one = leaving()
    one.tell(one.holds(P2))
    effects = one.tell(one.holds(P3))
    assert [item.term for item in sent(effects, TimeoutNow)] == [2]


def test_cnew_can_operate_without_it() -> None:
    """§4.2.2: from here on it is always possible for members of Cnew to elect a new leader."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.tell("n1", REMOVE_ME)
    group.settle()
    group.crash("n1")
    (leader,) = [name for name in ("n2", "n3") if group.state(name).role is Role.LEADER]
    group.propose(leader, b"x")
    group.settle()
    assert [payload for _, payload in group.replicas[NodeId("n3")].applied] == [b"x"]


def outside() -> Paper:
    """Return a server whose log has a Cnew without it, not committed; its leader is gone."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), members(P2, P3)))
    one.save()
    one.lose(P2)
    return one


def test_a_server_outside_its_latest_configuration_still_stands() -> None:
    """§4.2.2: it should still start new elections, until the Cnew entry is committed."""
    one = outside()
    assert sent(one.expire(), VoteRequest)
    assert one.state.role is Role.PRE_CANDIDATE


def test_it_does_not_count_its_own_vote() -> None:
    """§4.2.2: it does not count its own vote unless it is part of its latest configuration."""
    one = outside()
    one.candidate()
    one.tell(one.grant(P2))
    assert one.state.role is Role.CANDIDATE, "itself and n2 are one of the two of Cnew"
    one.tell(one.grant(P3))
    assert one.state.role is Role.LEADER


def test_once_cnew_is_committed_it_stands_no_more() -> None:
    """§4.2.2: it might be needed until the Cnew entry is committed, and never after."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), members(P2, P3)))
    one.tell(append(P2, 1, (1, 3), commit=3))
    lose_and_wait(one)
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 1)
