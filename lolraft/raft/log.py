"""The log in memory: columns of terms, kinds and payloads after a base that a snapshot covers."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from lolraft.raft.types import ZERO, Clock, Entries, EntryKind, Index, Term


class LogChange(NamedTuple):
    """Say what one step did to the log, for the derived `Save`."""

    truncate_from: Index | None
    append_from: Index | None


class Log:
    """
    Hold the entries after `base`; indexes are those of Raft and start at 1.

    The log remembers what a step changed, so that no rule has to say so (DESIGN section 4).
    """

    __slots__ = ("_append_from", "_kinds", "_payloads", "_terms", "_truncate_from", "base")

    def __init__(self, base: Clock = ZERO, entries: Entries | None = None) -> None:
        self.base = base
        self._terms: list[Term] = list(entries.terms) if entries else []
        self._kinds = bytearray(entries.kinds if entries else b"")
        self._payloads: list[bytes] = list(entries.payloads) if entries else []
        self._truncate_from: Index | None = None
        self._append_from: Index | None = None

    @property
    def last_index(self) -> Index:
        """Return the index of the last entry, or of the base."""
        return self.base.index + len(self._terms)

    @property
    def last_clock(self) -> Clock:
        """Return the clock of the last entry, or of the base."""
        return Clock(self._terms[-1], self.last_index) if self._terms else self.base

    def term_at(self, index: Index) -> Term | None:
        """Return the term of the entry at *index*, None where the log does not know it."""
        if index == self.base.index:
            return self.base.term
        position = index - self.base.index - 1
        return self._terms[position] if 0 <= position < len(self._terms) else None

    def kind_at(self, index: Index) -> EntryKind:
        """Return the kind of the entry at *index*, which must be in the log."""
        return EntryKind(self._kinds[index - self.base.index - 1])

    def payload_at(self, index: Index) -> bytes:
        """Return the payload of the entry at *index*, which must be in the log."""
        return self._payloads[index - self.base.index - 1]

    def slice(self, first: Index, max_entries: int, max_bytes: int) -> Entries:
        """Return entries from *first* on, within both bounds, but at least one if there is one."""
        start = first - self.base.index - 1
        assert start >= 0, "what a snapshot covers is not in the log (§5)"
        stop = min(start + max_entries, len(self._terms))
        end, size = start, 0
        while end < stop:
            size += len(self._payloads[end])
            if size > max_bytes and end > start:
                break
            end += 1
        return self._columns(start, end)

    def range(self, first: Index, last: Index) -> Entries:
        """Return the entries *first* to *last*, both included; none when *last* < *first*."""
        start = first - self.base.index - 1
        return self._columns(start, max(start, last - self.base.index))

    def _columns(self, start: int, end: int) -> Entries:
        return Entries(
            self.base.index + start + 1,
            tuple(self._terms[start:end]),
            bytes(self._kinds[start:end]),
            tuple(self._payloads[start:end]),
        )

    def append(self, terms: tuple[Term, ...], kinds: bytes, payloads: tuple[bytes, ...]) -> None:
        """Put entries at the end."""
        if terms and self._append_from is None:
            self._append_from = self.last_index + 1
        self._terms.extend(terms)
        self._kinds.extend(kinds)
        self._payloads.extend(payloads)

    def truncate_from(self, index: Index) -> None:
        """Drop the entry at *index* and all after it."""
        position = index - self.base.index - 1
        assert 0 <= position < len(self._terms), "only entries in the log can be truncated"
        del self._terms[position:]
        del self._kinds[position:]
        del self._payloads[position:]
        if self._append_from is not None and index <= self._append_from:
            self._append_from = None
        self._truncate_from = min(index, self._truncate_from or index)

    def compact_to(self, base: Clock) -> None:
        """Let the log start after *base*; what lies beyond it stays only if it has that entry."""
        keep = self.term_at(base.index) == base.term and base.index >= self.base.index
        cut = base.index - self.base.index if keep else len(self._terms)
        if not keep and base.index < self.last_index:
            self._truncate_from = base.index + 1  # The tail clashes with the snapshot: it goes too.
            self._append_from = None
        del self._terms[:cut]
        del self._kinds[:cut]
        del self._payloads[:cut]
        self.base = base

    def first_index_of_term_at(self, index: Index) -> Index:
        """Return the first index of the term that *index* has: a conflict hint (§3.5)."""
        position = index - self.base.index - 1
        return self.base.index + 1 + bisect_left(self._terms, self._terms[position])

    def last_index_with_term_up_to(self, term: Term) -> Index:
        """Return the last index whose term is at most *term*; terms never fall along a log."""
        return self.base.index + bisect_left(self._terms, term + 1)

    def take_change(self) -> LogChange:
        """Return what happened since the last call, and forget it."""
        change = LogChange(self._truncate_from, self._append_from)
        self._truncate_from = self._append_from = None
        return change
