"""
The file of `lolraft backup`: a line that names it, then records, each with a checksum.

A shard is HEAD, SESSIONS and APP (as many as there are), ENTRIES, END; the file ends with a list of
its shards. A checksum covers its record and all of the shard before it, so that a record which is
missing, doubled or in another place shows like one that rotted. No part is larger than a piece.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

from lolraft.errors import LolraftError
from lolraft.multiraft.records import ShardRecord
from lolraft.raft.types import (
    ZERO,
    Clock,
    Configuration,
    Entries,
    Index,
    ShardId,
    SnapshotMeta,
)
from lolraft.storage import blob

VERSION = 1
NAME = b"lolraft backup "
FRAME = struct.Struct("<BII")  # kind, bytes of the body, checksum
PIECE_BYTES = 256 * 1024
LARGEST_BODY = 64 * 1024 * 1024


class BadBackup(LolraftError):
    """The file is not what was written; the text says where, and what to do."""


class Kind(IntEnum):
    """What a record holds."""

    HEAD = 1  # JSON: which shard, as of which entry, and Raft's half of its snapshot.
    SESSIONS = 2  # A part of the snapshot's sessions.
    APP = 3  # A part of the app's bytes.
    ENTRIES = 4  # Some of the log after the snapshot.
    END = 5  # JSON: how much there was.
    FILE_END = 6  # JSON: the shards of the file.


class Piece(NamedTuple):
    """One record; `crc32` continues that of the record before it."""

    kind: int
    body: bytes
    crc32: int


class Chain:
    """Give the records of one shard their checksums, or check them."""

    def __init__(self) -> None:
        self._crc32 = 0

    def piece(self, kind: Kind, body: bytes) -> Piece:
        """Return the next record."""
        self._crc32 = crc32(body, crc32(b"%d %d" % (kind, len(body)), self._crc32))
        return Piece(kind, body, self._crc32)

    def fits(self, piece: Piece) -> bool:
        """Return whether *piece* is whole and follows what came before."""
        known = piece.kind in tuple(Kind)
        return known and self.piece(Kind(piece.kind), piece.body).crc32 == piece.crc32


def head_of(shard_id: ShardId, last: Clock, meta: SnapshotMeta | None, **facts: object) -> bytes:
    """Return the body of a HEAD; *facts* are for whoever looks at the file."""
    snapshot = None
    if meta is not None:
        snapshot = {
            "clock": meta.clock,
            "configuration": meta.configuration.encode().decode(),
            "configuration_index": meta.configuration_index,
        }
    return json.dumps({"shard": shard_id, "last": last, "snapshot": snapshot, **facts}).encode()


def entries_body(shard_id: ShardId, entries: Entries) -> bytes:
    """Return the body of an ENTRIES."""
    return blob.encode(0, [(shard_id, entries)])


def parts_of(data: bytes) -> Iterator[bytes]:
    """Cut bytes into pieces."""
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


def write_header(file: BinaryIO) -> None:
    """Begin a file."""
    file.write(NAME + b"%d\n" % VERSION)


def write_piece(file: BinaryIO, piece: Piece) -> None:
    """Append a record."""
    file.write(FRAME.pack(piece.kind, len(piece.body), piece.crc32))
    file.write(piece.body)


def write_end(file: BinaryIO, shards: list[ShardId]) -> None:
    """End a file and make it durable."""
    write_piece(file, Chain().piece(Kind.FILE_END, json.dumps({"shards": shards}).encode()))
    file.flush()
    os.fsync(file.fileno())


@dataclass
class SavedShard:
    """One shard of a file: everything but the app's bytes, which stay in the file."""

    head: dict[str, Any]
    sessions: list[bytes] = field(default_factory=list)
    app_parts: list[tuple[int, int]] = field(default_factory=list)  # (offset, bytes) in the file.
    app_bytes: int = 0
    entries: list[Entries] = field(default_factory=list)

    @property
    def shard_id(self) -> ShardId:
        """Return which shard it is."""
        return int(self.head["shard"])

    @property
    def last(self) -> Clock:
        """Return the last entry that it holds."""
        return Clock(*self.head["last"])

    @property
    def snapshot_index(self) -> Index:
        """Return the index of its snapshot, 0 without one."""
        return int(self.head["snapshot"]["clock"][1]) if self.head["snapshot"] else 0

    def record(self) -> ShardRecord:
        """Return what a replica starts from, of the group that was saved."""
        facts = self.head["snapshot"]
        meta, base = None, ZERO
        if facts is not None:
            base = Clock(*facts["clock"])
            meta = SnapshotMeta(
                clock=base,
                configuration=Configuration.decode(facts["configuration"].encode()),
                configuration_index=facts["configuration_index"],
                sessions=b"".join(self.sessions),
            )
        following = base.index + 1
        for part in self.entries:
            if part.first != following:
                raise BadBackup(f"entries {following} to {part.first - 1} are missing")
            following = part.last + 1
        if following - 1 != self.last.index:
            raise BadBackup(f"entries {following} to {self.last.index} are missing")
        entries = Entries(
            base.index + 1,
            tuple(term for part in self.entries for term in part.terms),
            b"".join(part.kinds for part in self.entries),
            tuple(payload for part in self.entries for payload in part.payloads),
        )
        return ShardRecord(snapshot=meta, log_starts_after=base, entries=entries)


def read_backup(path: Path) -> list[SavedShard]:
    """
    Read and check a whole file; the app's bytes are checked and not kept.

    Raises:
        BadBackup: it is damaged, cut short, of a newer version, or no backup.
    """
    try:
        with path.open("rb") as file:
            _check_version(path, file)
            return _read_shards(file)
    except OSError as broken:
        raise BadBackup(f"cannot read {path}: {broken.strerror}") from broken
    except (BadBackup, blob.Damaged, ValueError, KeyError, TypeError, struct.error) as broken:
        if isinstance(broken, BadBackup) and str(path) in str(broken):
            raise
        raise BadBackup(
            f"{path} is damaged ({broken}): nothing of it was restored; use another backup"
        ) from broken


def _check_version(path: Path, file: BinaryIO) -> None:
    line = file.readline(64)
    if not line.startswith(NAME) or not line.removeprefix(NAME).strip().isdigit():
        raise BadBackup(f"{path} is no file of `lolraft backup`")
    version = int(line.removeprefix(NAME))
    if version != VERSION:
        raise BadBackup(
            f"{path} has version {version}, this lolraft reads version {VERSION}: "
            "use the version that wrote it"
        )


def _read_shards(file: BinaryIO) -> list[SavedShard]:
    shards: list[SavedShard] = []
    chain, shard = Chain(), None
    while True:
        piece, offset = _read_piece(file)
        if shard is None:
            chain = Chain()
        if not chain.fits(piece):
            raise BadBackup(f"the checksum of the record at byte {offset} is wrong")
        if shard is None and piece.kind == Kind.FILE_END:
            if json.loads(piece.body)["shards"] != [saved.shard_id for saved in shards]:
                raise BadBackup("shards are missing")
            if file.read(1):
                raise BadBackup("something follows its end")
            return shards
        if (shard is None) != (piece.kind == Kind.HEAD) or piece.kind == Kind.FILE_END:
            raise BadBackup(f"the record at byte {offset} is out of place")
        if shard is None:
            shard = SavedShard(json.loads(piece.body))
            shards.append(shard)
        elif piece.kind == Kind.END:
            if json.loads(piece.body)["app_bytes"] != shard.app_bytes:
                raise BadBackup("bytes of the app are missing")
            shard.record()  # Raises where entries are missing.
            shard = None
        else:
            _take(shard, piece, offset)


def _take(shard: SavedShard, piece: Piece, offset: int) -> None:
    if piece.kind == Kind.SESSIONS:
        shard.sessions.append(piece.body)
    elif piece.kind == Kind.APP:
        shard.app_parts.append((offset + FRAME.size, len(piece.body)))
        shard.app_bytes += len(piece.body)
    else:
        (section,) = blob.sections(0, piece.body)
        shard.entries.append(blob.entries_of(piece.body, section))


def _read_piece(file: BinaryIO) -> tuple[Piece, int]:
    offset = file.tell()
    frame = file.read(FRAME.size)
    if len(frame) < FRAME.size:
        raise BadBackup(f"it ends at byte {offset}, before its end")
    kind, size, checksum = FRAME.unpack(frame)
    if size > LARGEST_BODY:
        raise BadBackup(f"the record at byte {offset} cannot be so large")
    body = file.read(size)
    if len(body) < size:
        raise BadBackup(f"it ends within the record at byte {offset}")
    return Piece(kind, body, checksum), offset


async def app_chunks(path: Path, shard: SavedShard) -> AsyncIterator[bytes]:
    """Yield the app's bytes of a shard, piece by piece, from a file that was checked."""
    with path.open("rb") as file:
        for offset, size in shard.app_parts:
            file.seek(offset)
            yield file.read(size)
