"""Whatever became of a node's database: all of it is there, or the store says that it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolraft.storage.interface import StorageError
from lolraft.storage.sqlite import SqliteStorage
from tests.fuzz.effort import effort
from tests.integration.test_storage_damage import is_start_of
from tests.integration.test_storage_kill9 import found, known
from tests.unit.storage.writer import ME, Records, Story

BATCHES = 30

places = st.floats(0, 1, exclude_max=True)  # Of the file's length.
changes = st.one_of(
    st.tuples(st.just("cut"), places, st.just(b"")),
    st.tuples(st.just("write"), places, st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("zero"), places, st.integers(1, 8192).map(bytes)),
    st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=4096)),
    st.tuples(st.just("drop"), places, st.integers(1, 4096).map(bytes)),
    st.tuples(st.just("append"), places, st.binary(min_size=1, max_size=4096)),
)


class Settled:
    """A store that was closed in order, and what is in it."""

    def __init__(self, directory: Path) -> None:
        self.directory, story = directory, Story(7)
        store = SqliteStorage(directory)
        store.open(ME)
        store.load()
        for _ in range(BATCHES):
            store.commit(story.next())
        store.close()
        self.records: Records = known(story.records)

    def copy(self, to: Path) -> Path:
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.directory, to)
        return to


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Settled:
    return Settled(tmp_path_factory.mktemp("settled") / "data")


def changed(raw: bytes, what: str, place: float, content: bytes) -> bytes:
    at, size = int(place * len(raw)), len(content)
    match what:
        case "cut":
            return raw[:at]
        case "write" | "zero":
            return raw[:at] + content + raw[at + size :]
        case "insert":
            return raw[:at] + content + raw[at:]
        case "drop":
            return raw[:at] + raw[at + size :]
        case _:
            return raw + content


def found_unless_refused(directory: Path) -> Records | None:
    """Return what is there, None where a sentence that names the place says that it is not."""
    try:
        return found(directory)
    except StorageError as refused:
        if str(directory) not in str(refused):
            raise
        return None


@effort(150)
@given(made=st.lists(changes, min_size=1, max_size=3))
def test_a_changed_database_is_whole_or_refused(
    settled: Settled, tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, float, bytes]]
) -> None:
    copy = settled.copy(tmp_path_factory.getbasetemp() / "fuzzed")
    file = copy / "node.db"
    for what, place, content in made:
        file.write_bytes(changed(file.read_bytes(), what, place, content))
    there = found_unless_refused(copy)
    if there is None:
        return
    if any(record.damaged for record in there.values()):
        assert is_start_of(there, settled.records)
    else:
        assert there == settled.records


@effort(60)
@given(name=st.sampled_from(("node.db-wal", "node.db-shm", "node.db-journal")), raw=st.binary())
def test_a_strange_file_beside_it_changes_nothing(
    settled: Settled, tmp_path_factory: pytest.TempPathFactory, name: str, raw: bytes
) -> None:
    copy = settled.copy(tmp_path_factory.getbasetemp() / "fuzzed")
    (copy / name).write_bytes(raw)
    assert found_unless_refused(copy) in (None, settled.records)
