"""Reads that a replica answers itself: what they contain, and that each gets one answer."""

from __future__ import annotations

import math
from dataclasses import replace

from lolraft.multiraft import beliefs
from lolraft.multiraft.events import AppFailed
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from lolraft.sim.world import ANSWER_S
from tests.simulation.stage import Stage

LOCAL, STALE = RequestKind.READ_LOCAL, RequestKind.READ_STALE


def reads_of(node: SimNode) -> list[bytes]:
    """Return where the reads that a node's app is asked will be noted."""
    noted: list[bytes] = []
    app = node.queues[0].app
    inner = app.process_read

    def process_read(message: bytes, index: int) -> bytes:
        noted.append(message)
        return inner(message, index)

    app.process_read = process_read  # type: ignore[method-assign]
    return noted


def test_a_follower_reads_its_own_app() -> None:
    stage = Stage(Plan(seed=1))
    leader, follower = stage.leader(), stage.followers()[0]
    at_leader, at_follower = reads_of(leader), reads_of(follower)
    stage.write(leader, "w")
    answer = stage.told(stage.ask(follower, LOCAL, "k"))
    assert (answer.code, answer.message) == (Code.OK, b"w")
    assert (at_leader, at_follower) == ([], [b"k"])


def test_a_follower_waits_until_it_has_applied_the_index() -> None:
    """The leader tells of the commit only after a while; the index is there earlier."""
    stage = Stage(Plan(seed=2))
    leader, follower = stage.leader(), stage.followers()[0]
    for number in range(5):
        stage.write_at_once(leader, f"w{number}")
        assert stage.told(stage.ask(follower, LOCAL, "k")).message == b"w%d" % number


def test_reads_of_one_turn_share_a_question() -> None:
    stage = Stage(Plan(seed=3))
    follower = stage.followers()[0]
    assert follower.machine is not None
    before = follower.machine.node.next_number
    answers = [stage.ask(follower, LOCAL, "k") for _ in range(20)]
    assert all(stage.told(answer).code is Code.OK for answer in answers)
    assert follower.machine.node.next_number == before + 1


def test_a_read_takes_no_index_that_was_asked_before_it_came() -> None:
    stage = Stage(Plan(seed=4))
    leader, (follower, other) = stage.leader(), stage.followers()
    links = [(leader.node_id, follower.node_id)]
    stage.world.network.put(links, Rule(kind="frame", delay_s=0.3))
    first = stage.ask(follower, LOCAL, "k")
    stage.run(0.05)  # The index is on its way back.
    stage.write(leader, "w")
    assert stage.state(other).commit_index >= stage.state(follower).commit_index
    second = stage.ask(follower, LOCAL, "k")
    assert stage.told(first).message == b""
    assert stage.told(second).message == b"w"


def test_a_question_to_a_lost_leader_is_asked_again() -> None:
    stage = Stage(Plan(seed=6))
    leader, follower = stage.leader(), stage.followers()[0]
    stage.write(leader, "w")
    others = [node.node_id for node in stage.followers()]
    stage.world.network.put([(leader.node_id, other) for other in others], Rule(drop=1.0))
    answer = stage.told(stage.ask(follower, LOCAL, "k"), ANSWER_S - 1.0)
    assert (answer.code, answer.message) == (Code.OK, b"w")


def test_a_follower_alone_says_that_it_has_no_leader() -> None:
    stage = Stage(Plan(seed=7))
    leader, follower = stage.leader(), stage.followers()[0]
    stage.world.network.put(stage.world_links(follower), Rule(cut=True))
    stage.until(lambda: stage.state(follower).leader_id is None)
    answers = stage.ask(follower, LOCAL, "k")
    assert stage.told(answers).code is Code.UNAVAILABLE
    stage.run(5.0)
    assert len(answers) == 1
    assert leader.machine is not None
    assert not leader.machine.node.requests
    assert follower.machine is not None
    assert not follower.machine.node.requests
    assert not follower.machine.node.reading


def without_entries(seed: int) -> tuple[Stage, SimNode]:
    """Return a follower that hears of everything but its shard's entries, which are there."""
    stage = Stage(Plan(seed=seed))
    leader, follower = stage.leader(), stage.followers()[0]
    links = [(leader.node_id, follower.node_id)]
    stage.world.network.put(links, Rule(shard_id=0, drop=1.0))
    stage.write(leader, "w")
    return stage, follower


def test_reads_that_wait_at_a_replica_that_stops_are_answered() -> None:
    stage, follower = without_entries(8)
    answers = stage.ask(follower, LOCAL, "k")
    stage.run(0.2)
    assert not answers
    follower.post(AppFailed(shard_id=0, index=2, reason="broken on purpose"))
    answer = stage.told(answers, 0.1)
    assert answer.code is Code.UNAVAILABLE
    assert b"has stopped" in answer.message
    stage.run(5.0)
    assert len(answers) == 1


def test_a_read_does_not_wait_for_ever_for_entries() -> None:
    stage, follower = without_entries(15)
    answers = stage.ask(follower, LOCAL, "k")
    stage.run(ANSWER_S - 0.5)
    assert not answers
    assert b"did not catch up" in stage.told(answers, 1.0).message


def test_a_read_at_a_replica_that_installs_a_snapshot_waits_for_it() -> None:
    stage = Stage(Plan(seed=9, snapshot_entries=5, tail_entries=0, pieces=20))
    leader, behind = stage.leader(), stage.followers()[0]
    cut = stage.world.network.put(stage.world_links(behind), Rule(cut=True))
    for number in range(12):
        stage.write(leader, f"w{number}")
    stage.until(lambda: stage.state(leader).log.base.index > 5)
    stage.world.network.take(cut)
    stage.until(lambda: stage.state(behind).fetching is not None)
    answer = stage.told(stage.ask(behind, LOCAL, "k"))
    assert (answer.code, answer.message) == (Code.OK, b"w11")


def test_a_leader_that_is_none_any_more_confirms_no_index() -> None:
    """Who believes in a deposed leader asks it; it cannot answer without a quorum."""
    stage = Stage(Plan(seed=10, nodes=5))
    leader, follower, *others = stage.leader(), *stage.followers()
    links = [
        link for side in (leader, follower) for other in others for link in stage.links(side, other)
    ]
    stage.world.network.put(links, Rule(cut=True))
    stage.until(lambda: stage.leads() is not None and stage.leader() in others)
    stage.write(stage.leader(), "w")
    answer = stage.told(stage.ask(follower, LOCAL, "k"))
    assert answer.code is Code.UNAVAILABLE


def test_a_round_that_is_wanted_in_the_step_that_ends_a_leadership_is_none() -> None:
    """It would wait for ever, and every later round of this node with it for the next beat."""
    stage = Stage(Plan(seed=10))
    follower = stage.followers()[0]
    assert follower.machine is not None
    node = follower.machine.node
    beliefs.want_round(node, node.shards[0], 1)
    assert (node.wants_round, node.confirming, len(node.shards[0].confirms)) == (False, set(), 0)


# --- stale reads ---------------------------------------------------------------------------------


def test_a_stale_read_needs_no_leader_while_its_proof_is_young() -> None:
    stage = Stage(Plan(seed=11))
    leader, follower = stage.leader(), stage.followers()[0]
    stage.write(leader, "w")
    assert stage.told(stage.ask(follower, STALE, "k", max_staleness_s=0.0)).message == b"w"
    stage.world.network.put(stage.world_links(follower), Rule(cut=True))
    stage.run(1.0)
    young = stage.told(stage.ask(follower, STALE, "k", max_staleness_s=2.0), 0.1)
    assert (young.code, young.message) == (Code.OK, b"w")
    stage.run(2.0)
    old = stage.told(stage.ask(follower, STALE, "k", max_staleness_s=2.0))
    assert old.code is Code.UNAVAILABLE
    assert b"cannot prove that its state is at most 2 s old" in old.message
    any_age = stage.told(stage.ask(follower, STALE, "k", max_staleness_s=math.inf), 0.1)
    assert (any_age.code, any_age.message) == (Code.OK, b"w")


def test_a_proof_is_as_old_as_its_question() -> None:
    stage = Stage(Plan(seed=12))
    leader, follower = stage.leader(), stage.followers()[0]
    links = [(leader.node_id, follower.node_id)]
    stage.world.network.put(links, Rule(kind="frame", delay_s=0.5))
    first = stage.ask(follower, STALE, "k", max_staleness_s=0.3)
    stage.run(0.1)
    stage.write(leader, "w")
    stage.until(lambda: first)
    second = stage.ask(follower, STALE, "k", max_staleness_s=0.3)
    assert stage.told(second).message == b"w"


def test_a_leader_proves_its_age_too() -> None:
    """A leader that is cut off serves what is stale only within the bound."""
    stage = Stage(Plan(seed=13))
    leader = stage.leader()
    stage.world.network.put(stage.world_links(leader), Rule(cut=True))
    stage.until(lambda: stage.leads() is not None and stage.leader() is not leader)
    stage.write(stage.leader(), "w")
    answer = stage.told(stage.ask(leader, STALE, "k", max_staleness_s=0.1))
    assert answer.code is Code.UNAVAILABLE


def test_too_many_reads_that_wait_are_refused() -> None:
    stage = Stage(Plan(seed=14))
    leader, follower = stage.leader(), stage.followers()[0]
    follower.crash()
    follower.config = replace(follower.config, waiting_requests=3)
    follower.start()
    stage.until(lambda: stage.state(follower).leader_id == leader.node_id)
    stage.world.network.put([(leader.node_id, follower.node_id)], Rule(kind="frame", drop=1.0))
    answers = [stage.ask(follower, LOCAL, "k") for _ in range(4)]
    assert stage.told(answers[3], 0.5).code is Code.RESOURCE_EXHAUSTED
    assert [stage.told(answer).code for answer in answers[:3]] == [Code.UNAVAILABLE] * 3
