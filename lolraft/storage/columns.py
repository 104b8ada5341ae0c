"""Cut a run of entries, held as columns, before or after an index."""

from __future__ import annotations

from lolraft.raft.types import Entries, Index


def before(entries: Entries, index: Index) -> Entries:
    """Return the entries whose index is smaller than *index*."""
    keep = max(0, min(len(entries.terms), index - entries.first))
    return _slice(entries, 0, keep)


def after(entries: Entries, index: Index) -> Entries:
    """Return the entries whose index is greater than *index*."""
    drop = max(0, min(len(entries.terms), index + 1 - entries.first))
    return _slice(entries, drop, len(entries.terms))


def _slice(entries: Entries, start: int, stop: int) -> Entries:
    return Entries(
        entries.first + start,
        entries.terms[start:stop],
        entries.kinds[start:stop],
        entries.payloads[start:stop],
    )
