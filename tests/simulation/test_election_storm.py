"""Hundreds of shards lose their leader at once, and elections come in waves (L8)."""

from __future__ import annotations

from lolraft.multiraft.waves import STANDING
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from tests.simulation.stage import Stage

SHARDS = 400
SOME_HUNDRED = 100


def standing(node: SimNode) -> int:
    assert node.machine is not None
    return sum(shard.state.role in STANDING for shard in node.machine.node.shards.values())


def test_a_node_has_at_most_some_hundred_elections_in_flight() -> None:
    """Rounds would be lost for want of an answer in time, and each lost one is asked again."""
    shards = tuple(range(SHARDS))
    stage = Stage(Plan(seed=31, nodes=3, spares=0, shards=shards, latency_s=0.06))
    nodes = list(stage.world.nodes.values())
    for node in nodes:
        node.crash()
    for node in nodes:
        node.start()
    most = 0

    def all_led() -> bool:
        nonlocal most
        most = max(most, *map(standing, nodes))
        assert most <= SOME_HUNDRED
        return all(stage.leads(shard_id) for shard_id in shards)

    clock = stage.world.clock
    until_s = clock.now_s + 10.0
    while not all_led():
        assert clock.now_s < until_s, "elections end"
        clock.run(clock.now_s + 0.001)
    assert most > SOME_HUNDRED // 2, "there was a storm"
