"""Registered sessions on a calm stage: what chance seldom brings together (§6.3, PROTOCOL S10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lolraft.errors import ConfigError
from lolraft.multiraft.commands import Registration, RequestId, WriteId
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import SnapshotArrived
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.machine import NodeMachine
from lolraft.raft.effects import Code
from lolraft.sim import Plan
from lolraft.sim.app import Registers
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage

NONCE = Registration(b"sixteen bytes...")


def write(stage: Stage, node: SimNode, name: str, request_id: RequestId) -> list[Respond | None]:
    return stage.ask(node, RequestKind.WRITE, f"{name} k {name}", request_id)


def register(stage: Stage, node: SimNode, nonce: Registration = NONCE) -> int:
    answer = stage.told(stage.ask(node, RequestKind.WRITE, "", nonce))
    assert answer.code is Code.OK
    return int(answer.message)


def executed(stage: Stage, node: SimNode) -> dict[str, int]:
    """Return how often each write was executed, once *node* has applied all."""
    leader = stage.leader()
    assert leader.machine is not None
    last = stage.state(leader).log.last_index
    assert node.machine is not None
    shard = node.machine.node.shards[0]
    stage.until(lambda: shard.applied_index >= last)
    app = node.queues[0].app
    assert isinstance(app, Registers)
    return app.executed


def test_a_copy_that_comes_after_it_was_given_up_is_not_executed() -> None:
    stage = Stage(Plan(seed=1))
    leader = stage.leader()
    session = register(stage, leader)
    later = write(stage, leader, "later", WriteId(session, 8, 8))
    late = write(stage, leader, "late", WriteId(session, 1, 1))
    assert stage.told(later).code is Code.OK
    assert stage.told(late).code is Code.OUT_OF_RANGE
    again = write(stage, leader, "late", WriteId(session, 2, 2))
    assert stage.told(again).code is Code.OUT_OF_RANGE
    for node in stage.world.nodes.values():
        assert executed(stage, node) == {"later": 1}


def test_two_copies_at_once_are_one_write_with_one_answer() -> None:
    stage = Stage(Plan(seed=2))
    leader, follower = stage.leader(), stage.followers()[0]
    session = register(stage, leader)
    copies = [
        stage.ask(node, RequestKind.WRITE, "a + 5", WriteId(session, 1, 1))
        for node in (leader, follower, leader)
    ]
    assert {stage.told(copy).message for copy in copies} == {b"5"}
    assert executed(stage, leader) == {"a": 1}


def test_a_registration_by_two_ways_is_one_session() -> None:
    stage = Stage(Plan(seed=3))
    leader, follower = stage.leader(), stage.followers()[0]
    both = [stage.ask(node, RequestKind.WRITE, "", NONCE) for node in (leader, follower)]
    assert stage.told(both[0]).message == stage.told(both[1]).message
    stage.write(leader, "between")
    leader.crash()
    stage.until(lambda: stage.leads() is not None and stage.leader() is not leader)
    assert register(stage, stage.leader()) == int(stage.told(both[0]).message)
    assert register(stage, stage.leader(), Registration(b"another client..")) > 0


def test_a_session_expires_at_the_same_entry_on_every_replica() -> None:
    stage = Stage(Plan(seed=4, session_entries=5))
    leader = stage.leader()
    session = register(stage, leader)
    for number in range(5):
        stage.write(leader, f"other{number}")
    expired = write(stage, leader, "never", WriteId(session, 1, 1))
    assert stage.told(expired).code is Code.OUT_OF_RANGE
    assert b"session expired" in stage.told(expired).message
    leader.crash()
    stage.until(lambda: stage.leads() is not None and stage.leader() is not leader)
    again = write(stage, stage.leader(), "never", WriteId(session, 1, 1))
    assert stage.told(again).code is Code.OUT_OF_RANGE
    assert "never" not in executed(stage, stage.leader())


def test_a_forwarded_write_of_a_session_is_repeated_by_its_client_only() -> None:
    """Its client counts the copies: told "expired" by the only one, it knows that nothing was."""
    stage = Stage(Plan(seed=5))
    leader, (follower, third) = stage.leader(), stage.followers()
    session = register(stage, leader)
    stage.world.network.put([(follower.node_id, leader.node_id)], Rule(kind="frame", drop=1))
    opaque = write(stage, follower, "opaque", "opaque")
    own = write(stage, follower, "own", WriteId(session, 1, 1))
    stage.run(0.1)
    stage.told(stage.ask(leader, RequestKind.TRANSFER, third.node_id))
    stage.until(lambda: stage.state(follower).leader_id == third.node_id)
    assert not opaque
    leader.crash()
    assert stage.told(opaque).code is Code.OK, "the node sends it to the new leader"
    assert stage.told(own).code is Code.UNAVAILABLE
    assert b"outcome unknown" in stage.told(own).message


def test_sessions_travel_in_a_snapshot() -> None:
    stage = Stage(Plan(seed=6, snapshot_entries=5, tail_entries=0))
    leader, behind = stage.leader(), stage.followers()[0]
    session = register(stage, leader)
    cut = stage.world.network.put(
        [link for node in stage.world.nodes.values() for link in stage.links(node, behind)],
        Rule(cut=True),
    )
    first = stage.told(write(stage, leader, "first", WriteId(session, 1, 1)))
    for number in range(12):
        stage.write(leader, f"w{number}")
    stage.until(lambda: all(stage.state(node).snapshot for node in stage.followers()[1:]))
    stage.world.network.take(cut)
    assert executed(stage, behind)["first"] == 1
    assert stage.world.counts["installed"] == 1
    stage.until(lambda: stage.state(behind).leader_id is not None)
    stage.told(stage.ask(leader, RequestKind.TRANSFER, behind.node_id))
    stage.until(lambda: stage.leads() is not None and stage.leader() is behind)
    again = stage.told(write(stage, behind, "first", WriteId(session, 1, 1)))
    assert (again.code, again.message) == (first.code, first.message)
    assert executed(stage, behind)["first"] == 1


def test_damaged_sessions_in_a_fetched_snapshot_are_told_and_not_installed() -> None:
    stage = Stage(Plan(seed=7, snapshot_entries=5))
    leader, follower = stage.leader(), stage.followers()[0]
    for number in range(8):
        stage.write(leader, f"w{number}")
    stage.until(lambda: stage.state(leader).snapshot is not None)
    meta = stage.state(leader).snapshot
    assert meta is not None
    later = meta.clock._replace(index=meta.clock.index + 10_000)
    follower.post(SnapshotArrived(shard_id=0, meta=replace(meta, clock=later, sessions=b"?" * 40)))
    stage.run(1.0)
    assert not stage.state(follower).stopped
    assert stage.world.counts["installed"] == 0
    stage.write(leader, "after")


def test_damaged_sessions_on_the_disk_are_an_error_with_advice() -> None:
    stage = Stage(Plan(seed=8, snapshot_entries=5))
    leader = stage.leader()
    for number in range(8):
        stage.write(leader, f"w{number}")
    rows = leader.disk.rows
    stage.until(lambda: rows.shards[0].snapshot is not None)
    record, snapshot = rows.shards[0], rows.shards[0].snapshot
    assert snapshot is not None
    assert rows.node is not None
    broken = replace(record, snapshot=replace(snapshot, sessions=snapshot.sessions[:-1]))
    with pytest.raises(ConfigError, match=r"shard 0: .*damaged.*add it again"):
        NodeMachine(rows.node, {0: broken}, config=leader.config, seed=1, now_s=0.0)
