"""What rotted in a node's log, and which replicas may miss entries because of it (PROTOCOL S12)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from lolraft.raft.types import Index, ShardId
from lolraft.storage import rows
from lolraft.storage.blob import Damaged

FACT = "damaged"


class Damage:
    """
    Remember the shards whose log is not whole, across starts, until each is repaired.

    What is found at load is written with the first commit, before anything else can be: until
    then the next start finds it again. A rotten batch says of no shard that it was not in there,
    so all of them have to ask their leaders.
    """

    def __init__(self, fact: str | None = None) -> None:
        """
        Start from what an earlier start noted.

        Raises:
            Damaged: the note itself is.
        """
        self.shards: set[ShardId] = set()
        self.has_news = False
        self._rotten: list[int] = []
        self._cuts: list[tuple[ShardId, Index, Index]] = []
        if fact is not None:
            stored, _, text = fact.partition(" ")
            if stored != f"{rows.checksum(text):08x}":
                raise Damaged(rows.MISMATCH)
            self.shards.update(json.loads(text))

    @property
    def is_rotten(self) -> bool:
        """Return whether a batch cannot be read."""
        return bool(self._rotten)

    def found_rotten(self, batch: int) -> None:
        """Note a batch that cannot be read."""
        self.has_news = True
        self._rotten.append(batch)

    def found(self, shards: Iterable[ShardId]) -> None:
        """Note the replicas that may miss entries."""
        self.has_news = True
        self.shards.update(shards)

    def found_gap(self, shard_id: ShardId, first: Index, upto: Index) -> None:
        """Note that entries from *first* on are missing, and those after them, up to *upto*, go."""
        self.found((shard_id,))
        self._cuts.append((shard_id, first, upto))

    def repaired(self, shard_id: ShardId) -> None:
        """Forget a replica: its log is whole, or it has none any more."""
        if shard_id in self.shards:
            self.has_news = True
            self.shards.discard(shard_id)

    def write(self, database: sqlite3.Connection, batch: int) -> None:
        """Make all of it part of the transaction of batch number *batch*."""
        for shard_id, first, upto in self._cuts:
            row = (shard_id, batch, first, upto)
            columns = (*row, rows.checksum(*row))
            database.execute("INSERT INTO truncations VALUES (?, ?, ?, ?, ?)", columns)
        for number in self._rotten:
            database.execute("DELETE FROM batches WHERE id = ?", (number,))
        text = json.dumps(sorted(self.shards))
        fact = (FACT, f"{rows.checksum(text):08x} {text}")
        database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", fact)
        self._cuts, self._rotten, self.has_news = [], [], False
