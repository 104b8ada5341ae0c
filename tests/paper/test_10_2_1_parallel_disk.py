"""Chapter 10, section 10.2.1: writing to the leader's disk in parallel."""

from __future__ import annotations

from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    Propose,
    Saved,
    VoteRequest,
    VoteResponse,
)
from tests.paper.node import PaperNode, grant
from tests.paper.replica import FIVE, P2, P3, P4, Paper, append, applied, saved, sent, vote

COMMAND = Propose(tickets=(1,), payloads=(b"x",))
WRITE = RequestKind.WRITE

# --- the leader ----------------------------------------------------------------------------------


def test_the_leader_writes_and_replicates_in_parallel() -> None:
    """§10.2.1: it can write to its disk in parallel with replicating to the followers."""
    one = Paper(1).settled()
    effects = one.tell(COMMAND)
    assert saved(effects) is not None
    assert [request.entries.payloads for request in sent(effects, AppendRequest)] == [(b"x",)] * 2


def test_replication_does_not_wait_for_the_disk() -> None:
    """§10.2.1: ... and waiting for its own disk is no part of the way to the followers."""
    node = PaperNode().settled()
    node.disk_is_stuck = True
    node.letters.clear()
    for index in (3, 4):
        node.letters.clear()
        node.ask(WRITE, b"x")
        appends = [(to, m.entries.first) for to, m in node.letters if isinstance(m, AppendRequest)]
        assert appends == [(P2, index), (P3, index)], "nor for a write that has not ended"


def test_the_leader_counts_itself_when_its_write_is_done() -> None:
    """§10.2.1: it may not count its own entry towards the majority before it is on its disk."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    assert applied(one.tell(one.holds(P2))) == [], "one of three disks"
    assert applied(one.save()) == [4]


def test_the_leader_may_commit_before_its_own_write_is_done() -> None:
    """§10.2.1: it may even commit an entry before it has been written to its own disk, if a
    majority of followers have written it to theirs."""
    one = Paper(1, voters=FIVE).settled()
    one.tell(COMMAND)
    one.tell(one.holds(P2))
    assert applied(one.tell(one.holds(P3))) == [], "two of five disks"
    assert applied(one.tell(one.holds(P4))) == [4], "three, and its own is none of them"


def test_its_client_is_answered_then() -> None:
    """§10.2.1: this is still safe: the entry is on a majority, whatever becomes of the leader."""
    node = PaperNode().settled()
    node.disk_is_stuck = True
    ticket = node.ask(WRITE, b"x")
    node.holds(P2)
    assert ticket not in node.answers
    node.holds(P3)
    assert node.answers[ticket].code is Code.OK


def test_a_write_that_is_done_covers_no_later_entry() -> None:
    """§10.2.1: ours: writes are numbered, and one that ends says which entries it held (S1)."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    first = one.state.saved_number
    one.tell(Propose(tickets=(2,), payloads=(b"y",)))
    one.tell(one.holds(P2))
    assert applied(one.tell(Saved(number=first))) == [4], "entry 5 is on one disk only"


# --- who may not ---------------------------------------------------------------------------------


def test_a_follower_answers_when_its_write_is_done() -> None:
    """§10.2.1: only the leader's write is off the path; the dissertation's figure 10.3 shows that
    followers write to their disks before they answer."""
    node = PaperNode().follows(P2)
    node.disk_is_stuck = True
    node.letters.clear()
    node.say(P2, append(P2, 1, (0, 1), 1))
    assert not [item for _, item in node.letters if isinstance(item, AppendResponse)]
    node.free_disk()
    (answer,) = [item for _, item in node.letters if isinstance(item, AppendResponse)]
    assert (answer.success, answer.match_index) == (True, 2)


def test_an_answer_waits_for_earlier_writes_too() -> None:
    """§10.2.1: ours: what changes nothing itself is said behind what is not durable yet (S1)."""
    node = PaperNode().follows(P2)
    node.disk_is_stuck = True
    node.letters.clear()
    node.say(P2, append(P2, 1, (0, 1), 1))
    node.say(P2, append(P2, 1, (0, 1), 1))
    assert not [item for _, item in node.letters if isinstance(item, AppendResponse)]


def test_a_follower_applies_when_its_write_is_done() -> None:
    """§10.2.1: ours: what a follower was told is committed it applies from its own disk's log."""
    node = PaperNode().follows(P2)
    node.disk_is_stuck = True
    node.say(P2, append(P2, 1, (0, 1), 1, commit=2))
    assert node.asked_of_app == []
    node.free_disk()
    assert node.asked_of_app == [("write", 2)]


def test_a_vote_waits_for_the_disk() -> None:
    """§10.2.1, §3.8: terms and votes are not written in parallel with anything."""
    node = PaperNode()
    node.disk_is_stuck = True
    node.say(P3, vote(P3, 1, (0, 1)))
    assert not [item for _, item in node.letters if isinstance(item, VoteResponse)]
    node.free_disk()
    (answer,) = [item for _, item in node.letters if isinstance(item, VoteResponse)]
    assert answer.granted


def test_who_stands_waits_for_the_disk() -> None:
    """§10.2.1, §3.8: nobody hears of a term before the vote for oneself in it is durable (S3)."""
    node = PaperNode()
    node.disk_is_stuck = True
    for peer in node.peers:
        node.say(peer, grant(peer, node.next_request(pre_vote=True)))
    assert node.state.current_term == 1
    assert not [m for _, m in node.letters if isinstance(m, VoteRequest) and not m.pre_vote]
    node.free_disk()
    assert [m for _, m in node.letters if isinstance(m, VoteRequest) and not m.pre_vote]
