"""
A process that writes batches without an end and prints the number of each that is durable.

`python -m tests.unit.storage.writer DIRECTORY SEED DONE [LIMIT_BYTES [UID]]`: DONE batches of the
story are there already; with a limit, no file may grow past it. A refusal is printed as a line
`refused: ...`, and the process ends.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from random import Random

from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Ballot, Clock, Configuration, Entries, NodeId, SnapshotMeta
from lolraft.storage.interface import Storage, StorageError
from lolraft.storage.memory import after_save
from lolraft.storage.sqlite import SqliteStorage

ME = NodeId("http://n1:1")
SHARDS = 4
Records = dict[int, ShardRecord]


class Story:
    """
    A seeded, endless list of valid batches, and what each shard holds after them.

    Made anew from the same seed, it says in another process what the first one had written.
    """

    def __init__(self, seed: int, done: int = 0) -> None:
        self._random = Random(seed)
        self.records: Records = {}
        self.number = 0
        while self.number < done:
            self.next()

    def next(self) -> Batch:
        """Return the next batch; `records` holds it from now on."""
        self.number += 1
        saves = []
        for _ in range(self._random.randint(1, SHARDS)):
            shard_id = self._random.randrange(SHARDS)
            save = self._save(shard_id)
            self.records[shard_id] = after_save(self.records.get(shard_id), save)
            saves.append((shard_id, save))
        return Batch(number=self.number, saves=tuple(saves))

    def _save(self, shard_id: int) -> Save:
        record = self.records.get(shard_id, ShardRecord())
        dice, base = self._random, record.log_starts_after.index
        last = max(base, record.entries.last)
        what = dice.random()
        if what < 0.1 and last > base + 4:
            clock = Clock(record.entries.terms[1], base + 2)
            return Save(number=self.number, snapshot=_meta(clock), log_starts_after=clock)
        if what < 0.2 and last > base:
            first = dice.randint(base + 1, last)
            return Save(
                number=self.number,
                ballot=Ballot(self.number, ME),
                truncate_from=first,
                entries=self._entries(first),
            )
        if what < 0.25 and last > base:
            return Save(number=self.number, truncate_from=dice.randint(base + 1, last))
        return Save(number=self.number, entries=self._entries(last + 1))

    def _entries(self, first: int) -> Entries:
        count = self._random.randint(1, 3)
        payloads = tuple(self._random.randbytes(self._random.randint(0, 600)) for _ in range(count))
        return Entries(first, (self.number,) * count, b"\1" * count, payloads)


def _meta(clock: Clock) -> SnapshotMeta:
    return SnapshotMeta(
        clock=clock,
        configuration=Configuration(voters=(ME,), group_id=7),
        configuration_index=1,
        sessions=b"sessions as of %d" % clock.index,
    )


def write(store: Storage, story: Story) -> None:
    """Write until the store refuses or somebody ends the process."""
    while True:
        batch = story.next()
        store.commit(batch)
        sys.stdout.write(f"{batch.number}\n")
        sys.stdout.flush()


def main() -> int:
    """Open, say so, write."""
    directory, seed, done = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if len(sys.argv) > 4:
        limit = int(sys.argv[4]) or resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if len(sys.argv) > 5 and os.getuid() == 0:
        os.setuid(int(sys.argv[5]))
    store = SqliteStorage(directory)
    try:
        store.open(ME)
        store.load()
        print("open", flush=True)
        write(store, Story(seed, done))
    except StorageError as refused:
        print(f"refused: {refused}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
