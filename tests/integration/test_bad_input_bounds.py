"""Clients that ask for too much, or do not read what they asked for: one node, as a process."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lolraft.client import RaftClient
from lolraft.rpc.pb import client_pb2, observe_pb2
from lolraft.rpc.pb import lolraft_pb2 as pb
from tests.integration.cluster import free_id

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0
MIB = 1024 * 1024
GET = b'{"op":"get","key":"big"}'
BIG = 100_000
"""Bytes of the value under `big`."""

_names = itertools.count()


class Node:
    """One node's process, a client of it, and a channel that speaks in bytes."""

    def __init__(self, node_id: str, pid: int) -> None:
        self.node_id = node_id
        self.client = RaftClient([node_id], timeout_s=60.0)
        self.channel = grpc.aio.insecure_channel(
            node_id.removeprefix("http://"),
            options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)],
        )
        self._pid = pid

    @property
    def resident_bytes(self) -> int:
        pages = Path(f"/proc/{self._pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def goes_on(self) -> None:
        """Write and read: other clients are served."""
        value = str(next(_names))
        await self.put("goes-on", value)
        raw = await self.client.read(0, b'{"op":"get","key":"goes-on"}')
        assert json.loads(raw) == {"value": value}

    async def put(self, key: str, value: str) -> None:
        message = json.dumps({"op": "put", "key": key, "value": value}).encode()
        await self.client.write(0, message)

    async def call(self, method: str, request: bytes) -> bytes:
        return bytes(await self.channel.unary_unary(method)(request, timeout=PATIENCE_S))

    async def refused(self, method: str, request: bytes) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.call(method, request)
        return refused.value


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    directory = tmp_path_factory.mktemp("bounds")
    node_id = free_id()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            (
                *(sys.executable, "-m", "lolraft", "serve", node_id, "--app", "kv"),
                *("--members", node_id, "--data", str(directory / "data")),
            ),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
    yield node_id, process.pid
    assert process.poll() is None, (directory / "log").read_text()
    process.kill()
    process.wait(10)
    assert "Traceback" not in (directory / "log").read_text()


@pytest.fixture
async def node(process: tuple[str, int]) -> AsyncIterator[Node]:
    node = Node(*process)
    await node.put("big", "v" * BIG)
    yield node
    await node.goes_on()
    await node.client.close()
    await node.channel.close()


def reads(count: int, message: bytes = GET) -> bytes:
    return client_pb2.SubmitRequests(
        numbers=range(count),
        shard_ids=[0] * count,
        kinds=b"\1" * count,
        messages=[message] * count,
        request_ids=[""] * count,
    ).SerializeToString()


async def write_all(call: grpc.aio.StreamStreamCall[bytes, bytes], messages: list[bytes]) -> None:
    """Write until all is written, or the node takes no more for a while."""
    with suppress(TimeoutError):
        for message in messages:
            async with asyncio.timeout(1.0):
                await call.write(message)


# --- who does not read ---------------------------------------------------------------------------


async def test_answers_that_nobody_reads_are_not_heaped_up(node: Node) -> None:
    before = node.resident_bytes
    call = node.channel.stream_stream("/lolraft.Client/Submit")()
    batches = [reads(500)] * 40  # 2 GB of answers.
    writing = asyncio.ensure_future(write_all(call, batches))
    for _ in range(10):
        await node.goes_on()
    await writing
    grown = node.resident_bytes - before
    assert grown < 300 * MIB, f"{grown / MIB:.0f} MiB"
    call.cancel()


async def test_refusals_that_nobody_reads_are_not_heaped_up(node: Node) -> None:
    before = node.resident_bytes
    call = node.channel.stream_stream("/lolraft.Client/Submit")()
    long_name = "n" * 1100
    batch = client_pb2.SubmitRequests(
        numbers=range(5000),
        shard_ids=[0] * 5000,
        kinds=b"\0" * 5000,
        messages=[b""] * 5000,
        request_ids=[long_name] * 5000,
    ).SerializeToString()
    await write_all(call, [batch] * 120)
    assert node.resident_bytes - before < 300 * MIB
    await node.goes_on()
    call.cancel()


async def test_all_answers_come_to_who_reads_at_last(node: Node) -> None:
    call = node.channel.stream_stream("/lolraft.Client/Submit")()
    writing = asyncio.ensure_future(write_all(call, [reads(300)] * 4))
    await node.goes_on()
    answered = 0
    async with asyncio.timeout(PATIENCE_S):
        while answered < 1200:
            raw = await call.read()
            assert isinstance(raw, bytes)
            assert len(raw) < 4 * MIB, "what a client takes without being told to"
            replies = client_pb2.SubmitReplies.FromString(raw)
            assert set(replies.codes) == {0}
            assert all(len(message) > BIG for message in replies.messages)
            answered += len(replies.numbers)
    await writing
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_watches_and_snapshots_that_nobody_reads(node: Node) -> None:
    for number in range(8):
        await node.put(f"large-{number}", "s" * (2 * MIB))
    index = json.loads(await node.client.read(0, b'{"op":"snapshot"}'))["index"]
    before = node.resident_bytes
    snapshot = pb.GetSnapshotRequest(shard_id=0, index=index).SerializeToString()
    watch = observe_pb2.WatchRequest(interval_s=0.001, log_lines=1000).SerializeToString()
    calls = [
        node.channel.unary_stream(method)(request)
        for method, request in (
            *[("/lolraft.Raft/GetSnapshot", snapshot)] * 30,
            *[("/lolraft.Observe/Watch", watch)] * 30,
        )
    ]
    for call in calls:
        assert await call.read()  # Each has begun, and is left alone.
    for _ in range(20):
        await node.goes_on()
    assert node.resident_bytes - before < 300 * MIB
    for call in calls:
        call.cancel()


async def test_a_thousand_streams_opened_and_left(node: Node) -> None:
    snapshot = pb.GetSnapshotRequest(shard_id=0, index=1).SerializeToString()
    for _ in range(5):
        calls: list[grpc.aio.Call] = []
        for _ in range(50):
            calls.append(node.channel.unary_stream("/lolraft.Observe/Watch")(b""))
            calls.append(node.channel.unary_stream("/lolraft.Raft/GetSnapshot")(snapshot))
            calls.append(node.channel.stream_stream("/lolraft.Client/Submit")())
            calls.append(node.channel.stream_stream("/lolraft.Peer/Exchange")())
        await node.goes_on()
        for call in calls:
            call.cancel()
    await node.goes_on()


# --- who asks for too much -----------------------------------------------------------------------


async def test_the_log_comes_in_messages_that_clients_take(node: Node) -> None:
    for _ in range(4):
        await node.put("large", "s" * (2 * MIB))
    request = observe_pb2.LogRequest(count=2**32 - 1, payload_bytes=2**32 - 1)
    raw = await node.call("/lolraft.Observe/Log", request.SerializeToString())
    found = observe_pb2.LogRange.FromString(raw)
    assert len(raw) < 4 * MIB
    assert len(found.payloads) == len(found.sizes) > 4
    assert max(found.sizes) > 2 * MIB, "the sizes are those of the whole commands"
    one = observe_pb2.LogRequest(count=1, payload_bytes=20)
    cut = observe_pb2.LogRange.FromString(
        await node.call("/lolraft.Observe/Log", one.SerializeToString())
    )
    assert [bytes(payload) for payload in cut.payloads] == [b'{"op": "put", "key":']


@pytest.mark.parametrize("interval_s", [float("nan"), float("inf"), -1.0, 1e300])
async def test_an_interval_that_is_none(node: Node, interval_s: float) -> None:
    call = node.channel.unary_stream("/lolraft.Observe/Watch")(
        observe_pb2.WatchRequest(interval_s=interval_s).SerializeToString(), timeout=PATIENCE_S
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_refusal_that_quotes_a_megabyte_keeps_its_code(node: Node) -> None:
    message = json.dumps({"op": "x" * MIB, "key": "a"}).encode()
    for text in (message, message.replace(b"x", "é".encode())):
        request = pb.WriteRequest(shard_id=0, message=text).SerializeToString()
        refused = await node.refused("/lolraft.Raft/Write", request)
        assert refused.code() is grpc.StatusCode.ABORTED
        assert "no such write" in (refused.details() or "")


@pytest.mark.parametrize("method", ["AddServer", "RemoveServer"])
@pytest.mark.parametrize("server_id", ["ftp://" + "x" * MIB, f"http://{'x' * MIB}:1", "http://é é"])
async def test_a_server_id_that_is_none_keeps_its_code(
    node: Node, method: str, server_id: str
) -> None:
    request = pb.AddServerRequest(shard_id=0, server_id=server_id).SerializeToString()
    refused = await node.refused(f"/lolraft.Raft/{method}", request)
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "http://host:50000" in (refused.details() or "")


async def test_half_a_million_requests_in_one_message(node: Node) -> None:
    call = node.channel.stream_stream("/lolraft.Client/Submit")()
    await call.write(reads(500_000, b""))
    await node.goes_on()
    call.cancel()
