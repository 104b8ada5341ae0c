"""A backup file that is not what was written is refused, wherever it is not."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest

from lolraft.backup import (
    BadBackup,
    Chain,
    Kind,
    Piece,
    app_chunks,
    entries_body,
    head_of,
    read_backup,
    write_header,
    write_piece,
)
from lolraft.raft.types import Clock, Configuration, Entries, EntryKind, NodeId, SnapshotMeta

GROUP = Configuration(voters=(NodeId("http://a:1"),), group_id=5)
META = SnapshotMeta(
    clock=Clock(2, 10), configuration=GROUP, configuration_index=1, sessions=b"sessions"
)


def log(first: int, *payloads: bytes) -> Entries:
    return Entries(
        first, (3,) * len(payloads), bytes((EntryKind.COMMAND,)) * len(payloads), payloads
    )


def shard(shard_id: int) -> list[Piece]:
    """Return the records of one shard: entries 11 to 14 after a snapshot."""
    chain = Chain()
    return [
        chain.piece(Kind.HEAD, head_of(shard_id, Clock(3, 14), META)),
        chain.piece(Kind.SESSIONS, b"sess"),
        chain.piece(Kind.SESSIONS, b"ions"),
        chain.piece(Kind.APP, b"of the "),
        chain.piece(Kind.APP, b"app"),
        chain.piece(Kind.ENTRIES, entries_body(shard_id, log(11, b"a", b"b"))),
        chain.piece(Kind.ENTRIES, entries_body(shard_id, log(13, b"c", b"d"))),
        chain.piece(Kind.END, b'{"app_bytes": 10}'),
    ]


def end(*shards: int) -> list[Piece]:
    return [Chain().piece(Kind.FILE_END, json.dumps({"shards": shards}).encode())]


def raw_of(pieces: list[Piece]) -> bytes:
    file = io.BytesIO()
    write_header(file)
    for piece in pieces:
        write_piece(file, piece)
    return file.getvalue()


WHOLE = [*shard(0), *shard(7), *end(0, 7)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "saved"


def test_a_whole_file_is_what_was_written(file: Path) -> None:
    file.write_bytes(raw_of(WHOLE))
    saved = read_backup(file)
    assert [item.shard_id for item in saved] == [0, 7]
    for item in saved:
        record = item.record()
        assert record.snapshot == META
        assert record.log_starts_after == META.clock
        assert record.entries == log(11, b"a", b"b", b"c", b"d")
        assert item.last == Clock(3, 14)

        async def body() -> bytes:
            return b"".join([chunk async for chunk in app_chunks(file, item)])  # noqa: B023

        assert asyncio.run(body()) == b"of the app"


def test_no_record_may_be_missing_doubled_or_elsewhere(file: Path) -> None:
    for at in range(len(WHOLE)):
        before, here, behind = WHOLE[:at], WHOLE[at], WHOLE[at + 1 :]
        wrong = [before + behind, [*before, here, here, *behind]]
        if behind:
            wrong.append([*before, behind[0], here, *behind[1:]])
        for pieces in wrong:
            file.write_bytes(raw_of(pieces))
            with pytest.raises(BadBackup):
                read_backup(file)


def test_no_shard_may_be_missing(file: Path) -> None:
    for pieces in ([*shard(0), *end(0, 7)], [*shard(7), *shard(0), *end(0, 7)]):
        file.write_bytes(raw_of(pieces))
        with pytest.raises(BadBackup, match="shards are missing"):
            read_backup(file)


def test_parts_that_are_consistent_and_not_all_are_refused(file: Path) -> None:
    """Somebody wrote too little: every checksum is right."""
    for leave_out in (Kind.APP, Kind.ENTRIES):
        chain = Chain()
        some = [chain.piece(Kind(p.kind), p.body) for p in shard(0) if p.kind != leave_out]
        file.write_bytes(raw_of([*some, *end(0)]))
        with pytest.raises(BadBackup, match="missing"):
            read_backup(file)


def test_every_byte_counts_and_so_does_every_length(file: Path) -> None:
    raw = raw_of(WHOLE)
    for at in range(len(raw)):
        file.write_bytes(raw[:at])
        with pytest.raises(BadBackup):
            read_backup(file)
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :])
        with pytest.raises(BadBackup):
            read_backup(file)
    file.write_bytes(raw + b"\0")
    with pytest.raises(BadBackup, match="something follows"):
        read_backup(file)
