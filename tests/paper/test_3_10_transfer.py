"""Chapter 3, section 3.10: the leadership transfer extension."""

from __future__ import annotations

from lolraft.raft.effects import Answer, Code, ConfirmLeadership, Proposed, ServeRead
from lolraft.raft.events import (
    AppendRequest,
    ChangeMembers,
    Liveness,
    Propose,
    ReadIndex,
    TimeoutNow,
    TransferLeadership,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Ballot, NodeId, Role, Timing
from tests.paper.replica import (
    FIVE,
    GROUP,
    ME,
    P2,
    P3,
    P4,
    Paper,
    answers,
    only,
    saved,
    sent,
    vote,
)
from tests.unit.raft.group import Group

COMMAND = Propose(tickets=(1,), payloads=(b"x",))
TO_P2 = TransferLeadership(ticket=9, target=P2)
TOLD = TimeoutNow(sender=P2, group=GROUP, term=1)


def moving() -> Paper:
    """Return a leader that hands over to n2, which lacks one entry still."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.save()
    one.tell(one.holds(P3))
    one.tell(TO_P2)
    return one


def given_up(one: Paper) -> list[Answer]:
    """Let its deadlines pass until a request ends."""
    for _ in range(20):
        ended = answers(one.expire())
        if ended:
            return ended
    raise AssertionError("the transfer never ends")


def test_the_prior_leader_stops_accepting_new_client_requests() -> None:
    """§3.10: 1. the prior leader stops accepting new client requests."""
    one = moving()
    before = one.terms()
    (answer,) = answers(one.tell(COMMAND))
    assert answer.code is Code.UNAVAILABLE
    assert one.terms() == before


def test_it_begins_no_change_of_members_either() -> None:
    """§3.10: a change would make the log longer, and the target would never have all of it."""
    one = moving()
    before = one.terms()
    (answer,) = answers(one.tell(ChangeMembers(ticket=3, voters=(P4,))))
    assert answer.code is Code.UNAVAILABLE
    assert one.terms() == before


def test_what_was_accepted_before_is_still_committed() -> None:
    """§3.10: 1. ... *new* client requests: earlier ones end as ever."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.save()
    one.tell(TO_P2)
    one.tell(one.holds(P3))
    assert one.state.commit_index == 4


def test_it_fully_updates_the_targets_log_first() -> None:
    """§3.10: 2. it fully updates the target's log to match its own, by normal replication."""
    one = moving()
    assert sent(one.last, TimeoutNow) == []
    assert sent(one.tell(one.holds(P2, index=3)), TimeoutNow) == []
    effects = one.tell(one.holds(P2, index=4))
    assert [item.term for item in sent(effects, TimeoutNow, P2)] == [2]


def test_a_target_that_lacks_nothing_is_told_at_once() -> None:
    """§3.10: 3. the prior leader sends a TimeoutNow request to the target server."""
    one = Paper(1).settled()
    assert len(sent(one.tell(TO_P2), TimeoutNow, P2)) == 1


def test_others_that_have_everything_are_not_told() -> None:
    """§3.10: 3. ... to the target server, and to no other."""
    one = moving()
    effects = one.last + one.tell(one.holds(P3)) + one.tell(one.holds(P2))
    assert sent(effects, TimeoutNow, P3) == []
    assert sent(one.tell(one.holds(P2)), TimeoutNow) == [], "nor is n2 told twice"


def test_the_target_stands_at_once() -> None:
    """§3.10: it has the same effect as the election timer firing: a new term, a candidate."""
    one = Paper(1).follow(P2)
    effects = one.tell(TOLD)
    assert (one.state.role, one.state.ballot) == (Role.CANDIDATE, Ballot(2, ME))
    assert {(item.term, item.pre_vote) for item in sent(effects, VoteRequest)} == {(2, False)}
    assert one.now_s == 0, "without waiting for the election timeout to elapse"


def test_its_vote_for_itself_is_as_durable_as_ever() -> None:
    """§3.10: this preserves safety by operating within the normal transitions of a cluster."""
    one = Paper(1).follow(P2)
    save = saved(one.tell(TOLD))
    assert save is not None
    assert save.ballot == Ballot(2, ME)


def test_it_needs_a_majority_like_any_candidate() -> None:
    """§3.10: as in normal elections, the majority voting guarantees the safety properties."""
    one = Paper(1, voters=FIVE).follow(P2)
    one.tell(TOLD)
    one.save()
    one.tell(one.grant(P2))
    assert one.state.role is Role.CANDIDATE
    one.tell(one.grant(P3))
    assert one.state.role is Role.LEADER


def test_a_voter_with_more_in_its_log_refuses_it_too() -> None:
    """§3.10: ... such as the Leader Completeness Property."""
    one = Paper(1, 1, 1).follow(P2)
    request = vote(P3, 2, (1, 3), force_vote=True)
    assert not only(one.tell(request), VoteResponse).granted


def test_no_vote_is_given_twice_because_a_leader_told_somebody() -> None:
    """§3.10: TimeoutNow is a clock that jumps forwards quickly, which is safe."""
    one = Paper(1)
    one.tell(vote(P3, 2, (1, 2)))
    answer = only(one.tell(vote(P4, 2, (1, 2), force_vote=True)), VoteResponse)
    assert (answer.granted, one.state.ballot) == (False, Ballot(2, P3))


def test_its_next_message_makes_the_prior_leader_step_down() -> None:
    """§3.10: it will include its new term number, causing the prior leader to step down."""
    one = Paper(1).settled()
    one.tell(TO_P2)
    effects = one.tell(vote(P2, 3, (2, 3), force_vote=True, released=True))
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 3)
    assert only(effects, VoteResponse).granted, "and it helps"


def test_at_this_point_the_transfer_is_complete() -> None:
    """§3.10: at this point, leadership transfer is complete: who asked is told."""
    one = Paper(1).settled()
    assert answers(one.tell(TO_P2)) == []
    effects = one.tell(vote(P2, 3, (2, 3), force_vote=True, released=True))
    assert [(item.ticket, item.code) for item in answers(effects)] == [(9, Code.OK)]


def test_leadership_moves_and_nothing_is_lost() -> None:
    """§3.10: the target has all committed entries at the start of its term."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", b"x")
    group.tell("n1", TransferLeadership(ticket=9, target=NodeId("n3")))
    group.settle()
    assert [group.state(name).role for name in group.names] == [
        Role.FOLLOWER,
        Role.FOLLOWER,
        Role.LEADER,
    ]
    assert [replica.applied for replica in group.replicas.values()] == [[(3, b"x")]] * 3


def test_a_transfer_that_does_not_complete_is_aborted() -> None:
    """§3.10: if it does not complete, the prior leader aborts and resumes accepting requests."""
    one = moving()
    assert [(item.ticket, item.code) for item in given_up(one)] == [(9, Code.UNAVAILABLE)]
    only(one.tell(COMMAND), Proposed)


def test_it_is_aborted_after_about_an_election_timeout() -> None:
    """§3.10: ... after about an election timeout."""
    assert Timing().transfer_s == Timing().election_timeout_s
    one = moving()
    began_s = one.now_s
    given_up(one)
    assert abs(one.now_s - began_s - one.state.timing.transfer_s) < 1e-6


def test_a_target_that_was_operational_after_all_costs_an_election() -> None:
    """§3.10: at worst this mistake will result in an extra election."""
    one = Paper(1).settled()
    one.tell(TO_P2)
    one.expire()
    one.tell(COMMAND)
    one.save()
    one.tell(one.holds(P3))
    assert one.state.commit_index == 4
    answer = only(one.tell(vote(P2, 3, (2, 3), force_vote=True, released=True)), VoteResponse)
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 3)
    assert not answer.granted, "it lacks what was committed meanwhile"


def test_a_late_timeout_now_is_not_obeyed() -> None:
    """§3.10: it comes from the leader of the term; ours takes it from nobody else."""
    one = Paper(1, term=3).follow(P2)
    one.tell(TOLD)
    one.tell(TimeoutNow(sender=P3, group=GROUP, term=3))
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 3)


def test_a_learner_is_no_target() -> None:
    """§3.10: the target runs an election; who has no vote could not win it."""
    one = Paper(1, learners=(P4,)).settled()
    (answer,) = answers(one.tell(TransferLeadership(ticket=9, target=P4)))
    assert answer.code is Code.FAILED_PRECONDITION
    assert one.state.leadership is not None
    assert one.state.leadership.transfer is None


def test_a_learner_that_is_told_does_not_stand() -> None:
    """§3.10: nor does it obey (C4)."""
    one = Paper(1, voters=(P2, P3), learners=(ME,)).follow(P2)
    one.tell(TOLD)
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 1)


def test_without_a_target_the_best_one_is_chosen() -> None:
    """§3.10: for instance a more suitable leader: live, of high priority, then the longest log.

    The dissertation lets the administrator choose; ours chooses where nobody does.
    """
    one = Paper(1, voters=FIVE).settled()
    everybody = frozenset(FIVE)
    one.tell(Liveness(live=everybody, acking=everybody - {P4}, priorities=((P3, 1), (P4, 2))))
    assert sent(one.tell(TransferLeadership(ticket=9)), TimeoutNow, P3)


def test_one_transfer_at_a_time() -> None:
    """§3.10: *the* target server: ours refuses another until this one has ended."""
    one = moving()
    (answer,) = answers(one.tell(TransferLeadership(ticket=10, target=P3)))
    assert (answer.ticket, answer.code) == (10, Code.FAILED_PRECONDITION)


def test_a_transfer_to_the_leader_itself_is_done_already() -> None:
    """§3.10: nothing has to move; writes go on."""
    one = Paper(1).settled()
    (answer,) = answers(one.tell(TransferLeadership(ticket=9, target=ME)))
    assert answer.code is Code.OK
    only(one.tell(COMMAND), Proposed)


def test_only_the_leader_can_hand_over() -> None:
    """§3.10, §6.2: who does not lead says who does."""
    one = Paper(1).follow(P3)
    (answer,) = answers(one.tell(TO_P2))
    assert (answer.code, answer.leader_id) == (Code.UNAVAILABLE, P3)


def test_a_lease_ends_with_the_timeout_now() -> None:
    """§6.4.1: a leader that has sent TimeoutNow relies on its lease no more (S6)."""
    one = Paper(1).settled()
    only(one.tell(ReadIndex(ticket=1, leased=True)), ServeRead)
    one.tell(TO_P2)
    effects = one.tell(ReadIndex(ticket=2, leased=True))
    assert [item for item in effects if isinstance(item, ServeRead)] == []
    only(effects, ConfirmLeadership)


def test_entries_go_on_to_the_target_while_it_lags() -> None:
    """§3.10: 2. ... using the normal log replication mechanism: what is lost is sent again."""
    one = moving()
    one.now_s += one.state.timing.retry_s
    (request,) = sent(one.expire(), AppendRequest, P2)
    assert request.prev_clock.index < one.state.log.last_index
