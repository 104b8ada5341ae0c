"""Logs that rot while the node is down: nothing committed is lost, and each is repaired (S12)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lolraft.multiraft.events import FrameArrived
from lolraft.multiraft.frames import Frame
from lolraft.raft.events import AppendResponse
from lolraft.sim import Plan, World
from lolraft.sim.faults import Nemesis
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage

KINDS = ("damaged_log", "damaged_log", "crash", "isolate", "slow_disk", "timeout_now")


def test_a_majority_with_a_damaged_log_elects_nobody_who_lacks_a_commit() -> None:
    stage = Stage(Plan(seed=1))
    leader, (kept, behind) = stage.leader(), stage.followers()
    cuts = [
        stage.world.network.put(stage.links(behind, other), Rule(cut=True))
        for other in (leader, kept)
    ]
    stage.write(leader, "acknowledged")  # By the leader and one follower.
    kept.crash()
    leader.crash()
    kept.disk.damage(0, 1)
    for rule in cuts:
        stage.world.network.take(rule)
    kept.start()
    stage.run(20.0)
    assert stage.leads() is None, "two of three live, and none of them has what was acknowledged"
    assert kept.disk.shard(0).damaged
    leader.start()
    stage.until(stage.leads)
    stage.until(lambda: not kept.disk.shard(0).damaged)
    assert kept.disk.shard(0).entries == leader.disk.shard(0).entries
    # It votes again: with the other one it goes on alone.
    leader.crash()
    stage.until(lambda: stage.leads() and stage.leader() is not leader)


def test_a_damaged_replica_that_lost_all_of_its_log_waits_for_the_leader() -> None:
    stage = Stage(Plan(seed=2))
    follower = stage.followers()[0]
    follower.crash()
    follower.disk.damage(0, 0)
    follower.start()
    stage.until(lambda: not follower.disk.shard(0).damaged)
    assert stage.state(follower).group == stage.state(stage.leader()).group


@pytest.mark.parametrize("first", range(20_000, 20_024, 4))
def test_promises_hold_while_logs_rot(first: int) -> None:
    struck = 0
    for seed in range(first, first + 4):
        plan = replace(
            Plan.of_seed(seed, shards=1),
            siege_s=0.0,
            nodes=3 + 2 * (seed % 2),
            spares=0,
            kinds=KINDS,
            strike_s=0.3,
            grows=False,
            leaves_dead=False,
        )
        world = World(plan)
        world.run()
        struck += sum("damaged_log" in kind for kind in nemesis_of(world).done)
        assert not any(node.disk.shard(0).damaged for node in world.nodes.values())
    assert struck


def nemesis_of(world: World) -> Nemesis:
    assert world.nemesis is not None
    return world.nemesis


def test_a_frame_of_an_earlier_life_is_void_before_a_beat_tells() -> None:
    """Frames and beats come by different streams: what a frame says of a new life counts."""
    stage = Stage(Plan(seed=3))
    leader, follower = stage.leader(), stage.followers()[0]
    stage.world.network.put(stage.links(leader, follower), Rule(cut=True))
    stage.write(leader, "absent")
    state, record = stage.state(leader), follower.disk.rows.node
    assert record is not None
    before = state.progress[follower.node_id].match_index
    assert before < state.log.last_index
    claims_more = AppendResponse(
        sender=follower.node_id,
        group=state.group,
        term=state.current_term,
        success=True,
        match_index=state.log.last_index,
    )
    for epoch, messages in ((record.epoch + 1, ()), (record.epoch, ((0, claims_more),))):
        frame = Frame(
            sender=follower.node_id,
            incarnation=record.incarnation,
            epoch=epoch,
            messages=messages,
        )
        leader.post(FrameArrived(frame=frame))
        stage.run(0.05)
    assert state.progress[follower.node_id].match_index == before
