"""The tables of the database, and what a transaction is."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

FORMAT = 1

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    term INTEGER NOT NULL,
    voted_for TEXT,
    base_term INTEGER NOT NULL,
    base_index INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    snapshot BLOB
);
CREATE TABLE batches (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
-- A shard's entries from `first` on do not count in batches before `batch`; they ended at `upto`.
CREATE TABLE truncations (
    shard INTEGER NOT NULL, batch INTEGER NOT NULL, first INTEGER NOT NULL, upto INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);
"""


WRITE_ROW = """
INSERT INTO shards (shard, term, voted_for, base_term, base_index, checksum)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (shard) DO UPDATE SET
    term = excluded.term, voted_for = excluded.voted_for, base_term = excluded.base_term,
    base_index = excluded.base_index, checksum = excluded.checksum
"""


class Transaction:
    """Begin, then commit or roll back: one fsync at the end."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._database.execute("COMMIT")
        else:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
