"""Chapter 5, log compaction: section 5.1, snapshotting memory-based state machines."""

from __future__ import annotations

from lolraft.raft.effects import Apply, Effect, FetchSnapshot, InstallSnapshot, Send
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    LeaderLost,
    Propose,
    SnapshotFetched,
    SnapshotOffer,
    SnapshotTaken,
    VoteResponse,
)
from lolraft.raft.types import Clock, Configuration, EntryKind, Index, NodeId, SnapshotMeta, Term
from tests.paper.replica import (
    FIVE,
    GROUP,
    P2,
    P3,
    P4,
    THREE,
    Paper,
    append,
    applied,
    only,
    saved,
    sent,
    vote,
)
from tests.unit.raft.group import Disk

COMMAND = Propose(tickets=(1,), payloads=(b"x",))


def of(
    clock: tuple[Term, Index], voters: tuple[NodeId, ...] = THREE, at: Index = 1
) -> SnapshotMeta:
    """Return what Raft keeps of a snapshot of the state after *clock*."""
    known = Configuration(voters=voters, group_id=GROUP)
    return SnapshotMeta(clock=Clock(*clock), configuration=known, configuration_index=at)


def take(one: Paper, clock: tuple[Term, Index], keep_after: Index | None = None) -> list[Effect]:
    """Let the state machine have written a snapshot; keep what lies after *keep_after*."""
    keep = clock[1] if keep_after is None else keep_after
    return one.tell(SnapshotTaken(meta=of(clock), keep_after=keep))


def offer(sender: NodeId, term: Term, clock: tuple[Term, Index]) -> SnapshotOffer:
    """Return a leader's InstallSnapshot: ours offers, and the follower fetches."""
    return SnapshotOffer(sender=sender, group=GROUP, term=term, clock=Clock(*clock))


def fetch(one: Paper, meta: SnapshotMeta) -> list[Effect]:
    """Let a snapshot of the leader be fetched and durable."""
    one.tell(offer(P2, max(one.state.current_term, meta.clock.term), meta.clock))
    return one.tell(SnapshotFetched(meta=meta))


def follower() -> Paper:
    """Return a follower that has applied entries 1 to 4 of its five."""
    one = Paper(1, 1, 1, 1)
    one.tell(append(P2, 1, (1, 5), commit=4))
    assert one.state.last_applied == 4
    return one


# --- taking one ----------------------------------------------------------------------------------


def test_a_snapshot_covers_only_committed_entries() -> None:
    """§5.1: each server takes snapshots covering just the committed entries in its log."""
    one = follower()
    assert saved(take(one, (1, 5))) is None
    assert one.state.snapshot is None
    assert saved(take(one, (1, 4))) is not None


def test_each_server_takes_snapshots_independently() -> None:
    """§5.1: ... *independently*: a follower asks nobody and tells nobody."""
    one = follower()
    assert not [effect for effect in take(one, (1, 3)) if isinstance(effect, Send)]
    assert one.state.snapshot == of((1, 3))


def test_the_log_is_discarded_up_to_the_snapshot() -> None:
    """§5.1: then it discards the prefix of the log up through that index."""
    one = follower()
    take(one, (1, 3))
    assert (one.state.log.base, one.terms()) == ((1, 3), [1, 1])


def test_index_term_and_configuration_are_stored_with_it() -> None:
    """§5.1: first it stores the index and term of the last entry, and the latest configuration:
    ours in the same write to the disk as the new start of the log."""
    save = saved(take(follower(), (1, 3)))
    assert save is not None
    assert save.snapshot is not None
    assert save.snapshot.clock == save.log_starts_after == (1, 3)
    assert (save.snapshot.configuration.voters, save.snapshot.configuration_index) == (THREE, 1)


def test_what_is_not_on_the_disk_yet_is_not_discarded() -> None:
    """§5.1, §10.2.1: a leader may apply before its disk has the entry: the log keeps that."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    for peer in (P2, P3):
        one.tell(one.holds(peer))
    assert one.state.last_applied == 4
    take(one, (2, 4))
    assert one.state.log.base == (2, 3)


def test_an_older_snapshot_changes_nothing() -> None:
    """§5.1: previous snapshots are no longer useful."""
    one = follower()
    take(one, (1, 4))
    assert saved(take(one, (1, 3))) is None
    assert one.state.snapshot == of((1, 4))


def test_the_first_entry_after_a_snapshot_is_checked_too() -> None:
    """§5.1: index and term are preserved to support the consistency check for that entry."""
    one = follower()
    take(one, (1, 4))
    assert only(one.tell(append(P2, 1, (1, 4), 1)), AppendResponse).success
    assert not sent(one.tell(append(P2, 2, (2, 4), 2)), AppendResponse), "not what was committed"
    assert one.terms() == [1]


def test_a_vote_compares_with_the_snapshot_where_the_log_is_empty() -> None:
    """§5.1, §3.6.1: index and term of the last entry stand for the log that is gone."""
    one = Paper(1, 1)
    one.tell(append(P2, 1, (1, 3), commit=3))
    take(one, (1, 3))
    assert one.terms() == []
    one.tell(LeaderLost(leader_id=P2, term=1))
    assert not only(one.tell(vote(P2, 2, (1, 2))), VoteResponse).granted
    assert only(one.tell(vote(P2, 2, (1, 3))), VoteResponse).granted


def test_a_restart_begins_with_the_snapshot() -> None:
    """§5.1: what a restart needs: the state machine is as of the snapshot, the log comes after."""
    disk = Disk(snapshot=of((2, 4), FIVE, at=3), base=Clock(2, 4))
    disk.entries = [(2, int(EntryKind.COMMAND), b"five")]
    state = disk.restore(NodeId("n1"), 0.0)
    assert (state.last_applied, state.commit_index) == (4, 4)
    assert (state.log.base, state.log.last_clock) == ((2, 4), (2, 5))
    assert (state.configuration.voters, state.configuration_index) == (FIVE, 3)


# --- sending one ---------------------------------------------------------------------------------


def behind() -> Paper:
    """Return a leader with a snapshot up to 4 of whose followers n3 has only entry 1."""
    one = Paper(1, 1).leader()
    one.tell(one.holds(P2))
    take(one, (2, 4))
    return one


def refuses(one: Paper, peer: NodeId) -> list[Effect]:
    """Let *peer* say that its log ends with entry 1."""
    answer = AppendResponse(
        sender=peer,
        group=GROUP,
        term=one.state.current_term,
        success=False,
        rejected_index=3,
        conflict=Clock(0, 2),
    )
    return one.tell(answer)


def test_who_needs_a_discarded_entry_gets_the_snapshot() -> None:
    """§5.1: the leader sends snapshots when it has discarded the next entry it needs to send."""
    one = behind()
    (letter,) = sent(refuses(one, P3), SnapshotOffer, P3)
    assert (letter.clock, letter.term) == ((2, 4), 2)
    assert not sent(one.last, AppendRequest, P3)


def test_who_needs_an_entry_that_is_there_gets_the_entry() -> None:
    """§5.1: ... only occasionally: to slow followers and to new servers."""
    one = Paper(1, 1).leader()
    one.tell(one.holds(P2))
    take(one, (2, 4), keep_after=1)
    effects = refuses(one, P3)
    assert not sent(effects, SnapshotOffer)
    (request,) = sent(effects, AppendRequest, P3)
    assert request.entries.first == 2


def test_after_the_snapshot_the_log_goes_on() -> None:
    """§5.1: it brings the follower up to where the leader's log begins."""
    one = behind()
    refuses(one, P3)
    one.tell(COMMAND)
    assert not sent(one.last, AppendRequest, P3), "it waits for the snapshot"
    (request,) = sent(one.tell(one.holds(P3, 4)), AppendRequest, P3)
    assert (request.prev_clock, request.entries.first) == ((2, 4), 5)


# --- receiving one -------------------------------------------------------------------------------


def test_a_snapshot_of_a_stale_term_is_refused() -> None:
    """§5.1 (figure 5.3, 1): reply immediately if term < currentTerm."""
    one = Paper(1, term=3)
    effects = one.tell(offer(P2, 2, (2, 9)))
    assert only(effects, AppendResponse).term == 3
    assert not [effect for effect in effects if isinstance(effect, FetchSnapshot)]


def test_a_snapshot_with_new_information_is_fetched() -> None:
    """§5.1 (figure 5.3, 2-4): chunks are written at their offsets; ours: the driver's work."""
    fetching = only(Paper(1).tell(offer(P2, 2, (2, 9))), FetchSnapshot)
    assert (fetching.source, fetching.clock) == (P2, (2, 9))


def test_an_offer_is_a_sign_of_a_leader_and_of_its_term() -> None:
    """§5.1, §3.4: InstallSnapshot resets the election timer, like any message of a leader."""
    one = Paper(1)
    one.tell(offer(P2, 2, (2, 9)))
    assert (one.state.current_term, one.state.leader_id, one.state.deadline_s) == (2, P2, None)


def test_a_snapshot_with_new_information_supersedes_the_log() -> None:
    """§5.1 (figure 5.3, 7): the follower discards its entire log; it is all superseded."""
    one = Paper(1, 1)
    save = saved(fetch(one, of((2, 9))))
    assert (one.terms(), one.state.log.base) == ([], (2, 9))
    assert save is not None
    assert (save.snapshot, save.log_starts_after) == (of((2, 9)), (2, 9))


def test_entries_that_conflict_with_it_go_too() -> None:
    """§5.1: ... and may possibly have uncommitted entries that conflict with the snapshot."""
    one = Paper(1, 1, 1, 1, 1)
    save = saved(fetch(one, of((2, 4))))
    assert (one.terms(), one.state.log.last_clock) == ([], (2, 4))
    assert save is not None
    assert save.truncate_from == 5, "on the disk as well"


def test_entries_after_a_snapshot_of_a_prefix_are_retained() -> None:
    """§5.1 (figure 5.3, 6): entries following the snapshot are still valid and must be retained."""
    one = Paper(1, 1, 1, 1)
    save = saved(fetch(one, of((1, 3))))
    assert (one.terms(), one.state.log.base) == ([1, 1], (1, 3))
    assert save is not None
    assert save.truncate_from is None


def test_the_state_machine_is_reset_to_it() -> None:
    """§5.1 (figure 5.3, 8): reset the state machine using the snapshot's contents ..."""
    one = Paper(1, 1)
    effects = fetch(one, of((2, 9)))
    assert only(effects, InstallSnapshot).meta == of((2, 9))
    again = [effect for effect in effects if isinstance(effect, Apply)]
    assert again == [], "what it covers is not applied again"
    assert one.state.last_applied == one.state.commit_index == 9
    assert applied(one.tell(append(P2, 2, (2, 9), 2, commit=10))) == [10]


def test_its_configuration_is_loaded() -> None:
    """§5.1 (figure 5.3, 8): ... and load lastConfig as cluster configuration."""
    one = Paper(1, 1)
    fetch(one, of((2, 9), FIVE, at=7))
    assert (one.state.configuration.voters, one.state.configuration_index) == (FIVE, 7)


def test_the_leader_is_told_how_far_the_follower_is() -> None:
    """§5.1 (figure 5.3): ... and reply."""
    one = Paper(1, 1)
    answer = only(fetch(one, of((2, 9))), AppendResponse)
    assert (answer.success, answer.match_index) == (True, 9)


def test_a_snapshot_that_comes_late_moves_nothing_back() -> None:
    """§5.1 (figure 5.3, 5): only if lastIndex is larger than the latest snapshot's; ours: than
    what is committed here, since the state machine has that already."""
    one = follower()
    before = one.terms()
    effects = one.tell(SnapshotFetched(meta=of((1, 3))))
    assert not [effect for effect in effects if isinstance(effect, InstallSnapshot)]
    assert (one.state.last_applied, one.terms()) == (4, before)


def test_a_snapshot_of_what_is_here_is_answered_and_not_fetched() -> None:
    """§5.1: ... due to retransmission or by mistake: the leader hears how far this log is."""
    effects = follower().tell(offer(P2, 1, (1, 3)))
    assert not [effect for effect in effects if isinstance(effect, FetchSnapshot)]
    assert only(effects, AppendResponse).match_index == 4


def test_a_newer_leader_is_not_made_to_wait_for_an_older_ones_snapshot() -> None:
    """§5.1 (figure 5.3, 5): discard any existing or partial snapshot of an earlier leader."""
    one = Paper(1)
    one.tell(offer(P2, 2, (2, 9)))
    fetching = only(one.tell(offer(P4, 3, (2, 8))), FetchSnapshot)
    assert (fetching.source, fetching.clock) == (P4, (2, 8))
