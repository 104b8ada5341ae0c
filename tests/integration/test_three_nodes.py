"""Three real nodes in one process: bootstrap, serve, lose the leader, come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lolraft.config import Config
from lolraft.errors import ConfigError
from lolraft.multiraft.frames import RequestKind
from lolraft.node import RaftNode
from lolraft.raft.effects import Code
from lolraft.storage.interface import Locked, WrongNode
from tests.integration.cluster import Cluster, diary, free_id


async def test_a_static_cluster_serves_through_every_node(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.leader()
        for count, node_id in enumerate(cluster.ids, start=1):
            assert await cluster.write(b"by %d" % count, node_id=node_id) == b"%d" % count
        for node_id in cluster.ids:
            assert await cluster.read(node_id=node_id) == b"by 1\nby 2\nby 3"
        assert len(cluster.leaders()) == 1


async def test_a_cluster_grows_from_one_empty_node(tmp_path: Path) -> None:
    async with Cluster(tmp_path, static=False) as cluster:
        first, second, third = cluster.ids
        refused = await cluster.ask(first, RequestKind.WRITE, b"x")
        assert refused.code is Code.FAILED_PRECONDITION
        await cluster.add(first, to=first)
        assert await cluster.write(b"a", node_id=first) == b"1"
        await cluster.add(second, to=first)
        assert await cluster.write(b"b", node_id=second) == b"2"
        await cluster.add(third, to=second)  # Forwarded to the leader.
        assert await cluster.write(b"c", node_id=third) == b"3"
        await cluster.settled()
        for node_id in cluster.ids:
            assert cluster.shard(node_id).voters == tuple(sorted(cluster.ids))
            assert await cluster.read(node_id=node_id) == b"a\nb\nc"


async def test_losing_the_leader_costs_an_election_and_no_write(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        old = await cluster.leader()
        assert await cluster.write(b"before") == b"1"
        await cluster.settled()  # The very first start needs every listed member once (S4).
        await cluster.crash(old)
        assert await cluster.write(b"after") == b"2"
        await cluster.leader(other_than=old)
        await cluster.start(old)
        await cluster.settled()
        assert await cluster.read(node_id=old) == b"before\nafter"


async def test_a_first_start_says_which_member_it_waits_for(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    first, second, late = cluster.ids
    await asyncio.gather(cluster.start(first), cluster.start(second))
    try:
        for name in (first, second):
            recent = cluster.nodes[name].driver.recent
            await cluster.until(lambda: any(tell.kind == "unproven" for _, tell in recent))  # noqa: B023
            assert any(late in tell.text for _, tell in recent if tell.kind == "unproven")
        assert cluster.leaders() == []
        await cluster.start(late)
        assert await cluster.write(b"all are here") == b"1"
    finally:
        await cluster.__aexit__()


async def test_everything_is_there_after_all_nodes_crashed(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        for n in range(20):
            await cluster.write(b"%d" % n)
        await asyncio.gather(*map(cluster.crash, cluster.ids))
        await asyncio.gather(*map(cluster.start, cluster.ids))
        assert await cluster.write(b"20") == b"21"
        lines = b"\n".join(b"%d" % n for n in range(21))
        for node_id in cluster.ids:
            assert await cluster.read(node_id=node_id) == lines


async def test_everything_is_there_after_an_orderly_stop(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1) as cluster:
        (only,) = cluster.ids
        await cluster.write(b"a")
        await cluster.read(b"snapshot")
        await cluster.write(b"b")
        await cluster.stop(only)
        await cluster.start(only)
        assert await cluster.read() == b"a\nb"


async def test_two_of_three_down_means_an_answer_and_no_service(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        leader = await cluster.leader()
        for node_id in cluster.ids:
            if node_id != leader:
                await cluster.crash(node_id)
        async with asyncio.timeout(10):
            respond = await cluster.ask(leader, RequestKind.WRITE, b"x", request_id="r1")
        assert respond.code is Code.UNAVAILABLE
        await cluster.until(lambda: cluster.leaders() == [])


async def test_a_hundred_duplicates_execute_once(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.leader()
        answers = await asyncio.gather(
            *(
                cluster.write(b"once", node_id=cluster.ids[n % 3], request_id="same")
                for n in range(100)
            )
        )
        assert set(answers) == {b"1"}
        assert await cluster.read() == b"once"


async def test_what_the_app_rejects_is_aborted_and_the_shard_goes_on(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        leader = await cluster.leader()
        respond = await cluster.ask(leader, RequestKind.WRITE, b"reject", request_id="r")
        assert (respond.code, respond.message) == (Code.ABORTED, b"not this one")
        assert await cluster.write(b"x") == b"1"


async def test_an_unknown_shard_is_not_found(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1) as cluster:
        respond = await cluster.ask(cluster.ids[0], RequestKind.WRITE, b"x", shard_id=9)
        assert respond.code is Code.NOT_FOUND


async def test_an_app_that_breaks_stops_its_shard_alone(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1, shards=(0, 1)) as cluster:
        (only,) = cluster.ids
        await cluster.leader(1)
        await cluster.leader(0)
        respond = await cluster.ask(only, RequestKind.WRITE, b"break", request_id="r")
        assert respond.code is not Code.OK
        await cluster.until(lambda: cluster.shard(only).role == "stopped")
        assert await cluster.write(b"x", shard_id=1) == b"1"


async def test_a_removed_leader_hands_over(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        old = await cluster.leader()
        await cluster.write(b"a")
        await cluster.remove(old, to=old)
        others = [node_id for node_id in cluster.ids if node_id != old]
        await cluster.until(lambda: len([n for n in cluster.leaders() if n in others]) == 1)
        assert await cluster.write(b"b", node_id=others[0]) == b"2"
        assert cluster.shard(others[0]).voters == tuple(sorted(others))


async def test_a_new_server_gets_the_snapshot_and_the_log_after_it(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        leader = await cluster.leader()
        big = b"x" * 300_000
        for n in range(4):
            await cluster.write(b"%d" % n + big)
        await cluster.read(b"snapshot", node_id=leader)
        await cluster.until(lambda: cluster.shard(leader).snapshot_index > 1)
        await cluster.write(b"last")
        new = cluster.new_id()
        await cluster.start(new)
        await cluster.add(new, to=leader)
        assert await cluster.write(b"by the new one", node_id=new) == b"6"
        body = await cluster.read(node_id=new)
        assert body.split(b"\n") == [b"%d" % n + big for n in range(4)] + [
            b"last",
            b"by the new one",
        ]


async def test_shards_are_apart(tmp_path: Path) -> None:
    async with Cluster(tmp_path, shards=tuple(range(5))) as cluster:
        for shard_id in cluster.shards:
            assert await cluster.write(b"%d" % shard_id, shard_id=shard_id) == b"1"
        for shard_id in cluster.shards:
            assert await cluster.read(shard_id=shard_id) == b"%d" % shard_id


async def test_concurrent_writers_are_all_served(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        leader = await cluster.leader()
        answers = await asyncio.gather(
            *(cluster.write(b"%d" % n, node_id=cluster.ids[n % 3]) for n in range(300))
        )
        assert sorted(map(int, answers)) == list(range(1, 301))
        assert await cluster.read(b"count", node_id=leader) == b"300"
        await cluster.settled()


# --- refusing to start ---------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1) as cluster:
        (only,) = cluster.ids
        second = RaftNode(Config(node_id=only, data=tmp_path / "other"), diary)
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{only[-5:]}.*--listen"):
            await second.start()
        assert await cluster.write(b"x") == b"1"


async def test_a_directory_has_one_owner_and_one_process(tmp_path: Path) -> None:
    one = free_id()
    async with RaftNode(Config(node_id=one, data=tmp_path), diary):
        with pytest.raises(Locked):
            await RaftNode(Config(node_id=one, listen="127.0.0.1:0", data=tmp_path), diary).start()
    with pytest.raises(WrongNode):
        await RaftNode(Config(node_id=free_id(), data=tmp_path), diary).start()
