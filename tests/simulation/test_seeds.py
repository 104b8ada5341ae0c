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


def once_broken() -> list[int]:
    """Return the seeds of `once_broken.txt`: a number, then what was wrong."""
    lines = ONCE_BROKEN.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("seed", once_broken())
def test_what_was_once_broken(seed: int) -> None:
    run_seed(seed, replace(Plan.of_seed(seed), reads=("read",), lease_s=0.0))  # As they broke.


@pytest.mark.parametrize("first", range(10_000, 10_060, 6))
def test_promises_hold_in_worlds(first: int) -> None:
    for seed in range(first, first + 6):
        run_seed(seed)


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
