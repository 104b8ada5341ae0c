"""Whatever comes in at the port: a status code comes out, and the node goes on."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from lab.apps.counter import CounterApp
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2, observe_pb2, peer_pb2
from lolraft.rpc.pb import lolraft_pb2 as pb
from tests.integration.cluster import Cluster, free_id

ADD_ONE = struct.pack("<IQ", 0, 1) + b"x"
READ = struct.pack("<I", 0)
UNARY = (
    "/lolraft.Raft/Write", "/lolraft.Raft/Read", "/lolraft.Raft/AddServer",
    "/lolraft.Raft/RemoveServer", "/lolraft.Raft/SendTimeoutNow", "/lolraft.Raft/RequestVote",
    "/lolraft.Raft/ProcessKernRequest", "/lolraft.Raft/SendHeartbeat",
    "/lolraft.Client/TransferLeadership", "/lolraft.Client/ChangeMembers",
    "/lolraft.Observe/Log", "/lolraft.Faults/Set", "/grpc.health.v1.Health/Check",
)  # fmt: skip
STREAMS = (
    "/lolraft.Raft/GetSnapshot", "/lolraft.Raft/SendReplicationStream", "/lolraft.Client/Submit",
    "/lolraft.Observe/Watch", "/lolraft.Peer/Exchange", "/lolraft.Peer/Beat",
    "/lolraft.Peer/FetchSnapshot", "/grpc.health.v1.Health/Watch",
)  # fmt: skip
PATIENCE_S = 20.0


def counter(shard_id: ShardId, directory: Path) -> CounterApp:
    return CounterApp(directory)


class Port:
    """One node's port, spoken to in bytes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.address = cluster.ids[0].removeprefix("http://")
        big = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(self.address, options=big)
        self.written = 0

    async def call(self, method: str, request: bytes | Message, timeout_s: float = 5.0) -> bytes:
        call = self.channel.unary_unary(method)
        return bytes(await call(_bytes(request), timeout=timeout_s))

    async def refused(self, method: str, request: bytes | Message) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.call(method, request)
        assert refused.value.details(), "a sentence belongs to the code"
        return refused.value.code()

    async def goes_on(self) -> None:
        """Write once more: nothing that came in has hurt the node."""
        request = pb.WriteRequest(shard_id=0, message=ADD_ONE, request_id=f"g{self.written}")
        answer = pb.Response.FromString(await self.call("/lolraft.Raft/Write", request))
        assert struct.unpack("<Q", answer.message) == (self.written,)
        self.written += 1


def _bytes(request: bytes | Message) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    async with Cluster(tmp_path, 1, app=counter) as cluster:
        await cluster.leader()
        port = Port(cluster)
        await port.goes_on()
        yield port
        await port.goes_on()
        await port.channel.close()


BAD = {
    "unknown shard": ("Write", pb.WriteRequest(shard_id=9, message=ADD_ONE), "NOT_FOUND"),
    "unknown shard, read": ("Read", pb.ReadRequest(shard_id=9, message=READ), "NOT_FOUND"),
    "garbage bincode": ("Write", pb.WriteRequest(shard_id=0, message=b"\xff" * 9), "ABORTED"),
    "a length that lies": (
        "Write",
        pb.WriteRequest(shard_id=0, message=struct.pack("<IQ", 0, 2**63)),
        "ABORTED",
    ),
    "garbage read": ("Read", pb.ReadRequest(shard_id=0, message=b"?"), "ABORTED"),
    "empty write": ("Write", pb.WriteRequest(shard_id=0), "ABORTED"),
    "too long an entry": (
        "Write",
        pb.WriteRequest(shard_id=0, message=bytes(5 * 1024 * 1024)),
        "INVALID_ARGUMENT",
    ),
    "too long a message": (
        "Write",
        pb.WriteRequest(shard_id=0, message=bytes(9 * 1024 * 1024)),
        "RESOURCE_EXHAUSTED",
    ),
    "a long request id": (
        "Write",
        pb.WriteRequest(shard_id=0, message=ADD_ONE, request_id="x" * 100_000),
        "INVALID_ARGUMENT",
    ),
    "no server": ("AddServer", pb.AddServerRequest(shard_id=0), "INVALID_ARGUMENT"),
    "a server that is no address": (
        "AddServer",
        pb.AddServerRequest(shard_id=0, server_id="ftp://x y/z"),
        "INVALID_ARGUMENT",
    ),
    "a server that is not there": (
        "AddServer",
        pb.AddServerRequest(shard_id=0, server_id="http://127.0.0.1:1"),
        "UNAVAILABLE",
    ),
    "timeout now for nobody": ("SendTimeoutNow", pb.TimeoutNow(shard_id=9), "NOT_FOUND"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_request_gets_its_code(port: Port, name: str) -> None:
    method, request, code = BAD[name]
    assert (await port.refused(f"/lolraft.Raft/{method}", request)).name == code


async def test_the_last_voter_stays(port: Port) -> None:
    request = pb.RemoveServerRequest(shard_id=0, server_id=port.cluster.ids[0])
    code = await port.refused("/lolraft.Raft/RemoveServer", request)
    assert code is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("method", [*UNARY, *STREAMS])
async def test_bytes_that_are_no_message(port: Port, method: str) -> None:
    draw = random.Random(method)
    for length in (1, 7, 100, 5000):
        garbage = draw.randbytes(length)
        calls = {
            "unary": port.channel.unary_unary(method),
            "stream": port.channel.stream_stream(method),
        }
        if method in UNARY:
            with pytest.raises(grpc.aio.AioRpcError):
                await calls["unary"](garbage, timeout=5.0)
            continue
        call = calls["stream"](iter([garbage, garbage]), timeout=1.0)
        await end_of(call)
    await port.goes_on()


async def end_of(call: grpc.aio.StreamStreamCall[bytes, bytes]) -> grpc.StatusCode:
    """Read a stream to its end; return how it ended."""
    with suppress(grpc.aio.AioRpcError):
        async with asyncio.timeout(PATIENCE_S):
            async for _ in call:
                pass
    return await call.code()


async def test_an_unknown_method_is_unimplemented(port: Port) -> None:
    code = await port.refused("/lolraft.Raft/Nothing", b"")
    assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_faults_need_to_be_enabled(port: Port) -> None:
    code = await port.refused("/lolraft.Faults/Set", observe_pb2.FaultRules(version=1))
    assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_frames_of_strangers_and_nonsense_change_nothing(port: Port) -> None:
    draw = random.Random(7)
    stranger = free_id()
    for _ in range(30):
        frame = peer_pb2.PeerFrame(sender=draw.choice([stranger, "", "\x00", "n" * 10_000]))
        frame.epoch = draw.choice([0, 1, 2**63])
        frame.incarnation = draw.choice([0, 1, 2**64 - 1])
        frames = [frame.SerializeToString(), draw.randbytes(50), b""]
        draw.shuffle(frames)
        call = port.channel.stream_stream("/lolraft.Peer/Exchange")(iter(frames), timeout=1.0)
        await end_of(call)
    await port.goes_on()


async def test_who_stops_reading_holds_nobody_up(port: Port) -> None:
    watches = [
        port.channel.unary_stream("/lolraft.Observe/Watch")(
            observe_pb2.WatchRequest(interval_s=0.01, log_lines=200).SerializeToString()
        )
        for _ in range(20)
    ]
    submits = []
    batch = client_pb2.SubmitRequests(
        numbers=list(range(500)), shard_ids=[0] * 500, kinds=bytes([1]) * 500,
        messages=[READ] * 500, request_ids=[""] * 500,
    )  # fmt: skip
    for _ in range(5):
        submit = port.channel.stream_stream("/lolraft.Client/Submit")()
        for _ in range(5):
            await submit.write(batch.SerializeToString())
        submits.append(submit)
    for _ in range(20):
        await port.goes_on()
    for call in [*watches, *submits]:
        call.cancel()


async def test_columns_that_do_not_fit_together(port: Port) -> None:
    batch = client_pb2.SubmitRequests(numbers=[1, 2], shard_ids=[0], kinds=b"\x00\x09")
    call = port.channel.stream_stream("/lolraft.Client/Submit")()
    await call.write(batch.SerializeToString())
    assert await end_of(call) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_thousand_calls_that_nobody_waits_for(port: Port) -> None:
    method = port.channel.unary_unary("/lolraft.Raft/Read")
    request = pb.ReadRequest(shard_id=0, message=READ).SerializeToString()
    calls = [method(request, timeout=5.0) for _ in range(1000)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    machine = port.cluster.nodes[NodeId(port.cluster.ids[0])].driver.machine
    await port.goes_on()
    await port.cluster.until(lambda: len(machine.node.requests) == 0)


@pytest.mark.parametrize(
    ("first", "count"), [(0, 0), (2**63, 5), (1, 2**31 - 1), (5, 0), (2**64 - 1, 1)]
)
async def test_absurd_ranges_of_the_log(port: Port, first: int, count: int) -> None:
    request = observe_pb2.LogRequest(shard_id=0, first=first, count=count)
    found = observe_pb2.LogRange.FromString(await port.call("/lolraft.Observe/Log", request))
    assert len(found.terms) <= 10_000
