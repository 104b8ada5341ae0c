"""The lab as a program in a terminal, and every way in which it can end: nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from lab.cluster import runs
from lab.cluster.local import LocalCluster
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from tests.integration.local_lab import Lab, left_over, node_processes
from tests.integration.terminal import PATIENCE_S, ROOT, Terminal

NOTHING: tuple[list[int], list[str], list[str]] = ([], [], [])


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory for run files and data of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def lab(state: Path) -> Iterator[Terminal]:
    """Yield the lab on screen, its cluster led."""
    terminal = Terminal("-m", "lab", "--backend", "local", state=state)
    try:
        terminal.until(lambda text: "leaders 1/1" in text)
        yield terminal
    finally:
        terminal.close()
        for process in node_processes(runs.state_directory()):
            os.kill(process, signal.SIGKILL)


def gone() -> None:
    """Wait until the processes are gone, then nothing else may be left either."""
    end_s = time.monotonic() + PATIENCE_S
    while left_over()[0] and time.monotonic() < end_s:
        time.sleep(0.02)
    assert left_over() == NOTHING


def processes_end() -> None:
    """Wait until no node runs any more: they die with their lab."""
    end_s = time.monotonic() + PATIENCE_S
    while node_processes(runs.state_directory()) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert node_processes(runs.state_directory()) == []


def heal() -> str:
    """Run `./log heal`; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", "heal"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return done.stderr


def test_quit_and_end(lab: Terminal) -> None:
    assert len(node_processes(runs.state_directory())) == 3
    lab.press("q")
    lab.until(lambda text: "end the cluster" in text)
    lab.press("c")
    lab.until(lambda text: "end the cluster" not in text)
    assert lab.process.poll() is None
    assert len(node_processes(runs.state_directory())) == 3
    lab.press("q")
    lab.until(lambda text: "end the cluster" in text)
    lab.press("e")
    assert lab.wait() == 0
    gone()
    assert b"Traceback" not in lab.raw


def test_quit_and_leave_running_then_heal(lab: Terminal) -> None:
    lab.press("q")
    lab.until(lambda text: "leave it running" in text)
    lab.press("l")
    assert lab.wait() == 0
    assert "the cluster runs on; ./log shows it again, ./log heal ends it" in lab.text()
    (run,) = runs.known_runs()
    assert run.kept
    assert len(node_processes(runs.state_directory())) == 3

    async def look() -> None:
        cluster = LocalCluster(run)  # Another lab finds it at work.
        await cluster.start(lambda line: None)
        found = Lab(cluster)
        try:
            await found.leader()
            await found.put("left", "running")
        finally:
            await found.close()
            await cluster.close(leave_running=True)

    asyncio.run(look())
    assert "healed 1" in heal()
    gone()
    assert "nothing was left" in heal()


def test_the_story_goes_on_in_the_simulator_and_the_nodes_are_gone(lab: Terminal) -> None:
    lab.press("3", "K")  # The page of events holds them all.
    lab.until(lambda text: "you: kill" in text)
    lab.press("F")
    lab.until(lambda text: "open this story in the simulator" in text)
    lab.press("e")
    lab.until(lambda text: " story " in text.splitlines()[0] and "time stands" in text)
    lab.until(lambda text: "not the schedule" in text)
    gone()
    lab.press("8")
    lab.until(lambda text: "every message" in text and "story: kill" in text)
    lab.press("q")
    lab.until(lambda text: "end the cluster" in text)
    lab.press("e")
    assert lab.wait() == 0
    assert b"Traceback" not in lab.raw
    assert left_over() == NOTHING


def test_ctrl_c_and_ctrl_q_ask_and_do_not_end_a_cluster_by_accident(lab: Terminal) -> None:
    for key in ("\x03", "\x11"):
        lab.press(key)
        lab.until(lambda text: "end the cluster" in text)
        lab.press(key)  # Asked once, however often it is pressed.
        lab.press("c")
        lab.until(lambda text: "end the cluster" not in text)
    assert lab.process.poll() is None
    lab.press("\x03")
    lab.until(lambda text: "end the cluster" in text)
    lab.press("e")
    assert lab.wait() == 0
    gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_lab_in_order(lab: Terminal, number: signal.Signals) -> None:
    lab.process.send_signal(number)
    assert lab.wait() == 0
    gone()
    assert b"Traceback" not in lab.raw
    assert f"stopped by {number.name}" in lab.raw.decode(errors="replace")


def test_impatient_signals_do_not_keep_it_from_ending_well(lab: Terminal) -> None:
    while lab.process.poll() is None:
        lab.process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    # The very last may come after the end, when the interpreter itself goes down.
    assert lab.wait() in (0, -signal.SIGTERM)
    gone()
    assert b"Traceback" not in lab.raw


def test_a_signal_while_the_cluster_starts(state: Path) -> None:
    terminal = Terminal("-m", "lab", "--backend", "local", state=state)
    try:
        terminal.until(lambda text: "starting 3 local processes" in text)
        terminal.process.send_signal(signal.SIGTERM)
        terminal.wait()
        gone()
        assert b"Traceback" not in terminal.raw
    finally:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_lab_that_dies_while_its_cluster_starts(state: Path, number: signal.Signals) -> None:
    terminal = Terminal("-m", "lab", "--backend", "local", state=state)
    try:
        terminal.until(lambda text: "starting 3 local processes" in text)
        terminal.process.send_signal(number)
        terminal.wait()
        processes_end()
        heal()
        gone()
    finally:
        terminal.close()


BREAKS = """
import lab.session
from {module} import {name}

def breaks(*arguments, **named):
    raise RuntimeError("an error of ours")

{name}.{method} = breaks
import lab.__main__
raise SystemExit(lab.__main__.main(["--backend", "local"]))
"""


@pytest.mark.parametrize(
    ("module", "name", "method"),
    [
        ("lab.observe.watch", "Watcher", "start"),  # Before the screen,
        ("lab.tui.desk", "Desk", "show"),  # on it, at every picture,
        ("lab.tui.app", "LabApp", "action_faults"),  # and at a key.
    ],
)
def test_an_error_of_ours_leaves_nothing(state: Path, module: str, name: str, method: str) -> None:
    program = BREAKS.format(module=module, name=name, method=method)
    terminal = Terminal("-c", program, state=state)
    try:
        if method == "action_faults":
            terminal.until(lambda text: "leaders 1/1" in text)
            terminal.press("f")
        terminal.wait()
        assert b"an error of ours" in terminal.raw
        gone()
    finally:
        terminal.close()
        for process in node_processes(runs.state_directory()):
            os.kill(process, signal.SIGKILL)


SPLIT = """
title Split
shows Nothing that could stay.
split n1 | n2 n3
pause n2
wait 60s
"""


@pytest.mark.parametrize("how", ["screen", "--plain", "--headless"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_scenario_that_is_cut_short(state: Path, how: str, number: signal.Signals) -> None:
    story = state / "split.txt"
    story.write_text(SPLIT.strip())
    more = () if how == "screen" else (how,)
    arguments = ("-m", "lab", "--backend", "local", "--scenario", str(story), *more)
    terminal = Terminal(*arguments, state=state, columns=140, lines=45)
    try:
        terminal.until(lambda text: "wait 60s" in text)
        assert len(node_processes(runs.state_directory())) == 3
        terminal.process.send_signal(number)
        status = terminal.wait()
        if number is signal.SIGKILL:
            processes_end()
            assert "healed 1" in heal()
        elif how == "--plain":
            assert status == 128 + number
        assert b"Traceback" not in terminal.raw
        gone()
    finally:
        terminal.close()


async def rules_of(node: runs.NodeRun) -> observe_pb2.FaultState:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        stub: Any = observe_pb2_grpc.FaultsStub(channel)  # type: ignore[no-untyped-call]
        state: observe_pb2.FaultState = await stub.Get(observe_pb2.GetFaults(), timeout=5.0)
        return state


def test_a_cluster_that_is_left_running_is_left_whole(lab: Terminal) -> None:
    lab.press("3", "x")
    lab.until(lambda text: "you: cut" in text)
    (run,) = runs.known_runs()
    assert any(asyncio.run(rules_of(node)).rules.links for node in run.nodes)
    lab.press("q")
    lab.until(lambda text: "leave it running" in text)
    lab.press("l")
    assert lab.wait() == 0
    (run,) = runs.known_runs()
    assert not any(asyncio.run(rules_of(node)).rules.links for node in run.nodes)
    assert "healed 1" in heal()
    gone()


def test_the_terminal_vanishes(lab: Terminal) -> None:
    lab.vanish()
    lab.wait()
    gone()


def test_a_terminal_that_nobody_reads(lab: Terminal) -> None:
    """The screen waits for it for ever; a signal ends the lab all the same, and its nodes."""
    for key in "3245" * 30:  # Whole pictures fill what lies between.
        lab.press(key)
        time.sleep(0.05)
    lab.process.send_signal(signal.SIGTERM)
    assert lab.process.wait(PATIENCE_S) == 128 + signal.SIGTERM, "by the last resort"
    gone()


def test_a_killed_lab_takes_its_nodes_along_and_heal_takes_the_rest(lab: Terminal) -> None:
    lab.press("p")  # Also a paused node dies with its lab.
    lab.until(lambda text: "paused" in text)
    lab.process.send_signal(signal.SIGKILL)
    lab.wait()
    processes_end()
    processes, files, data = left_over()
    assert (processes, len(files), len(data)) == ([], 1, 1)
    assert "healed 1" in heal()
    gone()


def test_the_next_lab_heals_what_a_killed_one_left(lab: Terminal, state: Path) -> None:
    (dead,) = runs.known_runs()
    lab.process.send_signal(signal.SIGKILL)
    lab.wait()
    after = Terminal("-m", "lab", "--backend", "local", "--nodes", "1", state=state)
    try:
        after.until(lambda text: "leaders 1/1" in text)
        assert dead.name not in str(left_over())
        assert "belongs to a running lab" in heal()
        after.press("q")
        after.until(lambda text: "end the cluster" in text)
        after.press("e")
        assert after.wait() == 0
    finally:
        after.close()
    gone()
