"""`./dev sim SEED --minimize` on a planted mistake: few faults are left, and it fails again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lolraft.sim import Plan
from lolraft.sim.swarm import outcome_of
from tests.simulation.planting import ALL, ROOT, plant

MISTAKE = "the voter does not compare logs (3.6.1)"
SEED = 1


def sim(directory: Path, *arguments: str) -> tuple[int, str]:
    """Return the exit status and the output of the command."""
    ended = subprocess.run(
        (sys.executable, "-m", "lolraft.sim", *arguments),
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ended.stderr.startswith("Traceback"), ended.stderr
    return ended.returncode, ended.stdout


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text[-2000:]
    return match[1]


@pytest.mark.timeout(600)
def test_a_world_that_fails_is_made_small_and_tells_a_story(tmp_path: Path) -> None:
    plant(next(mistake for mistake in ALL if mistake.name == MISTAKE), tmp_path)
    status, story = sim(tmp_path, str(SEED), "--minimize")
    assert status == 1
    assert "BROKEN: leader completeness" in story
    plan = Plan.of_spec(found(r"--plan '(.*)'", story))
    assert plan.strikes is not None
    assert plan.blows is not None
    assert plan.asked is not None
    assert len(plan.strikes) + len(plan.blows) <= 5
    assert len(plan.asked) <= 5
    for deed in ("votes for", "elected", "starts, epoch"):
        assert deed in story
    assert len(story.splitlines()) < 150

    (tmp_path / "plan.json").write_text(plan.spec())
    again, same = sim(tmp_path, "--plan", "plan.json")
    assert again == 1
    assert found("digest (.*)", same) == found("digest (.*)", story)
    assert not outcome_of(plan).broken, "the code without the mistake keeps its promises there"


def test_one_strike_less_shifts_no_other() -> None:
    whole = outcome_of(Plan(seed=3, kinds=("add", "flap", "loss", "slow_disk"), chaos_s=6.0))
    assert len(whole.did["strikes"]) > 4
    left = tuple(whole.did["strikes"][1:])
    fewer = outcome_of(
        Plan(seed=3, kinds=("add", "flap", "loss", "slow_disk"), chaos_s=6.0, strikes=left)
    )
    assert tuple(fewer.did["strikes"]) == left


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--plan", "{}"), "not a plan"),
        (("--plan", "no/such/file"), "No such file"),
        (("7", "--minimize"), "keeps every promise"),
    ],
)
def test_what_cannot_be_run_is_said(arguments: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        (sys.executable, "-m", "lolraft.sim", *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.returncode == 2
    assert said in ended.stderr


def test_the_same_seed_gives_the_same_trace_byte_for_byte() -> None:
    spec = Plan(seed=5, kinds=("crash", "loss"), ambushes=("effect",), chaos_s=1.5).spec()
    traces = [sim(ROOT, "--plan", spec, "--trace") for _ in range(2)]
    assert traces[0] == traces[1]
    assert len(traces[0][1].splitlines()) > 1000
