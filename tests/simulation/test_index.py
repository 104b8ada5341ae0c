"""The index of a backup: no write acknowledged before it was asked for is after it (§6.4)."""

from __future__ import annotations

from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.sim import Plan
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage


def test_any_server_gives_an_index_that_covers_what_was_acknowledged() -> None:
    stage = Stage(Plan(seed=1))
    for number in range(5):
        stage.write(stage.leader(), f"w{number}")
        committed = stage.state(stage.leader()).commit_index
        for node in stage.world.nodes.values():
            answer = stage.told(stage.ask(node, RequestKind.READ_INDEX, ""))
            assert answer.code is Code.OK
            assert int(answer.message) >= committed


def test_a_leader_that_was_replaced_gives_none() -> None:
    stage = Stage(Plan(seed=2))
    old, others = stage.leader(), stage.followers()
    for other in others:
        stage.world.network.put(stage.links(old, other), Rule(cut=True))
    answers = stage.ask(old, RequestKind.READ_INDEX, "")
    assert stage.told(answers).code is Code.UNAVAILABLE


def test_who_has_no_group_gives_none() -> None:
    stage = Stage(Plan(seed=3, spares=1))
    answer = stage.told(stage.ask(stage.node(4), RequestKind.READ_INDEX, ""))
    assert answer.code is Code.FAILED_PRECONDITION
