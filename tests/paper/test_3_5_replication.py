"""Chapter 3, section 3.5: log replication."""

from __future__ import annotations

from lolraft.raft.effects import Code, Proposed
from lolraft.raft.events import AppendRequest, AppendResponse, Propose
from lolraft.raft.types import EntryKind
from tests.paper.replica import (
    FIVE,
    P2,
    P3,
    P4,
    P5,
    Paper,
    answers,
    append,
    applied,
    only,
    rejects,
    saved,
    sent,
)

COMMAND = Propose(tickets=(1,), payloads=(b"x",))


def test_the_leader_appends_a_command_as_a_new_entry() -> None:
    """§3.5: the leader appends the command to its log as a new entry."""
    one = Paper(1).settled()
    proposed = only(one.tell(COMMAND), Proposed)
    assert proposed.first == one.state.log.last_clock == (2, 4)
    assert one.state.log.payload_at(4) == b"x"


def test_it_sends_the_entry_to_each_of_the_others_at_once() -> None:
    """§3.5: it then issues AppendEntries in parallel to each of the other servers."""
    one = Paper(1, voters=FIVE).settled()
    effects = one.tell(COMMAND)
    for peer in (P2, P3, P4, P5):
        (request,) = sent(effects, AppendRequest, peer)
        assert request.entries.payloads == (b"x",)


def test_who_does_not_lead_redirects() -> None:
    """§3.5, §6.2: a server that is not the leader rejects the request and names the leader."""
    one = Paper(1).follow(P2)
    (answer,) = answers(one.tell(COMMAND))
    assert (answer.code, answer.leader_id) == (Code.UNAVAILABLE, P2)
    assert one.terms() == [0, 1]


def test_each_entry_stores_the_term_in_which_the_leader_received_it() -> None:
    """§3.5: each entry stores a command along with the term number."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    assert one.terms() == [0, 1, 2, 2]


def test_an_entry_is_committed_once_a_majority_holds_it() -> None:
    """§3.5: an entry is committed once the leader has replicated it on a majority."""
    one = Paper(1, voters=FIVE).settled()
    one.tell(COMMAND)
    one.save()
    assert applied(one.tell(one.holds(P2))) == [], "two of five"
    assert applied(one.tell(one.holds(P3))) == [4]


def test_a_commit_covers_all_entries_before_it() -> None:
    """§3.5: this also commits all preceding entries in the leader's log."""
    one = Paper(1, 1).leader()
    assert one.state.commit_index == 0
    assert applied(one.tell(one.holds(P2))) == [1, 2, 3, 4]


def test_a_barrier_or_command_is_applied_in_log_order() -> None:
    """§3.5: servers apply committed entries to their state machines in log order."""
    one = Paper(1)
    first = one.tell(append(P2, 1, (1, 2), 1, 1, commit=3))
    second = one.tell(append(P2, 1, (1, 4), 1, commit=5))
    assert applied(first) + applied(second) == [1, 2, 3, 4, 5]


def test_a_follower_applies_what_the_leader_says_is_committed() -> None:
    """§3.5: once a follower learns that an entry is committed, it applies it."""
    one = Paper(1)
    assert applied(one.tell(append(P2, 1, (1, 2), 1))) == []
    assert applied(one.tell(append(P2, 1, (1, 3), commit=3))) == [1, 2, 3]


def test_a_follower_commits_no_more_than_it_was_sent() -> None:
    """§3.5 (figure 3.1): commitIndex = min(leaderCommit, index of last *new* entry)."""
    one = Paper(1, 1, 1)
    one.tell(append(P2, 2, (1, 2), commit=4))
    assert one.state.commit_index == 2, "its entries 3 and 4 may not be the leader's"


def test_the_commit_index_travels_with_appends() -> None:
    """§3.5: the leader includes the highest committed index in future AppendEntries."""
    one = Paper(1).settled()
    (request,) = sent(one.tell(COMMAND), AppendRequest, P2)
    assert request.commit_index == one.state.commit_index == 3


def test_a_commit_is_told_though_no_command_follows() -> None:
    """§3.5: ... (including heartbeats), so that the other servers eventually find out."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.save()
    told: dict[str, int] = {}
    for peer in (P2, P3):
        one.tell(one.holds(peer))
        for to in (P2, P3):
            for request in sent(one.last, AppendRequest, to):
                told[to] = request.commit_index
    assert told == {P2: 4, P3: 4}


def test_an_append_names_the_entry_before_it() -> None:
    """§3.5: the leader includes the index and term of the entry that immediately precedes."""
    one = Paper(1).settled()
    (request,) = sent(one.tell(COMMAND), AppendRequest, P2)
    assert request.prev_clock == (2, 3)


def test_a_follower_without_the_entry_before_refuses() -> None:
    """§3.5: if it does not find an entry with the same index ..., it refuses the new entries."""
    one = Paper(1)
    assert not only(one.tell(append(P2, 1, (1, 5), 1)), AppendResponse).success
    assert one.terms() == [0, 1]


def test_a_follower_with_another_term_there_refuses() -> None:
    """§3.5: ... and term, it refuses the new entries."""
    one = Paper(1, 1)
    assert not only(one.tell(append(P2, 2, (2, 3), 2)), AppendResponse).success
    assert one.terms() == [0, 1, 1]


def test_a_follower_that_matches_appends_and_says_how_far() -> None:
    """§3.5: when AppendEntries returns, the leader knows that the logs are identical so far."""
    one = Paper(1)
    answer = only(one.tell(append(P2, 1, (1, 2), 1, 1)), AppendResponse)
    assert (answer.success, answer.match_index) == (True, 4)


def test_a_conflicting_entry_goes_with_all_that_follow_it() -> None:
    """§3.5 (figure 3.1): delete the existing entry and all that follow it."""
    one = Paper(1, 2, 2, 2)
    one.tell(append(P2, 3, (1, 2), 3))
    assert one.terms() == [0, 1, 3]


def test_a_conflict_is_deleted_on_disk_in_the_same_save() -> None:
    """§3.5: the follower's log is overwritten, not merged."""
    one = Paper(1, 2, 2)
    save = saved(one.tell(append(P2, 3, (1, 2), 3)))
    assert save is not None
    assert save.truncate_from == 3
    assert save.entries is not None
    assert (save.entries.first, save.entries.terms) == (3, (3,))


def test_entries_that_are_there_already_are_left_alone() -> None:
    """§3.5: a delayed append must not truncate what came after it."""
    one = Paper(1, 1, 1)
    assert saved(one.tell(append(P2, 1, (0, 1), 1, 1))) is None
    assert one.terms() == [0, 1, 1, 1]


def test_what_is_new_is_appended_after_what_is_there() -> None:
    """§3.5 (figure 3.1): append any new entries not already in the log."""
    one = Paper(1, 1)
    save = saved(one.tell(append(P2, 1, (0, 1), 1, 1, 1)))
    assert save is not None
    assert save.entries is not None
    assert (save.truncate_from, save.entries.first) == (None, 4)


def test_a_new_leader_takes_all_logs_for_equal_to_its_own() -> None:
    """§3.5: it initializes all nextIndex values to the index just after the last in its log."""
    one = Paper(1, 1, voters=FIVE).leader()
    known = one.state.progress
    assert [known[peer].next_index for peer in (P2, P3, P4, P5)] == [4] * 4
    assert [known[peer].match_index for peer in (P2, P3, P4, P5)] == [0] * 4


def test_the_leader_goes_back_after_a_refusal_and_tries_again() -> None:
    """§3.5: after a rejection, the leader decrements nextIndex and retries."""
    one = Paper(1, 1, 2).leader()
    (request,) = sent(one.tell(rejects(one, P2, 4, (0, 3))), AppendRequest, P2)
    assert (request.prev_clock, request.entries.first) == ((1, 2), 3)


def test_a_refusal_names_the_term_and_its_first_entry() -> None:
    """§3.5: the follower can include the conflicting term and its first index."""
    one = Paper(1, 2, 2, 2)
    answer = only(one.tell(append(P2, 4, (3, 5), 4)), AppendResponse)
    assert answer.conflict == (2, 3)


def test_the_leader_passes_over_a_whole_term() -> None:
    """§3.5: it decrements nextIndex to bypass all of the conflicting entries in that term."""
    one = Paper(1, 3, 3, 3).leader()
    (request,) = sent(one.tell(rejects(one, P2, 5, (2, 3))), AppendRequest, P2)
    assert request.prev_clock == (1, 2)


def test_a_leader_never_overwrites_its_own_log() -> None:
    """§3.5: a leader never overwrites or deletes entries in its own log (leader append-only)."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    before = one.terms()
    one.tell(append(P2, 2, (1, 2), 2, 2, 2))
    assert one.terms() == before


def test_a_slow_follower_holds_up_nobody() -> None:
    """§3.5: a command completes as soon as a majority has responded; a slow minority does not."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.save()
    one.tell(one.holds(P2))
    assert one.state.commit_index == 4
    assert one.state.progress[P3].match_index == 3


def test_a_follower_that_does_not_answer_is_asked_again() -> None:
    """§3.5: the leader retries AppendEntries indefinitely, even after it has responded."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.save()
    one.tell(one.holds(P2))
    for _ in range(20):
        one.now_s += one.state.timing.retry_s
        if sent(one.expire(), AppendRequest, P3):
            break
    else:
        raise AssertionError("n3 is never asked again")


def test_an_append_that_says_nothing_new_is_answered_alike() -> None:
    """§3.8, §3.5: Raft requests are idempotent: repeating one causes no harm."""
    one = Paper(1)
    request = append(P2, 1, (1, 2), 1, commit=3)
    first = only(one.tell(request), AppendResponse)
    again = one.tell(request)
    assert only(again, AppendResponse) == first
    assert (saved(again), applied(again)) == (None, [])


def test_the_first_entry_of_a_leader_is_its_barrier() -> None:
    """§6.4: each leader commits a blank no-op entry at the start of its term."""
    one = Paper(1).leader()
    assert one.state.log.kind_at(3) is EntryKind.BARRIER
