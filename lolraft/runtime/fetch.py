"""Snapshots between nodes: cut into pieces with checksums, and put together again (DESIGN 7)."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace

from lolraft.errors import LolraftError
from lolraft.multiraft import sessions
from lolraft.multiraft.effects import RunFetch
from lolraft.raft.types import Clock, NodeId, ShardId, SnapshotMeta
from lolraft.runtime.transport import SnapshotPiece, TransportError

PIECE_BYTES = 256 * 1024
"""The largest piece; one is in memory at each end, and what the flow control lets through."""

MOST_SESSIONS_BYTES = 900_000_000
"""They are kept in memory, and in one row of the database, which takes no more."""

PATIENCE_S = 10.0
"""A download that brings nothing new for so long is given up."""

RETRY_S = 0.2

FetchPieces = Callable[[NodeId, ShardId, Clock, int, int], AsyncIterator[SnapshotPiece]]
"""`Transport.fetch_snapshot`."""

logger = logging.getLogger(__name__)


class BadSnapshot(LolraftError):
    """What came is not what was sent: a checksum or an offset is wrong."""


async def cut(
    meta: SnapshotMeta, chunks: AsyncIterator[bytes], offset: int
) -> AsyncIterator[SnapshotPiece]:
    """
    Turn the sessions and an app's chunks into pieces from byte *offset* on; the first has *meta*.

    Small chunks are gathered up to `PIECE_BYTES`, large ones are cut. The bytes before *offset*
    are read too: the checksum of the whole covers them.
    """
    sessions_bytes = len(meta.sessions)
    total_crc32 = 0
    passed = 0  # Bytes of the app that were read and skipped.
    position = offset  # Of the first byte in `gathered`.
    gathered = bytearray()
    first: SnapshotMeta | None = replace(meta, sessions=b"")
    async for chunk in _behind(meta.sessions, chunks):
        total_crc32 = zlib.crc32(chunk, total_crc32)
        skip = min(offset - passed, len(chunk))
        passed += skip
        gathered += memoryview(chunk)[skip:]
        while len(gathered) >= PIECE_BYTES:
            data = bytes(gathered[:PIECE_BYTES])
            del gathered[:PIECE_BYTES]
            yield SnapshotPiece(
                offset=position,
                data=data,
                crc32=zlib.crc32(data),
                meta=first,
                sessions_bytes=sessions_bytes,
            )
            first, sessions_bytes = None, 0
            position += len(data)
    data = bytes(gathered)
    yield SnapshotPiece(
        offset=position,
        data=data,
        crc32=zlib.crc32(data),
        meta=first,
        last=True,
        total_crc32=total_crc32,
        sessions_bytes=sessions_bytes,
    )


async def _behind(sessions: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield sessions
    async for chunk in chunks:
        yield chunk


class Download:
    """
    Fetch one snapshot as a stream of checked bytes.

    A stream that breaks is taken up again at the byte where it broke, until nothing new has come
    for `PATIENCE_S`. Memory is bounded: a piece is asked for when the app has taken the last one.
    """

    def __init__(self, effect: RunFetch, fetch_pieces: FetchPieces) -> None:
        self._effect = effect
        self._fetch_pieces = fetch_pieces
        self._meta: SnapshotMeta | None = None
        self._sessions = bytearray()
        self._sessions_bytes = 0
        self._offset = 0
        self._crc32 = 0
        self._complete = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """
        Yield the app's bytes.

        Raises:
            SnapshotUnavailable: the source has no such snapshot.
            BadSnapshot: a checksum is wrong.
            TransportError: nothing new came for too long.
        """
        progress_s = time.monotonic()
        while not self._complete:
            try:
                async with aclosing(self._pieces()) as pieces:
                    async for piece in pieces:
                        self._check(piece)
                        progress_s = time.monotonic()
                        data = self._without_sessions(piece.data)
                        if data:
                            yield data
            except TransportError as broken:
                logger.info("the snapshot stream broke at byte %d: %s", self._offset, broken)
            if not self._complete:
                if time.monotonic() - progress_s > PATIENCE_S:
                    raise TransportError(
                        f"{self._effect.source} sent nothing new for {PATIENCE_S} s"
                    )
                await asyncio.sleep(RETRY_S)

    def finished(self) -> SnapshotMeta:
        """Return Raft's half, once the app has taken every byte of its own."""
        if not self._complete or self._meta is None:
            raise BadSnapshot("the app did not read its snapshot to the end")
        if len(self._sessions) < self._sessions_bytes:
            raise BadSnapshot("the snapshot ends before its sessions do")
        found = bytes(self._sessions) or self._meta.sessions
        if not sessions.is_whole(found):
            raise BadSnapshot("the sessions of the snapshot cannot be read")
        return replace(self._meta, sessions=found)

    def _without_sessions(self, data: bytes) -> bytes:
        """Keep what *data* has of the sessions; return what it has of the app's bytes."""
        missing = self._sessions_bytes - len(self._sessions)
        self._sessions += data[:missing]
        return data[missing:]

    def _pieces(self) -> AsyncGenerator[SnapshotPiece, None]:
        effect = self._effect
        return _generator(
            self._fetch_pieces(
                effect.source, effect.shard_id, effect.clock, effect.group, self._offset
            )
        )

    def _check(self, piece: SnapshotPiece) -> None:
        if piece.meta is not None:
            if piece.meta.clock != self._effect.clock:
                raise BadSnapshot(f"asked for {self._effect.clock}, got {piece.meta.clock}")
            if self._meta is not None and piece.sessions_bytes != self._sessions_bytes:
                raise BadSnapshot("the same snapshot has other sessions now")
            if piece.sessions_bytes > MOST_SESSIONS_BYTES:
                raise BadSnapshot(f"{piece.sessions_bytes} bytes of sessions are too many")
            self._meta, self._sessions_bytes = piece.meta, piece.sessions_bytes
        if self._meta is None:
            raise BadSnapshot("the first piece has no envelope")
        if piece.offset != self._offset:
            raise BadSnapshot(f"a piece at byte {piece.offset} came after byte {self._offset}")
        if zlib.crc32(piece.data) != piece.crc32:
            raise BadSnapshot(f"the checksum of the piece at byte {piece.offset} is wrong")
        self._offset += len(piece.data)
        self._crc32 = zlib.crc32(piece.data, self._crc32)
        if piece.last:
            if piece.total_crc32 != self._crc32:
                raise BadSnapshot("the checksum of the whole snapshot is wrong")
            self._complete = True


async def _generator(pieces: AsyncIterator[SnapshotPiece]) -> AsyncGenerator[SnapshotPiece, None]:
    """Give any iterator the `aclose` that a generator has."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
