"""`./log --reload` as a program: local nodes on a copy of the sources, which the test changes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import runs
from lab.observe.recording import read
from tests.integration.local_lab import left_over, node_processes
from tests.integration.terminal import PATIENCE_S, ROOT

Told = dict[str, Any]
NEW_CODE = '\nimport sys\nprint("the new code runs", file=sys.stderr)\n'


class Lab:
    """The lab in a pipe, and all that it told."""

    def __init__(self, code: Path, *arguments: str) -> None:
        self.told: list[Told] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab", "--backend", "local", "--reload", "--json", *arguments],
            cwd=code,
            env={**os.environ, "PYTHONPATH": str(code)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until_said(self, text: str) -> list[Told]:
        """Return what is told from now on, up to an event whose text begins so."""
        assert self.process.stdout is not None
        begin = len(self.told)
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            if self.told[-1]["is"] == "event" and self.told[-1]["text"].startswith(text):
                return self.told[begin:]
        raise AssertionError(f"it ended before it said {text!r}: {self.told}")

    def end(self) -> int:
        """Send SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of the sources; the lab's runs are kept beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("lolraft", "lab"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "code" / name, ignore=ignored)
    yield tmp_path / "code"
    left = left_over()
    for process in node_processes(runs.state_directory()):
        os.kill(process, signal.SIGKILL)
    assert left == ([], [], [])


def log_of(name: str) -> str:
    (run,) = runs.known_runs()
    return (Path(run.directory) / name / "log.txt").read_text()


def texts(told: list[Told]) -> list[str]:
    return [one["text"] for one in told if one["is"] == "event" and "reload" in one["text"]]


def states(told: list[Told], **known: str) -> list[tuple[str, str]]:
    """Return how nodes went and came; they run in the beginning, unless they are *known* not to."""
    known = {"n1": "running", "n2": "running", "n3": "running"} | known
    found = []
    for one in told:
        if one["is"] == "node" and known.get(one["node"]) != one["state"]:
            known[one["node"]] = one["state"]
            found.append((one["node"], one["state"]))
    return found


def test_a_change_runs_on_every_node_and_one_that_is_wrong_on_none(
    code: Path, tmp_path: Path
) -> None:
    lab = Lab(code, "--record", str(tmp_path / "f"))
    source = code / "lolraft" / "node.py"
    good = source.read_text()
    try:
        lab.until_said("reload: watching")
        source.write_text(good + NEW_CODE)
        told = lab.until_said("n3 restarted by reload")
        assert texts(told) == [
            "reload: node.py changed",
            *(f"n{number} restarted by reload" for number in (1, 2, 3)),
        ]
        assert states(told) == [
            (name, state) for name in ("n1", "n2", "n3") for state in ("stopped", "running")
        ], "one after the other"
        assert all("the new code runs" in log_of(name) for name in ("n1", "n2", "n3"))
        source.write_text(good + "\ndef (\n")
        told = lab.until_said("reload stopped")
        (changed, stopped) = texts(told)
        assert stopped.startswith("reload stopped at n1: SyntaxError: ")
        assert states(told)[-1] == ("n1", "exited")
        assert {name for name, _ in states(told)} == {"n1"}, "the others are untouched"
        source.write_text(good)
        told = lab.until_said("n3 restarted by reload")
        assert texts(told)[0] == changed
        came = [name for name, state in states(told, n1="exited") if state == "running"]
        assert came == ["n1", "n2", "n3"]
        assert [one["verdict"] for one in lab.told if one["is"] == "safety"][-1] == "SAFE"
    finally:
        status = lab.end()
    assert status == 128 + signal.SIGTERM
    recorded = [event.text for event in read(tmp_path / "f").last().events]
    assert [text for text in recorded if "reload" in text] == texts(lab.told)
