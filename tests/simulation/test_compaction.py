"""Compaction keeps a tail for a follower that is slow, and none for one that is dead (§5.1)."""

from __future__ import annotations

from lolraft.multiraft.effects import RunFetch
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage


def snapshot_of(stage: Stage, node: SimNode) -> int:
    """Return the index of the replica's newest complete snapshot, 0 without one."""
    snapshot = stage.state(node).snapshot
    return 0 if snapshot is None else snapshot.clock.index


def write_many(stage: Stage, count: int) -> None:
    for number in range(count):
        stage.write(stage.leader(), f"w{number}")


def test_a_slow_follower_finds_its_entries_in_the_tail() -> None:
    stage = Stage(Plan(seed=1, snapshot_entries=5, tail_entries=1000))
    leader, slow = stage.leader(), stage.followers()[0]
    links = [(leader.node_id, slow.node_id)]
    rule = stage.world.network.put(links, Rule(kind="frame", drop=1.0))  # Its beats go on.
    write_many(stage, 20)
    stage.until(lambda: snapshot_of(stage, leader) > 10)
    held = stage.state(leader).progress[slow.node_id].match_index
    assert stage.state(leader).log.base.index <= held < stage.state(leader).log.last_index
    fetched: list[RunFetch] = []
    slow.queues[0].fetch = fetched.append  # type: ignore[method-assign]
    stage.world.network.take(rule)
    stage.until(lambda: stage.state(slow).commit_index >= 20)
    assert not fetched


def test_the_tail_has_an_end() -> None:
    stage = Stage(Plan(seed=2, snapshot_entries=5, tail_entries=3))
    leader, slow = stage.leader(), stage.followers()[0]
    stage.world.network.put([(leader.node_id, slow.node_id)], Rule(kind="frame", drop=1.0))
    write_many(stage, 20)
    stage.until(lambda: snapshot_of(stage, leader) > 10)
    state = stage.state(leader)
    assert state.progress[slow.node_id].match_index < state.log.base.index


def test_nothing_is_kept_for_the_dead() -> None:
    stage = Stage(Plan(seed=3, snapshot_entries=5, tail_entries=1000))
    leader, dead = stage.leader(), stage.followers()[0]
    dead.crash()
    stage.run(3.0)
    write_many(stage, 20)
    stage.until(lambda: snapshot_of(stage, leader) > 10)
    assert stage.state(leader).log.base.index > 10
