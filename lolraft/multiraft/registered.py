"""Registered sessions: their ids carry an order, so no write is ever executed twice (§6.3, S10)."""

from __future__ import annotations

import struct
from collections import deque

from lolraft.multiraft.commands import NONCE_BYTES, Registration, WriteId
from lolraft.multiraft.memory import CODES, Damaged, Reader, Row
from lolraft.raft.effects import Code
from lolraft.raft.types import Index

SESSION = struct.Struct("<QQQI")  # id, last used at index, lowest unanswered, rows; then its nonce
ROW = struct.Struct("<QQBI")  # sequence, index, code, answer length; then the answer
SCAN_EVERY = 4096  # Entries; sessions that have expired are looked for so often at most.

EXPIRED = Row(
    0,
    Code.OUT_OF_RANGE,
    b"session expired: it is not known here, or was not used for too many entries of its shard;"
    b" this write is not executed now, and whether an earlier try of it was is unknown",
)
ANSWERED = Row(
    0,
    Code.OUT_OF_RANGE,
    b"the sequence lies below the session's lowest unanswered one: its client had its answer, or"
    b" gave it up; it is not executed again",
)


class Session:
    """One client's session with this shard."""

    __slots__ = ("kept_from", "lowest", "nonce", "rows", "session_id", "used")

    def __init__(self, session_id: Index, nonce: bytes) -> None:
        self.session_id = session_id  # The index of the entry that registered it.
        self.nonce = nonce
        self.used = session_id  # The index of its last write that was executed.
        self.lowest = 1  # The lowest unanswered sequence: what is below is never executed again.
        self.rows: dict[int, SessionRow] = {}
        self.kept_from = 1  # Rows below have been dropped.

    def drop_rows_below(self, lowest: int) -> None:
        """Forget answers that nobody asks for any more."""
        rows, first = self.rows, self.kept_from
        if lowest - first <= len(rows):
            for sequence in range(first, lowest):
                rows.pop(sequence, None)
        elif lowest > first:
            self.rows = {sequence: row for sequence, row in rows.items() if sequence >= lowest}
        self.kept_from = max(first, lowest)


class SessionRow(Row):
    """What one write did, and how it changed its session: enough to go back before it."""

    __slots__ = ("lowest", "lowest_before", "sequence", "session", "used_before")

    def __init__(self, index: Index, session: Session, sequence: int, lowest: int) -> None:
        self.index = index
        self.code: Code | None = None
        self.answer = b""
        self.session = session
        self.sequence = sequence
        self.lowest_before = session.lowest
        self.used_before = session.used
        self.lowest = lowest if lowest > session.lowest else session.lowest


class RegisteredSessions:
    """
    Remember the answers of each session from its lowest unanswered sequence on.

    A session of which no write was executed for `entries` entries of the shard has expired: every
    verdict is a function of the log alone, so every replica gives the same one. What has expired
    or was answered is dropped later, so that the memory as of an earlier index can still be cut.
    """

    __slots__ = ("_by_id", "_by_nonce", "_entries", "_recent", "_scan_at", "floor")

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._by_id: dict[Index, Session] = {}
        self._by_nonce: dict[bytes, Session] = {}
        self._recent: deque[SessionRow] = deque()  # The last writes, in the order of their indexes.
        self._scan_at: Index = 0
        self.floor: Index = 0  # The state as of earlier indexes cannot be cut any more.

    def __len__(self) -> int:
        return len(self._by_id)

    def register(self, index: Index, registration: Registration) -> Row:
        """Register a session at *index*, or find the one that this very request has registered."""
        session = self._by_nonce.get(registration.nonce)
        if session is None or self._has_expired(session.used, index):
            session = Session(index, registration.nonce)
            self._by_id[index] = self._by_nonce[registration.nonce] = session
        return Row(0, Code.OK, b"%d" % session.session_id)

    def note(self, index: Index, write_id: WriteId) -> Row:
        """Return the row of the write at *index*: new, of its first execution, or an error."""
        session_id, sequence, lowest = write_id
        session = self._by_id.get(session_id)
        if session is None or index - session.used > self._entries:
            return EXPIRED
        if sequence < session.lowest:
            return ANSWERED
        known = session.rows.get(sequence)
        if known is not None:
            return known
        row = SessionRow(index, session, sequence, lowest)
        session.lowest, session.used = row.lowest, index
        session.rows[sequence] = row
        self._recent.append(row)
        return row

    def row(self, write_id: WriteId) -> Row | None:
        """Return what is certain of a write before it is proposed; None: the log decides."""
        session = self._by_id.get(write_id.session)
        if session is None:
            return None  # Perhaps its registration has not been applied here yet.
        if write_id.sequence < session.lowest:
            return ANSWERED
        return session.rows.get(write_id.sequence)

    def _has_expired(self, used: Index, index: Index) -> bool:
        return index - used > self._entries

    def prune(self, horizon: Index) -> None:
        """Drop what no snapshot from *horizon* on asks for."""
        recent = self._recent
        while recent and recent[0].index <= horizon:
            row = recent.popleft()
            self.floor = row.index
            if row.lowest > row.session.kept_from:
                row.session.drop_rows_below(row.lowest)
        if horizon < self._scan_at:
            return
        self._scan_at = horizon + min(SCAN_EVERY, self._entries)
        for session in [
            one for one in self._by_id.values() if self._has_expired(one.used, horizon)
        ]:
            self.floor = max(self.floor, horizon)
            del self._by_id[session.session_id]
            if self._by_nonce.get(session.nonce) is session:
                del self._by_nonce[session.nonce]

    def cut(self, index: Index) -> bytes:
        """Return the memory as of *index*; all its rows must have answers."""
        before: dict[Index, SessionRow] = {}  # The first write after *index* of each session.
        for row in reversed(self._recent):
            if row.index <= index:
                break
            before[row.session.session_id] = row
        parts = []
        for session in self._by_id.values():
            used, lowest = session.used, session.lowest
            after = before.get(session.session_id)
            if after is not None:
                used, lowest = after.used_before, after.lowest_before
            if session.session_id > index or self._has_expired(used, index):
                continue
            rows = [
                row
                for row in session.rows.values()
                if row.index <= index and row.sequence >= lowest
            ]
            parts.append(SESSION.pack(session.session_id, used, lowest, len(rows)) + session.nonce)
            for row in rows:
                assert row.code is not None, "a snapshot covers only what was answered (S5)"
                code = CODES.index(row.code)
                parts.append(ROW.pack(row.sequence, row.index, code, len(row.answer)) + row.answer)
        return b"".join(parts)

    def read(self, reader: Reader) -> None:
        """
        Add what `cut` returned, up to the end of *reader*.

        Raises:
            Damaged: it is something else.
        """
        while not reader.is_at_end:
            session_id, used, lowest, count = reader.unpack(SESSION)
            session = Session(session_id, reader.take(NONCE_BYTES))
            session.used, session.lowest, session.kept_from = used, lowest, lowest
            for _ in range(count):
                sequence, at, code, length = reader.unpack(ROW)
                if sequence < lowest:
                    raise Damaged(f"session {session_id} has an answer below {lowest}")
                row = SessionRow(at, session, sequence, lowest)
                row.code, row.answer = reader.code(code), reader.take(length)
                session.rows[sequence] = row
            self._by_id[session_id] = self._by_nonce[session.nonce] = session
