"""The default store: one SQLite database a node, WAL, `synchronous=FULL` (DESIGN section 6)."""

from __future__ import annotations

import secrets
import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Entries, Index, NodeId, ShardId
from lolraft.storage import blob, rows
from lolraft.storage.columns import after, before, joined
from lolraft.storage.damage import FACT, Damage
from lolraft.storage.directory import (
    DirectoryLock,
    is_used,
    make_directory,
    mark_used,
    sync_directory,
)
from lolraft.storage.interface import Corrupted, NewerFormat, Storage, StorageError, WrongNode
from lolraft.storage.schema import FORMAT, SCHEMA, WRITE_ROW, Transaction
from lolraft.storage.segments import Segments, Truncations
from lolraft.storage.wal import JournalDamaged, check_journal

DELETED_A_COMMIT = 32  # Old blobs that one commit removes, at most, so that none takes long.

OF_THE_DISK = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
}
"""Errors of SQLite that say nothing about what is stored."""

UNREADABLE = (sqlite3.Error, OSError, ValueError, TypeError, ArithmeticError, LookupError)
"""What reading raises where the disk fails, or where a rotten schema changes names and types."""


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
        self._rows: dict[ShardId, rows.ShardRow] = {}
        self._damage = Damage()
        self._batch = 0  # The newest number; never used twice, though old rows are deleted.
        self._failed: str | None = None

    def open(self, node_id: NodeId) -> NodeRecord:
        """Lock the directory, check whose it is, raise the epoch durably."""
        make_directory(self._directory)
        return self._locked(node_id)

    def open_as_found(self) -> NodeRecord:
        """
        Lock what a stopped node left and return its facts; nothing is changed: for tools.

        Raises:
            StorageError: there is no node's data; and all that `open` raises.
        """
        if not (self._directory / "node.db").exists():
            raise StorageError(
                f"{self._directory} holds no node's data (no node.db); name the directory that "
                "`lolraft serve --data` was given"
            )
        return self._locked(None)

    def copy_to(self, path: Path) -> None:
        """Write all that is stored into one new file, which can take the place of `node.db`."""
        with closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)
        sync_directory(path.parent)

    def _locked(self, node_id: NodeId | None) -> NodeRecord:
        self._lock.take()
        try:
            return self._open(node_id)
        except UNREADABLE as broken:
            self.close()
            raise self._refusal("open", broken) from broken
        except BaseException:
            self.close()
            raise

    def _open(self, node_id: NodeId | None) -> NodeRecord:
        path = self._directory / "node.db"
        new = not path.exists()
        try:
            check_journal(path)
        except JournalDamaged as broken:
            raise self._damaged("the database", broken) from broken
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database = database
        database.text_factory = lambda raw: raw.decode(errors="replace")  # Checksums tell.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA wal_autocheckpoint=4000")
        # Rows have checksums, pages have not: this finds rows that fell out of their tree.
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._damaged("the database", ValueError(verdict.splitlines()[-1]))
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if "facts" not in tables:
            database.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        if new:
            sync_directory(self._directory)
        known = self._read_node(node_id)
        if node_id is None:
            return known
        record = replace(known, epoch=known.epoch + 1)
        with Transaction(database):
            self._write_node(record)
            self._put_fact("format", str(FORMAT))
        mark_used(self._directory)
        return record

    def _read_node(self, node_id: NodeId | None) -> NodeRecord:
        facts = dict(self._db.execute("SELECT name, value FROM facts"))
        version = facts.get("format", str(FORMAT))
        if version.isdecimal() and int(version) > FORMAT:
            raise NewerFormat(
                f"{self._directory} has format {version}, this version of lolraft reads up to "
                f"{FORMAT}; use the version that wrote it, or a newer one"
            )
        if not facts and is_used(self._directory):
            raise self._damaged("the database", ValueError("it is empty, and was not"))
        if not facts and node_id is not None:
            return NodeRecord(node_id=node_id, incarnation=secrets.randbits(64) or 1, epoch=0)
        try:
            record = rows.decode_node(facts["node"])
        except (blob.Damaged, KeyError) as broken:
            raise self._damaged("the facts of the node", broken) from broken
        if node_id not in (None, record.node_id):
            raise WrongNode(
                f"{self._directory} belongs to {record.node_id}, not to {node_id}; start with "
                "that id, or use another data directory"
            )
        return record

    def _write_node(self, record: NodeRecord) -> None:
        self._put_fact("node", rows.encode_node(record))

    def _put_fact(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    @property
    def _db(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError("the store is not open")
        return self._database

    def _damaged(self, what: str, why: Exception, shard_id: ShardId | None = None) -> Corrupted:
        return Corrupted(
            f"{what} in {self._directory} is damaged ({why}); move the directory away, remove "
            "this server from its groups and add it again: it gets everything from the leaders",
            shard_id,
        )

    def _refusal(self, what: str, why: Exception) -> StorageError:
        """Return what an error of SQLite or the system means: a failing disk is not damage."""
        code = getattr(why, "sqlite_errorcode", None)
        if isinstance(why, OSError) or (code is not None and code & 0xFF in OF_THE_DISK):
            return StorageError(
                f"cannot {what} {self._directory}: {why}; see the disk's space, health and "
                "permissions, then start this node again"
            )
        return self._damaged("the database", why)

    # --- loading ---------------------------------------------------------------------------------

    def load(self) -> dict[ShardId, ShardRecord]:
        """Read all shards; the index of what is where is rebuilt on the way."""
        try:
            return self._load()
        except UNREADABLE as broken:
            raise self._refusal("read", broken) from broken

    def _load(self) -> dict[ShardId, ShardRecord]:
        self._segments, self._rows, self._damage = Segments(), {}, self._noted_damage()
        records: dict[ShardId, ShardRecord] = {}
        for *columns, snapshot in self._db.execute("SELECT * FROM shards ORDER BY shard"):
            shard_id = columns[0]
            try:
                row = rows.read_shard(tuple(columns), snapshot)
                meta = None if snapshot is None else rows.decode_snapshot(snapshot)
            except blob.Damaged as broken:
                raise self._damaged(f"the state of shard {shard_id}", broken, shard_id) from broken
            self._rows[shard_id] = row
            records[shard_id] = ShardRecord(
                ballot=row.ballot,
                snapshot=meta,
                log_starts_after=row.base,
                entries=Entries(row.base.index + 1, (), b"", ()),
            )
        self._index(records)
        if self._damage.is_rotten:
            self._damage.found({*records, *self._segments.shards()})
        for shard_id, parts in self._read_parts().items():
            record = records.get(shard_id, ShardRecord())
            whole = joined(record.log_starts_after.index, parts)
            if whole.last < parts[-1].last:
                self._damage.found_gap(shard_id, whole.last + 1, parts[-1].last)
                self._segments.truncate(shard_id, whole.last + 1)
            records[shard_id] = replace(record, entries=whole)
        for shard_id in self._damage.shards:
            records[shard_id] = replace(records.get(shard_id, ShardRecord()), damaged=True)
        return dict(sorted(item for item in records.items() if item[1] != ShardRecord()))

    def _noted_damage(self) -> Damage:
        fact = self._db.execute("SELECT value FROM facts WHERE name = ?", (FACT,)).fetchone()
        try:
            return Damage(*fact or ())
        except blob.Damaged as broken:
            raise self._damaged("the note of what is damaged", broken) from broken

    def _index(self, records: dict[ShardId, ShardRecord]) -> None:
        """Find out which batch holds what; damage is found here, before anything is served."""
        cuts = self._db.execute("SELECT * FROM truncations").fetchall()
        for *values, stored in cuts:
            if rows.checksum(*values) != stored:
                raise self._damaged("a truncation", blob.Damaged(rows.MISMATCH))
        truncations = Truncations([(shard_id, batch, first) for shard_id, batch, first, *_ in cuts])
        self._batch = max((batch for _, batch, *_ in cuts), default=0)
        for number, content in self._db.execute("SELECT id, content FROM batches ORDER BY id"):
            self._batch = max(self._batch, number)
            try:
                sections = blob.sections(number, content)
            except blob.Damaged:
                self._damage.found_rotten(number)
                continue
            for section in sections:
                shard_id = section.shard_id
                base = records[shard_id].log_starts_after.index if shard_id in records else 0
                last = section.first + section.count - 1
                last = truncations.last_valid(shard_id, number, last)
                first = max(section.first, base + 1)
                if first <= last:
                    self._segments.add(number, shard_id, first, last)
            self._segments.note_batch(number)

    def _read_parts(self) -> dict[ShardId, list[Entries]]:
        """Read every live segment, one pass over the batches."""
        wanted: dict[tuple[int, ShardId], list[tuple[Index, Index]]] = {}
        for shard_id in self._segments.shards():
            for number, first, last in self._segments.of(shard_id):
                wanted.setdefault((number, shard_id), []).append((first, last))
        parts: dict[ShardId, list[Entries]] = {}
        live = {number for number, _ in wanted}
        for number, content in self._db.execute("SELECT id, content FROM batches ORDER BY id"):
            for section in blob.sections(number, content) if number in live else ():
                end = section.first + section.count
                for first, last in wanted.get((number, section.shard_id), ()):
                    if section.first <= first <= last < end:
                        whole = blob.entries_of(content, section)
                        part = before(after(whole, first - 1), last + 1)
                        parts.setdefault(section.shard_id, []).append(part)
        return parts

    # --- writing ---------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        """Write *batch* in one transaction; after a failure the store takes no more."""
        if self._failed is not None:
            raise StorageError(f"the store failed and takes no more batches: {self._failed}")
        try:
            if self._is_one_statement(batch):
                self._write(batch)  # A statement alone is a transaction.
            else:
                with Transaction(self._db):
                    self._write(batch)
        except (sqlite3.Error, OSError, OverflowError, struct.error) as broken:
            self._failed = str(broken)
            raise self._refusal("write to", broken) from broken

    def _is_one_statement(self, batch: Batch) -> bool:
        """
        Return whether all that there is to do is to insert one row: how most commits are.

        Each statement has to win the interpreter's lock back from a busy loop (P2).
        """
        plain = all(
            (save.ballot, save.snapshot, save.log_starts_after, save.truncate_from) == (None,) * 4
            for _, save in batch.saves
        )
        more = batch.dropped or batch.node or self._segments.has_garbage or self._damage.has_news
        return plain and not (more or any(save.repaired for _, save in batch.saves))

    def _write(self, batch: Batch) -> None:
        self._batch += 1
        parts: dict[ShardId, list[Entries]] = {}
        for shard_id, save in batch.saves:
            self._write_facts(shard_id, save)
            if save.repaired:
                self._damage.repaired(shard_id)
            mine = parts.setdefault(shard_id, [])
            if save.log_starts_after is not None:
                parts[shard_id] = mine = [
                    after(entries, save.log_starts_after.index) for entries in mine
                ]
            if save.truncate_from is not None:
                parts[shard_id] = mine = [before(item, save.truncate_from) for item in mine]
                self._truncate(shard_id, save.truncate_from)
            if save.entries is not None:
                mine.append(save.entries)
        for shard_id in batch.dropped:
            parts.pop(shard_id, None)
            self._drop(shard_id)
            self._damage.found((shard_id,))  # What it held it must hold again before it votes.
        if self._damage.has_news:
            self._damage.write(self._db, self._batch)
        self._append([(s, item) for s, items in parts.items() for item in items if item.terms])
        if batch.node is not None:
            self._write_node(batch.node)
        self._delete_garbage()

    def _append(self, parts: list[tuple[ShardId, Entries]]) -> None:
        if not parts:
            return
        content = blob.encode(self._batch, parts)
        self._db.execute("INSERT INTO batches VALUES (?, ?)", (self._batch, content))
        for shard_id, entries in parts:
            self._segments.add(self._batch, shard_id, entries.first, entries.last)

    def _truncate(self, shard_id: ShardId, first: Index, upto: Index = 0) -> None:
        upto = max(upto, self._segments.last(shard_id))
        if upto >= first:
            row = (shard_id, self._batch, first, upto)
            columns = (*row, rows.checksum(*row))
            self._db.execute("INSERT INTO truncations VALUES (?, ?, ?, ?, ?)", columns)
            self._segments.truncate(shard_id, first)

    def _write_facts(self, shard_id: ShardId, save: Save) -> None:
        row = self._rows.get(shard_id, rows.ShardRow())
        raw = None if save.snapshot is None else rows.encode_snapshot(save.snapshot)
        self._write_row(
            shard_id,
            rows.ShardRow(
                save.ballot or row.ballot,
                save.log_starts_after or row.base,
                row.snapshot_sum if raw is None else crc32(raw),
            ),
        )
        if raw is not None:
            self._db.execute("UPDATE shards SET snapshot = ? WHERE shard = ?", (raw, shard_id))
        if save.log_starts_after is not None:
            base = save.log_starts_after.index
            self._db.execute(
                "DELETE FROM truncations WHERE shard = ? AND upto <= ?", (shard_id, base)
            )
            self._segments.compact(shard_id, base)

    def _write_row(self, shard_id: ShardId, row: rows.ShardRow) -> None:
        if row != self._rows.get(shard_id, rows.ShardRow()):
            self._rows[shard_id] = row
            self._db.execute(WRITE_ROW, row.columns(shard_id))

    def _drop(self, shard_id: ShardId) -> None:
        row = self._rows.get(shard_id, rows.ShardRow())
        # Batches that are not deleted yet may hold entries up to the old base or beyond: the row
        # that hides them has to outlive every compaction of a log that begins anew below that.
        ends = self._db.execute("SELECT max(upto) FROM truncations WHERE shard = ?", (shard_id,))
        self._truncate(shard_id, 0, max(row.base.index, ends.fetchone()[0] or 0))
        self._write_row(shard_id, rows.ShardRow(row.ballot))
        self._db.execute("UPDATE shards SET snapshot = NULL WHERE shard = ?", (shard_id,))

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
