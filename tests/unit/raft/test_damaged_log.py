"""A replica that lost entries it had acknowledged votes for nobody before it is whole (S12)."""

from __future__ import annotations

from lolraft.raft.events import AppendRequest, AppendResponse, PeerRestarted, VoteRequest
from lolraft.raft.types import NodeId
from tests.unit.raft.group import Group

A, B, C = "a", "b", "c"
QUESTION = 5


def damaged(group: Group, name: str, keep: int, question: int = QUESTION) -> None:
    """Restart *name* with only the first *keep* entries of its log."""
    replica = group.replicas[NodeId(name)]
    group.crash(name)
    del replica.disk.entries[keep:]
    group.restart(name)
    replica.state.damage = question
    for other in group.names:
        if other != name:  # Its streams broke: nothing of its earlier life arrives any more.
            group.bag = [item for item in group.bag if item[1].sender != name or item[0] != other]
            group.tell(other, PeerRestarted(peer=NodeId(name)))


def only(group: Group, *alive: str) -> None:
    """Lose every message that is not between these."""
    group.bag = [item for item in group.bag if item[0] in alive and item[1].sender in alive]


def settle(group: Group, *alive: str) -> None:
    """Save and deliver everything between these, and nothing else."""
    for _ in range(1_000):
        for name in alive:
            group.save(name)
        only(group, *alive)
        if not group.bag:
            return
        group.deliver()
    raise AssertionError("no rest")


def led_by_a() -> Group:
    """Return a group whose leader A has committed an entry that only A and B hold."""
    group = Group(A, B, C)
    group.elect(A)
    group.propose(A, b"acknowledged")
    settle(group, A, B)
    assert group.state(A).commit_index == group.state(A).log.last_index
    assert group.state(C).log.last_index < group.state(A).log.last_index
    return group


def vote_of(group: Group, voter: str, candidate: str, *, pre_vote: bool = False) -> bool:
    """Return whether *voter* gives its vote in a term after all others."""
    group.state(voter).leader_id = None
    state = group.state(candidate)
    request = VoteRequest(
        sender=NodeId(candidate),
        group=state.group,
        term=max(group.state(name).current_term for name in group.names) + 1,
        last_clock=state.log.last_clock,
        pre_vote=pre_vote,
    )
    group.bag.clear()
    group.tell(voter, request)
    group.save(voter)
    return any(getattr(message, "granted", False) for _, message in group.bag)


def test_it_gives_no_vote_and_does_not_stand() -> None:
    group = led_by_a()
    group.crash(A)
    damaged(group, B, keep=1)
    assert not vote_of(group, B, C, pre_vote=True)
    assert not vote_of(group, B, C), "C lacks what B had acknowledged"
    assert not group.state(B).may_stand()


def test_the_leader_repairs_it_and_it_votes_again() -> None:
    group = led_by_a()
    damaged(group, B, keep=1)
    assert group.state(A).progress[NodeId(B)].match_index > 1, "of its earlier life"
    settle(group, A, B)
    assert group.state(B).damage == 0
    assert group.state(B).log.last_clock == group.state(A).log.last_clock
    assert group.state(A).progress[NodeId(B)].match_index == group.state(A).log.last_index
    assert not vote_of(group, B, C)
    assert vote_of(group, B, A)


def test_one_that_lost_nothing_the_leader_knows_of_is_repaired_too() -> None:
    group = led_by_a()
    damaged(group, B, keep=10)
    settle(group, A, B)
    assert group.state(B).damage == 0


def test_what_it_acknowledged_before_is_not_counted_any_more() -> None:
    """Else the leader would commit, after it answered, what the damaged replica has not."""
    group = Group(A, B, C)
    group.elect(A)
    before = group.state(A).commit_index
    group.propose(A, b"on its way")
    only(group, A, B)
    group.deliver()
    group.save(B)  # B has acknowledged; the leader's own disk has not answered yet.
    answers = [message for _, message in group.bag if isinstance(message, AppendResponse)]
    assert answers
    settle(group, B)
    group.tell(A, answers[0])
    damaged(group, B, keep=before)
    while group.bag or group.replicas[NodeId(B)].saves:  # Only A's disk stands still.
        group.save(B)
        only(group, A, B)
        if group.bag:
            group.deliver()
        if group.state(A).progress[NodeId(B)].repairs == QUESTION:
            break
    assert group.state(A).progress[NodeId(B)].match_index < group.state(A).log.last_index
    group.save(A)
    assert group.state(A).commit_index == before


def test_a_leader_that_has_committed_nothing_of_its_term_repairs_nobody() -> None:
    """It does not know yet what is committed (§6.4): here, what only it and the damaged had."""
    group = led_by_a()
    promised = group.state(A).log.last_index
    group.crash(A)
    group.restart(A)  # It forgot how far it had committed.
    damaged(group, B, keep=1)
    state = group.state(A)
    request = AppendRequest(
        sender=NodeId(A),
        group=state.group,
        term=state.current_term + 1,
        prev_clock=group.state(B).log.last_clock,
        entries=state.log.range(2, 1),
        commit_index=1,
        repairs=QUESTION,
    )
    group.tell(B, request)
    group.save(B)
    assert group.state(B).damage == QUESTION
    assert group.state(B).log.last_index < promised


def test_an_answer_to_an_earlier_life_repairs_nothing() -> None:
    group = led_by_a()
    damaged(group, B, keep=1, question=QUESTION)
    settle(group, A, B)
    damaged(group, B, keep=1, question=QUESTION + 1)
    state = group.state(A)
    request = AppendRequest(
        sender=NodeId(A),
        group=state.group,
        term=state.current_term,
        prev_clock=group.state(B).log.last_clock,
        entries=state.log.range(2, state.commit_index),
        commit_index=state.commit_index,
        repairs=QUESTION,
    )
    group.tell(B, request)
    assert group.state(B).damage == QUESTION + 1
    settle(group, A, B)
    assert group.state(B).damage == 0


def test_that_it_is_repaired_is_saved_with_the_entries_that_repair_it() -> None:
    group = led_by_a()
    damaged(group, B, keep=1)
    saves = group.replicas[NodeId(B)].saves
    while group.state(B).damage:
        only(group, A, B)
        group.deliver()
    assert [save.repaired for save in saves] == [False] * (len(saves) - 1) + [True]
    assert saves[-1].entries is not None
    group.save(B)
    group.propose(A, b"more")
    only(group, A, B)
    group.deliver()
    assert not any(save.repaired for save in saves), "once"
