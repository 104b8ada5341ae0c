"""The default store: one SQLite database a node, WAL, `synchronous=FULL` (DESIGN section 6)."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import (
    Ballot,
    Clock,
    Configuration,
    Entries,
    Index,
    NodeId,
    ShardId,
    SnapshotMeta,
)
from lolraft.storage import blob
from lolraft.storage.directory import DirectoryLock, make_directory, sync_directory
from lolraft.storage.interface import (
    Corrupted,
    NewerFormat,
    Storage,
    StorageError,
    WrongNode,
)
from lolraft.storage.segments import Segments, Truncations

FORMAT = 1
DELETED_A_COMMIT = 32  # Old blobs that one commit removes, at most, so that none takes long.

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    term INTEGER NOT NULL DEFAULT 0,
    voted_for TEXT,
    base_term INTEGER NOT NULL DEFAULT 0,
    base_index INTEGER NOT NULL DEFAULT 0,
    snapshot BLOB
);
CREATE TABLE batches (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
-- A shard's entries from `first` on do not count in batches before `batch`; they ended at `upto`.
CREATE TABLE truncations (
    shard INTEGER NOT NULL, batch INTEGER NOT NULL, first INTEGER NOT NULL, upto INTEGER NOT NULL
);
"""


class SqliteStorage(Storage):
    """
    Keep a node's data in *directory*, made when it is missing.

    A commit whose saves only append is one INSERT of one blob, whatever the number of shards
    (C6, P2): which blob holds which indexes is kept in memory and read from the blobs at open.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = DirectoryLock(directory)
        self._database: sqlite3.Connection | None = None
        self._segments = Segments()
        self._batch = 0  # The newest number; never used twice, though old rows are deleted.
        self._failed: str | None = None

    def open(self, node_id: NodeId) -> NodeRecord:
        """Lock the directory, check whose it is, raise the epoch durably."""
        make_directory(self._directory)
        self._lock.take()
        try:
            return self._open(node_id)
        except sqlite3.Error as broken:
            self.close()
            raise StorageError(f"cannot open {self._directory}: {broken}") from broken
        except BaseException:
            self.close()
            raise

    def _open(self, node_id: NodeId) -> NodeRecord:
        path = self._directory / "node.db"
        new = not path.exists()
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database = database
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("PRAGMA wal_autocheckpoint=4000")
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        except sqlite3.DatabaseError as broken:
            raise self._damage("the database", broken) from broken
        if "facts" not in tables:
            database.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        if new:
            sync_directory(self._directory)
        facts = dict(database.execute("SELECT name, value FROM facts"))
        self._check_format(facts)
        known = self._read_node(facts, node_id)
        record = replace(known, epoch=known.epoch + 1)
        with Transaction(database):
            self._write_node(record)
            self._put_fact("format", str(FORMAT))
        return record

    def _check_format(self, facts: dict[str, str]) -> None:
        version = int(facts.get("format", FORMAT))
        if version > FORMAT:
            raise NewerFormat(
                f"{self._directory} has format {version}, this version of lolraft reads up to "
                f"{FORMAT}; use the version that wrote it, or a newer one"
            )

    def _read_node(self, facts: dict[str, str], node_id: NodeId) -> NodeRecord:
        if "node" not in facts:
            return NodeRecord(node_id=node_id, incarnation=secrets.randbits(64) or 1, epoch=0)
        try:
            raw = json.loads(facts["node"])
            record = NodeRecord(
                node_id=NodeId(raw["node_id"]),
                incarnation=int(raw["incarnation"]),
                epoch=int(raw["epoch"]),
                hosted=tuple(raw["hosted"]),
                pins=tuple((NodeId(peer), int(number)) for peer, number in raw["pins"]),
                proven=bool(raw["proven"]),
            )
        except (KeyError, TypeError, ValueError) as broken:
            raise self._damage("the facts of the node", broken) from broken
        if record.node_id != node_id:
            raise WrongNode(
                f"{self._directory} belongs to {record.node_id}, not to {node_id}; start with "
                "that id, or use another data directory"
            )
        return record

    def _write_node(self, record: NodeRecord) -> None:
        value = {
            "node_id": record.node_id,
            "incarnation": record.incarnation,
            "epoch": record.epoch,
            "hosted": record.hosted,
            "pins": record.pins,
            "proven": record.proven,
        }
        self._put_fact("node", json.dumps(value))

    def _put_fact(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    @property
    def _db(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError("the store is not open")
        return self._database

    def _damage(self, what: str, why: Exception, shard_id: ShardId | None = None) -> Corrupted:
        return Corrupted(
            f"{what} in {self._directory} is damaged ({why}); move the directory away, remove "
            "this server from its groups and add it again: it gets everything from the leaders",
            shard_id,
        )

    # --- loading ---------------------------------------------------------------------------------

    def load(self) -> dict[ShardId, ShardRecord]:
        """Read all shards; the index of what is where is rebuilt on the way."""
        try:
            return self._load()
        except sqlite3.Error as broken:
            raise self._damage("the database", broken) from broken

    def _load(self) -> dict[ShardId, ShardRecord]:
        self._segments = Segments()
        records: dict[ShardId, ShardRecord] = {}
        for row in self._db.execute("SELECT * FROM shards ORDER BY shard"):
            shard_id, term, voted_for, base_term, base_index, snapshot = row
            base = Clock(base_term, base_index)
            records[shard_id] = ShardRecord(
                ballot=Ballot(term, NodeId(voted_for) if voted_for else None),
                snapshot=self._read_snapshot(shard_id, snapshot),
                log_starts_after=base,
                entries=Entries(base_index + 1, (), b"", ()),
            )
        self._index(records)
        for shard_id, parts in self._read_parts().items():
            record = records.get(shard_id, ShardRecord())
            whole = self._join(shard_id, record.log_starts_after.index, parts)
            records[shard_id] = replace(record, entries=whole)
        return dict(sorted(records.items()))

    def _index(self, records: dict[ShardId, ShardRecord]) -> None:
        """Find out which batch holds what; damage is found here, before anything is served."""
        rows = self._db.execute("SELECT shard, batch, first FROM truncations").fetchall()
        truncations = Truncations(rows)
        self._batch = max((batch for _, batch, _ in rows), default=0)
        for number, content in self._db.execute("SELECT id, content FROM batches ORDER BY id"):
            self._batch = max(self._batch, number)
            for section in self._sections(number, content):
                shard_id = section.shard_id
                base = records[shard_id].log_starts_after.index if shard_id in records else 0
                last = section.first + section.count - 1
                last = truncations.last_valid(shard_id, number, last)
                first = max(section.first, base + 1)
                if first <= last:
                    self._segments.add(number, shard_id, first, last)
            self._segments.note_batch(number)

    def _sections(self, number: int, content: bytes) -> list[blob.Section]:
        try:
            return blob.sections(content)
        except blob.Damaged as broken:
            raise self._damage(f"batch {number}", broken) from broken

    def _read_parts(self) -> dict[ShardId, list[Entries]]:
        """Read every live segment, one pass over the batches."""
        wanted: dict[tuple[int, ShardId], list[tuple[Index, Index]]] = {}
        for shard_id in self._segments.shards():
            for number, first, last in self._segments.of(shard_id):
                wanted.setdefault((number, shard_id), []).append((first, last))
        parts: dict[ShardId, list[Entries]] = {}
        for number, content in self._db.execute("SELECT id, content FROM batches ORDER BY id"):
            for section in self._sections(number, content):
                end = section.first + section.count
                for first, last in wanted.get((number, section.shard_id), ()):
                    if section.first <= first <= last < end:
                        whole = blob.entries_of(content, section)
                        part = _before(_after(whole, first - 1), last + 1)
                        parts.setdefault(section.shard_id, []).append(part)
        return parts

    def _join(self, shard_id: ShardId, base: Index, parts: list[Entries]) -> Entries:
        following = base + 1
        for part in parts:
            if part.first != following:
                gap = ValueError(f"entries {following} to {part.first - 1} are missing")
                raise self._damage(f"the log of shard {shard_id}", gap, shard_id)
            following = part.last + 1
        return Entries(
            base + 1,
            tuple(term for part in parts for term in part.terms),
            b"".join(part.kinds for part in parts),
            tuple(payload for part in parts for payload in part.payloads),
        )

    def _read_snapshot(self, shard_id: ShardId, raw: bytes | None) -> SnapshotMeta | None:
        if raw is None:
            return None
        try:
            head, sessions = blob.split_snapshot(raw)
            facts = json.loads(head)
            return SnapshotMeta(
                clock=Clock(*facts["clock"]),
                configuration=Configuration.decode(facts["configuration"].encode()),
                configuration_index=facts["configuration_index"],
                sessions=sessions,
            )
        except (blob.Damaged, KeyError, TypeError, ValueError) as broken:
            raise self._damage(f"the snapshot of shard {shard_id}", broken, shard_id) from broken

    # --- writing ---------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        """Write *batch* in one transaction; after a failure the store takes no more."""
        if self._failed is not None:
            raise StorageError(f"the store failed and takes no more batches: {self._failed}")
        try:
            with Transaction(self._db):
                self._write(batch)
        except (sqlite3.Error, OSError) as broken:
            self._failed = str(broken)
            raise StorageError(
                f"cannot write to {self._directory}: {broken}; see the disk's space and health, "
                "then start this node again"
            ) from broken

    def _write(self, batch: Batch) -> None:
        self._batch += 1
        parts: dict[ShardId, list[Entries]] = {}
        for shard_id, save in batch.saves:
            self._write_facts(shard_id, save)
            mine = parts.setdefault(shard_id, [])
            if save.log_starts_after is not None:
                parts[shard_id] = mine = [
                    _after(entries, save.log_starts_after.index) for entries in mine
                ]
            if save.truncate_from is not None:
                parts[shard_id] = mine = [_before(item, save.truncate_from) for item in mine]
                self._truncate(shard_id, save.truncate_from)
            if save.entries is not None:
                mine.append(save.entries)
        for shard_id in batch.dropped:
            parts.pop(shard_id, None)
            self._drop(shard_id)
        self._append([(s, item) for s, items in parts.items() for item in items if item.terms])
        if batch.node is not None:
            self._write_node(batch.node)
        self._delete_garbage()

    def _append(self, parts: list[tuple[ShardId, Entries]]) -> None:
        if not parts:
            return
        content = blob.encode(parts)
        self._db.execute("INSERT INTO batches VALUES (?, ?)", (self._batch, content))
        for shard_id, entries in parts:
            self._segments.add(self._batch, shard_id, entries.first, entries.last)

    def _truncate(self, shard_id: ShardId, first: Index) -> None:
        upto = self._segments.last(shard_id)
        if upto >= first:
            row = (shard_id, self._batch, first, upto)
            self._db.execute("INSERT INTO truncations VALUES (?, ?, ?, ?)", row)
            self._segments.truncate(shard_id, first)

    def _write_facts(self, shard_id: ShardId, save: Save) -> None:
        if save.ballot is None and save.snapshot is None and save.log_starts_after is None:
            return
        database = self._db
        database.execute("INSERT OR IGNORE INTO shards (shard) VALUES (?)", (shard_id,))
        if save.ballot is not None:
            database.execute(
                "UPDATE shards SET term = ?, voted_for = ? WHERE shard = ?",
                (save.ballot.current_term, save.ballot.voted_for, shard_id),
            )
        if save.snapshot is not None:
            meta = save.snapshot
            facts = {
                "clock": meta.clock,
                "configuration": meta.configuration.encode().decode(),
                "configuration_index": meta.configuration_index,
            }
            raw = blob.join_snapshot(json.dumps(facts).encode(), meta.sessions)
            database.execute("UPDATE shards SET snapshot = ? WHERE shard = ?", (raw, shard_id))
        if save.log_starts_after is not None:
            base = save.log_starts_after
            database.execute(
                "UPDATE shards SET base_term = ?, base_index = ? WHERE shard = ?",
                (*base, shard_id),
            )
            database.execute(
                "DELETE FROM truncations WHERE shard = ? AND upto <= ?", (shard_id, base.index)
            )
            self._segments.compact(shard_id, base.index)

    def _drop(self, shard_id: ShardId) -> None:
        self._db.execute(
            "UPDATE shards SET base_term = 0, base_index = 0, snapshot = NULL WHERE shard = ?",
            (shard_id,),
        )
        self._truncate(shard_id, 0)

    def _delete_garbage(self) -> None:
        numbers = self._segments.take_garbage(DELETED_A_COMMIT)
        if numbers:
            rows: Iterable[tuple[int]] = ((number,) for number in numbers)
            self._db.executemany("DELETE FROM batches WHERE id = ?", rows)

    def close(self) -> None:
        """Close the database and release the lock."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        self._lock.release()


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


def _before(entries: Entries, index: Index) -> Entries:
    keep = max(0, min(len(entries.terms), index - entries.first))
    return _slice(entries, 0, keep)


def _after(entries: Entries, index: Index) -> Entries:
    drop = max(0, min(len(entries.terms), index + 1 - entries.first))
    return _slice(entries, drop, len(entries.terms))


def _slice(entries: Entries, start: int, stop: int) -> Entries:
    return Entries(
        entries.first + start,
        entries.terms[start:stop],
        entries.kinds[start:stop],
        entries.payloads[start:stop],
    )
