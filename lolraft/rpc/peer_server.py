"""The servant of `lolraft.Peer`: what peers dial at us."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NoReturn, Protocol, TypeAlias

import grpc
import grpc.aio

from lolraft.multiraft.events import FrameArrived, HeartbeatArrived
from lolraft.multiraft.frames import NodeHeartbeatAck
from lolraft.raft.types import Clock, NodeId
from lolraft.rpc import translate, translate_back
from lolraft.rpc.pb import peer_pb2
from lolraft.rpc.translate_back import Malformed
from lolraft.runtime.transport import Sink, SnapshotUnavailable

RECEIPT_EVERY = 8
"""So many frames are acknowledged at once ..."""

RECEIPT_AFTER_S = 0.05
"""... and fewer after this time."""

MOST_ACKS = 64
"""Acks that wait for a peer that does not read; the oldest are dropped."""

logger = logging.getLogger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class Home(Protocol):
    """What the servant needs of its transport."""

    sink: Sink | None

    def count_received(self, peer: NodeId, size: int) -> None:
        """Count bytes."""

    def count_sent(self, peer: NodeId, size: int) -> None:
        """Count bytes."""

    def heard_of(self, peer: NodeId) -> None:
        """Note that *peer* is alive: it has just dialled us."""


class Answers:
    """Write to an inbound stream from one task, in order; a slow reader loses the oldest."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._outgoing: deque[bytes] = deque(maxlen=MOST_ACKS)
        self._more = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._write())

    def put(self, raw: bytes) -> None:
        """Queue one message."""
        self._outgoing.append(raw)
        self._more.set()

    async def close(self) -> None:
        """End the task."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while True:
                while self._outgoing:
                    await self._context.write(self._outgoing.popleft())
                self._more.clear()
                await self._more.wait()
        except Exception as gone:  # gRPC raises several private kinds when the peer has left.
            logger.debug("an inbound stream ended while we wrote: %r", gone)


class PeerServicer:
    """
    Serve `lolraft.Peer` from raw bytes, so that garbage gets a status and not a traceback.

    A stream belongs to the sender of its first message. A malformed message aborts its stream
    with INVALID_ARGUMENT and is counted; the node goes on.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._acks: dict[NodeId, Answers] = {}
        self._open: set[asyncio.Task[object]] = set()
        self.malformed = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what `Server.add_generic_rpc_handlers` wants."""
        return grpc.method_handlers_generic_handler(
            "lolraft.Peer",
            {
                "Exchange": grpc.stream_stream_rpc_method_handler(self.exchange),
                "Beat": grpc.stream_stream_rpc_method_handler(self.beat),
                "FetchSnapshot": grpc.unary_stream_rpc_method_handler(self.fetch_snapshot),
            },
        )

    def send_ack(self, ack: NodeHeartbeatAck, peer: NodeId) -> None:
        """Answer on the stream that the last heartbeat of *peer* came by."""
        answers = self._acks.get(peer)
        if answers is not None:
            raw = translate.ack_bytes(ack)
            self._home.count_sent(peer, len(raw))
            answers.put(raw)

    async def close(self) -> None:
        """End every inbound stream: they would outlive any grace."""
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def exchange(self, _: AsyncIterator[bytes], context: Context) -> None:
        """Take frames, answer receipts."""
        receipts = _Receipts(Answers(context))

        def take(raw: bytes, sender: NodeId | None) -> NodeId:
            frame = translate_back.frame(raw)
            self._arrived(sender, frame.sender, len(raw))
            if self._home.sink is not None:
                self._home.sink.post(FrameArrived(frame=frame))
            receipts.taken()
            return frame.sender

        try:
            await self._read_all(context, take)
        finally:
            await receipts.close()

    async def beat(self, _: AsyncIterator[bytes], context: Context) -> None:
        """Take heartbeats; the machine answers with acks."""
        answers = Answers(context)
        owner: NodeId | None = None

        def take(raw: bytes, sender: NodeId | None) -> NodeId:
            nonlocal owner
            heartbeat = translate_back.heartbeat(raw)
            self._arrived(sender, heartbeat.sender, len(raw))
            owner = heartbeat.sender
            self._acks[owner] = answers
            if self._home.sink is not None:
                self._home.sink.post(HeartbeatArrived(heartbeat=heartbeat))
            return owner

        try:
            await self._read_all(context, take)
        finally:
            if owner is not None and self._acks.get(owner) is answers:
                del self._acks[owner]
            await answers.close()

    async def fetch_snapshot(self, raw: bytes, context: Context) -> None:
        """Stream one snapshot; the flow control of the stream holds the reading back."""
        sink = self._home.sink
        if sink is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the node is starting or stopping")
        try:
            request = translate_back.snapshot_request(raw)
            clock = Clock(request.clock_term, request.clock_index)
            pieces = sink.serve_snapshot(request.shard_id, clock, request.group, request.offset)
            async for piece in pieces:
                await context.write(translate.piece_bytes(piece))
        except Malformed as broken:
            await self._refuse(context, broken)
        except SnapshotUnavailable as gone:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(gone))

    async def _read_all(
        self, context: Context, take: Callable[[bytes, NodeId | None], NodeId]
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await context.send_initial_metadata(())  # Tells the dialler that the stream stands.
            sender: NodeId | None = None
            while isinstance(raw := await context.read(), bytes):  # Else it is `grpc.aio.EOF`.
                sender = take(raw, sender)
        except Malformed as broken:
            await self._refuse(context, broken)
        finally:
            self._open.discard(task)

    def _arrived(self, before: NodeId | None, sender: NodeId, size: int) -> None:
        if before is None:
            self._home.heard_of(sender)
        elif before != sender:
            raise Malformed(f"a stream of {before} brought a message of {sender}")
        self._home.count_received(sender, size)

    async def _refuse(self, context: Context, broken: Malformed) -> NoReturn:
        self.malformed += 1
        logger.warning("a peer at %s sent nonsense: %s", context.peer(), broken)
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(broken))


class _Receipts:
    """Say how many frames were taken, not for each one."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._frames = 0
        self._owed = 0
        self._timer: asyncio.TimerHandle | None = None

    def taken(self) -> None:
        """Count one frame."""
        self._frames += 1
        self._owed += 1
        if self._owed >= RECEIPT_EVERY:
            self._send()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(RECEIPT_AFTER_S, self._send)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owed = 0
        self._answers.put(peer_pb2.FrameReceipt(frames=self._frames).SerializeToString())

    async def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        await self._answers.close()
