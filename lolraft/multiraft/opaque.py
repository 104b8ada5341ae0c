"""Request ids without an order, such as those of 0.10.2: remembered for a while (S10)."""

from __future__ import annotations

import struct
from collections import deque

from lolraft.multiraft.memory import CODES, NEVER, Reader, Row
from lolraft.raft.types import Index

HEADER = struct.Struct("<QQHBI")  # index, bytes of commands since, id length, code, answer length


class OpaqueRow(Row):
    """What one request with an opaque id did."""

    __slots__ = ("log_bytes", "request_id")

    def __init__(self, index: Index, log_bytes: int, request_id: str) -> None:
        super().__init__(index)
        self.log_bytes = log_bytes
        self.request_id = request_id


class OpaqueRequests:
    """
    Remember the answers of the last requests with opaque ids.

    A request is forgotten at the entry that is `entries` later, or `bytes_` of such commands
    later, whichever comes first: every replica forgets at the same entry. Repeated after that, it
    is executed again: nothing in such an id says that it is old.
    """

    __slots__ = ("_bytes", "_entries", "_log_bytes", "_oldest", "_rows", "floor")

    def __init__(self, entries: int, bytes_: int) -> None:
        self._entries = entries
        self._bytes = bytes_
        self._rows: dict[str, OpaqueRow] = {}
        self._oldest: deque[OpaqueRow] = deque()
        self._log_bytes = 0  # Of all remembered commands since the beginning, or since `read`.
        self.floor: Index = 0  # The state as of earlier indexes cannot be cut any more.

    @property
    def bounds(self) -> tuple[int, int]:
        """Return after how many entries and bytes of commands a request is forgotten."""
        return self._entries, self._bytes

    def note(self, index: Index, size: int, request_id: str) -> Row:
        """Return the row of the command at *index*: a new one, or that of its first execution."""
        known = self._rows.get(request_id)
        if known is not None and not self._is_forgotten(known, index, self._log_bytes):
            return known
        self._log_bytes += size
        row = OpaqueRow(index, self._log_bytes, request_id)
        self._rows[request_id] = row
        self._oldest.append(row)
        return row

    def row(self, request_id: str) -> Row | None:
        """Return what is remembered of a request."""
        return self._rows.get(request_id)

    def _is_forgotten(self, row: OpaqueRow, index: Index, log_bytes: int) -> bool:
        return index - row.index > self._entries or log_bytes - row.log_bytes > self._bytes

    def prune(self, index: Index, horizon: Index, hold: Index) -> None:
        """Drop what neither a command at *index* nor a snapshot from *horizon* on asks for."""
        while self._oldest:
            row = self._oldest[0]
            by_bytes = hold == NEVER and self._log_bytes - row.log_bytes > 2 * self._bytes
            if not by_bytes and horizon - row.index <= self._entries:
                return
            self._oldest.popleft()
            self.floor = max(self.floor, index if by_bytes else horizon)
            if self._rows.get(row.request_id) is row:
                del self._rows[row.request_id]

    def cut(self, index: Index) -> bytes:
        """Return the memory as of *index*; all its rows must have answers."""
        upto = [row for row in self._oldest if row.index <= index]
        log_bytes = max((row.log_bytes for row in upto), default=0)
        parts = []
        for row in upto:
            if self._is_forgotten(row, index, log_bytes) or row.code is None:
                continue
            name = row.request_id.encode()
            sizes = (len(name), CODES.index(row.code), len(row.answer))
            since = log_bytes - row.log_bytes
            parts.append(HEADER.pack(row.index, since, *sizes) + name + row.answer)
        return b"".join(parts)

    def read(self, reader: Reader) -> None:
        """
        Add what `cut` returned, up to the end of *reader*.

        Raises:
            Damaged: it is something else.
        """
        while not reader.is_at_end:
            at, since, name_length, code, answer_length = reader.unpack(HEADER)
            row = OpaqueRow(at, -since, reader.text(name_length))
            row.code = reader.code(code)
            row.answer = reader.take(answer_length)
            self._rows[row.request_id] = row
            self._oldest.append(row)
