"""Chapter 6, section 6.4: processing read-only queries more efficiently."""

from __future__ import annotations

from lolraft.multiraft.frames import Frame, RequestKind
from lolraft.raft.effects import Code, ConfirmLeadership, Effect, Save, ServeRead
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    LeadershipConfirmed,
    Propose,
    ReadIndex,
)
from lolraft.raft.types import EntryKind, Index, NodeId, Ticket
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.paper.node import PaperNode
from tests.paper.replica import FIVE, GROUP, P2, P3, P4, Paper, answers, sent
from tests.simulation.stage import Stage

READ, LOCAL, WRITE = RequestKind.READ, RequestKind.READ_LOCAL, RequestKind.WRITE
COMMAND = Propose(tickets=(9,), payloads=(b"x",))


def confirm(one: Paper, round_: int, terms_ago: int = 0) -> list[Effect]:
    """Let a majority have acknowledged a heartbeat that was sent after *round_* began."""
    term = one.state.current_term - terms_ago
    return one.tell(LeadershipConfirmed(round_=round_, term=term))


def served(effects: list[Effect]) -> list[tuple[Ticket, Index]]:
    """Return which reads may be served, each with its index."""
    return [(item.ticket, item.index) for item in effects if isinstance(item, ServeRead)]


def rounds(effects: list[Effect]) -> list[int]:
    """Return the rounds of heartbeats that are asked for."""
    return [item.round_ for item in effects if isinstance(item, ConfirmLeadership)]


# --- without the log -----------------------------------------------------------------------------


def test_a_query_bypasses_the_log() -> None:
    """§6.4: read-only queries bypass the Raft log: no entry, no synchronous disk write."""
    one = Paper(1).settled()
    before = one.terms()
    effects = one.tell(ReadIndex(ticket=1)) + confirm(one, 1)
    assert served(effects) == [(1, 3)]
    assert not [item for item in effects if isinstance(item, Save)]
    assert not sent(effects, AppendRequest)
    assert one.terms() == before


def test_who_does_not_lead_redirects_a_query() -> None:
    """§6.4 (figure 6.1): reply NOT_LEADER if not leader, providing a hint when available."""
    (answer,) = answers(Paper(1).follow(P2).tell(ReadIndex(ticket=1)))
    assert (answer.code, answer.leader_id) == (Code.UNAVAILABLE, P2)


# --- step 1 --------------------------------------------------------------------------------------


def test_a_leader_that_has_committed_nothing_of_its_term_waits() -> None:
    """§6.4, step 1: it waits until it has marked an entry from its current term committed."""
    one = Paper(1, 1).leader()
    effects = one.tell(ReadIndex(ticket=1))
    assert (rounds(effects), served(effects), answers(effects)) == ([], [], [])
    assert served(confirm(one, 1)) == [], "not even once a majority has acknowledged it"


def test_the_wait_ends_with_the_no_op() -> None:
    """§6.4, step 1: each leader commits a blank no-op entry at the start of its term."""
    one = Paper(1, 1).leader()
    assert one.state.log.kind_at(4) is EntryKind.BARRIER
    one.tell(ReadIndex(ticket=1))
    assert rounds(one.tell(one.holds(P2))) == [1]
    assert served(confirm(one, 1)) == [(1, 4)]


def test_its_commit_index_is_then_as_large_as_any() -> None:
    """§6.4, step 1: as soon as it is committed, it is at least as large as any other server's."""
    one = Paper(1, 1, 1, voters=FIVE)  # An earlier leader may have told others: 4 is committed.
    one.leader()
    one.tell(ReadIndex(ticket=1))
    assert one.state.commit_index < 4
    one.tell(one.holds(P2, 4))
    one.tell(one.holds(P3, 4))
    assert one.state.commit_index < 4, "it cannot know yet"
    assert served(confirm(one, 1)) == []
    one.tell(one.holds(P2))
    one.tell(one.holds(P3))
    ((_, index),) = served(confirm(one, 1))
    assert index >= 4


def test_a_query_that_waits_is_refused_when_leadership_is_lost() -> None:
    """§6.2: a leader that cannot go on says so, so that clients retry with another server."""
    one = Paper(1).leader()
    one.tell(ReadIndex(ticket=1))
    higher = AppendResponse(sender=P2, group=GROUP, term=9, success=False)
    (answer,) = answers(one.tell(higher))
    assert (answer.ticket, answer.code) == (1, Code.UNAVAILABLE)


# --- step 2 --------------------------------------------------------------------------------------


def test_the_read_index_is_the_commit_index_of_now() -> None:
    """§6.4, step 2: the leader saves its current commit index in a local variable readIndex."""
    one = Paper(1).settled()
    one.tell(ReadIndex(ticket=1))
    one.tell(COMMAND)
    one.save()
    one.tell(one.holds(P2))
    assert one.state.commit_index == 4
    assert served(confirm(one, 1)) == [(1, 3)], "a lower bound: what came later need not be seen"


def test_a_later_query_has_a_later_read_index() -> None:
    """§6.4, step 2: ... its *current* commit index."""
    one = Paper(1).settled()
    one.tell(ReadIndex(ticket=1))
    one.tell(COMMAND)
    one.save()
    one.tell(one.holds(P2))
    one.tell(ReadIndex(ticket=2))
    assert served(confirm(one, 2)) == [(1, 3), (2, 4)]


def test_what_is_only_appended_is_not_in_it() -> None:
    """§6.4, step 2: ... its current *commit* index."""
    one = Paper(1).settled()
    one.tell(COMMAND)
    one.tell(ReadIndex(ticket=1))
    assert served(confirm(one, 1)) == [(1, 3)]


# --- step 3 --------------------------------------------------------------------------------------


def test_a_leader_makes_sure_that_it_has_not_been_superseded() -> None:
    """§6.4, step 3: it issues a new round of heartbeats ..."""
    one = Paper(1).settled()
    effects = one.tell(ReadIndex(ticket=1))
    assert (rounds(effects), served(effects)) == ([1], [])


def test_the_round_goes_out_at_once() -> None:
    """§6.4, step 3: ... a *new* round: the query does not wait for the next interval."""
    node = PaperNode().settled()
    node.beats.clear()
    node.ask(READ)
    assert [peer for peer, _ in node.beats] == [P2, P3]
    assert not any(beat.is_beat for _, beat in node.beats), "PROTOCOL L4: it says what it is"


def test_it_waits_for_the_acknowledgments_of_a_majority() -> None:
    """§6.4, step 3: ... and waits for their acknowledgments from a majority of the cluster."""
    node = PaperNode(voters=FIVE).settled()
    ticket = node.ask(READ)
    node.ack(P2)
    assert ticket not in node.answers, "two of five"
    node.ack(P3)
    assert node.answers[ticket].code is Code.OK


def test_an_ack_that_comes_twice_counts_once() -> None:
    """§6.4, step 3: ... from a majority of the *cluster*."""
    node = PaperNode(voters=FIVE).settled()
    ticket = node.ask(READ)
    node.ack(P4)
    node.ack(P4)
    assert ticket not in node.answers


def test_an_ack_of_a_heartbeat_from_before_does_not_count() -> None:
    """§6.4, step 3: no greater term existed at the moment it *sent* the heartbeats."""
    node = PaperNode().settled()
    early = [node.last_beat(peer) for peer in node.peers]
    ticket = node.ask(READ)
    for peer, beat in zip(node.peers, early, strict=True):
        node.ack(peer, beat)
    assert ticket not in node.answers
    node.ack(P2)
    assert ticket in node.answers


def test_an_acknowledgment_is_of_this_shards_leader() -> None:
    """§6.4, step 3: ours beats once for all shards, so an ack must hold the claim (S13)."""
    node = PaperNode().settled()
    before = node.last_beat(P2).ledger_version
    assert before > 1, "the claim was news"
    ticket = node.ask(READ)
    node.ack(P2, version=before - 1)
    assert ticket not in node.answers


def test_who_objects_acknowledges_nothing() -> None:
    """§6.4, step 3: ... that it has not been superseded by a newer leader; ours: L6."""
    node = PaperNode().settled()
    ticket = node.ask(READ)
    node.ack(P2, objects_in=0)
    assert ticket not in node.answers
    node.ack(P3, objects_in=node.state.current_term + 1)
    assert node.state.leadership is None
    assert node.answers[ticket].code is Code.UNAVAILABLE


def test_a_round_confirms_no_later_query() -> None:
    """§6.4, step 3: for each query the heartbeats were sent after its readIndex was saved."""
    one = Paper(1).settled()
    one.tell(ReadIndex(ticket=1))
    one.tell(ReadIndex(ticket=2))
    assert served(confirm(one, 1)) == [(1, 3)]
    assert served(confirm(one, 2)) == [(2, 3)]


def test_a_round_of_an_earlier_term_confirms_nothing() -> None:
    """§6.4, step 3: the leader of another term was acknowledged."""
    one = Paper(1).settled()
    one.tell(ReadIndex(ticket=1))
    assert served(confirm(one, 1, terms_ago=1)) == []


def test_a_leader_that_was_superseded_serves_nothing() -> None:
    """§6.4: if the cluster has elected a new leader, the old one would return stale data."""
    stage = Stage(Plan(seed=1))
    old = stage.leader()
    stage.world.network.put(stage.world_links(old), Rule(cut=True))
    ticket = stage.ask(old, READ, "k")
    stage.until(lambda: stage.leads() is not None and stage.leader() is not old)
    stage.write(stage.leader(), "new")
    assert stage.told(ticket).code is Code.UNAVAILABLE


def test_one_round_is_for_any_number_of_queries() -> None:
    """§6.4: a single round of heartbeats for any number of queries that it has accumulated."""
    node = PaperNode().settled()
    node.beats.clear()
    first = node.ask(READ)
    others = [node.ask(READ) for _ in range(20)]
    assert len(node.beats) == 2, "while a round is out, queries gather"
    node.ack(P2)
    assert first in node.answers
    assert len(node.beats) == 4, "one more, for all that gathered"
    node.ack(P2)
    assert all(node.answers[ticket].code is Code.OK for ticket in others)


# --- steps 4 and 5 -------------------------------------------------------------------------------


def test_the_state_machine_must_have_come_so_far() -> None:
    """§6.4, step 4: the leader waits for its state machine to advance as far as readIndex."""
    node = PaperNode().settled()
    node.app_is_busy = True
    node.write()
    ticket = node.ask(READ)
    node.ack(P2)
    index = node.state.commit_index
    assert node.asked_of_app == [("write", index), ("read", index)], "one queue, in order (S9)"
    assert ticket not in node.answers
    node.free_app()
    assert node.answers[ticket].message == b"%d" % index


def test_a_query_waits_for_entries_that_the_app_has_no_room_for() -> None:
    """§6.4, step 4: ... at least as far, also where entries still wait in the log."""
    node = PaperNode(apply_entries=1).settled()
    node.app_is_busy = True
    node.write()
    node.write()
    node.ask(READ)
    node.ack(P2)
    assert [what for what, _ in node.asked_of_app] == ["write"]
    node.free_app()
    assert [what for what, _ in node.asked_of_app] == ["write", "write", "read"]


def test_the_query_is_answered_from_the_state_machine() -> None:
    """§6.4, step 5: finally it issues the query against its state machine and replies."""
    node = PaperNode().settled()
    write, read = node.write(), node.ask(READ)
    node.ack(P2)
    assert node.answers[write].message == b"done at 3"
    assert (node.answers[read].code, node.answers[read].message) == (Code.OK, b"3")


# --- followers -----------------------------------------------------------------------------------


def cut_entries(stage: Stage, follower: SimNode) -> int:
    """Let *follower* hear of everything but its shard's entries; return the rule's number."""
    links = [(stage.leader().node_id, follower.node_id)]
    return stage.world.network.put(links, Rule(shard_id=0, drop=1.0))


def test_a_follower_asks_the_leader_for_a_read_index() -> None:
    """§6.4: the follower issues a request that just asks for a current readIndex (steps 1-3)."""
    node = PaperNode().settled()
    ticket = node.ask(RequestKind.READ_INDEX)
    assert ticket not in node.answers, "the leader executes steps 1 to 3 for it"
    node.ack(P2)
    assert node.answers[ticket].message == b"2"
    assert node.asked_of_app == [], "and not steps 4 and 5"


def test_the_follower_executes_steps_4_and_5_itself() -> None:
    """§6.4: it then executes steps 4 and 5 on its own state machine."""
    stage = Stage(Plan(seed=2))
    follower = stage.followers()[0]
    rule = cut_entries(stage, follower)
    stage.write(stage.leader(), "w")
    answer = stage.ask(follower, LOCAL, "k")
    stage.run(0.3)
    assert not answer, "step 4: it has not applied up to readIndex"
    stage.world.network.take(rule)
    assert (stage.told(answer).code, stage.told(answer).message) == (Code.OK, b"w")


def test_one_read_index_is_for_any_number_of_queries() -> None:
    """§6.4: ... for any number of accumulated read-only queries."""
    stage = Stage(Plan(seed=3))
    follower = stage.followers()[0]
    network, forwards = stage.world.network, list[RequestKind]()
    look = network.on_frame

    def on_frame(node: SimNode, peer: NodeId, frame: Frame) -> None:
        forwards.extend(forward.kind for forward in frame.forwards)
        look(node, peer, frame)

    network.on_frame = on_frame
    answers = [stage.ask(follower, LOCAL, "k") for _ in range(20)]
    assert all(stage.told(answer).code is Code.OK for answer in answers)
    assert forwards == [RequestKind.READ_INDEX]
