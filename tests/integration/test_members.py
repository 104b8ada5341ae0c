"""Changes of members over real gRPC and SQLite: replaced, swapped, kept as learners, cleaned up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.raft.types import NodeId
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.cluster import Cluster

LONG_S = 30.0


def members(cluster: Cluster, node_id: NodeId) -> tuple[set[NodeId], set[NodeId]]:
    shard = cluster.shard(node_id)
    return set(shard.voters) | set(shard.outgoing), set(shard.learners)


async def spares(cluster: Cluster, count: int) -> list[NodeId]:
    """Start nodes that host the shard and belong to no group."""
    ids = [cluster.new_id() for _ in range(count)]
    await asyncio.gather(*map(cluster.start, ids))
    return ids


async def test_a_dead_server_is_replaced_in_one_change(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids, timeout_s=LONG_S) as client:
        leader = await cluster.leader()
        dead = next(name for name in cluster.ids if name != leader)
        await client.write(0, b"before")
        await cluster.crash(dead)
        new, other = await spares(cluster, 2)
        await client.replace_server(0, dead, new)
        assert members(cluster, leader) == ({*cluster.members, new} - {dead}, set())
        await client.replace_server(0, dead, new)  # It is so already.
        await client.write(0, b"after")
        assert await cluster.read(node_id=new) == b"before\nafter"
        with pytest.raises(RequestFailed, match="is no member") as failed:
            await client.replace_server(0, "http://127.0.0.1:1", other)
        assert failed.value.code == "FAILED_PRECONDITION"


async def test_all_members_are_swapped_while_clients_write(tmp_path: Path) -> None:
    """Who left has cleaned up: no entries, no snapshots, but still the ballot (S12)."""
    async with Cluster(tmp_path) as cluster:
        old = list(cluster.ids)
        await cluster.leader()
        new = await spares(cluster, 3)
        async with RaftClient(cluster.ids, timeout_s=LONG_S) as client:
            for n in range(20):
                await client.write(0, b"%d" % n)
            for name in old:
                await cluster.read(b"snapshot", node_id=name)
            await cluster.until(lambda: any(cluster.shard(name).snapshot_index > 1 for name in old))
            ended = asyncio.Event()
            count = 20

            async def write() -> None:
                nonlocal count
                while not ended.is_set():
                    await client.write(0, b"%d" % count)
                    count += 1

            writing = asyncio.create_task(write())
            await client.change_members(0, new)
            before = count
            await cluster.until(lambda: count > before + 10)
            ended.set()
            await writing
            await cluster.until(lambda: all(cluster.shard(name).role == "silent" for name in old))
            assert await client.read(0, b"") == b"\n".join(b"%d" % n for n in range(count))
            assert members(cluster, new[0]) == ({*new}, set())
            terms = {name: cluster.shard(name).term for name in old}
            for name in old:
                await cluster.stop(name)
        for name in old:
            directory = tmp_path / name.rpartition(":")[2]
            assert not list(directory.rglob("*.snap"))
            store = SqliteStorage(directory)
            store.open(name)
            kept = store.load()[0]
            store.close()
            assert kept.entries.terms == ()
            assert kept.snapshot is None
            assert kept.ballot.current_term == terms[name] > 0


async def test_a_learner_is_kept_and_promoted(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids, timeout_s=LONG_S) as client:
        leader = await cluster.leader()
        (replica,) = await spares(cluster, 1)
        await client.write(0, b"x")
        await client.add_server(0, replica, as_learner=True)
        voters = set(cluster.members)
        assert members(cluster, leader) == (voters, {replica})
        await client.write(0, b"y")
        await cluster.settled()
        assert cluster.shard(replica).role == "learner"
        await client.add_server(0, replica)
        assert members(cluster, leader) == (voters | {replica}, set())
        await client.change_members(0, voters, [replica])
        assert members(cluster, await cluster.leader()) == (voters, {replica})
        await client.remove_server(0, replica)
        await cluster.until(lambda: cluster.shard(replica).role == "silent")


async def test_a_change_that_makes_no_sense_is_one_sentence(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids, timeout_s=LONG_S) as client:
        leader = await cluster.leader()
        first, second, third = cluster.ids
        stranger = cluster.new_id()
        cluster.shards = (7,)
        await cluster.start(stranger)
        cases = [
            (client.change_members(0, []), "INVALID_ARGUMENT", "names 1 to 100 servers"),
            (client.change_members(0, [first], [first]), "INVALID_ARGUMENT", "named twice"),
            (client.replace_server(0, first, first), "INVALID_ARGUMENT", "named twice"),
            (client.change_members(0, ["ftp://x y"]), "INVALID_ARGUMENT", "http://host:50000"),
            (client.change_members(0, [], [first]), "FAILED_PRECONDITION", "no voter left"),
            (client.replace_server(0, third, stranger), "FAILED_PRECONDITION", "does not host"),
            (client.change_members(5, [first]), "NOT_FOUND", "not hosted"),
            (
                client.change_members(0, [first, "http://127.0.0.1:1"], timeout_s=3.0),
                "UNAVAILABLE",
                "does not answer",
            ),
        ]
        for call, code, text in cases:
            with pytest.raises(RequestFailed, match=text) as failed:
                await call
            assert failed.value.code == code
        cluster.shards = (0,)
        assert cluster.shard(leader).voters == tuple(sorted((first, second, third)))


async def test_writes_go_on_when_the_target_of_a_transfer_fails(tmp_path: Path) -> None:
    """The leader refuses them meanwhile; the client asks again (§3.10)."""
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids, timeout_s=LONG_S) as client:
        leader = await cluster.leader()
        target = next(name for name in cluster.ids if name != leader)
        await client.write(0, b"before")
        await cluster.crash(target)
        moving = asyncio.create_task(client.transfer_leadership(0, target, timeout_s=1.5))
        await cluster.until(lambda: transfer_of(cluster, leader) or moving.done())
        assert transfer_of(cluster, leader)
        assert await client.write(0, b"meanwhile") == b"2"
        with pytest.raises(RequestFailed, match="did not take over"):
            await moving
        assert cluster.leaders() == [leader]


def transfer_of(cluster: Cluster, node_id: NodeId) -> bool:
    leadership = cluster.nodes[node_id].driver.machine.node.shards[0].state.leadership
    return leadership is not None and leadership.transfer is not None
