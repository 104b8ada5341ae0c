"""The lab on containers, as a program in a terminal: however it ends, nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lab.cluster.docker_engine import RUN
from lab.cluster.docker_filter import CHAIN
from lab.cluster.runs import known_runs
from tests.docker.cluster import left_of
from tests.integration.terminal import ROOT, Terminal

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Terminal]:
    """Yield the lab on screen over three containers, with a packet filter between two of them."""
    terminal = Terminal("-m", "lab", "--backend", "docker", state=tmp_path)
    try:
        terminal.until(lambda text: "leaders 1/1" in text)
        terminal.press("3", "X")
        terminal.until(lambda text: "you: cut" in text)
        (run,) = known_runs()
        assert any("DROP" in chain for chain in chains_of(run.name)), "it is a packet filter"
        yield terminal
    finally:
        terminal.close()
        heal()


def chains_of(run: str) -> list[str]:
    """Return the lab's own chain of every container that runs."""
    engine = docker.from_env()
    try:
        containers = engine.containers.list(filters={"label": f"{RUN}={run}"})
        command = ["sh", "-c", f"iptables -w -S {CHAIN} || true"]
        return [item.exec_run(command, user="root").output.decode() for item in containers]
    finally:
        engine.close()


def heal() -> None:
    subprocess.run([sys.executable, "-m", "lab", "heal"], cwd=ROOT, check=True, timeout=120)


def leave(lab: Terminal, key: str) -> None:
    lab.press("q")
    lab.until(lambda text: "leave it running" in text)
    lab.press(key)
    assert lab.wait() == 0


def test_quit_and_end(lab: Terminal) -> None:
    (run,) = known_runs()
    leave(lab, "e")
    assert left_of(run.name) == []
    assert known_runs() == []


def test_quit_and_leave_running_takes_the_filters_away(lab: Terminal) -> None:
    (run,) = known_runs()
    leave(lab, "l")
    chains = chains_of(run.name)
    assert len(chains) == 3, "the containers run on"
    assert not any("DROP" in chain for chain in chains)
    heal()
    assert left_of(run.name) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal(lab: Terminal, number: signal.Signals) -> None:
    (run,) = known_runs()
    lab.process.send_signal(number)
    lab.wait()
    assert left_of(run.name) == []
    assert known_runs() == []


def test_the_terminal_vanishes(lab: Terminal) -> None:
    (run,) = known_runs()
    lab.vanish()
    lab.wait()
    assert left_of(run.name) == []
    assert known_runs() == []


def test_a_killed_lab_and_heal(lab: Terminal) -> None:
    (run,) = known_runs()
    lab.process.send_signal(signal.SIGKILL)
    lab.wait()
    assert left_of(run.name), "nobody was there to take them away"
    heal()
    assert left_of(run.name) == []
    assert known_runs() == []
