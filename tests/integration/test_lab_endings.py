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

import pytest

from lab.cluster import runs
from lab.cluster.local import LocalCluster
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
    lab.press("K")
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


def test_the_terminal_vanishes(lab: Terminal) -> None:
    lab.vanish()
    lab.wait()
    gone()


def test_a_killed_lab_takes_its_nodes_along_and_heal_takes_the_rest(lab: Terminal) -> None:
    lab.press("p")  # Also a paused node dies with its lab.
    lab.until(lambda text: "paused" in text)
    lab.process.send_signal(signal.SIGKILL)
    lab.wait()
    end_s = time.monotonic() + PATIENCE_S
    while node_processes(runs.state_directory()) and time.monotonic() < end_s:
        time.sleep(0.02)
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
