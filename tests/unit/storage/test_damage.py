"""A batch that rotted: what is whole stays, every log that may miss its end is marked (S12)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Ballot, Entries, NodeId
from lolraft.storage.interface import Corrupted
from lolraft.storage.sqlite import SqliteStorage
from tests.unit.storage.test_sqlite import entries, opened
from tests.unit.storage.writer import ME

VOTE = Ballot(3, NodeId("http://n2:1"))


def rot(directory: Path, batch: int) -> None:
    """Flip one bit of a batch where it lies."""
    with sqlite3.connect(directory / "node.db") as database:
        row = database.execute("SELECT content FROM batches WHERE id = ?", (batch,)).fetchone()
        content = bytearray(row[0])
        content[-1] ^= 1
        database.execute("UPDATE batches SET content = ? WHERE id = ?", (bytes(content), batch))
    database.close()


def append(store: SqliteStorage, shard_id: int, what: Entries, **more: object) -> None:
    save = Save(number=1, ballot=VOTE, entries=what, **more)  # type: ignore[arg-type]
    store.commit(Batch(number=1, saves=((shard_id, save),)))


@pytest.fixture
def rotten(tmp_path: Path) -> Path:
    """Return a directory with two shards; of shard 5, entry 3 cannot be read."""
    store = opened(tmp_path)
    append(store, 5, entries(1, 1, 1))
    append(store, 6, entries(1, 1))
    append(store, 5, entries(3, 2))
    append(store, 5, entries(4, 2))
    store.close()
    rot(tmp_path, 3)
    return tmp_path


def loaded(directory: Path) -> dict[int, ShardRecord]:
    store = SqliteStorage(directory)
    store.open(ME)
    try:
        return store.load()
    finally:
        store.close()


def test_the_beginning_stays_and_ballots_do(rotten: Path) -> None:
    expected = {
        5: ShardRecord(ballot=VOTE, entries=entries(1, 1, 1), damaged=True),
        6: ShardRecord(ballot=VOTE, entries=entries(1, 1), damaged=True),
    }
    assert loaded(rotten) == expected
    assert loaded(rotten) == expected, "starting again hides nothing"


def test_it_is_noted_with_the_first_commit_and_until_each_is_repaired(rotten: Path) -> None:
    store = opened(rotten)
    append(store, 6, entries(2, 3))
    store.close()
    there = loaded(rotten)
    assert (there[5].damaged, there[6].damaged) == (True, True)
    assert there[6].entries == entries(1, 1, 3)

    store = opened(rotten)
    append(store, 5, entries(3, 3, 3), repaired=True)
    store.close()
    there = loaded(rotten)
    assert (there[5].damaged, there[6].damaged) == (False, True)
    assert there[5].entries == entries(1, 1, 1, 3, 3), "not those after the gap"

    store = opened(rotten)
    store.commit(Batch(number=1, dropped=(6,)))
    store.close()
    assert loaded(rotten)[6].damaged, "what it held it must hold again before it votes (S12)"


def test_what_is_repaired_alone_is_a_transaction_too(rotten: Path) -> None:
    store = opened(rotten)
    append(store, 5, entries(3, 3))
    store.commit(Batch(number=2, saves=((5, Save(number=2, repaired=True)),)))
    store.close()
    assert not loaded(rotten)[5].damaged


def test_a_rotten_last_batch_is_as_bad_as_any(tmp_path: Path) -> None:
    """Nothing shows which log lost its end: the one that did looks whole."""
    store = opened(tmp_path)
    append(store, 5, entries(1, 1))
    append(store, 6, entries(1, 1))
    append(store, 5, entries(2, 1))
    store.close()
    rot(tmp_path, 3)
    there = loaded(tmp_path)
    assert there[5].entries == entries(1, 1)
    assert (there[5].damaged, there[6].damaged) == (True, True)


def test_a_note_that_rotted_is_refused(rotten: Path) -> None:
    store = opened(rotten)
    append(store, 6, entries(2, 3))
    store.close()
    with sqlite3.connect(rotten / "node.db") as database:
        database.execute("UPDATE facts SET value = replace(value, '5, ', '') WHERE name='damaged'")
    database.close()
    with pytest.raises(Corrupted, match="the note of what is damaged"):
        loaded(rotten)


def test_a_ballot_that_rotted_is_refused(rotten: Path) -> None:
    """Who may have voted for somebody else votes again only after being removed and added."""
    with sqlite3.connect(rotten / "node.db") as database:
        database.execute("UPDATE shards SET voted_for = 'http://n3:1' WHERE shard = 6")
    database.close()
    with pytest.raises(Corrupted, match=r"state of shard 6 .* remove this server .* add it again"):
        loaded(rotten)
