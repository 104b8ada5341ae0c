"""A log that grows is compacted by itself: the node asks the app for snapshots (§5.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lab.apps.counter import CounterApp
from lolraft.raft.types import ShardId
from tests.integration.cluster import Cluster

EVERY = 50


def counter(shard_id: ShardId, directory: Path) -> CounterApp:
    return CounterApp(directory)


def add(count: int) -> bytes:
    return bytes(4) + count.to_bytes(8, "little") + bytes(count)


async def value(cluster: Cluster) -> int:
    return int.from_bytes(await cluster.read(bytes(4)), "little")


async def test_the_log_stays_short_and_nothing_is_lost(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter, snapshot_entries=EVERY) as cluster:
        leader = await cluster.leader()
        follower = next(name for name in cluster.ids if name != leader)
        await asyncio.gather(*(cluster.write(add(1)) for _ in range(4 * EVERY)))
        await cluster.until(
            lambda: all(cluster.shard(name).snapshot_index > 2 * EVERY for name in cluster.nodes)
        )
        await cluster.crash(follower)
        for _ in range(4):  # Far enough apart that more than one snapshot is made.
            await asyncio.gather(*(cluster.write(add(1)) for _ in range(EVERY)))
        await cluster.start(follower)
        await cluster.settled()
        assert await value(cluster) == 8 * EVERY
        for name in list(cluster.nodes):
            await cluster.crash(name)
        await asyncio.gather(*map(cluster.start, cluster.ids))
        assert await value(cluster) == 8 * EVERY
        joined = cluster.new_id()
        await cluster.start(joined)
        await cluster.until(lambda: bool(cluster.leaders()))
        await cluster.add(joined, to=cluster.leaders()[0])
        await cluster.settled()
        assert cluster.shard(joined).snapshot_index > EVERY
        await cluster.until(lambda: len(list(tmp_path.rglob("*.snapshot"))) == len(cluster.ids))


async def test_a_log_that_grows_in_bytes_is_compacted_long_before_it_is_long(
    tmp_path: Path,
) -> None:
    size = 100_000
    async with Cluster(tmp_path, 1, app=counter, snapshot_bytes=10 * size) as cluster:
        (node,) = cluster.ids
        for _ in range(25):
            await cluster.write(add(size))
        await cluster.until(lambda: cluster.shard(node).snapshot_index > 15)
        found = cluster.nodes[node].driver.machine.log_slice(0, 1, 100)
        assert found.base.index > 15
        assert await value(cluster) == 25 * size
