"""One server as a client sees it: a channel, and the stream that carries requests in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import grpc
import grpc.aio

from lolraft.config import Tls
from lolraft.multiraft.commands import RequestId, WriteId
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2, client_pb2_grpc, lolraft_pb2_grpc

NAMES = {status.value[0]: status.name for status in grpc.StatusCode}
BATCH = 1_024  # Requests in one message, at most.
BATCH_BYTES = 2 * 1024 * 1024
WRITE, READ, READ_LEASE, READ_LOCAL, READ_STALE = range(5)  # `SubmitRequests.kinds`.
TOO_LONG = b"larger than max"  # What gRPC says of a message that the server does not take.
NO_SESSION = WriteId(0, 0, 0)
LEADER_KEY = "lolraft-leader"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
LONGEST_ADVICE_MS = 5_000
CLOSED = b"the client was closed"
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Reply(NamedTuple):
    """How one try ended."""

    code: str  # The name of a gRPC status.
    message: bytes
    leader_id: NodeId | None
    retry_after_s: float = 0.0  # Advice of who had no room.

    def of(self, server: NodeId) -> Reply:
        """Return this reply with *server* named in its text."""
        return self._replace(message=f"{server}: ".encode() + self.message)

    @property
    def maybe_executed(self) -> bool:
        """Return whether this try of a write may have happened although no answer came."""
        return self.code not in NOT_EXECUTED


NOT_EXECUTED = ("OK", "RESOURCE_EXHAUSTED", "NOT_FOUND", "INVALID_ARGUMENT", "OUT_OF_RANGE")
Request = tuple[int, ShardId, int, bytes, RequestId, float]


def reply_of(error: grpc.aio.AioRpcError) -> Reply:
    """Return a status that ended a call as a reply."""
    metadata = dict(error.trailing_metadata() or ())
    leader = metadata.get(LEADER_KEY)
    return Reply(
        code=error.code().name,
        message=(error.details() or "").encode(),
        leader_id=NodeId(str(leader)) if leader else None,
        retry_after_s=_seconds(metadata.get(PUSHBACK_KEY)),
    )


def _seconds(milliseconds: str | bytes | None) -> float:
    """Return a server's advice, which may be anything, as seconds; 0 without one."""
    text = str(milliseconds)
    return min(int(text), LONGEST_ADVICE_MS) / 1000 if text.isdecimal() else 0.0


def not_too_long(reply: Reply) -> Reply:
    """Return *reply*, as INVALID_ARGUMENT where gRPC found a message too long."""
    if reply.code == "RESOURCE_EXHAUSTED" and TOO_LONG in reply.message:
        return reply._replace(code="INVALID_ARGUMENT")  # Gets no shorter by insisting.
    return reply


def channel_to(server: NodeId, tls: Tls | None, target: str | None = None) -> grpc.aio.Channel:
    """Return a channel that dials *server* anew soon after it broke, at *target* where given."""
    return channel_at(target or server.partition("://")[2], tls, OPTIONS)


def channel_at(
    target: str, tls: Tls | None, options: Sequence[tuple[str, int]]
) -> grpc.aio.Channel:
    """
    Return a channel to *target*, host:port, with the files of *tls*, or in plain text.

    Raises:
        ConfigError: a file cannot be read.
    """
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


def batch_of(asked: list[Request]) -> client_pb2.SubmitRequests:
    """Return requests as the columns in which they travel."""
    numbers, shards, kinds, messages, ids, bounds = zip(*asked, strict=True)
    of_sessions = [name if type(name) is WriteId else NO_SESSION for name in ids]
    sessions, sequences, lowest = zip(*of_sessions, strict=True)
    some = any(sessions)
    return client_pb2.SubmitRequests(
        numbers=numbers,
        shard_ids=shards,
        kinds=bytes(kinds),
        messages=messages,
        request_ids=[name if type(name) is str else "" for name in ids],
        sessions=sessions if some else (),
        sequences=sequences if some else (),
        lowest_unanswered=lowest if some else (),
        max_staleness_s=bounds if READ_STALE in kinds else (),
    )


def replies_of(replies: client_pb2.SubmitReplies) -> Iterator[tuple[int, Reply]]:
    """Yield (number, reply) for each answer of a message."""
    hints = replies.leader_ids or [""] * len(replies.numbers)
    retry_after_s = min(replies.retry_after_ms, LONGEST_ADVICE_MS) / 1000
    rows = zip(replies.numbers, replies.codes, replies.messages, hints, strict=True)
    for number, code, message, hint in rows:
        leader = NodeId(hint) if hint else None
        yield number, Reply(NAMES.get(code, "UNKNOWN"), message, leader, retry_after_s)


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
        request_id: RequestId,
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
        self, shard_id: ShardId, kind: int, message: bytes, request_id: RequestId, within_s: float
    ) -> Reply:
        """Ask on a stream of its own: a message that the server finds too long ends its stream."""
        call = self.client.Submit(timeout=within_s)
        try:
            await answer_of(call.write(batch_of([(1, shard_id, kind, message, request_id, 0.0)])))
            await answer_of(call.done_writing())
            replies = await answer_of(call.read())
        except asyncio.InvalidStateError:  # It had ended before all was written.
            text = (await call.details() or "").encode()
            return not_too_long(Reply((await call.code()).name, text, None))
        except Refused as refused:
            return not_too_long(refused.reply)
        finally:
            call.cancel()
        if replies is grpc.aio.EOF or not replies.numbers:
            return Reply("UNAVAILABLE", f"{self.server} ended the stream".encode(), None)
        return next(replies_of(replies))[1]

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
        return batch_of(asked)

    def _take(self, replies: client_pb2.SubmitReplies) -> None:
        for number, reply in replies_of(replies):
            answer = self._waiting.get(number)
            if answer is not None and not answer.done():
                answer.set_result(reply)

    def _fail(self, reply: Reply) -> None:
        self._queue.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(reply)
