"""`RaftClient`: finds the leader, insists with one id, keeps its deadlines, ends what it began."""

from __future__ import annotations

import asyncio
import struct
import time
from pathlib import Path

import pytest

from lab.apps.counter import CounterApp, fetch_add, read
from lolraft.client import RaftClient
from lolraft.errors import ConfigError, LolraftError, RequestFailed
from lolraft.raft.types import NodeId, ShardId
from tests.integration.cluster import Cluster, free_id


def counter(shard_id: ShardId, directory: Path) -> CounterApp:
    return CounterApp(directory)


def value(answer: bytes) -> int:
    (number,) = struct.unpack("<Q", answer)
    return int(number)


async def test_writes_go_on_while_leaders_die_and_none_counts_twice(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster, RaftClient(cluster.ids) as client:
        await client.write(0, fetch_add(b"x"))
        await cluster.settled()
        acknowledged = 1
        stop = False

        async def keep_writing() -> None:
            nonlocal acknowledged
            while not stop:
                await client.write(0, fetch_add(b"x"), timeout_s=20.0)
                acknowledged += 1

        writers = [asyncio.ensure_future(keep_writing()) for _ in range(8)]
        for _ in range(2):
            seen = acknowledged
            await cluster.until(lambda seen=seen: acknowledged > seen + 100)  # type: ignore[misc]
            leader = await cluster.leader()
            await cluster.crash(leader)
            seen = acknowledged
            await cluster.until(lambda seen=seen: acknowledged > seen + 100)  # type: ignore[misc]
            await cluster.start(leader)
            await cluster.caught_up(leader)
        stop = True
        await asyncio.gather(*writers)
        assert value(await client.read(0, read())) == acknowledged


async def test_any_member_will_do(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster:
        await cluster.leader()
        for count, name in enumerate(cluster.ids):
            async with RaftClient([name]) as client:
                assert value(await client.write(0, fetch_add(b"y"))) == count


async def test_a_request_id_is_one_request(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster, RaftClient(cluster.ids) as client:
        same = [client.write(0, fetch_add(b"abc"), request_id="once") for _ in range(50)]
        assert {value(answer) for answer in await asyncio.gather(*same)} == {0}
        assert value(await client.read(0, read())) == 3


async def test_a_deadline_is_kept_and_the_outcome_said_to_be_unknown(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster, RaftClient(cluster.ids) as client:
        leader = await cluster.leader()
        await client.write(0, fetch_add(b"x"))
        await cluster.settled()
        for name in cluster.ids:
            if name != leader:
                await cluster.crash(name)
        began_s = time.monotonic()
        with pytest.raises(RequestFailed) as failed:
            await client.write(0, fetch_add(b"x"), timeout_s=1.0)
        assert time.monotonic() - began_s < 5.0
        assert failed.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        assert not failed.value.outcome_known


async def test_nobody_there_is_an_error_that_names_who_was_asked() -> None:
    nobody = free_id()
    async with RaftClient([nobody]) as client:
        with pytest.raises(RequestFailed, match=str(nobody)) as failed:
            await client.write(0, b"x", timeout_s=0.5)
        assert failed.value.code == "UNAVAILABLE"


async def test_an_unknown_shard_is_known_to_be_unknown(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster, RaftClient(cluster.ids) as client:
        await cluster.leader()
        with pytest.raises(RequestFailed) as failed:
            await client.read(5, read())
        assert failed.value.code == "NOT_FOUND"


async def test_who_stops_waiting_disturbs_nobody(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster, RaftClient(cluster.ids) as client:
        await client.write(0, fetch_add(b"x"))
        asked = [asyncio.ensure_future(client.read(0, read())) for _ in range(200)]
        await asyncio.sleep(0)
        for task in asked[::2]:
            task.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        kept = [answer for answer in answers if isinstance(answer, bytes)]
        assert len(kept) >= 100
        assert {value(answer) for answer in kept} == {1}


async def test_closing_answers_what_is_under_way(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster:
        client = RaftClient(cluster.ids)
        leader = await cluster.leader()
        await client.write(0, fetch_add(b"x"))
        await cluster.settled()
        for name in cluster.ids:
            if name != leader:
                await cluster.crash(name)
        asked = [asyncio.ensure_future(client.write(0, fetch_add(b"x"))) for _ in range(20)]
        await asyncio.sleep(0.05)
        await client.close()
        async with asyncio.timeout(10):
            ends = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(end, LolraftError) for end in ends), ends
        with pytest.raises(RequestFailed, match="closed"):
            await client.read(0, read())


async def test_dial_maps_names_to_addresses(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=counter) as cluster:
        there = {f"http://name-{n}:1": name for n, name in enumerate(cluster.ids)}

        def dial(server: NodeId) -> str:
            return there.get(server, server).partition("://")[2]

        async with RaftClient(list(there), dial=dial) as client:
            assert value(await client.write(0, fetch_add(b"x"))) == 0


def test_a_client_needs_an_address() -> None:
    with pytest.raises(ConfigError):
        RaftClient([])
    with pytest.raises(ConfigError):
        RaftClient(["no address at all"])
