"""A follower's log rots on a real disk: it starts, votes for nobody, and its leader repairs it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lolraft.raft.types import NodeId
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.cluster import Cluster


def rot_newest_batch(directory: Path, node_id: NodeId) -> None:
    """Flip one bit in the middle of what the node had written last."""
    with sqlite3.connect(directory / node_id.rpartition(":")[2] / "node.db") as database:
        (number, content) = database.execute(
            "SELECT id, content FROM batches ORDER BY id DESC"
        ).fetchone()
        rotten = bytearray(content)
        rotten[len(rotten) // 2] ^= 1
        database.execute("UPDATE batches SET content = ? WHERE id = ?", (bytes(rotten), number))
    database.close()


def is_damaged(directory: Path, node_id: NodeId) -> bool:
    store = SqliteStorage(directory / node_id.rpartition(":")[2])
    store.open_as_found()
    try:
        return any(record.damaged for record in store.load().values())
    finally:
        store.close()


async def test_it_waits_for_the_leader_and_votes_again_when_it_is_whole(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        for number in range(5):
            await cluster.write(b"line %d" % number)
        await cluster.settled()
        expected = await cluster.read()
        leader = await cluster.leader()
        damaged = next(name for name in cluster.ids if name != leader)
        others = [name for name in cluster.ids if name != damaged]
        for name in list(cluster.ids):
            await cluster.stop(name)
        rot_newest_batch(tmp_path, damaged)
        assert is_damaged(tmp_path, damaged)

        # With one other it is a majority that may elect nobody: it was told of no commit.
        told: list[str] = []
        node = await cluster.start(damaged)
        node.driver.subscribe(lambda tell: told.append(tell.kind))
        told += [tell.kind for _, tell in node.driver.recent]
        await cluster.start(others[0])
        await cluster.until(lambda: "damaged" in told)
        await cluster.start(others[1])
        await cluster.leader()
        assert await cluster.read() == expected
        await cluster.settled()
        await cluster.until(lambda: "repaired" in told)
        await cluster.stop(others[0])
        await cluster.write(b"its vote counts")
        await cluster.stop(others[1])
        await cluster.stop(damaged)
        assert not is_damaged(tmp_path, damaged)
