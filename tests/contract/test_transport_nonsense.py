"""What strangers may send to the port of `lolraft.Peer`: a status comes back, the node goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import grpc
import grpc.aio
import pytest

from lolraft.multiraft import commands
from lolraft.multiraft.events import Event, FrameArrived
from lolraft.multiraft.frames import Frame
from lolraft.raft.types import Clock, Configuration, NodeId, ShardId
from lolraft.rpc import translate
from lolraft.rpc.pb import peer_pb2 as pb
from lolraft.rpc.peer_transport import GrpcTransport
from lolraft.runtime.transport import SnapshotPiece, SnapshotUnavailable

A, B = "http://a:1", "http://b:2"
COMMANDS = [commands.encode("", b""), commands.encode("id", b"x")]
HUGE = 2**63


class Posted:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def post(self, event: Event) -> None:
        self.events.append(event)

    async def serve_snapshot(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        raise SnapshotUnavailable("none here")
        yield  # An async generator, as the real one is.


@dataclass
class Served:
    transport: GrpcTransport
    node: Posted
    channel: grpc.aio.Channel


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    transport, node = GrpcTransport(), Posted()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((transport.servicer.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await transport.start(node)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(transport, node, channel)
    await transport.stop()
    await server.stop(0)


def append(change: Callable[[pb.Append], None]) -> bytes:
    body = pb.Append(
        prev_term=2, prev_index=3, first=4, terms=[2, 3], kinds=b"\1\1", payloads=COMMANDS
    )
    change(body)
    message = pb.ShardMessage(shard_id=1, term=3, append_request=body)
    return pb.PeerFrame(sender=A, epoch=1, messages=[message]).SerializeToString()


def with_body(**body: object) -> bytes:
    message = pb.ShardMessage(shard_id=1, **body)  # type: ignore[arg-type]  # Each case its own.
    return pb.PeerFrame(sender=A, messages=[message]).SerializeToString()


def forward(**fields: object) -> bytes:
    return pb.PeerFrame(sender=A, forwards=[pb.Forward(**fields)]).SerializeToString()  # type: ignore[arg-type]


def configuration(**fields: object) -> bytes:
    known = {"group": "7", "voters": [A], "outgoing": [], "learners": [], "incarnations": {}}
    return json.dumps(known | fields).encode()


def entry(kind: int, payload: bytes) -> bytes:
    return with_body(
        append_request=pb.Append(first=1, terms=[1], kinds=bytes([kind]), payloads=[payload])
    )


FRAMES: dict[str, bytes] = {
    "not protobuf": b"\xff\xff\xff\xff",
    "empty": b"",
    "no sender": pb.PeerFrame(epoch=1).SerializeToString(),
    "sender is no address": pb.PeerFrame(sender="a").SerializeToString(),
    "sender has a path": pb.PeerFrame(sender=A + "/x").SerializeToString(),
    "sender not normal": pb.PeerFrame(sender=A + "/").SerializeToString(),
    "no body": pb.PeerFrame(sender=A, messages=[pb.ShardMessage(term=1)]).SerializeToString(),
    "unequal terms": append(lambda body: body.terms.append(3)),
    "unequal payloads": append(lambda body: body.payloads.append(b"")),
    "unequal kinds": append(lambda body: setattr(body, "kinds", b"\1")),
    "unknown entry kind": append(lambda body: setattr(body, "kinds", b"\1\3")),
    "a gap before the entries": append(lambda body: setattr(body, "first", 6)),
    "terms that go back": append(lambda body: setattr(body, "prev_term", 3)),
    "unknown refusal": with_body(vote_response=pb.TellVote(refusal=4)),
    "leader is no address": with_body(vote_response=pb.TellVote(leader_id="n1")),
    "unknown request kind": forward(kind=10),
    "a server to add that is no text": forward(kind=2, message=b"\xff"),
    "a server to add that is no address": forward(kind=2, message=b"a"),
    "no server to remove": forward(kind=3),
    "a server to lead that is no text": forward(kind=4, message=b"\xff"),
    "a long request id": forward(kind=0, request_id="x" * 1025),
    "a write of no session": forward(kind=0, session=0, sequence=1, registration=b"short"),
    "a session without a sequence": forward(kind=0, session=5),
    "a sequence below the lowest": forward(kind=0, session=5, sequence=1, lowest_unanswered=2),
    "a huge session": forward(kind=0, session=HUGE, sequence=1, lowest_unanswered=1),
    "a command without a request id": entry(1, b""),
    "a write of a session that is cut": entry(1, b"\xff\xff" + bytes(23)),
    "a write of a session without numbers": entry(1, b"\xff\xff" + bytes(24)),
    "a registration that is cut": entry(1, b"\xfe\xff" + bytes(15)),
    "a registration with a message": entry(1, b"\xfe\xff" + bytes(17)),
    "a command whose request id is cut": entry(1, b"\5\0four"),
    "a command whose request id is no text": entry(1, b"\1\0\xff"),
    "a configuration that is none": entry(2, b"{}"),
    "a configuration without a bottom": entry(2, b"[" * 100_000),
    "a configuration of numbers": entry(2, configuration(voters=[1])),
    "a configuration of lists": entry(2, configuration(voters=[[]])),
    "a voter who counts twice": entry(2, configuration(voters=[A, A])),
    "a voter who is half a character": entry(2, configuration(voters=["http://\ud800:1"])),
    "an endless incarnation": entry(2, configuration(incarnations={A: float("inf")})),
    "an incarnation below zero": entry(2, configuration(incarnations={A: -1})),
    "an incarnation of 65 bits": entry(2, configuration(incarnations={A: 2**64})),
    "an incarnation of nobody": entry(2, configuration(incarnations={"a": 1})),
    "a configuration of no addresses": entry(2, Configuration(voters=(NodeId("a"),)).encode()),
    "a huge epoch": pb.PeerFrame(sender=A, epoch=2**31 + 1).SerializeToString(),
    "a huge term": with_body(term=HUGE, timeout_now=True),
    "a huge last term": with_body(vote_request=pb.AskVote(last_term=HUGE)),
    "a huge term of a vote": with_body(vote_response=pb.TellVote(asked_term=HUGE)),
    "a huge removal": with_body(vote_response=pb.TellVote(removed_at=HUGE)),
    "a huge term of an entry": append(lambda body: body.terms.__setitem__(1, HUGE)),
    "a huge commit index": append(lambda body: setattr(body, "commit_index", HUGE)),
    "a huge match": with_body(append_response=pb.AppendAnswer(match_index=HUGE)),
    "a huge read index": pb.PeerFrame(
        sender=A, replies=[pb.ForwardReply(index=HUGE)]
    ).SerializeToString(),
    "a huge snapshot": with_body(snapshot_offer=pb.OfferSnapshot(clock_index=HUGE)),
    "unknown code": pb.PeerFrame(sender=A, replies=[pb.ForwardReply(code=1)]).SerializeToString(),
}

HEARTBEATS: dict[str, bytes] = {
    "not protobuf": b"\x0a\xff",
    "no sender": pb.NodeHeartbeat(epoch=1, seq=1).SerializeToString(),
    "unequal claims": pb.NodeHeartbeat(
        sender=A, claim_shards=[1, 2], claim_terms=[1], claim_groups=[1, 2]
    ).SerializeToString(),
    "a huge epoch": pb.NodeHeartbeat(sender=A, epoch=HUGE).SerializeToString(),
    "a huge version": pb.NodeHeartbeat(sender=A, ledger_version=HUGE).SerializeToString(),
    "a huge claim": pb.NodeHeartbeat(
        sender=A, claim_shards=[1], claim_terms=[HUGE], claim_groups=[1]
    ).SerializeToString(),
}


async def ends_with(channel: grpc.aio.Channel, path: str, *messages: bytes) -> tuple[object, str]:
    """Send the messages on a new stream; return the status it ended with."""
    call = channel.stream_stream(path)()
    async with asyncio.timeout(10):
        try:
            for message in messages:
                await call.write(message)
            while await call.read() is not grpc.aio.EOF:
                pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # The status says it all.
        return await call.code(), await call.details() or ""


GOOD = translate.frame_bytes(Frame(sender=A, incarnation=1, epoch=1))


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for *condition*, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own.
            await asyncio.sleep(0.005)


async def good_frame_passes(served: Served) -> None:
    """The node goes on: a proper frame on a new stream arrives."""
    served.node.events.clear()
    call = served.channel.stream_stream("/lolraft.Peer/Exchange")()
    await call.write(GOOD)
    async with asyncio.timeout(10):
        receipt = pb.FrameReceipt.FromString(await call.read())
    call.cancel()
    assert receipt.frames == 1
    assert served.node.events == [FrameArrived(frame=Frame(sender=A, incarnation=1, epoch=1))]


@pytest.mark.parametrize("name", FRAMES)
async def test_a_malformed_frame_aborts_its_stream_only(served: Served, name: str) -> None:
    code, details = await ends_with(served.channel, "/lolraft.Peer/Exchange", FRAMES[name])
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details
    assert served.node.events == []
    assert served.transport.servicer.malformed == 1
    await good_frame_passes(served)


async def test_the_frame_that_the_cases_bend_is_good(served: Served) -> None:
    call = served.channel.stream_stream("/lolraft.Peer/Exchange")()
    await call.write(append(lambda body: None))
    async with asyncio.timeout(10):
        await call.read()
    call.cancel()
    assert len(served.node.events) == 1


@pytest.mark.parametrize("name", HEARTBEATS)
async def test_a_malformed_heartbeat_aborts_its_stream_only(served: Served, name: str) -> None:
    code, _ = await ends_with(served.channel, "/lolraft.Peer/Beat", HEARTBEATS[name])
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert served.node.events == []
    await good_frame_passes(served)


async def test_a_stream_has_one_sender(served: Served) -> None:
    other = translate.frame_bytes(Frame(sender=B, incarnation=1, epoch=1))
    code, details = await ends_with(served.channel, "/lolraft.Peer/Exchange", GOOD, other)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert B in details


async def test_nonsense_asks_for_no_snapshot(served: Served) -> None:
    call = served.channel.unary_stream("/lolraft.Peer/FetchSnapshot")(b"\xff")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_client_that_vanishes_leaves_no_task(served: Served) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(20):
        call = served.channel.stream_stream("/lolraft.Peer/Exchange")()
        await call.write(GOOD)
        await call.read()
        call.cancel()
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


async def test_a_peer_that_takes_frames_but_no_receipts_come_is_dialled_again() -> None:
    """A frozen process: its kernel takes what we write, it never answers (L7)."""
    dialled = asyncio.Semaphore(0)

    async def frozen(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.send_initial_metadata(())
        dialled.release()
        await asyncio.Event().wait()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {
        "Exchange": grpc.stream_stream_rpc_method_handler(frozen),
        "Beat": grpc.stream_stream_rpc_method_handler(frozen),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("lolraft.Peer", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    node, transport = Posted(), GrpcTransport(patience_s=0.2)
    await transport.start(node)
    peer = f"http://127.0.0.1:{port}"
    transport.dial(peer)
    try:
        async with asyncio.timeout(10):
            await dialled.acquire()
            await dialled.acquire()  # Both streams stand.
            await eventually(lambda: len(node.events) == 1)
            transport.send_frame(peer, Frame(sender=A, incarnation=1, epoch=1))
            await dialled.acquire()  # The Exchange stream again.
            await eventually(lambda: len(node.events) == 4)
            kinds = [type(event).__name__ for event in node.events]
            assert kinds == ["StreamUp", "FrameWritten", "StreamDown", "StreamUp"]
    finally:
        await transport.stop()
        await server.stop(0)
