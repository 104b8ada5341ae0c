"""The command line against real nodes: readable, as JSON, and clear about what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cluster import free_id

ROOT = Path(__file__).parents[2]


def lolraft(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "lolraft", *arguments),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Served:
    """A cluster that `lolraft serve` runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ids = [free_id() for _ in range(3)]
        self.processes = [self.serve(node_id) for node_id in self.ids]

    def serve(self, node_id: str, *more: str) -> subprocess.Popen[bytes]:
        log = (self.directory / f"{node_id.rpartition(':')[2]}.log").open("ab")
        arguments = ["serve", node_id, "--app", "kv", "--shards", "0-2"]
        arguments += ["--members", ",".join(self.ids), *more]
        return subprocess.Popen(
            (sys.executable, "-m", "lolraft", *arguments),
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stderr=log,
        )

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return lolraft(*arguments, cwd=self.directory)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("cli"))
    yield served
    for process in served.processes:
        process.kill()
        process.wait(10)


PUT = '{"op":"put","key":"a","value":"1"}'
GET = '{"op":"get","key":"a"}'


def test_write_read_and_status(served: Served) -> None:
    first, second, third = served.ids
    written = served.ask("write", "--shard", "1", first, second, PUT)
    assert (written.returncode, written.stderr) == (0, "")
    read = served.ask("read", third, "--shard", "1", GET)
    assert json.loads(read.stdout) == {"value": "1"}
    status = served.ask("status", *served.ids)
    assert status.returncode == 0
    assert all(node_id in status.stdout for node_id in served.ids)
    parsed = json.loads(served.ask("status", *served.ids, "--json").stdout)
    assert set(parsed) == set(served.ids)
    leaders = [
        node_id
        for node_id, report in parsed.items()
        if any(shard["role"] == "leader" for shard in report["shards"])
    ]
    assert leaders


def test_leadership_and_members_are_changed(served: Served) -> None:
    first, second, third = served.ids
    for target in served.ids:
        moved = served.ask("transfer", first, second, third, "--shard", "2", "--to", target)
        assert moved.returncode == 0, moved.stderr
        report = json.loads(served.ask("status", target, "--json").stdout)[target]
        roles = {int(shard.get("shard_id", 0)): shard["role"] for shard in report["shards"]}
        assert roles[2] == "leader"
    removed = served.ask("remove-server", first, second, "--shard", "2", "--server", third)
    assert removed.returncode == 0, removed.stderr
    added = served.ask("add-server", first, second, "--shard", "2", "--server", third)
    assert added.returncode == 0, added.stderr


def test_sets_of_members_are_changed(served: Served) -> None:
    first, second, third = served.ids
    asked = (*served.ids, "--shard", "1")

    def change(command: str, *arguments: str) -> None:
        ended = served.ask(command, *asked, *arguments, "--json")
        assert (ended.returncode, json.loads(ended.stdout)) == (0, {"ok": True}), ended.stderr

    change("change-members", "--voters", f"{first},{second}", "--learners", third)
    report = json.loads(served.ask("status", third, "--json").stdout)[third]
    roles = {int(shard.get("shard_id", 0)): shard["role"] for shard in report["shards"]}
    assert roles[1] == "learner"
    change("replace-server", "--old", second, "--new", third)
    change("add-server", "--server", second, "--as-learner")
    change("change-members", "--voters", ",".join(served.ids))
    twice = served.ask("change-members", *asked, "--voters", f"{first},{first}")
    assert (twice.returncode, twice.stderr.count("\n")) == (1, 1)
    assert "is named twice" in twice.stderr
    stranger = served.ask("replace-server", *asked, "--old", "http://a:1", "--new", second)
    assert stranger.returncode == 0, "it votes already, and the other is no member"
    nobody = served.ask("change-members", *asked, "--voters", "", "--learners", first)
    assert nobody.returncode == 1
    assert "no voter left" in nobody.stderr


def test_what_the_app_refuses_is_one_sentence(served: Served) -> None:
    refused = served.ask("write", served.ids[0], "--shard", "0", "nonsense")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "a message is a JSON object" in refused.stderr
    unknown = served.ask("read", served.ids[0], "--shard", "99", GET)
    assert unknown.returncode == 1
    assert "NOT_FOUND" in unknown.stderr


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    ended = lolraft("status", "127.0.0.1:1", cwd=tmp_path)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    ended = lolraft("write", "127.0.0.1:1", PUT, "--timeout", "1", cwd=tmp_path)
    assert ended.returncode == 1
    assert "UNAVAILABLE" in ended.stderr


BAD = {
    "no id": ("serve",),
    "an id that is none": ("serve", "ftp://x"),
    "an unknown app": ("serve", "http://127.0.0.1:9", "--app", "nothing"),
    "a class that is none": ("serve", "http://127.0.0.1:9", "--app", "os:path"),
    "a module that is not there": ("serve", "http://127.0.0.1:9", "--app", "no.such:App"),
    "shards that are none": ("serve", "http://127.0.0.1:9", "--shards", "a-b"),
    "shards without an end": ("serve", "http://127.0.0.1:9", "--shards", "0-99999999"),
    "members without itself": ("serve", "http://127.0.0.1:9", "--members", "http://127.0.0.1:8"),
    "a port that is none": ("serve", "http://127.0.0.1:9", "--listen", "127.0.0.1:99999"),
    "an address that is none": ("read", "???", GET),
    "no command": (),
    "an unknown command": ("dance",),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_a_sentence_and_2(tmp_path: Path, name: str) -> None:
    ended = lolraft(*BAD[name], cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.strip()
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == [], "nothing was written"


def test_a_directory_is_for_one_process_and_one_id(served: Served, tmp_path: Path) -> None:
    node_id = served.ids[0]
    port = node_id.rpartition(":")[2]
    data = served.directory / "lolraft-data" / f"127.0.0.1-{port}"
    locked = lolraft("serve", free_id(), "--data", str(data), "--app", "kv", cwd=tmp_path)
    assert locked.returncode == 1
    assert "Traceback" not in locked.stderr
    assert str(data) in locked.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_clean_end(tmp_path: Path, number: signal.Signals) -> None:
    node_id = free_id()
    arguments = ("serve", node_id, "--app", "kv", "--members", node_id, "--shards", "0")
    process = subprocess.Popen(
        (sys.executable, "-m", "lolraft", *arguments),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        written = lolraft("write", node_id, PUT, cwd=tmp_path)
        assert written.returncode == 0, written.stderr
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "Traceback" not in said
        data = f"lolraft-data/127.0.0.1-{node_id[-5:]}"
        again = lolraft("serve", free_id(), "--data", data, cwd=tmp_path)
        assert again.returncode == 1
        assert node_id in again.stderr, "it says whose directory it is"
    finally:
        process.kill()
        process.wait(10)


def test_the_environment_names_the_node_as_in_0_10_2(tmp_path: Path) -> None:
    ended = lolraft("serve", "--shards", "x", cwd=tmp_path, address="http://127.0.0.1:9")
    assert "shard" in ended.stderr, "the id was found; the shards are what is wrong"
