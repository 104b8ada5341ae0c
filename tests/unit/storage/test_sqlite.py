"""What only the store on disk has: old batches that linger, damage, formats, directories."""

from __future__ import annotations

from pathlib import Path

from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Ballot, Clock, Entries
from lolraft.storage.sqlite import DELETED_A_COMMIT, SqliteStorage
from tests.unit.storage.writer import ME


def opened(directory: Path) -> SqliteStorage:
    store = SqliteStorage(directory)
    store.open(ME)
    store.load()
    return store


def entries(first: int, *terms: int) -> Entries:
    payloads = tuple(b"%d/%d" % (term, first + i) for i, term in enumerate(terms))
    return Entries(first, terms, b"\1" * len(terms), payloads)


def test_a_dropped_log_stays_dropped_while_its_old_batches_linger(tmp_path: Path) -> None:
    store = opened(tmp_path)
    many = 8 * DELETED_A_COMMIT  # More than the commits below delete.
    for index in range(1, many + 1):
        save = Save(number=index, ballot=Ballot(1, ME), entries=entries(index, 1))
        store.commit(Batch(number=index, saves=((5, save),)))
    store.commit(Batch(number=1, saves=((5, Save(number=1, log_starts_after=Clock(1, many))),)))
    store.commit(Batch(number=2, dropped=(5,)))
    # The server is added again: the log begins anew, and is compacted before the old one ended.
    again = Save(number=1, entries=entries(1, 7, 7))
    store.commit(Batch(number=3, saves=((5, again),)))
    compacted = Save(number=2, log_starts_after=Clock(7, 1))
    store.commit(Batch(number=4, saves=((5, compacted),)))
    store.close()
    found = opened(tmp_path).load()[5]
    assert found == ShardRecord(
        ballot=Ballot(1, ME), log_starts_after=Clock(7, 1), entries=entries(2, 7), damaged=True
    )
