"""One server as a client sees it: a channel, and the stream that carries requests in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import NamedTuple, TypeVar

import grpc
import grpc.aio

from lolraft.config import Tls
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2, client_pb2_grpc, lolraft_pb2, lolraft_pb2_grpc

NAMES = {status.value[0]: status.name for status in grpc.StatusCode}
BATCH = 1_024  # Requests in one message, at most.
BATCH_BYTES = 2 * 1024 * 1024
WRITE, READ, READ_LEASE, READ_LOCAL, READ_STALE = range(5)  # `SubmitRequests.kinds`.
TOO_LONG = b"larger than max"  # What gRPC says of a message that the server does not take.
LEADER_KEY = "lolraft-leader"
CLOSED = b"the client was closed"

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Reply(NamedTuple):
    """How one try ended."""

    code: str  # The name of a gRPC status.
    message: bytes
    leader_id: NodeId | None

    @property
    def maybe_executed(self) -> bool:
        """Return whether a write may have happened although no answer came."""
        return self.code not in ("OK", "RESOURCE_EXHAUSTED", "NOT_FOUND", "INVALID_ARGUMENT")


Request = tuple[int, ShardId, int, bytes, str, float]


def reply_of(error: grpc.aio.AioRpcError) -> Reply:
    """Return a status that ended a call as a reply."""
    metadata = dict(error.trailing_metadata() or ())
    leader = metadata.get(LEADER_KEY)
    return Reply(
        code=error.code().name,
        message=(error.details() or "").encode(),
        leader_id=NodeId(str(leader)) if leader else None,
    )


def channel_to(server: NodeId, tls: Tls | None, target: str | None = None) -> grpc.aio.Channel:
    """Return a channel that dials *server* anew soon after it broke, at *target* where given."""
    target = target or server.partition("://")[2]
    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
    ]
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    certificate, key, ca = tls.read()
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    return grpc.aio.secure_channel(target, credentials, options=options)


class Refused(Exception):
    """One try ended without an answer of the app."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


async def answer_of(call: Awaitable[Answer]) -> Answer:
    """
    Wait for a call of its own.

    Raises:
        Refused: it ended without an answer; also when the channel was closed under it, which
            gRPC reports as if the caller had been cancelled.
    """
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise Refused(reply_of(error)) from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Refused(Reply("CANCELLED", CLOSED, None)) from None


class SubmitChannel:
    """Ask one server; requests of one loop turn leave as one message."""

    def __init__(self, server: NodeId, tls: Tls | None, target: str | None = None) -> None:
        self.server = server
        self._channel = channel_to(server, tls, target)
        self.raft = lolraft_pb2_grpc.RaftStub(self._channel)
        self.client = client_pb2_grpc.ClientStub(self._channel)
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._queue: list[Request] = []
        self._wake = asyncio.Event()
        self._stream: asyncio.Task[None] | None = None

    async def submit(
        self,
        shard_id: ShardId,
        kind: int,
        message: bytes,
        request_id: str,
        within_s: float,
        max_staleness_s: float = 0.0,
    ) -> Reply:
        """Ask and wait; DEADLINE_EXCEEDED when no answer came in time, UNAVAILABLE on a break."""
        if len(message) > BATCH_BYTES and kind in (WRITE, READ):
            return await self._submit_alone(shard_id, kind, message, request_id, within_s)
        loop = asyncio.get_running_loop()
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[Reply] = loop.create_future()
        self._waiting[number] = answer
        self._queue.append((number, shard_id, kind, message, request_id, max_staleness_s))
        self._wake.set()
        if self._stream is None or self._stream.done():
            self._stream = loop.create_task(self._run())
        try:
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError:
            text = f"{self.server} did not answer within {within_s:.1f} s"
            return Reply("DEADLINE_EXCEEDED", text.encode(), None)
        finally:
            self._waiting.pop(number, None)

    async def _submit_alone(
        self, shard_id: ShardId, kind: int, message: bytes, request_id: str, within_s: float
    ) -> Reply:
        """Ask by a call of its own: a message that the server finds too long ends its stream."""
        try:
            if kind == WRITE:
                write = lolraft_pb2.WriteRequest(
                    shard_id=shard_id, message=message, request_id=request_id
                )
                answer = await answer_of(self.raft.Write(write, timeout=within_s))
            else:
                read = lolraft_pb2.ReadRequest(shard_id=shard_id, message=message)
                answer = await answer_of(self.raft.Read(read, timeout=within_s))
        except Refused as refused:
            reply = refused.reply
            if reply.code == "RESOURCE_EXHAUSTED" and TOO_LONG in reply.message:
                return reply._replace(code="INVALID_ARGUMENT")  # Gets no shorter by insisting.
            return reply
        return Reply("OK", answer.message, None)

    async def close(self) -> None:
        """Close the channel."""
        if self._stream is not None:
            self._stream.cancel()
            with suppress(asyncio.CancelledError):
                await self._stream
        self._fail(Reply("CANCELLED", CLOSED, None))
        await self._channel.close()

    async def _run(self) -> None:
        call = self.client.Submit()
        writing = asyncio.get_running_loop().create_task(self._write(call))
        try:
            async for replies in call:
                self._take(replies)
            self._fail(Reply("UNAVAILABLE", f"{self.server} ended the stream".encode(), None))
        except grpc.aio.AioRpcError as error:
            # Whatever ended the stream says nothing about the single requests on it, but for one.
            code = "UNIMPLEMENTED" if error.code() is grpc.StatusCode.UNIMPLEMENTED else ""
            text = f"{self.server}: {error.details() or error.code().name}"
            self._fail(Reply(code or "UNAVAILABLE", text.encode(), None))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._fail(Reply("UNAVAILABLE", f"{self.server}: the stream broke".encode(), None))
        except Exception as broken:  # No answer of ours: whoever waits must not wait for ever.
            self._fail(Reply("UNAVAILABLE", f"{self.server}: {broken!r}".encode(), None))
        finally:
            writing.cancel()
            call.cancel()

    async def _write(self, call: grpc.aio.StreamStreamCall[object, object]) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    batch = self._next_batch()
                    if batch is not None:  # Else nobody waits for any of these any more.
                        await call.write(batch)
        except asyncio.CancelledError:
            raise
        except Exception as broken:
            logger.debug("%s: writing ended: %r", self.server, broken)
            call.cancel()  # The reader sees it and answers all.

    def _next_batch(self) -> client_pb2.SubmitRequests | None:
        taken: list[Request] = []
        size = 0
        for request in self._queue:
            size += len(request[3])
            if taken and (size > BATCH_BYTES or len(taken) >= BATCH):
                break
            taken.append(request)
        del self._queue[: len(taken)]
        asked = [request for request in taken if request[0] in self._waiting]
        if not asked:
            return None
        numbers, shards, kinds, messages, names, bounds = zip(*asked, strict=True)
        return client_pb2.SubmitRequests(
            numbers=numbers,
            shard_ids=shards,
            kinds=bytes(kinds),
            messages=messages,
            request_ids=names,
            max_staleness_s=bounds if READ_STALE in kinds else (),
        )

    def _take(self, replies: client_pb2.SubmitReplies) -> None:
        hints = replies.leader_ids or [""] * len(replies.numbers)
        rows = zip(replies.numbers, replies.codes, replies.messages, hints, strict=True)
        for number, code, message, hint in rows:
            answer = self._waiting.get(number)
            if answer is not None and not answer.done():
                leader = NodeId(hint) if hint else None
                answer.set_result(Reply(NAMES.get(code, "UNKNOWN"), message, leader))

    def _fail(self, reply: Reply) -> None:
        self._queue.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(reply)
