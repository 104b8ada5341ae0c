"""A node breaks a promise: the screen says so within 2 s, and every run without one fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cluster.local import LocalCluster
from lab.observe.recording import read
from lab.observe.safety import ONE_LEADER, SAME_PREFIX
from lab.observe.view import ClusterView, Violation
from lab.tui.app import LabApp
from lolraft.multiraft.records import Batch
from lolraft.raft.effects import Save
from lolraft.raft.types import Entries, NodeId
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.local_lab import local_lab
from tests.integration.terminal import PATIENCE_S, Terminal
from tests.integration.treason import FORGES, VOTES_TWICE, Changes, plant
from tests.lab.screen import Driven

BUSY_S = 10.0
"""The lab has 2 s; a machine that has other things to do has so many."""
STORIES: dict[str, tuple[Changes, str, str]] = {
    "votes_twice": (
        VOTES_TWICE,
        ONE_LEADER,
        """
        title Two votes of one node
        shows Two candidates that do not hear each other ask the same node.
        write a=1
        call leader old
        call follower1 one
        call follower2 other
        cut one - other
        restart old
        expect leader within 30s
        wait 4s
        """,
    ),
    "forges": (
        FORGES,
        SAME_PREFIX,
        """
        title An entry that was forged
        shows It was committed, and says something else after a restart.
        write a=mine
        write b=2
        call leader old
        restart old
        expect leader within 30s
        wait 4s
        """,
    ),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that plants a treason, once, and says where."""
    made: dict[str, Path] = {}

    def place(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            changes, _, story = STORIES[name]
            plant(changes, made[name])
            lines = [line.strip() for line in story.strip().splitlines()]
            (made[name] / "story.txt").write_text("\n".join(lines) + "\n")
        return made[name]

    return place


def since_s(view: ClusterView, broken: Violation) -> float:
    """
    Return since when the promise was broken in what the nodes held, by their own clocks.

    A second leader tells when it was elected. A forged entry is a committed one as soon as its node
    has heard a leader again: not before some peer has heard that node.
    """
    if broken.rule == ONE_LEADER:
        return max(event.at_s for event in view.events if event.kind == "elected")
    restarted_s = max(event.at_s for event in view.events if event.text == "restart old")
    return min(
        event.at_s for event in view.events if event.kind == "trusted" and event.at_s > restarted_s
    )


def is_alarm(ground: str) -> bool:
    """Return whether a colour, as six hexadecimal digits, is more red than anything else."""
    if not re.fullmatch("[0-9a-f]{6}", ground):
        return ground in ("red", "brown")
    red, green, blue = (int(ground[at : at + 2], 16) for at in (0, 2, 4))
    return red > 1.3 * green and red > 1.3 * blue


def run(place: Path, state: Path, *arguments: str) -> tuple[int, str]:
    """Run `./log --scenario` in *place*; return status and output."""
    ended = subprocess.run(
        [sys.executable, "-m", "lab", "--scenario", str(place / "story.txt"), *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place), "XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("how", ["--headless", "--plain", "--json"])
@pytest.mark.parametrize("backend", ["sim", "local"])
@pytest.mark.parametrize("name", STORIES)
def test_runs_without_a_screen_fail(
    name: str, backend: str, how: str, planted: Callable[[str], Path], tmp_path: Path
) -> None:
    status, said = run(planted(name), tmp_path, "--backend", backend, how)
    assert status == 1, said
    assert "shard 0" in said
    if how == "--json":
        objects = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert [one["verdict"] for one in objects if one["is"] == "safety"][-1] == "UNSAFE"


@pytest.mark.parametrize(("columns", "lines"), [(140, 45), (80, 24)])
@pytest.mark.parametrize("backend", ["local", "sim"])
@pytest.mark.parametrize("name", STORIES)
def test_the_screen_says_so_within_two_seconds(
    name: str,
    backend: str,
    columns: int,
    lines: int,
    planted: Callable[[str], Path],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    place, (_, rule, _) = planted(name), STORIES[name]
    before = set(place.glob("*.recording"))
    arguments = ("-m", "lab", "--backend", backend, "--scenario", str(place / "story.txt"))
    lab = Terminal(*arguments, state=tmp_path, columns=columns, lines=lines, root=place)
    try:
        top = lab.until(lambda text: "UNSAFE" in text.splitlines()[0]).splitlines()[0]
        seen_s = time.time()
        assert is_alarm(lab.screen.buffer[0][1].bg), "it stands on the ground of alarms"
        lab.until(lambda text: "HELD" in text.splitlines()[0] or "stands" in text.splitlines()[0])
        lab.press("q")
        lab.until(lambda text: "quit" in text.lower())
        lab.press("e")
        assert lab.wait() == 0
        assert b"Traceback" not in lab.raw
    finally:
        lab.close()
    (kept,) = set(place.glob("*.recording")) - before
    assert "a promise was broken: ./log --replay" in lab.raw.decode()
    view = read(kept).last()
    broken = view.violation
    assert broken is not None
    assert broken.text.split(" (")[0] in top
    if backend == "local":
        assert broken.rule == rule
        assert rule in top or columns < 100
        assert broken.shard_id == 0
        assert len(set(broken.nodes)) == 2
        assert all(node in top for node in broken.nodes)
        began_s = since_s(view, broken)
        record_property("seconds", round(seen_s - began_s, 3))
        print(f"{name} {columns}x{lines}: on the screen {seen_s - began_s:.2f} s after it was so")
        assert seen_s - began_s < BUSY_S


def forge(data: Path, node_id: NodeId, before: bytes, after: bytes) -> None:
    """Let the log of a stopped node say *after* where it says *before*; all checksums hold."""
    storage = SqliteStorage(data)
    storage.open(node_id)
    try:
        entries = storage.load()[0].entries
        place = max(at for at, payload in enumerate(entries.payloads) if before in payload)
        payloads = [payload.replace(before, after) for payload in entries.payloads[place:]]
        first = entries.first + place
        tail = Entries(first, entries.terms[place:], entries.kinds[place:], tuple(payloads))
        storage.commit(
            Batch(number=1, saves=((0, Save(number=1, truncate_from=first, entries=tail)),))
        )
    finally:
        storage.close()


async def test_a_data_directory_that_was_forged_is_seen_when_its_node_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with local_lab() as lab:
        await lab.put("a", "mine")
        leader = await lab.leader()
        name = next(one for one in lab.names if one != leader)
        await lab.until(lambda: lab.replica(name).commit_index == lab.shard.commit_index)
        handle = next(node for node in lab.cluster.nodes() if node.name == name)
        await lab.cluster.stop(name)
        assert isinstance(lab.cluster, LocalCluster)
        forge(lab.cluster.directory / name / "data", handle.node_id, b"mine", b"your")
        app = LabApp(lab.watcher, lab.cluster, lab.client)
        async with app.run_test(size=(140, 45)) as pilot:
            driven = Driven(app, pilot)
            await driven.until(lambda: "SAFE" in driven.text() and "UNSAFE" not in driven.text())
            await lab.cluster.restart(name)
            await lab.until(lambda: lab.view.verdict == "UNSAFE")
            await driven.until(lambda: "UNSAFE" in driven.text())
            top = driven.text().splitlines()[0]
        assert all(word in top for word in ("shard 0", name, SAME_PREFIX, "HELD")), top
        assert await lab.get("a") == "mine"


@pytest.mark.parametrize("backend", ["sim", "local"])
@pytest.mark.parametrize("name", STORIES)
def test_the_same_runs_pass_with_honest_nodes(
    name: str, backend: str, planted: Callable[[str], Path], tmp_path: Path
) -> None:
    honest = tmp_path / "honest"
    plant({}, honest)
    (honest / "story.txt").write_text((planted(name) / "story.txt").read_text())
    status, said = run(honest, tmp_path, "--backend", backend, "--headless")
    assert status == 0, said
