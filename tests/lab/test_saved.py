"""Save as test: a run is saved as a scenario, which plays again and passes; and it can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.attach import watched
from lab.chronicle import Chronicle
from lab.faults import ClockTrouble, DiskTrouble, FaultKind, LinkTrouble, Rhythm
from lab.report.gather import NodeStory, Report, State
from lab.scenarios import headless, script
from lab.scenarios.run import run
from lab.scenarios.saved import scenario, why_not
from lab.sim.cluster import SimCluster
from lab.sim.swarm import SwarmCluster
from lab.workload.beside import LoadBeside


@asynccontextmanager
async def lived(
    cluster: SimCluster, *, load: bool = False
) -> AsyncIterator[tuple[SimCluster, Callable[[], Report]]]:
    """Watch a cluster, with a load beside it on a wish, and give what makes a report of it."""
    chronicle = Chronicle()
    with watched(cluster, None, chronicle) as watcher:
        beside = LoadBeside(cluster.client(), now=cluster.now_s, sleep=cluster.sleep)
        chronicle.load = lambda: beside.view
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            await cluster.sleep(3.0)
            if load:
                beside.start((0,))
                await cluster.sleep(1.0)
            yield cluster, chronicle.gather.report
        finally:
            await beside.cancel()
            await watcher.stop()
            await cluster.close()


async def leader(cluster: SimCluster, report: Callable[[], Report]) -> str:
    """Return who was elected last."""
    won = [event for event in report().events if event.kind == "elected"]
    assert won[-1].node is not None
    return won[-1].node


def steps(text: str) -> list[str]:
    """Return the steps without their times."""
    lines = [line for line in text.splitlines() if line.startswith("at ")]
    return [line.split(" ", 2)[2] for line in lines]


async def test_a_run_with_faults_is_saved_and_plays_again(tmp_path: Path) -> None:
    cluster = SimCluster(seed=5, speed=None)
    async with lived(cluster, load=True) as (_, report):
        old = await leader(cluster, report)
        other, third = sorted({"n1", "n2", "n3"} - {old})
        await cluster.kill(old)
        await cluster.sleep(4.0)
        await cluster.restart(old)
        await cluster.sleep(4.0)
        await cluster.cut(old, other)
        slow = await cluster.disturb(
            FaultKind.DELAY, (other, third), LinkTrouble(delay_s=0.05, jitter_s=0.01)
        )
        await cluster.sleep(2.0)
        await cluster.heal(slow)
        await cluster.sleep(1.0)
        await cluster.heal()
        await cluster.pause(third)
        await cluster.sleep(2.0)
        await cluster.resume(third)
        await cluster.sleep(5.0)
        text = scenario(report())
    did = steps(text)
    assert did[:3] == ["load on", f"lead {old}", f"kill {old}"]
    assert f"restart {old}" in did
    assert f"cut {old} -> {other}" in did
    assert f"disturb delay {other} -> {third} 50ms 10ms" in did
    assert did.index(f"heal delay {other} -> {third}") < did.index(f"heal cut {old} -> {other}")
    assert did.index(f"pause {third}") < did.index(f"resume {third}")
    assert text.splitlines()[-5:] == [
        "load off", "expect all led within 20s", "expect equal within 20s", "expect linearizable",
        "expect safe within 20s",
    ]  # fmt: skip
    assert "not the schedule" in text
    path = tmp_path / "story.txt"
    path.write_text(text)
    assert script.load(str(path)).nodes == 3
    outcome = await run(script.load(str(path)), "sim", lambda line: None, seed=77)
    assert outcome.passed, outcome.failed_at
    assert outcome.verdict is not None
    assert outcome.verdict.acknowledged > 100
    assert outcome.took_s == pytest.approx(float(_length(text)), abs=25.0)


def _length(text: str) -> str:
    (line,) = [line for line in text.splitlines() if "how far the story went" in line]
    return line.split()[1].removesuffix("s")


def test_the_command_plays_the_file_of_a_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text(
        "title a\nshows b\nat 2s kill n1\nat 4s restart n1\nexpect all led\n"
    )
    assert headless.tell_scenarios("./here", "sim", 3) == headless.PASSED
    assert "at 2s kill n1" in capsys.readouterr().out
    (tmp_path / "bad.txt").write_text("title a\nshows b\nat 1s kill n1\nat 2s kill n1\n")
    assert headless.tell_scenarios("bad.txt", "sim", 3) == headless.FAILED
    assert headless.tell_scenarios("none.txt", "sim", 3) == headless.BROKEN


Deed = Callable[[SimCluster], Awaitable[object]]
DEEDS: dict[str, tuple[Deed, str, str]] = {  # What is done, how it begins and how it ends.
    "isolate": (lambda one: one.isolate("n2"), "isolate n2", "heal isolate n2"),
    "partition": (
        lambda one: one.partition((("n1", "n2"), ("n3",))),
        "split n1 n2 | n3",
        "heal partition n1 n2 | n3",
    ),
    "cut both": (lambda one: one.cut_both("n1", "n3"), "cut n1 - n3", "heal cut-both n1 - n3"),
    "flap": (
        lambda one: one.disturb(FaultKind.FLAP, ("n1", "n2"), Rhythm(period_s=1.0)),
        "disturb flap n1 - n2 1s",
        "heal flap n1 - n2",
    ),
    "crash loop": (
        lambda one: one.disturb(FaultKind.CRASH_LOOP, ("n2",), Rhythm(period_s=2.0)),
        "disturb crash-loop n2 2s",
        "heal crash-loop n2",
    ),
    "loss": (
        lambda one: one.disturb(FaultKind.LOSS, ("n1", "n2"), LinkTrouble(drop=0.3)),
        "disturb loss n1 -> n2 30%",
        "heal loss n1 -> n2",
    ),
    "slow disk": (
        lambda one: one.disturb(FaultKind.SLOW_DISK, ("n3",), DiskTrouble(sync_delay_s=0.1)),
        "disturb slow-disk n3 100ms",
        "heal slow-disk n3",
    ),
    "clock": (
        lambda one: one.disturb(FaultKind.CLOCK, ("n3",), ClockTrouble(rate=2.0)),
        "disturb clock n3 x2 +0s",
        "heal clock n3",
    ),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_every_fault_begins_and_ends_in_the_story_and_in_its_replay(name: str) -> None:
    deed, begins, ends = DEEDS[name]
    cluster = SimCluster(seed=6, speed=None)
    async with lived(cluster) as (_, report):
        await deed(cluster)
        await cluster.sleep(3.0)
        under_way = scenario(report())
        await cluster.heal()
        await cluster.sleep(6.0)
        text = scenario(report())
    done = [step for step in steps(text) if not step.startswith(("lead", "#"))]
    assert done == [begins, ends]
    assert begins in steps(under_way)
    assert ends not in steps(under_way), "it was in force"
    assert "expect equal" not in under_way
    assert "expect equal" in text
    outcome = await run(script.parse("saved", text), "sim", lambda line: None, seed=8)
    assert outcome.passed, outcome.failed_at


async def test_a_node_that_was_restarted_is_again_and_one_that_joined_joins() -> None:
    cluster = SimCluster(seed=9, speed=None)
    async with lived(cluster) as (_, report):
        await cluster.disturb(FaultKind.FULL_DISK, ("n2",), DiskTrouble(full=True))
        await cluster.sleep(1.0)
        handle = await cluster.add_node()
        await cluster.client().add_server(0, handle.node_id, timeout_s=20.0)
        await cluster.sleep(1.0)
        await cluster.heal()
        await cluster.restart("n2")
        await cluster.sleep(6.0)
        text = scenario(report())
    assert "nodes    3" in text
    assert [step for step in steps(text) if not step.startswith("lead")] == [
        "disturb full-disk n2", "add as n4", "heal full-disk n2", "stop n2", "restart n2",
        "# This is how far the story went.",
    ]  # fmt: skip
    outcome = await run(script.parse("saved", text), "sim", lambda line: None, seed=9)
    assert outcome.passed, outcome.failed_at


def test_a_node_that_ended_by_itself_is_started_again() -> None:
    states = (
        State(from_s=100.0, word="running"),
        State(from_s=103.0, word="exited"),
        State(from_s=105.5, word="silent"),
        State(from_s=105.6, word="running"),
    )
    node = NodeStory(name="n1", node_id="http://n1:1", version="", detail="", states=states)
    report = Report(
        title="made\nup", backend="sim", began_s=100.0, ended_s=110.0, nodes=(node,),
        shards=(0, 1, 2, 9),
    )  # fmt: skip
    text = scenario(report)
    assert "at 5.50s restart n1" in text.splitlines()
    assert "shards   0-2,9" in text
    assert script.parse("saved", text).title == "Saved from made up"


async def test_what_did_not_hold_is_not_expected() -> None:
    cluster = SimCluster(seed=5, speed=None)
    async with lived(cluster) as (_, report):
        await cluster.kill("n1")
        await cluster.kill("n2")
        await cluster.sleep(4.0)
        text = scenario(report())
    assert "expect all led" not in text
    assert "expect equal" not in text


async def test_what_a_seed_did_is_no_story_of_yours() -> None:
    cluster = SwarmCluster(3, speed=None)
    chronicle = Chronicle()
    with watched(cluster, None, chronicle) as watcher:
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            while not any(fault.by_chance for fault in cluster.faults()):
                await cluster.sleep(0.25)
            await cluster.sleep(1.0)
            assert "./log --seed" in why_not(chronicle.gather.report())
        finally:
            await watcher.stop()
            await cluster.close()
