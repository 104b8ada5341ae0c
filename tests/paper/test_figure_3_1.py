"""Figure 3.1, the summary, and figure 3.2, the properties: what no section's test says already."""

from __future__ import annotations

from random import Random

from lolraft.raft.effects import Save
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    PeerRestarted,
    Propose,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Ballot, Clock, Role
from tests.paper.replica import (
    FIVE,
    GROUP,
    ME,
    P2,
    P3,
    P4,
    P5,
    Paper,
    answers,
    append,
    applied,
    empty,
    only,
    rejects,
    sent,
    vote,
)
from tests.unit.raft.group import Group

COMMAND = Propose(tickets=(1,), payloads=(b"x",))


# State


def test_what_a_server_begins_with() -> None:
    """Figure 3.1: currentTerm 0, votedFor null, no log; commitIndex and lastApplied are 0."""
    state = empty().state
    assert (state.ballot, state.log.last_clock) == (Ballot(0, None), Clock(0, 0))
    assert (state.commit_index, state.last_applied) == (0, 0)


def test_the_first_index_is_one() -> None:
    """Figure 3.1: log entries; the first index is 1."""
    one = empty()
    one.tell(append(P2, 1, (0, 0), 1, 1))
    assert (one.state.log.term_at(1), one.state.log.last_index) == (1, 2)


def test_next_and_match_index_begin_anew_with_each_leadership() -> None:
    """Figure 3.1: volatile state on leaders, reinitialized after election."""
    one = Paper(1).settled()
    assert one.state.progress[P2].match_index == 3
    one.tell(append(P2, 5, (2, 3), 5))
    one.save()
    assert one.state.progress == {}
    one.lose(P2)
    one.leader()
    assert (one.state.progress[P2].match_index, one.state.progress[P2].next_index) == (0, 5)


# AppendEntries


def test_the_reply_carries_the_term_for_the_leader_to_update_itself() -> None:
    """Figure 3.1, AppendEntries: results: currentTerm, for the leader to update itself."""
    one = Paper(1, term=4)
    assert only(one.tell(append(P2, 2, (1, 2), 2)), AppendResponse).term == 4
    assert only(one.tell(append(P3, 6, (1, 2), 6)), AppendResponse).term == 6


def test_an_entry_of_the_same_index_and_another_term_conflicts() -> None:
    """Figure 3.1, AppendEntries 3: same index but different terms, whichever is the larger."""
    one = Paper(1, 3, 3)
    one.tell(append(P2, 4, (1, 2), 2))
    assert one.terms() == [0, 1, 2]


def test_the_commit_index_of_a_follower_does_not_fall() -> None:
    """Figure 3.1, AppendEntries 5: *if* leaderCommit > commitIndex, set commitIndex."""
    one = Paper(1, 1)
    one.tell(append(P2, 1, (1, 3), commit=3))
    effects = one.tell(append(P2, 1, (1, 3), commit=1))
    assert (one.state.commit_index, applied(effects)) == (3, [])


# RequestVote


def test_a_vote_request_names_term_candidate_and_last_entry() -> None:
    """Figure 3.1, RequestVote: term, candidateId, lastLogIndex, lastLogTerm."""
    one = Paper(1, 3)
    one.expire()
    request = sent(one.tell(one.grant(P2, pre_vote=True)), VoteRequest)[0]
    assert (request.term, request.sender, request.last_clock) == (4, ME, (3, 3))


# Rules for servers


def test_what_is_committed_is_applied_and_once() -> None:
    """Figure 3.1, all servers: if commitIndex > lastApplied: increment it and apply the entry."""
    one = Paper(1, 1, 1)
    assert applied(one.tell(append(P2, 1, (1, 4), commit=2))) == [1, 2]
    assert applied(one.tell(append(P2, 1, (1, 4), commit=2))) == []
    assert applied(one.tell(append(P2, 1, (1, 4), commit=4))) == [3, 4]


def test_to_grant_a_vote_restarts_the_delay() -> None:
    """Figure 3.1, followers: a timeout without an append *or granting a vote* elects."""
    for pre_vote in (False, True):
        one = Paper(1)
        before_s = one.state.deadline_s
        assert before_s is not None
        one.now_s = before_s - 0.001
        one.tell(vote(P2, 2, (1, 2), pre_vote=pre_vote))
        after_s = one.state.deadline_s
        assert after_s is not None
        assert after_s > before_s


def test_to_refuse_one_does_not() -> None:
    """Figure 3.1, followers: only a granted vote does: who cannot win delays nobody."""
    one = Paper(1, 1)
    before_s = one.state.deadline_s
    assert before_s is not None
    one.now_s = before_s - 0.001
    one.tell(vote(P2, 1, (1, 2), pre_vote=True))
    assert one.state.deadline_s == before_s


def test_a_candidate_resets_its_timer() -> None:
    """Figure 3.1, candidates: on conversion, reset the election timer: it waits for a new round."""
    one = Paper(1)
    one.expire()
    assert one.state.deadline_s is not None
    one.now_s = one.state.deadline_s - 0.001
    one.tell(one.grant(P2, pre_vote=True))
    assert one.state.role is Role.CANDIDATE
    assert one.state.deadline_s - one.now_s >= 3 * one.state.timing.heartbeat_s


def test_a_leader_answers_a_command_after_it_was_applied() -> None:
    """Figure 3.1, leaders: append to the local log, respond after the entry is applied.

    The core answers no write at all: it says which entry carries the ticket, and `Apply` does
    the rest in the layer above.
    """
    one = Paper(1).settled()
    effects = one.tell(COMMAND) + one.save() + one.tell(one.holds(P2))
    assert answers(effects) == []
    assert applied(effects) == [4]


def test_a_leader_sends_what_lies_after_next_index() -> None:
    """Figure 3.1, leaders: if last log index >= nextIndex, send entries starting at nextIndex."""
    one = Paper(1).settled()
    (first,) = sent(one.tell(COMMAND), AppendRequest, P2)
    one.tell(COMMAND)
    one.tell(COMMAND)
    (second,) = sent(one.tell(one.holds(P2, index=4)), AppendRequest, P2)
    assert (first.entries.first, first.entries.last) == (4, 4)
    assert (second.entries.first, second.entries.last) == (5, 6)


def test_who_has_everything_is_sent_nothing_more() -> None:
    """Figure 3.1, leaders: *if* last log index >= nextIndex.

    The figure repeats heartbeats in idle periods; ours are between nodes, not between replicas.
    """
    one = Paper(1).settled()
    assert sent(one.tell(one.holds(P2)), AppendRequest) == []
    assert one.state.deadline_s is None


def test_success_moves_next_and_match_index() -> None:
    """Figure 3.1, leaders: if successful, update nextIndex and matchIndex for the follower."""
    one = Paper(1, 1, 1).leader()
    one.tell(one.holds(P2, index=4))
    progress = one.state.progress[P2]
    assert (progress.match_index, progress.next_index) == (4, 6), "5 is on its way"


def test_match_index_increases_monotonically() -> None:
    """Figure 3.1, leaders: matchIndex increases monotonically: an older answer is no news."""
    one = Paper(1, 1, 1).leader()
    one.tell(one.holds(P2, index=4))
    one.tell(one.holds(P2, index=2))
    one.tell(rejects(one, P2, 3, (0, 1)))
    assert one.state.progress[P2].match_index == 4
    assert one.state.progress[P2].next_index >= 5


def test_an_answer_of_an_earlier_term_moves_nothing() -> None:
    """Figure 3.1: it was for another leadership, whose log may have been another one."""
    one = Paper(1, 1, 1).leader()
    late = AppendResponse(sender=P2, group=GROUP, term=1, success=True, match_index=5)
    one.tell(late)
    assert one.state.progress[P2].match_index == 0


def test_the_commit_index_is_the_largest_n_that_a_majority_has() -> None:
    """Figure 3.1, leaders: N > commitIndex, a majority of matchIndex[i] >= N, log[N] of this term.

    All ways in which four followers may lag behind, against counting by hand.
    """
    for first in range(3, 7):
        for second in range(first, 7):
            one = Paper(1, voters=FIVE).settled()
            for _ in range(3):
                one.tell(COMMAND)
            one.save()
            held = dict(zip((P2, P3, P4, P5), (first, second, 3, 3), strict=True))
            for peer, index in held.items():
                one.tell(one.holds(peer, index=index))
            everywhere = [6, *held.values()]
            (expected,) = {max(n for n in range(7) if sum(index >= n for index in everywhere) >= 3)}
            assert one.state.commit_index == expected, held


# Figure 3.2


def test_at_most_one_leader_can_be_elected_in_a_term() -> None:
    """Figure 3.2: election safety: however the answers of two candidates are mixed."""
    elected = 0
    for seed in range(40):
        dice = Random(seed)
        group = Group("n1", "n2", "n3", "n4", "n5")
        for name in dice.sample(group.names, 2):
            group.tell(name, TimeoutNow())
        for _ in range(60):
            group.save(dice.choice(group.names))
            if group.bag:
                group.deliver(dice.randrange(len(group.bag)))
        group.settle()
        assert all(len(names) == 1 for names in group.leaders.values()), seed
        elected += len(group.leaders)
    assert elected >= 20, "most seeds elect somebody"


def test_logs_that_share_an_entry_are_identical_up_to_it() -> None:
    """Figure 3.2: log matching: same index and term, so identical through that index."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", b"a")
    group.bag.clear()  # Only n1 has this one.
    group.save("n1")
    group.crash("n1")
    for name in ("n2", "n3"):
        group.tell(name, TimeoutNow())
        group.settle()
    (leader,) = [name for name in ("n2", "n3") if group.state(name).role is Role.LEADER]
    group.propose(leader, b"b")
    group.settle()
    group.restart("n1")
    assert_logs_match(group)
    group.tell(leader, PeerRestarted(peer=ME))
    group.settle()
    assert group.state("n1").log.last_clock == group.state(leader).log.last_clock
    assert_logs_match(group)


def assert_logs_match(group: Group) -> None:
    """Raise `AssertionError` where two logs share an entry and not all before it."""
    logs = [group.state(name).log for name in group.names]
    for one in logs:
        for other in logs:
            shared = [
                index
                for index in range(1, min(one.last_index, other.last_index) + 1)
                if one.term_at(index) == other.term_at(index)
            ]
            assert shared == [*range(1, len(shared) + 1)]
            assert one.range(1, len(shared)) == other.range(1, len(shared))


def test_every_server_responds_to_candidates_and_leaders() -> None:
    """Figure 3.1, followers: respond to RPCs from candidates and leaders: whatever the answer."""
    one = Paper(1, term=3)
    for request in (append(P2, 1, (1, 2)), append(P2, 3, (1, 9)), append(P2, 3, (1, 2))):
        only(one.tell(request), AppendResponse)
    for last in ((0, 1), (1, 2)):
        for pre_vote in (False, True):
            only(one.tell(vote(P4, 3, last, pre_vote=pre_vote)), VoteResponse)


def test_a_heartbeat_without_news_writes_nothing() -> None:
    """Figure 3.1: entries[] may be empty for a heartbeat: it is answered and costs no disk."""
    one = Paper(1).follow(P2)
    effects = one.tell(append(P2, 1, (1, 2)))
    assert only(effects, AppendResponse).success
    assert [effect for effect in effects if isinstance(effect, Save)] == []
