"""Registered sessions over real gRPC and real disks: a write is executed once, or not at all."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lolraft import node as node_module
from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.multiraft.commands import Registration, WriteId
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.node import NodeConfig
from lolraft.raft.effects import Code
from lolraft.raft.types import Limits, NodeId
from lolraft.rpc.pb import client_pb2, client_pb2_grpc, lolraft_pb2, lolraft_pb2_grpc
from tests.integration.cluster import Cluster

NONCE = Registration(b"sixteen bytes...")


async def insist(cluster: Cluster, request_id: Registration | WriteId, message: bytes) -> bytes:
    """Ask one node after another, under the same id, until one answers."""
    code = None
    for _ in range(2000):
        for name in tuple(cluster.nodes):
            driver = cluster.nodes[name].driver
            respond = await driver.ask(RequestKind.WRITE, 0, message, request_id)
            code = respond.code
            if code not in (Code.UNAVAILABLE, Code.FAILED_PRECONDITION):
                assert code is Code.OK, respond
                return respond.message
        await asyncio.sleep(0.01)
    raise AssertionError(f"never answered: {code}")


async def test_a_retry_after_the_leader_was_killed_is_not_executed_again(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        leader = await cluster.leader()
        session = int(await insist(cluster, NONCE, b""))
        answer = await insist(cluster, WriteId(session, 1, 1), b"one")
        await cluster.crash(leader)
        assert await insist(cluster, WriteId(session, 1, 1), b"one") == answer
        assert int(await insist(cluster, NONCE, b"")) == session
        await insist(cluster, WriteId(session, 2, 2), b"two")
        assert await cluster.read() == b"one\ntwo"


async def test_sessions_survive_a_restart_of_all_and_the_install_of_a_snapshot(
    tmp_path: Path,
) -> None:
    async with Cluster(tmp_path) as cluster:
        leader = await cluster.leader()
        session = int(await insist(cluster, NONCE, b""))
        answers = [await insist(cluster, WriteId(session, n, 1), b"%d" % n) for n in (1, 2, 3)]
        await cluster.read(b"snapshot", node_id=leader)
        await cluster.until(lambda: cluster.shard(leader).snapshot_index > session)
        for name in cluster.ids:
            await cluster.crash(name)
        await asyncio.gather(*map(cluster.start, cluster.ids))
        await cluster.leader()
        again = [await insist(cluster, WriteId(session, n, 1), b"%d" % n) for n in (1, 2, 3)]
        assert again == answers
        newcomer = cluster.new_id()
        await cluster.start(newcomer)
        await cluster.add(newcomer, to=cluster.ids[0])
        for name in cluster.ids[:3]:
            await cluster.remove(name, to=newcomer)
        again = [await insist(cluster, WriteId(session, n, 1), b"%d" % n) for n in (1, 2, 3)]
        assert again == answers
        assert await cluster.read(node_id=newcomer) == b"1\n2\n3"


async def test_a_client_that_writes_while_leaders_are_killed_writes_each_once(
    tmp_path: Path,
) -> None:
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids, timeout_s=30.0) as client:
        await cluster.leader()
        names = [b"%d" % n for n in range(120)]

        async def write(which: list[bytes]) -> None:
            for name in which:
                await client.write(0, name)

        writers = [asyncio.ensure_future(write(names[n::6])) for n in range(6)]
        for seen in (10, 60):
            await cluster.until(lambda seen=seen: applied(cluster) > seen)  # type: ignore[misc]
            leader = await cluster.leader()
            await cluster.crash(leader)
            await cluster.leader(other_than=leader)
            await cluster.start(leader)
        await asyncio.gather(*writers)
        lines = (await client.read(0, b"")).split(b"\n")
        assert sorted(lines) == sorted(names)


def applied(cluster: Cluster) -> int:
    return max(cluster.shard(name).applied_index for name in cluster.nodes)


async def fill(cluster: Cluster, count: int) -> None:
    for n in range(count):
        await cluster.write(b"other %d" % n)


async def test_an_expired_session_is_an_error_and_an_idle_client_registers_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "NodeConfig", partial(NodeConfig, session_entries=5))
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids) as client:
        leader = await cluster.leader()
        await client.write(0, b"one")
        session = int(await insist(cluster, NONCE, b""))
        await fill(cluster, 6)
        expired = await cluster.nodes[leader].driver.ask(
            RequestKind.WRITE, 0, b"never", WriteId(session, 1, 1)
        )
        assert expired.code is Code.OUT_OF_RANGE
        assert b"session expired" in expired.message
        await client.write(0, b"two")  # Its own has expired too, while it was idle.
        assert (await client.read(0, b"")).split(b"\n") == [
            b"one",
            *[b"other %d" % n for n in range(6)],
            b"two",
        ]


async def test_a_write_that_may_have_been_executed_is_not_repeated_in_a_new_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer got lost, and by the time it is asked again the session has expired."""
    monkeypatch.setattr(node_module, "NodeConfig", partial(NodeConfig, session_entries=5))
    async with Cluster(tmp_path) as cluster, RaftClient(cluster.ids) as client:
        await cluster.leader()
        await client.write(0, b"one")
        find = RaftClient._node

        def losing(self: RaftClient, server: NodeId) -> object:
            channel = find(self, server)
            original = channel.submit

            async def once(*arguments: object) -> object:
                channel.submit = original  # type: ignore[method-assign]
                reply = await original(*arguments)  # type: ignore[arg-type]
                assert reply.code == "OK"
                await fill(cluster, 20)  # A leader that still has the answer would give it.
                return reply._replace(code="UNAVAILABLE", message=b"the answer was lost")

            channel.submit = once  # type: ignore[assignment,method-assign]
            monkeypatch.setattr(RaftClient, "_node", find)
            return channel

        monkeypatch.setattr(RaftClient, "_node", losing)
        with pytest.raises(RequestFailed, match="session expired") as failed:
            await client.write(0, b"two")
        assert not failed.value.outcome_known
        lines = (await client.read(0, b"")).split(b"\n")
        assert lines.count(b"two") == 1
        assert await client.write(0, b"three") == b"%d" % (len(lines) + 1)


async def test_who_has_no_room_says_how_long_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(proposal_entries=0)
    monkeypatch.setattr(
        node_module, "NodeConfig", lambda **given: NodeConfig(**{**given, "limits": limits})
    )
    async with Cluster(tmp_path, 1) as cluster:
        leader = await cluster.leader()
        target = str(leader).partition("://")[2]
        async with grpc.aio.insecure_channel(target) as channel:
            raft = lolraft_pb2_grpc.RaftStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await raft.Write(lolraft_pb2.WriteRequest(shard_id=0, message=b"x"))
            assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            trailing = dict(failed.value.trailing_metadata() or ())
            assert int(trailing["grpc-retry-pushback-ms"]) > 0
            call = client_pb2_grpc.ClientStub(channel).Submit()
            await call.write(
                client_pb2.SubmitRequests(
                    numbers=[1], shard_ids=[0], kinds=b"\0", messages=[b"x"], request_ids=[""]
                )
            )
            replies = await call.read()
            assert list(replies.codes) == [8]
            assert replies.retry_after_ms > 0
            call.cancel()


BAD = {
    "columns of unequal length": ([2, 2], [1], [1]),
    "two of three columns": ([2], [1], []),
    "no sequence": ([2], [0], [0]),
    "a lowest above the sequence": ([2], [1], [2]),
    "too far above the lowest": ([2], [2**40], [1]),
}


@pytest.mark.parametrize("name", BAD)
async def test_ids_that_make_no_sense_are_refused_at_the_door(tmp_path: Path, name: str) -> None:
    async with Cluster(tmp_path, 1) as cluster:
        leader = await cluster.leader()
        sessions, sequences, lowest = BAD[name]
        async with grpc.aio.insecure_channel(str(leader).partition("://")[2]) as channel:
            client = client_pb2_grpc.ClientStub(channel)
            call = client.Submit()
            batch = client_pb2.SubmitRequests(
                numbers=[1],
                shard_ids=[0],
                kinds=b"\0",
                messages=[b"x"],
                request_ids=[""],
                sessions=sessions,
                sequences=sequences,
                lowest_unanswered=lowest,
            )
            await call.write(batch)
            try:
                codes = list((await call.read()).codes)
            except grpc.aio.AioRpcError as ended:
                codes = [ended.code().value[0]]
            assert codes == [grpc.StatusCode.INVALID_ARGUMENT.value[0]]
            call.cancel()
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await client.RegisterClient(client_pb2.RegisterClientRequest(nonce=b"short"))
            assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
