"""A process that writes is killed at any moment: every batch that it acknowledged is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from lolraft.multiraft.records import ShardRecord
from lolraft.storage.interface import Locked
from lolraft.storage.sqlite import SqliteStorage
from tests.unit.storage.writer import ME, Story

ROOT = Path(__file__).parents[2]
Child = subprocess.Popen[bytes]


def writer(directory: Path, seed: int, *more: int) -> Child:
    """Start the writing process; *more* is what `tests.unit.storage.writer` takes after SEED."""
    arguments = [str(directory), str(seed), *map(str, more or (0,))]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.storage.writer", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )


def end(child: Child) -> None:
    """Kill the process, if it still runs, and wait for it."""
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=20)
    assert child.stdout is not None
    child.stdout.close()


def acknowledged(child: Child, enough: int) -> int:
    """Read acknowledgements until there are *enough*, kill the writer, read the rest."""
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    newest = 0
    while newest < enough:
        newest = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    whole = child.stdout.read().rpartition(b"\n")[0].split()
    end(child)
    return int(whole[-1]) if whole else newest


def known(records: dict[int, ShardRecord]) -> dict[int, ShardRecord]:
    """Leave out shards of which nothing is known: a store need not have a row for them."""
    return {shard: record for shard, record in records.items() if record != ShardRecord()}


def found(directory: Path) -> dict[int, ShardRecord]:
    """Open as a node would after the crash, and return what is there."""
    store = SqliteStorage(directory)
    store.open(ME)
    try:
        return known(store.load())
    finally:
        store.close()


@pytest.mark.parametrize("seed", range(7))
def test_every_acknowledged_batch_survives_kill_9(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)
    done = 0
    for _ in range(3):
        child = writer(tmp_path, seed, done)
        try:
            newest = acknowledged(child, done + dice.randint(1, 120))
        finally:
            end(child)
        there = found(tmp_path)
        story = Story(seed, newest)
        if there != known(story.records):
            story.next()  # Written, and killed before it could say so: whole, or not at all.
        assert there == known(story.records), f"batch {newest} was acknowledged"
        done = story.number


def test_a_directory_is_locked_until_its_process_is_gone(tmp_path: Path) -> None:
    child = writer(tmp_path, 1)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(Locked, match=f"in use by process {child.pid}"):
            SqliteStorage(tmp_path).open(ME)
        end(child)
        assert found(tmp_path) is not None
    finally:
        end(child)
