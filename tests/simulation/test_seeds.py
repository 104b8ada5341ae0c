"""Worlds of whole nodes under swarms of faults: every promise holds, and a seed is a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lolraft.sim import Plan, World
from lolraft.sim.world import run_seed

ROOT = Path(__file__).parents[2]
ONCE_BROKEN = Path(__file__).with_name("once_broken.txt")


def once_broken() -> list[Plan]:
    """Return the worlds of `once_broken.txt`: a seed or a plan, then what was wrong."""
    lines = ONCE_BROKEN.read_text().splitlines()
    return [plan_of(line) for line in lines if line and not line.startswith("#")]


def plan_of(line: str) -> Plan:
    if line.startswith("{"):
        return Plan.of_spec(line[: line.index("}") + 1])
    return Plan.of_seed(int(line.split()[0]))


@pytest.mark.parametrize("plan", once_broken(), ids=lambda plan: str(plan.seed))
def test_what_was_once_broken(plan: Plan) -> None:
    run_seed(plan.seed, plan)


@pytest.mark.parametrize("first", range(10_000, 10_060, 6))
def test_promises_hold_in_worlds(first: int) -> None:
    for seed in range(first, first + 6):
        plan = Plan.of_seed(seed)
        # `./dev sim` besieges every world that its seed says; one in six is enough here.
        run_seed(seed, plan if seed == first else replace(plan, siege_s=0.0))


def test_a_siege_has_few_operations_and_as_many_faults_in_a_time() -> None:
    plan = Plan(seed=3, nodes=3, shards=(0, 1), clients=2, operations=40, pace_s=0.05)
    rush = run_seed(3, replace(plan, chaos_s=6.0, strike_s=0.3, kinds=("pause", "loss")))
    siege = run_seed(3, replace(rush.plan, siege_s=30.0))
    assert len(siege.did["asked"]) > len(rush.did["asked"]) + 10, "clients go on, after a pause"
    assert len(siege.did["asked"]) < 3 * len(rush.did["asked"]), "but they take their time"
    strikes = len(siege.did["strikes"]) - len(rush.did["strikes"])
    assert strikes > 3 * len(rush.did["strikes"]), "five times as long, and faults as often"


PROGRAM = """
from lolraft.sim import Plan, World
world = World(Plan.of_seed({seed}), thorough=True)
world.run()
print(world.digest)
"""


@pytest.mark.parametrize("seed", [10_003, 10_004, 10_008])
def test_a_seed_gives_the_same_world_under_any_hash_seed(seed: int) -> None:
    """The digest covers every event and every effect in full."""
    digests = {
        subprocess.check_output(
            (sys.executable, "-c", PROGRAM.format(seed=seed)),
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_is_another_world() -> None:
    plan = Plan(seed=1, chaos_s=1.0)
    other = Plan(seed=2, chaos_s=1.0)
    digests = []
    for item in (plan, plan, other):
        world = World(item)
        world.run()
        digests.append(world.digest)
    assert digests[0] == digests[1] != digests[2]
