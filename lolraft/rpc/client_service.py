"""`lolraft.Client`: many requests on one stream, without a task or future for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio

from lolraft.config import Config
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import Ticket
from lolraft.rpc.answers import (
    NUMBERS,
    Context,
    message_or_abort,
    refuse,
    server_id_or_abort,
    why_bad_write,
)
from lolraft.rpc.pb import client_pb2, client_pb2_grpc
from lolraft.runtime.driver import Driver

KINDS = (RequestKind.WRITE, RequestKind.READ)
MOST_PENDING = 16_384
"""Requests of one stream without a sent answer; beyond, the stream is not read."""


class ClientService(client_pb2_grpc.ClientServicer):
    """Serve `RaftClient`."""

    def __init__(self, driver: Driver, config: Config) -> None:
        self._driver = driver
        self._entry_bytes = config.limits.entry_bytes

    async def Submit(  # noqa: N802
        self, request_iterator: AsyncIterator[client_pb2.SubmitRequests], context: Context
    ) -> AsyncIterator[client_pb2.SubmitReplies]:
        """Answer batches of requests, each answer as soon as it is there."""
        stream = SubmitStream(self._driver, self._entry_bytes)
        reading = asyncio.get_running_loop().create_task(stream.read(request_iterator))
        try:
            while (replies := await stream.next_replies()) is not None:
                yield replies
            if stream.malformed:
                await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, stream.malformed)
        finally:
            reading.cancel()
            stream.forget()

    async def TransferLeadership(  # noqa: N802
        self, request: client_pb2.TransferRequest, context: Context
    ) -> client_pb2.TransferReply:
        """Hand the leadership of a shard over."""
        target = b""
        if request.server_id:
            target = (await server_id_or_abort(context, request.server_id)).encode()
        respond = await self._driver.ask(RequestKind.TRANSFER, request.shard_id, target)
        await message_or_abort(context, respond)
        return client_pb2.TransferReply(leader_id=target.decode())


class SubmitStream:
    """One stream: what is asked and not answered, and the answers that are not sent yet."""

    def __init__(self, driver: Driver, entry_bytes: int) -> None:
        self.malformed = ""
        self._driver = driver
        self._entry_bytes = entry_bytes
        self._pending: dict[int, Ticket] = {}
        self._done: list[tuple[int, Respond]] = []
        self._unsent = 0
        self._ended = False
        self._wake_writer = asyncio.Event()
        self._wake_reader = asyncio.Event()

    async def read(self, batches: AsyncIterator[client_pb2.SubmitRequests]) -> None:
        """Take batches until the client ends, or does not read its answers."""
        try:
            async for batch in batches:
                self._take(batch)
                while len(self._pending) + self._unsent > MOST_PENDING:
                    self._wake_reader.clear()
                    await self._wake_reader.wait()
                if self.malformed:
                    break
        finally:
            self._ended = True
            self._wake_writer.set()

    def _take(self, batch: client_pb2.SubmitRequests) -> None:
        count = len(batch.numbers)
        columns = (batch.shard_ids, batch.kinds, batch.messages, batch.request_ids)
        if any(len(column) != count for column in columns):
            self.malformed = "the columns of a batch have equal lengths"
            return
        if any(kind >= len(KINDS) for kind in batch.kinds):
            self.malformed = "a request is a write (0) or a read (1)"
            return
        for number, shard_id, kind, message, request_id in zip(
            batch.numbers, *columns, strict=True
        ):
            self._ask(number, shard_id, KINDS[kind], message, request_id)

    def _ask(
        self, number: int, shard_id: int, kind: RequestKind, message: bytes, request_id: str
    ) -> None:
        bad = why_bad_write(message, request_id, self._entry_bytes)
        if bad is not None:
            refusal = Respond(ticket=0, code=Code.INVALID_ARGUMENT, message=bad.encode())
            self._answered(number, refusal)
            return
        self._pending[number] = self._driver.request(
            kind, shard_id, message, request_id, on_done=self._on_done(number)
        )

    def _on_done(self, number: int) -> Callable[[Respond], None]:
        def done(respond: Respond) -> None:
            self._pending.pop(number, None)
            self._answered(number, respond)

        return done

    def _answered(self, number: int, respond: Respond) -> None:
        self._done.append((number, respond))
        self._wake_writer.set()

    async def next_replies(self) -> client_pb2.SubmitReplies | None:
        """Return all answers that are there, waiting for one; None at the end of the stream."""
        self._unsent = 0
        self._wake_reader.set()
        while not self._done:
            if self._ended and (self.malformed or not self._pending):
                return None
            self._wake_writer.clear()
            await self._wake_writer.wait()
        done, self._done = self._done, []
        self._unsent = len(done)  # Until the write was taken, which asks for the next.
        hints = [respond.leader_id or "" for _, respond in done]
        return client_pb2.SubmitReplies(
            numbers=[number for number, _ in done],
            codes=bytes(NUMBERS[respond.code] for _, respond in done),
            messages=[respond.message for _, respond in done],
            leader_ids=hints if any(hints) else (),
        )

    def forget(self) -> None:
        """Let go of what nobody waits for any more."""
        for ticket in self._pending.values():
            self._driver.forget(ticket)
        self._pending.clear()
