"""What cannot be parsed is refused by each of the four kinds of method; other calls go on."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from lolraft.rpc.pb import lolraft_pb2 as pb
from lolraft.rpc.strict import StrictRequests

GARBAGE = b"\xff\xff"
GOOD = pb.ReadRequest(shard_id=7, message=b"?").SerializeToString()
KINDS = ("OneToOne", "OneToMany", "ManyToOne", "ManyToMany", "WritesItself")


async def one_to_one(request: pb.ReadRequest, _: object) -> pb.Response:
    return pb.Response(message=request.message)


async def one_to_many(request: pb.ReadRequest, _: object) -> AsyncIterator[pb.Response]:
    yield pb.Response(message=request.message)


async def many_to_one(requests: AsyncIterator[pb.ReadRequest], _: object) -> pb.Response:
    return pb.Response(message=b"".join([request.message async for request in requests]))


async def many_to_many(
    requests: AsyncIterator[pb.ReadRequest], _: object
) -> AsyncIterator[pb.Response]:
    async for request in requests:
        yield pb.Response(message=request.message)


async def writes_itself(
    request: pb.ReadRequest, context: grpc.aio.ServicerContext[pb.ReadRequest, pb.Response]
) -> None:
    await context.write(pb.Response(message=request.message))


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=[StrictRequests()])
    form = {
        "request_deserializer": pb.ReadRequest.FromString,
        "response_serializer": pb.Response.SerializeToString,
    }
    handlers = {
        "OneToOne": grpc.unary_unary_rpc_method_handler(one_to_one, **form),
        "OneToMany": grpc.unary_stream_rpc_method_handler(one_to_many, **form),
        "ManyToOne": grpc.stream_unary_rpc_method_handler(many_to_one, **form),
        "ManyToMany": grpc.stream_stream_rpc_method_handler(many_to_many, **form),
        "WritesItself": grpc.unary_stream_rpc_method_handler(writes_itself, **form),
        "Bytes": grpc.unary_unary_rpc_method_handler(raw),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.S", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


async def raw(request: bytes, _: object) -> bytes:
    return request


async def ask(
    channel: grpc.aio.Channel, kind: str, *messages: bytes
) -> tuple[grpc.StatusCode, list[bytes]]:
    """Send on a stream, whatever the method is: on the wire all four look the same."""
    call = channel.stream_stream(f"/test.S/{kind}")(iter(messages), timeout=10.0)
    answers: list[bytes] = []
    try:
        async for raw_answer in call:
            answers.append(pb.Response.FromString(raw_answer).message)
    except grpc.aio.AioRpcError:
        assert await call.details(), "a sentence belongs to the code"
    return await call.code(), answers


@pytest.mark.parametrize("kind", KINDS)
async def test_garbage_is_the_callers_mistake(
    channel: grpc.aio.Channel, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await ask(channel, kind, GOOD) == (grpc.StatusCode.OK, [b"?"])
    with caplog.at_level(logging.ERROR):
        assert await ask(channel, kind, GARBAGE) == (grpc.StatusCode.INVALID_ARGUMENT, [])
    assert caplog.records == [], "no traceback for what a stranger makes up"
    assert await ask(channel, kind, GOOD) == (grpc.StatusCode.OK, [b"?"])


async def test_what_came_before_the_garbage_is_answered(channel: grpc.aio.Channel) -> None:
    code, answers = await ask(channel, "ManyToMany", GOOD, GOOD, GARBAGE, GOOD)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert answers in ([b"?", b"?"], [b"?"], []), "never what came after it"


async def test_bytes_and_unknown_methods_are_left_alone(channel: grpc.aio.Channel) -> None:
    assert await channel.unary_unary("/test.S/Bytes")(GARBAGE, timeout=10.0) == GARBAGE
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary("/test.S/Nothing")(GARBAGE, timeout=10.0)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
