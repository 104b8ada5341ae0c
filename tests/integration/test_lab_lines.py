"""`./log --plain`, `--json`, `--report` and `report F` as programs, whichever way they end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import runs
from lab.cluster.local import LocalCluster
from lab.observe.recording import read
from lab.report import html
from lab.report.gather import of_recording
from tests.integration.local_lab import left_over, node_processes
from tests.integration.terminal import PATIENCE_S, ROOT, Terminal

NOTHING: tuple[list[int], list[str], list[str]] = ([], [], [])


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory for run files and data of its own; nothing may be left there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield tmp_path
    end_s = time.monotonic() + PATIENCE_S
    while left_over()[0] and time.monotonic() < end_s:
        time.sleep(0.02)
    left = left_over()
    for process in node_processes(runs.state_directory()):
        os.kill(process, signal.SIGKILL)
    assert left == NOTHING


def begin(*arguments: str) -> subprocess.Popen[str]:
    """Run the lab in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str) -> tuple[int, list[str], str]:
    """Run the lab to its end; return status, lines and what it said beside them."""
    process = begin(*arguments)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    assert "Exception ignored" not in err, err
    return process.returncode, out.splitlines(), err


def until(process: subprocess.Popen[str], is_it: Callable[[dict[str, Any]], object]) -> None:
    """Read objects until one is what is waited for."""
    assert process.stdout is not None
    for line in process.stdout:
        if is_it(json.loads(line)):
            return
    raise AssertionError("it ended before")


def is_led(told: dict[str, Any]) -> bool:
    return told["is"] == "shard" and told["leader"] is not None


@pytest.mark.parametrize("backend", ["sim", "local"])
def test_json_tells_of_a_cluster_until_the_time_is_up(backend: str) -> None:
    status, lines, _ = run("--backend", backend, "--json", "--for", "2")
    told = [json.loads(line) for line in lines]
    assert status == 0
    assert {one["v"] for one in told} == {1}
    assert (told[0]["is"], told[0]["backend"]) == ("start", backend)
    assert (told[-1]["is"], told[-1]["why"], told[-1]["status"]) == ("end", "the time is up", 0)
    assert {one["node"] for one in told if one["is"] == "node"} == {"n1", "n2", "n3"}
    assert any(is_led(one) for one in told)
    assert any(one["is"] == "event" and one["kind"] == "elected" for one in told)
    assert [one["verdict"] for one in told if one["is"] == "safety"][-1] == "SAFE"


@pytest.mark.parametrize("backend", ["sim", "local"])
def test_plain_tells_a_scenario_and_its_report_has_it_too(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "told"
    arguments = ("--backend", backend, "--scenario", "leader_dies", "--report", str(folder))
    status, lines, err = run(*arguments, "--plain", "--record", str(tmp_path / "f"))
    assert status == 0, err
    text = "\n".join(lines)
    for said in ("kill old", "fault began: kill n", "suspected", "elected", "SAFE", "passed"):
        assert said in text
    assert lines[-1].endswith("end: the scenario has ended")
    assert str(folder / "report.html") in err
    page = (folder / "report.html").read_text()
    assert "The leader dies" in page
    report = of_recording(tmp_path / "f")
    assert page == html.page(report), "made live and from its recording"
    assert report.faults[0].span.expected.elections == 1, "it was the leader that was killed"
    verdict = report.loads[-1].verdict
    counted = sum(one.answered for _, one in report.moments.points)
    assert counted == verdict.acknowledged + verdict.read > 0, "up to its very end"


def test_a_scenario_that_fails_is_said_by_the_status(tmp_path: Path) -> None:
    story = tmp_path / "bad.txt"
    story.write_text("title Bad\nshows Nothing.\nexpect no leader within 0.5s\n")
    status, lines, _ = run("--backend", "sim", "--scenario", str(story), "--json")
    assert status == 1
    told = [json.loads(line) for line in lines]
    assert any("failed: line 3" in one.get("text", "") for one in told)
    assert told[-1]["status"] == 1
    story.write_text("title Odd\nshows Nothing.\ndance n1\n")
    status, lines, err = run("--backend", "sim", "--scenario", str(story), "--json")
    assert status == 1
    assert "no step begins with 'dance'" in err
    assert "dance" in json.loads(lines[-1])["why"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_with_its_report(number: signal.Signals, tmp_path: Path) -> None:
    process = begin("--backend", "local", "--json", "--report", str(tmp_path / "told"))
    until(process, is_led)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    assert json.loads(out.splitlines()[-1])["why"] == number.name
    assert "Traceback" not in err
    assert re.search(r"n\d elected", (tmp_path / "told" / "report.html").read_text())


def test_a_reader_that_leaves_ends_it_cleanly() -> None:
    process = begin("--backend", "local", "--json")
    until(process, is_led)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=PATIENCE_S) == 0
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


async def test_who_connects_or_listens_ends_no_cluster_of_others() -> None:
    cluster = LocalCluster.begin(nodes=1)
    await cluster.start(lambda line: None)
    address = cluster.nodes()[0].watch_address
    status, lines, _ = run("--connect", address, "--plain", "--for", "3")
    assert status == 0
    assert any("elected" in line for line in lines)
    await cluster.close(leave_running=True)
    before = node_processes(runs.state_directory())
    assert len(before) == 1
    status, lines, err = run("--backend", "local", "--plain", "--for", "1")
    assert status == 0
    assert "was left running" in err
    assert node_processes(runs.state_directory()) == before
    assert [one.kept for one in runs.known_runs()] == [True]
    subprocess.run([sys.executable, "-m", "lab", "heal"], cwd=ROOT, check=True)  # noqa: ASYNC221


def test_headless_leaves_a_report_when_it_is_ended(tmp_path: Path) -> None:
    story = tmp_path / "long.txt"
    story.write_text("title Long\nshows Nothing.\nwait 60s\nexpect leader\n")
    arguments = ("--scenario", str(story), "--headless", "--backend", "local")
    process = begin(*arguments, "--report", str(tmp_path / "told"))
    assert process.stdout is not None
    assert any("wait 60s" in line for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Long" in (tmp_path / "told" / "report.html").read_text()


def test_the_screen_leaves_a_report_when_one_quits(tmp_path: Path) -> None:
    arguments = ("-m", "lab", "--backend", "local", "--report", str(tmp_path / "told"))
    terminal = Terminal(*arguments, "--record", str(tmp_path / "f"), state=tmp_path / "state")
    try:
        terminal.until(lambda text: text.count("● up") == 3 and "elected" in text)
        terminal.press("q")
        terminal.until(lambda text: "end the cluster" in text)
        terminal.press("e")
        assert terminal.wait() == 0
        assert b"Traceback" not in terminal.raw
    finally:
        terminal.close()
    page = (tmp_path / "told" / "report.html").read_text()
    assert page == html.page(of_recording(tmp_path / "f"))
    last = read(tmp_path / "f").last()
    assert all(node.state == "running" for node in last.nodes), "its own end is no part of it"


def test_a_report_of_a_recording(tmp_path: Path) -> None:
    recording = tmp_path / "a.recording"
    assert run("--backend", "sim", "--plain", "--for", "1", "--record", str(recording))[0] == 0
    status, lines, _ = run("report", str(recording))
    assert (status, lines) == (0, [str(tmp_path / "a-report" / "report.html")])
    assert (tmp_path / "a-report" / "report.md").is_file()
    status, lines, _ = run("report", str(recording), "--report", str(tmp_path / "there"))
    assert lines == [str(tmp_path / "there" / "report.html")]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "--plain or --json"),
        (("--for", "3"), "--plain or --json"),
        (("--plain", "--for", "0"), "more than 0"),
        (("--plain", "--for", "nan"), "more than 0"),
        (("report",), "which recording"),
        (("heal", "F"), "a file is for: ./log report F"),
        (("report", "/nowhere"), "/nowhere"),
        (("report", __file__), "no recording of this lab"),
        (("--plain", "--json"), "not allowed with"),
        (("--plain", "--replay", __file__), "leave out --backend, --plain"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(arguments: tuple[str, ...], why: str) -> None:
    status, lines, err = run("--backend", "sim", *arguments)
    assert status != 0
    assert lines == []
    assert why in err
