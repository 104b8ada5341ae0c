"""Members and leaders of whole nodes, in virtual time: priorities, removals, probes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.wishes import Wish
from lolraft.raft.effects import Code
from lolraft.sim import Plan, World
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage


def prioritise(node: SimNode, priority: int) -> None:
    """Start a node anew with another priority, as its operator would."""
    node.crash()
    node.config = replace(node.config, priority=priority)
    node.start()


def leads(stage: Stage, node: SimNode, shard_id: int = 0) -> bool:
    state = stage.leads(shard_id)
    return state is not None and state.node_id == node.node_id


def change(stage: Stage, node: SimNode, wish: Wish) -> Code:
    answers = stage.ask(node, RequestKind.CHANGE_MEMBERS, wish.encode().decode())
    return stage.told(answers, 30.0).code


def test_a_leader_gives_way_to_a_higher_priority_once_and_for_all_its_shards() -> None:
    stage = Stage(Plan(seed=1, nodes=3, shards=tuple(range(8))))
    preferred, shards = stage.node(2), stage.world.plan.shards
    led = [s for s in shards if not leads(stage, preferred, s)]  # By the others.
    prioritise(preferred, 1)
    began_s = stage.world.clock.now_s
    stage.until(lambda: any(leads(stage, preferred, s) for s in led), 30.0)
    assert stage.world.clock.now_s - began_s >= 10.0, "not before all is calm"
    stage.until(lambda: all(leads(stage, preferred, s) for s in shards), 5.0)
    terms = {s: stage.state(preferred, s).current_term for s in shards}
    stage.write(stage.node(1), "after")
    stage.run(60.0)
    assert {s: stage.state(preferred, s).current_term for s in shards} == terms, "it stays there"


def test_who_avoids_leading_leads_where_no_other_can() -> None:
    stage = Stage(Plan(seed=2, nodes=3))
    avoids = stage.leader()
    others = stage.followers()
    prioritise(avoids, -1)
    stage.until(lambda: stage.leads() is not None)
    assert stage.leader() is not avoids
    voters = Wish.of([avoids.node_id])
    stage.told(stage.ask(stage.leader(), RequestKind.TRANSFER, avoids.node_id))
    stage.until(lambda: leads(stage, avoids))
    stage.until(lambda: any(leads(stage, node) for node in others), 30.0)  # It gives way again.
    assert change(stage, stage.leader(), voters._replace(others_leave=True)) is Code.OK
    stage.until(lambda: leads(stage, avoids))
    stage.write(avoids, "alone")
    stage.until(lambda: all(stage.state(node).is_silent for node in others))


def test_a_target_that_never_takes_over_is_asked_less_and_less_often() -> None:
    stage = Stage(Plan(seed=3, nodes=3))
    leader, preferred = stage.leader(), stage.followers()[0]
    prioritise(preferred, 1)
    stage.run(5.0)
    # `TimeoutNow` is lost, and nothing else: the shard is idle.
    link = (leader.node_id, preferred.node_id)
    stage.world.network.put([link], Rule(kind="frame", drop=1))
    asked: list[float] = []
    for _ in range(600):
        stage.run(0.5)
        assert leader.machine is not None
        last = leader.machine.node.gave_way.get(0)
        if last is not None and last[0] not in asked:
            asked.append(last[0])
    assert stage.leader() is leader
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert len(waits) >= 3
    assert waits[0] >= 10.0 - 1e-6
    assert all(after > 1.8 * before for before, after in pairwise(waits))


def hand_overs(node: SimNode) -> set[int]:
    assert node.machine is not None
    return set(node.machine.node.gave_way)


def test_a_target_whose_disk_hangs_is_left_alone() -> None:
    stage = Stage(Plan(seed=4, nodes=3, shards=(0, 1)))
    preferred = next(n for n in stage.world.nodes.values() if not leads(stage, n))
    leader = stage.leader()
    prioritise(preferred, 1)
    stage.run(3.0)
    preferred.disk.is_stuck = True
    stage.write(stage.leader(1), "w", 1)  # It has all of shard 0, which is idle.
    stage.run(30.0)
    assert leads(stage, leader)
    assert hand_overs(leader) == set()
    preferred.disk.move()
    stage.until(lambda: leads(stage, preferred), 30.0)


def test_a_target_that_lags_is_left_alone() -> None:
    stage = Stage(Plan(seed=5, nodes=3))
    leader, preferred = stage.leader(), stage.followers()[0]
    prioritise(preferred, 1)
    stage.run(3.0)
    link = (leader.node_id, preferred.node_id)
    lost = stage.world.network.put([link], Rule(kind="frame", drop=1))
    stage.write(leader, "w")
    stage.run(30.0)
    assert hand_overs(leader) == set()
    stage.world.network.take(lost)
    stage.until(lambda: leads(stage, preferred), 30.0)


def test_a_new_leader_is_given_ten_seconds() -> None:
    stage = Stage(Plan(seed=6, nodes=3))
    preferred = stage.node(1)
    prioritise(preferred, 1)
    stage.until(lambda: leads(stage, preferred), 30.0)
    stage.run(20.0)
    other = stage.followers()[0]
    stage.told(stage.ask(preferred, RequestKind.TRANSFER, other.node_id))
    stage.until(lambda: leads(stage, other))
    stage.run(9.0)
    assert leads(stage, other)
    stage.until(lambda: leads(stage, preferred), 5.0)


def test_a_leader_that_dies_while_it_removes_itself_cleans_up_when_it_is_back() -> None:
    stage = Stage(Plan(seed=5, nodes=3))
    leader = stage.leader()
    stage.ask(leader, RequestKind.REMOVE_SERVER, leader.node_id)
    while leader.node_id in stage.state(leader).configuration.members:
        stage.run(0.0001)
    stage.run(0.0005)  # Its disk has that too.
    leader.crash(keeps=True)
    stage.until(lambda: stage.leads() is not None)
    if leader.node_id in stage.state(stage.leader()).configuration.members:
        answers = stage.ask(stage.leader(), RequestKind.REMOVE_SERVER, leader.node_id)
        assert stage.told(answers).code is Code.OK
    leader.start()
    assert not stage.state(leader).is_silent, "its log is there"
    stage.until(lambda: stage.state(leader).is_silent, 20.0)
    stage.until(lambda: not leader.disk.snapshots.get(0))


def test_a_learner_that_was_away_when_it_was_removed_cleans_up() -> None:
    stage = Stage(Plan(seed=6, nodes=3, spares=1))
    learner = stage.node(4)
    assert change(stage, stage.leader(), Wish.of((), [learner.node_id])) is Code.OK
    learner.crash(keeps=True)
    assert change(stage, stage.leader(), Wish.of((), (), [learner.node_id])) is Code.OK
    stage.run(1.0)
    learner.start()
    assert not stage.state(learner).is_silent, "its log is there"
    stage.until(lambda: stage.state(learner).is_silent, 20.0)


def test_one_new_server_that_does_not_answer_is_enough_to_change_nothing() -> None:
    stage = Stage(Plan(seed=7, nodes=3, spares=2))
    here, dead = stage.node(4), stage.node(5)
    dead.crash()
    configuration = stage.state(stage.leader()).configuration
    wish = Wish.of([*configuration.voters, here.node_id, dead.node_id])
    assert change(stage, stage.leader(), wish) is Code.UNAVAILABLE
    assert stage.state(stage.leader()).configuration == configuration
    assert stage.state(here).is_silent
    dead.start()
    assert change(stage, stage.followers()[0], wish) is Code.OK  # Forwarded.
    assert len(stage.state(stage.leader()).configuration.voters) == 5


@pytest.mark.parametrize("seed", range(20_000, 20_006))
def test_promises_hold_while_members_change_all_the_time(seed: int) -> None:
    plan = replace(
        Plan.of_seed(seed),
        siege_s=0.0,
        kinds=("add", "crash", "remove", "transfer"),
        ambushes=("configuration",),
        strike_s=0.4,
        spares=2,
    )
    World(plan).run()
