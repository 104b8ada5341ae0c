"""Every consistency of `RaftClient.read` over real gRPC: who answers, and when nobody can."""

from __future__ import annotations

import math
from pathlib import Path

from lolraft import Consistency
from lolraft.client import RaftClient
from lolraft.client_stream import READ_STALE, SubmitChannel
from lolraft.multiraft.records import Batch
from lolraft.raft.effects import Save
from lolraft.raft.types import Configuration, Entries, EntryKind, NodeId, ShardId
from lolraft.runtime.faults import LinkRule, Rules
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.cluster import PATIENCE_S, Cluster, Diary

LOCAL, LEASE, STALE = Consistency.LOCAL, Consistency.LEASE, Consistency.STALE


class Named(Diary):
    """Answer a read with the name of the node that answers, and what was written."""

    def process_read(self, message: bytes, index: int) -> bytes:
        name = self.directory.parts[-3]  # PORT/apps/SHARD
        return b"%s %s" % (name.encode(), b"".join(self.lines))


def named(shard_id: ShardId, directory: Path) -> Named:
    return Named(directory)


def said(node_id: NodeId, written: bytes) -> bytes:
    """Return what a node that has *written* answers."""
    return b"%s %s" % (node_id.rpartition(":")[2].encode(), written)


async def led(cluster: Cluster) -> tuple[NodeId, NodeId]:
    """Write one line, and return (leader, a follower)."""
    await cluster.write(b"a")
    leader = await cluster.leader()
    return leader, next(node_id for node_id in cluster.ids if node_id != leader)


def cut(cluster: Cluster, node_id: NodeId) -> None:
    """Lose everything that a node sends to its peers, and they to it."""
    for one, node in cluster.nodes.items():
        box = node._faults
        assert box is not None, "started with faults enabled"
        other = {"receiver": node_id} if one != node_id else {}
        box.set(Rules(version=1, lease_s=60.0, links=(LinkRule(sender=one, drop=1.0, **other),)))


async def test_a_follower_answers_itself(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=named) as cluster:
        _, follower = await led(cluster)
        async with RaftClient(cluster.ids) as writer, RaftClient([follower]) as client:
            written = b"a"
            for line in (b"b", b"c", b"d"):
                await writer.write(0, line)
                written += line
                answer = await client.read(0, b"", consistency=LOCAL)
                assert answer == said(follower, written)


async def test_a_plain_read_is_the_leaders(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=named) as cluster:
        leader, follower = await led(cluster)
        async with RaftClient([follower]) as client:
            assert await client.read(0, b"") == said(leader, b"a")


async def test_a_learner_answers_itself(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=named) as cluster:
        pass
    *voters, learner = sorted(cluster.ids)
    configuration = Configuration(voters=tuple(voters), learners=(learner,), group_id=5)
    kind = bytes((EntryKind.CONFIGURATION,))
    first = Entries(1, (0,), kind, (configuration.encode(),))
    cluster.nodes, cluster.members = {}, ()
    cluster.directory = tmp_path / "learning"
    for node_id in cluster.ids:
        storage = SqliteStorage(cluster.directory / node_id.rpartition(":")[2])
        storage.open(node_id)
        storage.commit(Batch(number=1, saves=((0, Save(number=1, entries=first)),)))
        storage.close()
    async with cluster, RaftClient(voters) as writer, RaftClient([learner]) as client:
        await writer.write(0, b"a")
        assert await client.read(0, b"", consistency=LOCAL) == said(learner, b"a")
        state = cluster.nodes[learner].driver.machine.node.shards[0].state
        assert learner in state.configuration.learners


async def test_a_leader_reads_by_its_lease_without_its_peers(tmp_path: Path) -> None:
    settings = {"lease_s": 0.9, "enable_faults": True}
    async with Cluster(tmp_path, app=named, **settings) as cluster:
        leader, follower = await led(cluster)
        async with RaftClient([follower]) as client:
            assert await client.read(0, b"", consistency=LEASE) == said(leader, b"a")
        machine = cluster.nodes[leader].driver.machine
        rounds = machine.node.shards[0].state.leadership.round_
        async with RaftClient([leader]) as client:
            for _ in range(10):
                assert await client.read(0, b"", consistency=LEASE) == said(leader, b"a")
            assert machine.node.shards[0].state.leadership.round_ == rounds, "nobody was asked"
            await client.read(0, b"")
            assert machine.node.shards[0].state.leadership.round_ == rounds + 1


async def test_a_stale_read_while_the_leader_is_cut_off(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=named, enable_faults=True) as cluster:
        _, follower = await led(cluster)
        async with RaftClient([follower]) as client:
            fresh = await client.read(0, b"", consistency=STALE, max_staleness_s=0.0)
            assert fresh == said(follower, b"a")
            cut(cluster, follower)
            young = await client.read(0, b"", consistency=STALE, max_staleness_s=60.0)
            assert young == said(follower, b"a")
            channel = SubmitChannel(follower, None)
            old = await channel.submit(0, READ_STALE, b"", "", PATIENCE_S, 0.001)
            await channel.close()
            assert old.code == "UNAVAILABLE"
            assert b"cannot prove that its state is at most 0.001 s old" in old.message
            any_age = await client.read(0, b"", consistency=STALE, max_staleness_s=math.inf)
            assert any_age == said(follower, b"a")
