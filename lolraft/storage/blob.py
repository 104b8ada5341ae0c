"""One group commit's entries as one checksummed blob, with an index of its shards (PROTOCOL C6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

from lolraft.raft.types import Entries, Index, ShardId

CHECKSUM = struct.Struct("<I")
COUNT = struct.Struct("<I")
# shard, first index, entries, bytes of the section
SECTION = struct.Struct("<IQII")


@dataclass(frozen=True, slots=True)
class Section:
    """Where one shard's entries lie in a blob."""

    shard_id: ShardId
    first: Index
    count: int
    start: int
    size: int


class Damaged(Exception):
    """The blob is not what was written."""


def encode(number: int, parts: list[tuple[ShardId, Entries]]) -> bytes:
    """Return the blob of what each shard appends; the checksum covers the batch's number too."""
    bodies = [_columns(entries) for _, entries in parts]
    header = [COUNT.pack(len(parts))]
    for (shard_id, entries), body in zip(parts, bodies, strict=True):
        header.append(SECTION.pack(shard_id, entries.first, len(entries.terms), len(body)))
    content = b"".join((*header, *bodies))
    return CHECKSUM.pack(crc32(content, _seed(number))) + content


def _seed(number: int) -> int:
    return crc32(b"%d" % number)


def sections(number: int, blob: bytes) -> list[Section]:
    """
    Return the index of a blob, its checksum verified.

    Raises:
        Damaged: the checksum does not match.
    """
    if len(blob) < CHECKSUM.size + COUNT.size:
        raise Damaged("too short")
    content = memoryview(blob)[CHECKSUM.size :]
    if CHECKSUM.unpack_from(blob)[0] != crc32(content, _seed(number)):
        raise Damaged("the checksum does not match")
    (count,) = COUNT.unpack_from(blob, CHECKSUM.size)
    position = CHECKSUM.size + COUNT.size
    start = position + count * SECTION.size
    found = []
    for _ in range(count):
        shard_id, first, entries, size = SECTION.unpack_from(blob, position)
        found.append(Section(shard_id, first, entries, start, size))
        position += SECTION.size
        start += size
    return found


def entries_of(blob: bytes, section: Section) -> Entries:
    """Return the entries of one section."""
    count = section.count
    terms = struct.unpack_from(f"<{count}Q", blob, section.start)
    position = section.start + 8 * count
    lengths = struct.unpack_from(f"<{count}I", blob, position)
    position += 4 * count
    kinds = blob[position : position + count]
    position += count
    payloads = []
    for length in lengths:
        payloads.append(blob[position : position + length])
        position += length
    return Entries(section.first, terms, kinds, tuple(payloads))


def _columns(entries: Entries) -> bytes:
    count = len(entries.terms)
    lengths = [len(payload) for payload in entries.payloads]
    return b"".join(
        (
            struct.pack(f"<{count}Q", *entries.terms),
            struct.pack(f"<{count}I", *lengths),
            entries.kinds,
            *entries.payloads,
        )
    )


def join_snapshot(head: bytes, sessions: bytes) -> bytes:
    """Return a snapshot's facts and sessions as one checksummed value."""
    content = COUNT.pack(len(head)) + head + sessions
    return CHECKSUM.pack(crc32(content)) + content


def split_snapshot(raw: bytes) -> tuple[bytes, bytes]:
    """
    Return what `join_snapshot` joined.

    Raises:
        Damaged: the checksum does not match.
    """
    if len(raw) < 8 or CHECKSUM.unpack_from(raw)[0] != crc32(raw[CHECKSUM.size :]):
        raise Damaged("the checksum does not match")
    (length,) = COUNT.unpack_from(raw, CHECKSUM.size)
    start = CHECKSUM.size + COUNT.size
    return raw[start : start + length], raw[start + length :]
