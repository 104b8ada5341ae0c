"""A hash chain over committed entries: equal at one index means equal up to it (§3.5)."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

from lolraft.raft.log import Log
from lolraft.raft.types import Entries, Index

SIZE = 8  # Bytes of a digest.
START = bytes(SIZE)
UNKNOWN = b""
EVERY: Index = 64
LEVELS: tuple[Index, ...] = (64, 512, 4_096, 32_768, 262_144)
"""Two marks of each are kept: replicas less than a level apart have one of that level in common."""
MOST_WALKED: Index = 4_096  # Entries, to find the digest of a snapshot that the app has made.
HEAD = Struct("<QB")  # term, kind

Mark = tuple[Index, bytes]


class Trail:
    """
    Chain the digests of one replica's committed entries, in constant memory.

    The chain starts at the log's beginning; a snapshot carries its value. One that carries none,
    made before there were chains, makes it unknown: then there are no marks.
    """

    __slots__ = ("_anchor", "_digest", "_index", "_marks")

    def __init__(self, index: Index = 0, digest: bytes = START) -> None:
        self._index, self._digest = index, digest
        self._marks: dict[Index, tuple[Mark, ...]] = {}  # By level, oldest first.
        self._anchor: Mark = (index, digest)

    def extend(self, entries: Entries) -> None:
        """Take the next committed entries, which begin right behind the last."""
        digest, index = self._digest, self._index
        if not digest:
            return
        assert entries.first == index + 1, "the chain has no gap"
        for term, kind, payload in zip(entries.terms, entries.kinds, entries.payloads, strict=True):
            index += 1
            digest = blake2b(digest + HEAD.pack(term, kind) + payload, digest_size=SIZE).digest()
            if index % EVERY == 0:
                self._mark(index, digest)
        self._index, self._digest = index, digest

    def _mark(self, index: Index, digest: bytes) -> None:
        for level in LEVELS:
            if index % level:
                break
            self._marks[level] = (*self._marks.get(level, ())[-1:], (index, digest))

    def anchor(self) -> None:
        """Keep today's value: the app is about to make a snapshot here."""
        self._anchor = (self._index, self._digest)

    def marks(self) -> tuple[Mark, ...]:
        """Return what is kept of the chain, oldest first, its newest value last."""
        if not self._digest or not self._index:
            return ()
        kept = {mark for marks in self._marks.values() for mark in marks}
        return tuple(sorted(kept | {(self._index, self._digest)}))

    def at(self, index: Index, log: Log) -> bytes:
        """Return the chain's value at *index*, which *log* holds; unknown where it is far back."""
        known = [mark for mark in (self._anchor, *self.marks()) if mark[0] <= index and mark[1]]
        at, digest = max(known, default=(0, UNKNOWN))
        if not digest or index - at > MOST_WALKED or at < log.base.index:
            return UNKNOWN
        walk = Trail(at, digest)
        walk.extend(log.range(at + 1, index))
        return walk._digest
