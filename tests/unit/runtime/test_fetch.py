"""Cutting a snapshot and putting it together again gives the same bytes, wherever it breaks."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolraft.multiraft.effects import RunFetch
from lolraft.multiraft.sessions import Sessions
from lolraft.raft.effects import Code
from lolraft.raft.types import Clock, Configuration, NodeId, ShardId, SnapshotMeta
from lolraft.runtime import fetch
from lolraft.runtime.transport import SnapshotPiece, TransportError

SOURCE = NodeId("http://a:1")
META = SnapshotMeta(
    clock=Clock(3, 40), configuration=Configuration(voters=(SOURCE,)), configuration_index=1
)


def remembered(rows: int) -> bytes:
    """Return the memory of a shard after so many requests."""
    sessions = Sessions(100, 10_000)
    for index in range(2, 2 + rows):
        sessions.note(index, 5, f"request {index}")
        row = sessions.row(f"request {index}")
        assert row is not None
        row.code, row.answer = Code.OK, b"answer"
    return sessions.cut(2 + rows)


WHOLE = remembered(1)


WISH = RunFetch(shard_id=1, source=SOURCE, clock=META.clock, group=0)


@given(
    chunks=st.lists(st.binary(max_size=40), max_size=12),
    piece_bytes=st.integers(1, 50),
    lives=st.lists(st.integers(1, 4), max_size=6),
    rows=st.integers(0, 4),
)
def test_a_download_gets_the_sessions_and_the_bytes_of_the_app(
    chunks: list[bytes], piece_bytes: int, lives: list[int], rows: int
) -> None:
    meta = replace(META, sessions=remembered(rows))

    async def opened() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def fetch_pieces(
        source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        left = lives.pop() if lives else None
        async for piece in fetch.cut(meta, opened(), offset):
            assert len(piece.data) <= piece_bytes
            assert piece.meta is None or not piece.meta.sessions  # They may exceed a message.
            if left == 0:
                raise TransportError("cut")
            yield piece
            left = None if left is None else left - 1

    async def run() -> bytes:
        download = fetch.Download(WISH, fetch_pieces)
        body = b"".join([chunk async for chunk in download.chunks()])
        assert download.finished() == meta
        return body

    before = fetch.PIECE_BYTES, fetch.RETRY_S
    fetch.PIECE_BYTES, fetch.RETRY_S = piece_bytes, 0.0
    try:
        assert asyncio.run(run()) == b"".join(chunks)
    finally:
        fetch.PIECE_BYTES, fetch.RETRY_S = before


@pytest.mark.parametrize(
    ("data", "sessions_bytes", "why"),
    [
        (b"x" * 9, 9, "cannot be read"),
        (WHOLE[:-1], len(WHOLE) - 1, "cannot be read"),
        (b"?" + WHOLE[1:], len(WHOLE), "cannot be read"),
        (WHOLE[:-1] + b"?", len(WHOLE), "cannot be read"),
        (b"", 9, "before its sessions"),
        (b"", fetch.MOST_SESSIONS_BYTES + 1, "too many"),
    ],
)
def test_sessions_that_nobody_can_use_are_refused(
    data: bytes, sessions_bytes: int, why: str
) -> None:
    async def fetch_pieces(*_: object) -> AsyncIterator[SnapshotPiece]:
        crc32 = zlib.crc32(data)
        yield SnapshotPiece(
            offset=0,
            data=data,
            crc32=crc32,
            meta=META,
            last=True,
            total_crc32=crc32,
            sessions_bytes=sessions_bytes,
        )

    async def run() -> None:
        download = fetch.Download(WISH, fetch_pieces)
        assert [chunk async for chunk in download.chunks()] == []
        download.finished()

    with pytest.raises(fetch.BadSnapshot, match=why):
        asyncio.run(run())
