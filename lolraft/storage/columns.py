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


def joined(base: Index, parts: list[Entries]) -> Entries:
    """Return the entries after *base* up to the first that is missing; *parts* are in order."""
    whole = []
    following = base + 1
    for part in parts:
        if part.first != following:
            break
        whole.append(part)
        following = part.last + 1
    return Entries(
        base + 1,
        tuple(term for part in whole for term in part.terms),
        b"".join(part.kinds for part in whole),
        tuple(payload for part in whole for payload in part.payloads),
    )


def _slice(entries: Entries, start: int, stop: int) -> Entries:
    return Entries(
        entries.first + start,
        entries.terms[start:stop],
        entries.kinds[start:stop],
        entries.payloads[start:stop],
    )
