"""`lolraft.Client`: many requests on one stream, without a task or future for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import repeat

import grpc
import grpc.aio

from lolraft.config import Config
from lolraft.multiraft.commands import Registration, RequestId, WriteId, new, why_bad_id
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.wishes import Wish
from lolraft.raft.effects import Code
from lolraft.raft.types import Ticket
from lolraft.rpc.answers import (
    NUMBERS,
    RETRY_AFTER_MS,
    Context,
    message_or_abort,
    refuse,
    server_id_or_abort,
    why_bad_write,
)
from lolraft.rpc.backup_stream import backup_pieces
from lolraft.rpc.pb import client_pb2, client_pb2_grpc
from lolraft.rpc.strict import Garbage
from lolraft.runtime.driver import Driver

KINDS = (
    RequestKind.WRITE,
    RequestKind.READ,
    RequestKind.READ_LEASE,
    RequestKind.READ_LOCAL,
    RequestKind.READ_STALE,
)
"""`SubmitRequests.kinds` on the wire is the position here."""

STALE = KINDS.index(RequestKind.READ_STALE)
MOST_PENDING = 16_384
"""Requests of one stream without a sent answer; beyond, the stream is not read."""

MOST_BYTES, LEAST_PENDING = 32 * 1024 * 1024, 64
"""Bytes of those requests and answers, but so many requests are always taken."""

USUAL_BYTES = 16 * 1024
"""What an answer is expected to have before the first has come."""

REPLY_BYTES = 2 * 1024 * 1024
"""A message of answers is sent when it has so many bytes."""


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
            await asyncio.gather(reading, return_exceptions=True)

    async def RegisterClient(  # noqa: N802
        self, request: client_pb2.RegisterClientRequest, context: Context
    ) -> client_pb2.RegisterClientReply:
        """Register a session (§6.3)."""
        registration = Registration(request.nonce)
        bad = why_bad_id(registration)
        if bad is not None:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, bad)
        respond = await self._driver.ask(RequestKind.WRITE, request.shard_id, b"", registration)
        return client_pb2.RegisterClientReply(session=int(await message_or_abort(context, respond)))

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

    async def Backup(  # noqa: N802
        self, request: client_pb2.BackupRequest, context: Context
    ) -> AsyncIterator[client_pb2.BackupPiece]:
        """Stream one shard as of a moment after the request came."""
        respond = await self._driver.ask(RequestKind.READ_INDEX, request.shard_id)
        index = int(await message_or_abort(context, respond))
        try:
            async for piece in backup_pieces(self._driver, request.shard_id, index):
                yield piece
        except LookupError as gone:  # A newer snapshot took its place: the next try takes that one.
            text = f"the snapshot of shard {request.shard_id} was replaced: {gone}; try again"
            await refuse(context, grpc.StatusCode.UNAVAILABLE, text)

    async def ChangeMembers(  # noqa: N802
        self, request: client_pb2.ChangeMembersRequest, context: Context
    ) -> client_pb2.ChangeMembersReply:
        """Change the members of a shard in one step; answers when the change is committed."""
        try:
            wish = Wish.of(
                request.voters,
                request.learners,
                request.removed,
                others_leave=request.others_leave,
            )
        except ValueError as broken:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(broken))
        kind = RequestKind.CHANGE_MEMBERS
        await message_or_abort(
            context, await self._driver.ask(kind, request.shard_id, wish.encode())
        )
        return client_pb2.ChangeMembersReply()


class SubmitStream:
    """
    One stream: what is asked and not answered, and the answers that are not sent yet.

    Both are bounded. While too much of either waits, the stream is not read, and the flow control
    of gRPC stops the client: one that never reads its answers costs `MOST_BYTES`, not all memory.
    """

    def __init__(self, driver: Driver, entry_bytes: int) -> None:
        self.malformed = ""
        self._driver = driver
        self._entry_bytes = entry_bytes
        self._pending: dict[Ticket, tuple[int, int]] = {}  # (the client's number, bytes).
        self._done: deque[tuple[int, Respond]] = deque()
        self._unsent = 0  # Answers in the message that gRPC has not taken yet.
        self._bytes = 0  # Of what is pending, and of answers until gRPC has taken them.
        self._unsent_bytes = 0
        self._usual_bytes = USUAL_BYTES  # Of an answer; learnt, for those that are yet to come.
        self._ended = False
        self._wake_writer = asyncio.Event()
        self._wake_reader = asyncio.Event()

    @property
    def _is_full(self) -> bool:
        held = len(self._pending) + len(self._done) + self._unsent
        awaited = self._bytes + self._usual_bytes * len(self._pending)
        return held >= MOST_PENDING or (awaited > MOST_BYTES and held >= LEAST_PENDING)

    async def read(self, batches: AsyncIterator[client_pb2.SubmitRequests]) -> None:
        """Take batches until the client ends, or sends nonsense."""
        try:
            async for batch in batches:
                self.malformed = why_malformed(batch)
                if self.malformed:
                    break
                await self._take(batch)
        except Garbage as garbage:
            self.malformed = str(garbage)
        finally:
            self._ended = True
            self._wake_writer.set()

    async def _take(self, batch: client_pb2.SubmitRequests) -> None:
        bounds = batch.max_staleness_s or repeat(0.0, len(batch.numbers))
        columns = (batch.shard_ids, batch.kinds, batch.messages, request_ids_of(batch), bounds)
        rows = zip(batch.numbers, *columns, strict=True)
        for number, shard_id, kind, message, request_id, bound_s in rows:
            while self._is_full:
                self._wake_reader.clear()
                await self._wake_reader.wait()
            self._ask(number, shard_id, KINDS[kind], message, request_id, bound_s)

    def _ask(
        self,
        number: int,
        shard_id: int,
        kind: RequestKind,
        message: bytes,
        request_id: RequestId,
        bound_s: float,
    ) -> None:
        bad = why_bad_write(message, request_id, self._entry_bytes)
        if bad is not None:
            refusal = Respond(ticket=0, code=Code.INVALID_ARGUMENT, message=bad.encode())
            self._answered(number, refusal)
            return
        ticket = self._driver.request(
            kind,
            shard_id,
            message,
            request_id,
            max_staleness_s=bound_s,
            on_done=self._on_done,
        )
        self._pending[ticket] = (number, len(message))
        self._bytes += len(message)

    def _on_done(self, respond: Respond) -> None:
        number, size = self._pending.pop(respond.ticket, (None, 0))
        if number is None:
            return  # Refused before it was admitted, and the stream has ended since.
        self._bytes -= size
        self._answered(number, respond)

    def _answered(self, number: int, respond: Respond) -> None:
        size = len(respond.message)
        self._bytes += size
        self._usual_bytes += (size - self._usual_bytes) // 8
        self._done.append((number, respond))
        self._wake_writer.set()
        self._wake_reader.set()

    async def next_replies(self) -> client_pb2.SubmitReplies | None:
        """Return the answers that are there, waiting for one; None at the end of the stream."""
        self._bytes -= self._unsent_bytes
        self._unsent = self._unsent_bytes = 0
        self._wake_reader.set()
        while not self._done:
            if self._ended and (self.malformed or not self._pending):
                return None
            self._wake_writer.clear()
            await self._wake_writer.wait()
        done: list[tuple[int, Respond]] = []
        while self._done and self._unsent_bytes < REPLY_BYTES:
            done.append(self._done.popleft())
            self._unsent_bytes += len(done[-1][1].message)
        self._unsent = len(done)  # Until the write was taken, which asks for the next.
        is_full = any(respond.code is Code.RESOURCE_EXHAUSTED for _, respond in done)
        hints = [respond.leader_id or "" for _, respond in done]
        return client_pb2.SubmitReplies(
            numbers=[number for number, _ in done],
            codes=bytes(NUMBERS[respond.code] for _, respond in done),
            messages=[respond.message for _, respond in done],
            leader_ids=hints if any(hints) else (),
            retry_after_ms=RETRY_AFTER_MS if is_full else 0,
        )

    def forget(self) -> None:
        """Let go of what nobody waits for any more."""
        for ticket in self._pending:
            self._driver.forget(ticket)
        self._pending.clear()
        self._done.clear()


def request_ids_of(batch: client_pb2.SubmitRequests) -> Iterable[RequestId]:
    """Return the ids of a batch that `why_malformed` has found nothing wrong with."""
    if not batch.sessions:
        return batch.request_ids
    columns = (batch.sessions, batch.sequences, batch.lowest_unanswered)
    return [
        new(WriteId, numbers) if numbers[0] else name
        for numbers, name in zip(zip(*columns, strict=True), batch.request_ids, strict=True)
    ]


def why_malformed(batch: client_pb2.SubmitRequests) -> str:
    """Return what is wrong with a batch as a whole, empty when nothing is."""
    count = len(batch.numbers)
    columns = (batch.shard_ids, batch.kinds, batch.messages, batch.request_ids)
    if any(len(column) != count for column in columns):
        return "the columns of a batch have equal lengths"
    of_sessions = (batch.sessions, batch.sequences, batch.lowest_unanswered)
    if any(len(column) not in (0, count) for column in of_sessions):
        return "the columns of a batch have equal lengths"
    if len({len(column) for column in of_sessions}) > 1:
        return "a write of a session has all three numbers"
    if any(kind >= len(KINDS) for kind in batch.kinds):
        return "a request is a write (0) or a read: plain (1), lease (2), local (3) or stale (4)"
    bounds = batch.max_staleness_s
    if len(bounds) != (count if STALE in batch.kinds else len(bounds) and count):
        return "every request of a batch with stale reads has a bound: 0 where it is no stale read"
    if not all(bound_s >= 0 for bound_s in bounds):
        return "max_staleness_s is a number of seconds, 0 or more"
    return ""
