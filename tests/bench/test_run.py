"""Short runs for real, of our own system: that they end, what they leave, and what they do not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.setup import dev
from tests.bench.children import LOCK, PREFIX, ROOT, Child, workplace

PATIENCE_S = 100.0


def start(place: Path, *parts: str, system: str = "lolraft") -> subprocess.Popen[str]:
    """Run the benchmark as a process whose data lies under *place*."""
    place.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.bench", "--quick", "--systems", system]
    command += ["--out", str(place.parent / "out"), "--only", *parts]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(place: Path) -> list[str]:
    """Return the command lines of processes that have to do with *place*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(place) in command:
            found.append(command)
    return found


def gone(place: Path) -> bool:
    """Wait until no process of *place* is left."""
    until_s = time.monotonic() + PATIENCE_S
    while processes_of(place) and time.monotonic() < until_s:
        time.sleep(0.05)
    return not processes_of(place)


def test_a_quick_run_measures_saves_and_leaves_nothing(tmp_path: Path) -> None:
    running = start(tmp_path / "data", "write-1", "read-1", "failover")
    printed, said = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, said
    assert "Writes a second" in printed
    known = json.loads((tmp_path / "out" / "results.json").read_text())
    done = {(case["case"], case["system"]): case for case in known["cases"] if case["rounds"]}
    assert set(done) == {
        ("write-1", "lolraft, RaftClient"),
        ("write-1", "lolraft, plain gRPC"),
        ("read-1", "lolraft, RaftClient"),
    }
    for case in done.values():
        assert case["errors"] == 0, case["error"]
        assert case["rate"]["median"] > 0
        assert case["p50_ms"]["median"] > 0
        assert case["server_cpu_us"]["median"] > 0
        assert case["client_cpu_us"]["median"] > 0
    (outage,) = known["failover"]
    assert len(outage["times_s"]) == 1, outage
    assert outage["times_s"][0] > 0
    assert list((tmp_path / "data").iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("system", ["etcd", "pysyncobj"])
def test_a_peer_that_is_here_does_the_same_work(tmp_path: Path, system: str) -> None:
    if system == "etcd" and shutil.which("etcd") is None:
        pytest.skip("etcd is not installed, and a test fetches nothing")
    if system == "pysyncobj":
        pytest.importorskip("pysyncobj")
    running = start(tmp_path / "data", "write-16", "failover", system=system)
    _, said = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, said
    known = json.loads((tmp_path / "out" / "results.json").read_text())
    done = [case for case in known["cases"] if case["rounds"]]
    assert {case["system"].lower().partition(",")[0] for case in done} == {system}
    for case in done:
        assert case["errors"] == 0, case["error"]
        assert case["rate"]["median"] > 0
    assert all(outage["times_s"] for outage in known["failover"]), known["failover"]
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_nothing_runs_on(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    running = start(data, "idle", "open-loop")
    assert running.stderr is not None
    for line in running.stderr:
        if re.match(r" +idle, 1 shard", line):
            break
    assert processes_of(data), "three nodes run"
    running.send_signal(number)
    running.communicate(timeout=PATIENCE_S)
    assert gone(data)
    left = [path.name for path in data.iterdir()]
    if number is signal.SIGKILL:
        assert len(left) == 1, "the next run will tidy up"
    else:
        assert running.returncode == 130
        assert left == []
        assert json.loads((tmp_path / "out" / "results.json").read_text())["idle"]


def test_folders_of_those_that_were_killed_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, strange = tmp_path / f"{PREFIX}dead", tmp_path / f"{PREFIX}strange"
    for folder in (dead, strange):
        folder.mkdir()
    (dead / LOCK).touch()
    with workplace() as held, workplace() as other:
        assert held.exists()
        assert other != held
        assert not dead.exists()
        assert strange.exists(), "without a lock it is not ours to remove"
    assert list(tmp_path.iterdir()) == [strange]


async def test_an_answer_to_an_earlier_question_is_skipped(tmp_path: Path) -> None:
    program = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    n = json.loads(line)['number']\n"
        "    print(json.dumps({'number': n - 1, 'answer': 'old'}))\n"
        "    print(json.dumps({'number': n, 'answer': n}), flush=True)\n"
    )
    child = Child((sys.executable, "-c", program), tmp_path / "log", talks=True)
    await child.start()
    try:
        assert [await child.ask("x"), await child.ask("x")] == [1, 2]
    finally:
        await child.kill()


@pytest.mark.parametrize("form", ["--out {}", "--out={}"])
def test_in_a_container_the_results_outlive_it(tmp_path: Path, form: str) -> None:
    out = tmp_path / "made" / "here"
    command = dev.in_container([*dev.LOOPS["bench"], "--quick", *form.format(out).split()])
    assert out.is_dir()
    assert f"{out}:{out}" in command
    assert dev.in_container([*dev.LOOPS["bench"]]), "the temporary folder is enough"
    other = dev.in_container(["pytest", "--out", str(tmp_path / "no")])
    assert not (tmp_path / "no").exists()
    assert not any(str(tmp_path) in part for part in other[:-1])
