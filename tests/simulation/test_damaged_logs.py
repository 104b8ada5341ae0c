"""Logs that rot while the node is down: nothing committed is lost, and each is repaired (S12)."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
