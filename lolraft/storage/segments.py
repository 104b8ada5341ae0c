"""Which batch holds which entries of which shard; kept in memory, rebuilt at open."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from lolraft.raft.types import Index, ShardId

Segment = tuple[int, Index, Index]  # (batch, first, last)


class Segments:
    """
    Know the live entries of every shard, and the batches in which nothing lives any more.

    A shard's segments are consecutive: each starts after the one before ends.
    """

    def __init__(self) -> None:
        self._of: dict[ShardId, deque[Segment]] = {}
        self._users: dict[int, int] = {}  # Batch -> how many segments live in it.
        self._garbage: deque[int] = deque()

    def of(self, shard_id: ShardId) -> tuple[Segment, ...]:
        """Return the live segments of a shard, in order."""
        return tuple(self._of.get(shard_id, ()))

    def shards(self) -> tuple[ShardId, ...]:
        """Return the shards that have entries."""
        return tuple(shard_id for shard_id, segments in self._of.items() if segments)

    def last(self, shard_id: ShardId) -> Index:
        """Return the last live index of a shard, 0 where there is none."""
        segments = self._of.get(shard_id)
        return segments[-1][2] if segments else 0

    def add(self, batch: int, shard_id: ShardId, first: Index, last: Index) -> None:
        """Add what a batch appended."""
        self._of.setdefault(shard_id, deque()).append((batch, first, last))
        self._users[batch] = self._users.get(batch, 0) + 1

    def note_batch(self, batch: int) -> None:
        """Learn that a batch exists; without a live segment it is garbage."""
        if batch not in self._users:
            self._garbage.append(batch)

    def truncate(self, shard_id: ShardId, first: Index) -> None:
        """Forget the entries from *first* on."""
        segments = self._of.get(shard_id)
        while segments and segments[-1][2] >= first:
            batch, start, _ = segments.pop()
            if start < first:
                segments.append((batch, start, first - 1))
            else:
                self._release(batch)

    def compact(self, shard_id: ShardId, base: Index) -> None:
        """Forget the entries up to *base*."""
        segments = self._of.get(shard_id)
        while segments and segments[0][1] <= base:
            batch, _, last = segments.popleft()
            if last > base:
                segments.appendleft((batch, base + 1, last))
            else:
                self._release(batch)

    def _release(self, batch: int) -> None:
        self._users[batch] -= 1
        if self._users[batch] == 0:
            del self._users[batch]
            self._garbage.append(batch)

    @property
    def has_garbage(self) -> bool:
        """Return whether there are batches to delete."""
        return bool(self._garbage)

    def take_garbage(self, most: int) -> list[int]:
        """Return up to *most* batches that may be deleted now."""
        return [self._garbage.popleft() for _ in range(min(most, len(self._garbage)))]


class Truncations:
    """Say up to where a shard's entries in older batches count: kept on disk, few."""

    def __init__(self, rows: list[tuple[ShardId, int, Index]]) -> None:
        by_shard: dict[ShardId, list[tuple[int, Index]]] = {}
        for shard_id, before, first in rows:
            by_shard.setdefault(shard_id, []).append((before, first))
        # From the newest back, the lowest cut so far holds for all older batches.
        self._of: dict[ShardId, tuple[list[int], list[Index]]] = {}
        for shard_id, cuts in by_shard.items():
            cuts.sort()
            lowest: Index | None = None
            firsts: list[Index] = []
            for _, first in reversed(cuts):
                lowest = first if lowest is None else min(lowest, first)
                firsts.append(lowest)
            self._of[shard_id] = ([before for before, _ in cuts], firsts[::-1])

    def last_valid(self, shard_id: ShardId, batch: int, last: Index) -> Index:
        """Return the last index of *batch* that a later truncation left, at most *last*."""
        known = self._of.get(shard_id)
        if known is None:
            return last
        befores, firsts = known
        position = bisect_right(befores, batch)
        return min(last, firsts[position] - 1) if position < len(befores) else last
