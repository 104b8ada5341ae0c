"""A data directory that cannot be used is refused with a sentence; a full disk ends in order."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lolraft.raft.types import NodeId
from lolraft.storage.interface import Corrupted, NewerFormat, StorageError, WrongNode
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.test_storage_kill9 import end, found, known, writer
from tests.unit.storage.writer import ME, Story

NOBODY = 65534


def opened(directory: Path, node_id: NodeId = ME) -> SqliteStorage:
    store = SqliteStorage(directory)
    store.open(node_id)
    return store


def said(directory: Path, *limits: int) -> list[str]:
    """Let a process write until it ends by itself; return its lines."""
    child = writer(directory, 3, 0, *limits)
    try:
        out, _ = child.communicate(timeout=30)
    finally:
        end(child)
    assert child.returncode == 1
    return out.decode().splitlines()


def check_all_acknowledged(directory: Path, lines: list[str]) -> None:
    """Every number that was printed is there after a new start."""
    assert lines[0] == "open"
    newest = int(lines[-2])
    assert newest == len(lines) - 2
    story = Story(3, newest)
    assert found(directory) == known(story.records)


# --- another format, another node ----------------------------------------------------------------


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "node.db") as database:
        database.execute("UPDATE facts SET value = '2' WHERE name = 'format'")
    database.close()
    before = (tmp_path / "node.db").read_bytes()
    with pytest.raises(NewerFormat, match=r"has format 2.* use the version that wrote it"):
        opened(tmp_path)
    assert (tmp_path / "node.db").read_bytes() == before


def test_a_directory_of_another_node_names_both(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(WrongNode, match=r"belongs to http://n1:1, not to http://n2:1; start with"):
        opened(tmp_path, NodeId("http://n2:1"))
    opened(tmp_path).close()  # The lock was let go.


def test_a_file_that_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"a text, not a database" * 500)
    with pytest.raises(Corrupted, match="move the directory away"):
        opened(tmp_path)


def test_a_database_of_somebody_else_is_damage(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "node.db") as database:
        database.execute("CREATE TABLE facts (name TEXT, value TEXT)")
        database.execute("INSERT INTO facts VALUES ('node', 'who?')")
    database.close()
    with pytest.raises(Corrupted, match="the facts of the node"):
        opened(tmp_path)


# --- no way to write -----------------------------------------------------------------------------


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot make the data directory .*file"):
        opened(tmp_path / "file" / "data")
    with pytest.raises(StorageError, match=r"cannot make the data directory .*file"):
        opened(tmp_path / "file")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Yield a used data directory that nobody but root may write."""
    directory = tmp_path / "data"
    opened(directory).close()
    names = [directory, *directory.iterdir()]
    for name in names:
        name.chmod(0o555 if name.is_dir() else 0o444)
    for above in directory.parents:
        if (
            os.stat(above).st_uid == os.getuid()
            and above != above.parent
            and "pytest" in str(above)
        ):
            above.chmod(0o755)
    yield directory
    for name in names:
        name.chmod(0o755 if name.is_dir() else 0o644)


def test_a_read_only_directory_is_refused_and_not_called_damaged(read_only: Path) -> None:
    (last,) = said(read_only, 0, NOBODY)
    assert last.startswith(f"refused: cannot write {read_only / 'lock'}")
    assert "damaged" not in last


def test_a_read_only_database_is_refused_and_not_called_damaged(read_only: Path) -> None:
    (read_only / "lock").chmod(0o666)
    (last,) = said(read_only, 0, NOBODY)
    assert last.startswith(f"refused: cannot open {read_only}")
    assert "permissions" in last
    assert "damaged" not in last


# --- no room -------------------------------------------------------------------------------------


def test_what_was_acknowledged_before_a_file_may_not_grow_is_there(tmp_path: Path) -> None:
    lines = said(tmp_path, 500_000)
    assert lines[-1].startswith(f"refused: cannot write to {tmp_path}")
    assert "space" in lines[-1]
    check_all_acknowledged(tmp_path, lines)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of half a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.getuid() or mount is None:
        pytest.skip("only root can mount a small file system")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=512k", "small", place]).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_what_was_acknowledged_before_the_disk_was_full_is_there(small_disk: Path) -> None:
    data, ballast = small_disk / "data", small_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    lines = said(data)
    assert lines[-1].startswith(f"refused: cannot write to {data}")
    assert "space" in lines[-1]
    ballast.unlink()
    check_all_acknowledged(data, lines)


def test_a_full_disk_at_start_is_not_called_damage(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(500_000))
    (small_disk / "data").mkdir()
    with pytest.raises(StorageError, match="see the disk's space") as refusal:
        opened(small_disk / "data")
    assert not isinstance(refusal.value, Corrupted)
