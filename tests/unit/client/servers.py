"""Servers that answer a client as a test wants them to: a function from requests to answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc
import grpc.aio

from lolraft.raft.types import NodeId
from lolraft.rpc.answers import Context
from lolraft.rpc.pb import client_pb2 as pb
from lolraft.rpc.pb import client_pb2_grpc, lolraft_pb2_grpc

OK, INVALID_ARGUMENT, FAILED_PRECONDITION, UNAVAILABLE = 0, 3, 9, 14
MIB = 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """One request, as it came over the wire."""

    number: int
    message: bytes
    request_id: str
    session: tuple[int, ...] = ()  # Number, sequence, lowest unanswered.
    kind: int = 0
    bounds_s: tuple[float, ...] = ()  # Of its whole batch.


@dataclass(frozen=True)
class Told:
    """One answer."""

    code: int = OK
    message: bytes = b""
    leader_id: str = ""


Say = Callable[[Asked], Told | None]
"""None: no answer, ever."""


@dataclass
class FakeServer:
    """One server of `lolraft.Client`; what it was asked, in order."""

    say: Say
    node_id: NodeId = field(default=NodeId(""))
    asked: list[Asked] = field(default_factory=list)
    batches: int = 0
    streams: int = 0
    ends_streams_after: int = 10**9  # Batches.
    holding: int = 0  # Calls that wait for ever.
    nonces: list[bytes] = field(default_factory=list)  # Of the sessions that were registered.
    answers_registrations: bool = True
    refuses_registrations: int = 0  # So many of the next ones.
    retry_after_ms: int = 0
    bent: bool = False  # Its answers have columns of unequal length.

    async def held(self) -> None:
        self.holding += 1
        await asyncio.Event().wait()


class _Client(client_pb2_grpc.ClientServicer):
    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake

    async def Submit(  # noqa: N802
        self, batches: AsyncIterator[pb.SubmitRequests], context: object
    ) -> AsyncIterator[pb.SubmitReplies]:
        fake = self._fake
        fake.streams += 1
        async for batch in batches:
            fake.batches += 1
            if fake.batches >= fake.ends_streams_after:
                fake.ends_streams_after = 10**9
                return
            sessions = list(
                zip(batch.sessions, batch.sequences, batch.lowest_unanswered, strict=True)
            ) or [()] * len(batch.numbers)
            bounds_s = tuple(batch.max_staleness_s)
            columns = (batch.numbers, batch.messages, batch.request_ids, sessions, batch.kinds)
            asked = [Asked(*row, bounds_s) for row in zip(*columns, strict=True)]
            fake.asked += asked
            told = [(one.number, fake.say(one)) for one in asked]
            answers = [(number, answer) for number, answer in told if answer is not None]
            if answers:
                yield pb.SubmitReplies(
                    numbers=[number for number, _ in answers],
                    codes=bytes(answer.code for _, answer in answers),
                    messages=[] if fake.bent else [answer.message for _, answer in answers],
                    leader_ids=[answer.leader_id for _, answer in answers],
                    retry_after_ms=fake.retry_after_ms,
                )

    async def RegisterClient(  # noqa: N802
        self, request: pb.RegisterClientRequest, context: Context
    ) -> pb.RegisterClientReply:
        fake = self._fake
        fake.nonces.append(request.nonce)
        if not fake.answers_registrations:
            await asyncio.Event().wait()
        if fake.refuses_registrations > 0:
            fake.refuses_registrations -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no leader now")
        return pb.RegisterClientReply(session=len(fake.nonces))

    async def TransferLeadership(self, request: object, context: object) -> None:  # noqa: N802
        await self._fake.held()

    ChangeMembers = TransferLeadership


class _Raft(lolraft_pb2_grpc.RaftServicer):
    """The calls of 0.10.2: they are never answered."""

    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake

    async def Write(self, request: object, context: object) -> None:  # noqa: N802
        await self._fake.held()

    AddServer = SendTimeoutNow = Write

    async def GetSnapshot(self, request: object, context: object) -> None:  # noqa: N802
        await self._fake.held()


class Fakes:
    """Fake servers on loopback, stopped at the end."""

    def __init__(self) -> None:
        self._running: list[grpc.aio.Server] = []

    async def start(self, say: Say) -> FakeServer:
        """Start one more."""
        fake = FakeServer(say)
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", 8 * MIB)])
        client_pb2_grpc.add_ClientServicer_to_server(_Client(fake), server)
        lolraft_pb2_grpc.add_RaftServicer_to_server(_Raft(fake), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._running.append(server)
        fake.node_id = NodeId(f"http://127.0.0.1:{port}")
        return fake

    async def stop(self) -> None:
        for server in self._running:
            await server.stop(0)


def echo(asked: Asked) -> Told | None:
    """Answer with what was asked."""
    return Told(message=asked.message)
