"""Exactly-once by request id, bounded by log position (§6.3, PROTOCOL S10)."""

from __future__ import annotations

import struct
from collections import deque

from lolraft.raft.effects import Code
from lolraft.raft.types import Index

HEADER = struct.Struct("<QQHBI")  # index, bytes of commands so far, id length, code, answer length
CODES = tuple(Code)
NEVER: Index = 2**64
SLACK = 4096  # Rows stay this many entries longer, so that a snapshot's state can be cut.


class Row:
    """What one request did; `code` is None until the app has answered."""

    __slots__ = ("answer", "code", "index", "log_bytes", "request_id")

    def __init__(self, index: Index, log_bytes: int, request_id: str) -> None:
        self.index = index
        self.log_bytes = log_bytes
        self.request_id = request_id
        self.code: Code | None = None
        self.answer = b""


class Sessions:
    """
    Remember the answers of the last requests of one shard.

    A request is forgotten at the entry that is `entries` later, or `bytes_` of such commands
    later, whichever comes first: every replica forgets at the same entry.
    """

    __slots__ = ("_bytes", "_entries", "_log_bytes", "_oldest", "_rows", "floor", "hold")

    def __init__(self, entries: int, bytes_: int) -> None:
        self._entries = entries
        self._bytes = bytes_
        self._rows: dict[str, Row] = {}
        self._oldest: deque[Row] = deque()
        self._log_bytes = 0  # Of all remembered commands since the beginning.
        self.floor: Index = 0  # The state as of earlier indexes cannot be cut any more.
        self.hold: Index = NEVER  # A snapshot from here on is being made: keep what it needs.

    def note(self, index: Index, size: int, request_id: str) -> Row | None:
        """
        Take the command at *index*; return the row of the same request when it is remembered.

        None means: execute it, and `answer` its row later.
        """
        self._prune(index)
        known = self._rows.get(request_id)
        if known is not None and not self._is_forgotten(known, index, self._log_bytes):
            return known
        self._log_bytes += size
        row = Row(index, self._log_bytes, request_id)
        self._rows[request_id] = row
        self._oldest.append(row)
        return None

    def row(self, request_id: str) -> Row | None:
        """Return what is remembered of a request."""
        return self._rows.get(request_id)

    def _is_forgotten(self, row: Row, index: Index, log_bytes: int) -> bool:
        return index - row.index > self._entries or log_bytes - row.log_bytes > self._bytes

    def _prune(self, index: Index) -> None:
        horizon = min(index - SLACK, self.hold)
        while self._oldest:
            row = self._oldest[0]
            by_bytes = self.hold == NEVER and self._log_bytes - row.log_bytes > 2 * self._bytes
            if not by_bytes and horizon - row.index <= self._entries:
                return
            self._oldest.popleft()
            self.floor = max(self.floor, index if by_bytes else horizon)
            if self._rows.get(row.request_id) is row:
                del self._rows[row.request_id]

    def cut(self, index: Index) -> bytes:
        """Return the memory as of *index*, for a snapshot; all its rows must have answers."""
        upto = [row for row in self._oldest if row.index <= index]
        log_bytes = max((row.log_bytes for row in upto), default=0)
        parts = []
        for row in upto:
            if self._is_forgotten(row, index, log_bytes) or row.code is None:
                continue
            name = row.request_id.encode()
            sizes = (len(name), CODES.index(row.code), len(row.answer))
            parts.append(HEADER.pack(row.index, row.log_bytes, *sizes) + name + row.answer)
        return b"".join(parts)

    def load(self, blob: bytes, index: Index) -> None:
        """Start from what `cut` returned for the snapshot at *index*."""
        self._rows.clear()
        self._oldest.clear()
        self._log_bytes = 0
        self.floor = index
        position = 0
        while position < len(blob):
            at, log_bytes, name_length, code, answer_length = HEADER.unpack_from(blob, position)
            position += HEADER.size
            name = blob[position : position + name_length].decode()
            position += name_length
            row = Row(at, log_bytes, name)
            row.code = CODES[code]
            row.answer = blob[position : position + answer_length]
            position += answer_length
            self._rows[name] = row
            self._oldest.append(row)
            self._log_bytes = max(self._log_bytes, log_bytes)


def is_whole(blob: bytes) -> bool:
    """Return whether `Sessions.load` can read *blob*, which a peer sent."""
    position = 0
    while position < len(blob):
        if position + HEADER.size > len(blob):
            return False
        _, _, name_length, code, answer_length = HEADER.unpack_from(blob, position)
        position += HEADER.size
        name = blob[position : position + name_length]
        position += name_length + answer_length
        if position > len(blob) or code >= len(CODES):
            return False
        try:
            name.decode()
        except UnicodeDecodeError:
            return False
    return True
