"""Exactly-once by request id, bounded by log position (§6.3, PROTOCOL S10)."""

from __future__ import annotations

import struct
import zlib

from lolraft.multiraft.commands import Registration, RequestId, WriteId
from lolraft.multiraft.memory import NEVER, Damaged, Reader, Row
from lolraft.multiraft.opaque import OpaqueRequests
from lolraft.multiraft.registered import RegisteredSessions
from lolraft.raft.types import Index

HEAD = struct.Struct("<4sIII")  # magic, checksum of the rest, bytes of registered, of opaque
MAGIC = b"LRS1"
CHAIN_BYTES = 8  # May follow: the hash chain as of the snapshot (`trail`).
PRUNE_EVERY = 64  # Entries.
SLACK = 4096  # Rows stay so many entries longer, so that a snapshot's state can be cut.


class Sessions:
    """
    Remember what one shard's clients were answered, so that a repeated write is done once.

    `note` must see every command, in the order of the log.
    """

    __slots__ = ("_prune_at", "_slack", "hold", "opaque", "registered")

    def __init__(self, entries: int, bytes_: int) -> None:
        """
        Remember nothing yet.

        *entries* and *bytes_* say when an opaque request is forgotten, *entries* when a session
        that is not used expires.
        """
        self.opaque = OpaqueRequests(entries, bytes_)
        self.registered = RegisteredSessions(entries)
        self.hold: Index = NEVER  # A snapshot from here on is being made: keep what it needs.
        self._slack = min(SLACK, entries)
        self._prune_at: Index = 0

    @property
    def floor(self) -> Index:
        """Return the first index as of which the memory can still be cut."""
        return max(self.opaque.floor, self.registered.floor)

    def note(self, index: Index, size: int, request_id: RequestId) -> Row:
        """
        Return the row of the command of *size* bytes at *index*; its id is not empty.

        A row with this very index is new: execute the command and `answer` the row later. Any
        other holds the answer, or will when the first of its kind has been executed.
        """
        if index >= self._prune_at:
            self._prune(index)
        if type(request_id) is WriteId:
            return self.registered.note(index, request_id)
        if isinstance(request_id, Registration):
            return self.registered.register(index, request_id)
        return self.opaque.note(index, size, str(request_id))

    def _prune(self, index: Index) -> None:
        """Drop what is not needed any more, of some entries at once."""
        self._prune_at = index + min(PRUNE_EVERY, 1 + self._slack // 8)
        horizon = min(index - self._slack, self.hold)
        self.registered.prune(horizon)
        self.opaque.prune(index, horizon, self.hold)

    def row(self, request_id: RequestId) -> Row | None:
        """Return what is remembered of a request that has not been proposed yet."""
        if type(request_id) is WriteId:
            return self.registered.row(request_id)
        return self.opaque.row(request_id) if isinstance(request_id, str) else None

    def cut(self, index: Index, chain: bytes = b"") -> bytes:
        """
        Return the memory as of *index*, for a snapshot; all its rows must have answers.

        *chain* is the value of the hash chain there, empty when it is unknown.
        """
        registered, opaque = self.registered.cut(index), self.opaque.cut(index)
        body = registered + opaque + chain
        return HEAD.pack(MAGIC, zlib.crc32(body), len(registered), len(opaque)) + body

    def load(self, blob: bytes, index: Index) -> None:
        """
        Start from what `cut` returned for the snapshot at *index*; no bytes mean no memory.

        Raises:
            Damaged: it is something else; then nothing has changed.
        """
        self.opaque, self.registered = self.parse(blob, index)
        self._prune_at = index

    def parse(self, blob: bytes, index: Index) -> tuple[OpaqueRequests, RegisteredSessions]:
        """Return what `load` would start from; raises as it does."""
        entries, bytes_ = self.opaque.bounds
        opaque, registered = OpaqueRequests(entries, bytes_), RegisteredSessions(entries)
        if blob:
            length, end = parts_of(blob)
            registered.read(Reader(blob[HEAD.size : HEAD.size + length]))
            opaque.read(Reader(blob[HEAD.size + length : end]))
        opaque.floor = registered.floor = index
        return opaque, registered


def parts_of(blob: bytes) -> tuple[int, int]:
    """
    Return how many bytes of sessions follow the head, and where the opaque ids behind them end.

    Raises:
        Damaged: *blob* is not what `Sessions.cut` returned.
    """
    if len(blob) < HEAD.size:
        raise Damaged(f"it has only {len(blob)} bytes")
    magic, checksum, registered, opaque = HEAD.unpack_from(blob)
    if magic != MAGIC:
        raise Damaged(f"it begins with {magic!r}, not {MAGIC!r}")
    end = HEAD.size + registered + opaque
    if len(blob) - end not in (0, CHAIN_BYTES) or zlib.crc32(blob[HEAD.size :]) != checksum:
        raise Damaged("its checksum does not match")
    return int(registered), int(end)


def chain_of(blob: bytes) -> bytes:
    """
    Return the hash chain's value that a snapshot carries, empty when it has none.

    Raises:
        Damaged: *blob* is not what `Sessions.cut` returned.
    """
    return blob[parts_of(blob)[1] :] if blob else b""


def is_whole(blob: bytes) -> bool:
    """Return whether *blob* is as `Sessions.cut` made it; `parse` says whether it makes sense."""
    try:
        if blob:
            parts_of(blob)
    except Damaged:
        return False
    return True
