"""Chapter 3, section 3.8: persisted state and server restarts."""

from __future__ import annotations

from lolraft.raft.effects import InstallSnapshot
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    ChangeMembers,
    Objection,
    PeerRestarted,
    Propose,
    Proven,
    SnapshotTaken,
    Timeout,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Ballot, Clock, NodeId, Role, SnapshotMeta
from tests.paper.replica import (
    ME,
    P2,
    P3,
    P4,
    THREE,
    Paper,
    append,
    applied,
    members,
    only,
    saved,
    sent,
    vote,
)
from tests.unit.raft.group import Disk, Group

COMMAND = Propose(tickets=(1,), payloads=(b"x",))


def test_a_new_term_is_persisted() -> None:
    """§3.8: each server persists its current term ..."""
    one = Paper(1)
    save = saved(one.tell(Objection(sender=P2, term=5)))
    assert save is not None
    assert save.ballot == Ballot(5, None)
    one.save()
    assert one.restart().state.current_term == 5


def test_a_vote_is_persisted_before_it_is_given() -> None:
    """§3.8: ... and vote: it is on disk before the answer leaves."""
    one = Paper(1)
    effects = one.tell(vote(P2, 2, (1, 2)))
    save = saved(effects)
    assert save is not None
    assert save.ballot == Ballot(2, P2)
    assert effects.index(save) == 0
    assert only(effects, VoteResponse).granted


def test_a_restart_does_not_give_a_second_vote() -> None:
    """§3.8: this is necessary to prevent the server from voting twice in the same term."""
    one = Paper(1)
    one.tell(vote(P2, 2, (1, 2)))
    one.save()
    one.restart()
    assert not only(one.tell(vote(P3, 2, (1, 2))), VoteResponse).granted


def test_a_vote_that_was_never_durable_was_never_heard_of() -> None:
    """§3.8: a crash may forget a vote only where its answer had to wait for the disk (S1)."""
    group = Group("n1", "n2", "n3")
    group.tell("n1", vote(P2, 1, (0, 1)))
    assert group.bag == [], "the answer waits"
    group.crash("n1")
    group.restart("n1")
    assert only(group.tell("n1", vote(P3, 1, (0, 1))), VoteResponse).granted


def test_a_candidate_that_restarts_does_not_vote_for_another() -> None:
    """§3.8: its vote for itself is a vote like any other."""
    one = Paper(1).candidate().restart()
    assert one.state.ballot == Ballot(2, ME)
    assert not only(one.tell(vote(P2, 2, (9, 9))), VoteResponse).granted


def test_a_candidate_does_not_count_a_vote_that_a_crash_may_forget() -> None:
    """§3.8: its own vote counts when it is persisted, not before (S3)."""
    one = Paper(1)
    one.expire()
    one.tell(one.grant(P2, pre_vote=True))
    one.tell(one.grant(P2))
    assert one.state.role is Role.CANDIDATE
    one.save()
    assert one.state.role is Role.LEADER


def test_a_restart_does_not_open_the_log_to_a_deposed_leader() -> None:
    """§3.8: ... or replacing log entries from a newer leader with those from a deposed one."""
    one = Paper(1)
    one.tell(append(P3, 3, (1, 2), 3))
    one.save()
    one.restart()
    assert not only(one.tell(append(P2, 2, (1, 2), 2, 2)), AppendResponse).success
    assert one.terms() == [0, 1, 3]


def test_a_leader_that_restarts_leads_no_more() -> None:
    """§3.8: leadership is not persisted; even in its own term it takes nothing for granted."""
    one = Paper(1).settled().restart()
    assert (one.state.role, one.state.leadership, one.state.leader_id) == (
        Role.FOLLOWER,
        None,
        None,
    )
    asked = sent(one.expire(), VoteRequest)
    assert {(item.term, item.pre_vote) for item in asked} == {(3, True)}


def test_a_follower_persists_new_entries_before_it_says_that_it_has_them() -> None:
    """§3.8: each server persists new log entries before they are counted towards commitment."""
    one = Paper(1)
    effects = one.tell(append(P2, 1, (1, 2), 1, 1))
    save = saved(effects)
    assert save is not None
    assert save.entries is not None
    assert (save.entries.first, save.entries.terms) == (3, (1, 1))
    assert effects.index(save) == 0
    assert only(effects, AppendResponse).match_index == 4


def test_a_leader_counts_itself_when_its_own_disk_has_the_entry() -> None:
    """§3.8: the leader is one of the servers that persist an entry before it is counted."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.tell(one.holds(P2))
    assert one.state.commit_index == 3, "n2 alone is no majority"
    assert applied(one.save()) == [4]


def test_a_majority_without_the_leader_commits() -> None:
    """§3.8 (§10.2.1): what a majority has persisted is committed, though the leader has not."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.tell(one.holds(P2))
    assert applied(one.tell(one.holds(P3))) == [4]
    assert one.state.durable_index == 3


def test_committed_entries_are_not_lost_by_restarts() -> None:
    """§3.8: this prevents committed entries from being lost when servers restart."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", b"x")
    group.settle()
    for name in group.names:
        group.crash(name)
    for name in group.names:
        group.restart(name)
        assert group.state(name).log.payload_at(3) == b"x"


def test_what_only_memory_held_can_be_made_again() -> None:
    """§3.8: other state variables are safe to lose on a restart, as they can be recreated."""
    one = Paper(1, 1)
    one.tell(append(P2, 1, (1, 3), commit=3))
    one.restart()
    state = one.state
    assert (state.role, state.leader_id, state.votes) == (Role.FOLLOWER, None, None)
    assert (state.commit_index, state.last_applied) == (0, 0)
    one.tell(append(P2, 1, (1, 3), commit=3))
    assert (state.leader_id, state.commit_index, state.last_applied) == (P2, 3, 3)


def test_when_all_restart_the_commit_index_lags_and_then_catches_up() -> None:
    """§3.8: even if every server restarts at once, it only temporarily lags behind its value."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", b"x")
    group.settle()
    for name in group.names:
        group.crash(name)
        group.restart(name)
        group.tell(name, Timeout())  # It has none yet: this gives it its first deadline.
    assert [group.state(name).commit_index for name in group.names] == [0, 0, 0]
    group.elect("n2")
    assert [group.state(name).commit_index for name in group.names] == [4, 4, 4]
    assert [group.replicas[name].applied for name in group.names] == [[(3, b"x")]] * 3


def test_a_leader_asks_who_restarted_where_it_stands_and_tells_it_the_commit() -> None:
    """§3.8: ... it will quickly propagate this commit index to its followers (L2)."""
    one = Paper(1).settled()
    (request,) = sent(one.tell(PeerRestarted(peer=P3)), AppendRequest)
    assert (request.entries.terms, request.commit_index) == ((), 3)


def test_a_volatile_state_machine_is_recovered_from_the_log() -> None:
    """§3.8: it must be recovered after restarts by reapplying log entries ..."""
    one = Paper(1, 1, 1)
    first = applied(one.tell(append(P2, 1, (1, 4), commit=4)))
    one.restart()
    assert applied(one.tell(append(P2, 1, (1, 4), commit=4))) == first == [1, 2, 3, 4]


def test_it_is_recovered_after_the_latest_snapshot() -> None:
    """§3.8: ... (after applying the latest snapshot), and no entry is applied twice."""
    one = Paper(1, 1, 1)
    one.tell(append(P2, 1, (1, 4), commit=4))
    meta = SnapshotMeta(clock=Clock(1, 3), configuration=members(*THREE), configuration_index=1)
    one.tell(SnapshotTaken(meta=meta, keep_after=3))
    one.save()
    one.restart()
    assert (one.state.commit_index, one.state.last_applied) == (3, 3)
    effects = one.tell(append(P2, 1, (1, 4), commit=4))
    assert applied(effects) == [4]
    assert not [effect for effect in effects if isinstance(effect, InstallSnapshot)]


def test_a_persistent_state_machine_persists_how_far_it_is() -> None:
    """§3.8: to avoid reapplying entries, its last applied index must also be persistent.

    Ours is the index of the app's latest snapshot; it is never ahead of what was applied.
    """
    one = Paper(1, 1, 1)
    one.tell(append(P2, 1, (1, 4), commit=3))
    meta = SnapshotMeta(clock=Clock(1, 4), configuration=members(*THREE), configuration_index=1)
    assert saved(one.tell(SnapshotTaken(meta=meta, keep_after=4))) is None
    assert one.state.snapshot is None


def test_the_newest_configuration_in_the_log_counts_after_a_restart() -> None:
    """§3.8, §4.1: membership is in the log, so what the log kept is enough."""
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, removed=(P3,)))
    one.save()
    before = one.state.configuration
    one.restart()
    assert one.state.configuration == before == members(ME, P2, outgoing=THREE)
    assert one.state.commit_index < one.state.configuration_index


def forgetful(*terms: int) -> Paper:
    """Return a replica that has not been told by all others that it is who it was (S4)."""
    one = Paper(*terms)
    one.state.proven = False
    return one


def test_who_may_have_lost_its_state_promises_nothing() -> None:
    """§3.8: a server that loses its persistent state cannot safely rejoin with its identity.

    Ours, empty under an old name, is silent until every member says that it knows no other
    incarnation of it (S4): it votes for nobody and says of no entry that it has it.
    """
    one = forgetful(1)
    assert not only(one.tell(vote(P2, 2, (1, 2))), VoteResponse).granted
    assert not only(one.tell(vote(P2, 3, (1, 2), pre_vote=True)), VoteResponse).granted
    assert sent(one.tell(append(P2, 3, (1, 2), 1)), AppendResponse) == []


def test_who_may_have_lost_its_state_does_not_stand() -> None:
    """§3.8: its own vote could be its second one."""
    one = forgetful(1)
    one.follow(P2).lose(P2)
    assert one.state.deadline_s is None
    one.tell(Proven())
    assert sent(one.expire(), VoteRequest), "proven, it takes part"


def test_who_lost_entries_of_its_log_votes_for_nobody() -> None:
    """§3.8: if it loses *any* of its persistent state: here, entries it had acknowledged (S12).

    Ours may take part again under its name when the leader has filled the log up to a commit made
    after the loss was heard of.
    """
    one = Paper(1)
    one.state.damage = 5
    assert not only(one.tell(vote(P2, 2, (1, 2))), VoteResponse).granted
    assert only(one.tell(append(P2, 2, (1, 2), 2)), AppendResponse).damage == 5
    one.tell(append(P2, 2, (2, 3), commit=3))
    assert one.state.damage == 5, "the leader had not heard of it"
    request = append(P2, 2, (2, 3), commit=3)
    one.tell(
        AppendRequest(
            sender=P2,
            group=request.group,
            term=2,
            prev_clock=request.prev_clock,
            entries=request.entries,
            commit_index=3,
            repairs=5,
        )
    )
    assert one.state.damage == 0
    one.lose(P2)
    assert only(one.tell(vote(P3, 3, (2, 3))), VoteResponse).granted


def test_it_comes_back_by_a_change_of_membership() -> None:
    """§3.8: it can be brought back with a new identity by a cluster membership change.

    Ours keeps the name: the configuration carries the number of the new incarnation (S4).
    """
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, voters=(P4,), incarnations=((P4, 99),)))
    assert one.state.configuration.learners == (P4,)
    assert one.state.configuration.incarnations == ((P4, 99),)


def test_when_a_majority_lost_its_state_nothing_more_is_committed() -> None:
    """§3.8: if a majority loses its state, entries may be lost; progress is not possible then."""
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    for name in ("n2", "n3"):
        group.crash(name)
        group.replicas[NodeId(name)].disk = Disk()
        group.restart(name)
        group.state(name).proven = False
        group.tell("n1", PeerRestarted(peer=NodeId(name)))
    group.propose("n1", b"x")
    group.settle()
    assert (group.state("n1").log.last_index, group.state("n1").commit_index) == (3, 2)
    assert group.replicas[NodeId("n1")].applied == []
