"""
Tell a journal that was damaged from one that was only cut short by a crash.

SQLite reads its write-ahead log up to the first frame whose checksum does not match, and drops
the rest in silence. After a crash that is right: nothing behind a torn frame was acknowledged.
After a flipped bit it loses what was. Two things prove that a frame had been durable:

- the shared index (`-shm`), which SQLite updates after the sync, names it (the file outlives a
  killed process, not always a power cut), or
- a later transaction continues the chain of checksums behind it: SQLite begins to write that one
  only after the sync of the one before.

Format: https://sqlite.org/fileformat2.html#walformat and walformat.html, "The WAL-Index Format".
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC_LITTLE, MAGIC_BIG = 0x377F0682, 0x377F0683
HEADER_BYTES, FRAME_HEADER_BYTES, INDEX_HEADER_BYTES = 32, 24, 48
WORD = 0xFFFFFFFF
Sum = tuple[int, int]


class JournalDamaged(Exception):
    """What was durable in the journal cannot be read any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the shared index says was durable."""

    salt: bytes
    frames: int
    in_database: int  # Frames that have been copied to the database already.


def check_journal(database: Path) -> None:
    """
    Look at the journal of *database* before SQLite opens it; nothing is changed.

    Raises:
        JournalDamaged: a durable transaction would be lost; the text says where.
        OSError: the files cannot be read.
    """
    journal = database.with_name(database.name + "-wal")
    claim = _claim(database.with_name(database.name + "-shm"))
    raw = journal.read_bytes() if journal.exists() else b""
    if not any(raw[:HEADER_BYTES]):
        if any(raw) or (claim is not None and claim.frames > claim.in_database):
            raise JournalDamaged("the journal is gone, or begins with nothing")
        return
    header = _header(raw)
    if header is None:
        raise JournalDamaged("the head of the journal does not match its checksum")
    order, page_bytes, salt, seed = header
    intact = _intact(raw, order, page_bytes, salt, seed)
    if intact and not (database.exists() and database.stat().st_size):
        raise JournalDamaged("the database is gone, its journal is there")
    if claim is not None and claim.salt == salt and claim.frames > intact:
        raise JournalDamaged(f"of {claim.frames} frames in the journal, {intact} can be read")
    lost = _durable_after(raw, order, page_bytes, salt, intact)
    if lost is not None:
        raise JournalDamaged(f"frame {intact + 1} cannot be read, frame {lost} was durable")


def _claim(index: Path) -> Claim | None:
    """Return what the shared index says, where both copies of its header agree."""
    if not index.exists():
        return None
    with index.open("rb") as file:
        raw = file.read(2 * INDEX_HEADER_BYTES + 4)
    if len(raw) < 2 * INDEX_HEADER_BYTES + 4:
        return None
    first, second = raw[:INDEX_HEADER_BYTES], raw[INDEX_HEADER_BYTES : 2 * INDEX_HEADER_BYTES]
    native = "<" if sys.byteorder == "little" else ">"
    stored = struct.unpack_from(f"{native}II", first, 40)
    if first != second or not any(first) or _checksum(first[:40], native, (0, 0)) != stored:
        return None
    (frames,) = struct.unpack_from(f"{native}I", first, 16)
    (in_database,) = struct.unpack_from(f"{native}I", raw, 2 * INDEX_HEADER_BYTES)
    return Claim(first[32:40], frames, in_database)


def _header(raw: bytes) -> tuple[str, int, bytes, Sum] | None:
    """Return byte order, page size, salt and checksum of a journal's head; None if damaged."""
    if len(raw) < HEADER_BYTES:
        return None
    magic, _, page_bytes = struct.unpack_from(">III", raw)
    order = {MAGIC_LITTLE: "<", MAGIC_BIG: ">"}.get(magic)
    if order is None:
        return None
    total = _checksum(raw[:24], order, (0, 0))
    if total != struct.unpack_from(">II", raw, 24):
        return None
    return order, page_bytes, raw[16:24], total


def _intact(raw: bytes, order: str, page_bytes: int, salt: bytes, seed: Sum) -> int:
    """Return up to which frame SQLite will read: the last commit in an unbroken chain."""
    last = 0
    for number, at in _frames(raw, page_bytes):
        if raw[at + 8 : at + 16] != salt:
            break
        seed = _frame_sum(raw, at, page_bytes, order, seed)
        if seed != struct.unpack_from(">II", raw, at + 16):
            break
        if raw[at + 4 : at + 8] != b"\0\0\0\0":
            last = number
    return last


def _durable_after(raw: bytes, order: str, page_bytes: int, salt: bytes, intact: int) -> int | None:
    """Return a commit behind *intact* that a later transaction continues; None if there is none."""
    before: int | None = None  # Where the frame before begins, if it is a commit of this journal.
    for number, at in _frames(raw, page_bytes):
        ours = raw[at + 8 : at + 16] == salt
        if before is not None and ours:
            seed: Sum = struct.unpack_from(">II", raw, before + 16)
            stored = struct.unpack_from(">II", raw, at + 16)
            if _frame_sum(raw, at, page_bytes, order, seed) == stored:
                return number - 1
        is_commit = ours and raw[at + 4 : at + 8] != b"\0\0\0\0"
        before = at if is_commit and number > intact else None
    return None


def _frames(raw: bytes, page_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield number and offset of every frame that is there whole."""
    size = FRAME_HEADER_BYTES + page_bytes
    yield from enumerate(range(HEADER_BYTES, len(raw) - size + 1, size), 1)


def _frame_sum(raw: bytes, at: int, page_bytes: int, order: str, seed: Sum) -> Sum:
    seed = _checksum(raw[at : at + 8], order, seed)
    start = at + FRAME_HEADER_BYTES
    return _checksum(raw[start : start + page_bytes], order, seed)


def _checksum(data: bytes, order: str, seed: Sum) -> Sum:
    """Return SQLite's running checksum over *data*, whose length is a multiple of 8."""
    one, two = seed
    for left, right in struct.iter_unpack(f"{order}II", data):
        one = (one + left + two) & WORD
        two = (two + right + one) & WORD
    return one, two
