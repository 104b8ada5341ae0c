"""A server whose disk was replaced comes back under its id: removed first, then added (S4)."""

from __future__ import annotations

import shutil
from pathlib import Path

from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from tests.integration.cluster import Cluster


async def test_a_wiped_server_is_added_again_when_it_is_a_member_nowhere(tmp_path: Path) -> None:
    async with Cluster(tmp_path, shards=(0, 3)) as cluster:
        for shard_id in cluster.shards:
            await cluster.write(b"of %d" % shard_id, shard_id=shard_id)
        leader = await cluster.leader()
        await cluster.leader(3)
        wiped = next(name for name in cluster.ids if name != leader)
        await cluster.remove(wiped, to=leader, shard_id=0)
        await cluster.crash(wiped)
        shutil.rmtree(tmp_path / wiped.rpartition(":")[2])
        cluster.members = ()
        await cluster.start(wiped)
        driver = cluster.nodes[leader].driver
        await cluster.until(
            lambda: any(tell.kind == "refused_incarnation" for _, tell in driver.recent)
        )
        # In shard 3 it is a member yet: it may have voted there, and has forgotten it.
        refused = await driver.ask(RequestKind.ADD_SERVER, 0, wiped.encode())
        assert refused.code is Code.UNAVAILABLE
        await cluster.remove(wiped, to=leader, shard_id=3)
        for shard_id in cluster.shards:
            await cluster.add(wiped, to=leader, shard_id=shard_id)
            answer = await cluster.read(node_id=wiped, shard_id=shard_id)
            assert answer == b"of %d" % shard_id
