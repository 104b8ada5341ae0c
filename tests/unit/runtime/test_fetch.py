"""Cutting a snapshot and putting it together again gives the same bytes, wherever it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from lolraft.multiraft.effects import RunFetch
from lolraft.raft.types import Clock, Configuration, NodeId, ShardId, SnapshotMeta
from lolraft.runtime import fetch
from lolraft.runtime.transport import SnapshotPiece, TransportError

SOURCE = NodeId("http://a:1")
META = SnapshotMeta(
    clock=Clock(3, 40), configuration=Configuration(voters=(SOURCE,)), configuration_index=1
)
WISH = RunFetch(shard_id=1, source=SOURCE, clock=META.clock, group=0)


@given(
    chunks=st.lists(st.binary(max_size=40), max_size=12),
    piece_bytes=st.integers(1, 50),
    lives=st.lists(st.integers(1, 4), max_size=6),
)
def test_a_download_gets_the_bytes_of_the_app(
    chunks: list[bytes], piece_bytes: int, lives: list[int]
) -> None:
    async def opened() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def fetch_pieces(
        source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        left = lives.pop() if lives else None
        async for piece in fetch.cut(META, opened(), offset):
            assert len(piece.data) <= piece_bytes
            if left == 0:
                raise TransportError("cut")
            yield piece
            left = None if left is None else left - 1

    async def run() -> bytes:
        download = fetch.Download(WISH, fetch_pieces)
        body = b"".join([chunk async for chunk in download.chunks()])
        assert download.finished() == META
        return body

    before = fetch.PIECE_BYTES, fetch.RETRY_S
    fetch.PIECE_BYTES, fetch.RETRY_S = piece_bytes, 0.0
    try:
        assert asyncio.run(run()) == b"".join(chunks)
    finally:
        fetch.PIECE_BYTES, fetch.RETRY_S = before
