"""The transport over gRPC: three connections to each peer, so that none holds another up (P1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc
import grpc.aio

from lolraft.config import Tls, host_and_port
from lolraft.multiraft.events import AckArrived, FrameWritten, StreamDown, StreamUp
from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck
from lolraft.raft.types import Clock, NodeId, ShardId
from lolraft.rpc import translate, translate_back
from lolraft.rpc.pb import peer_pb2
from lolraft.rpc.peer_server import PeerServicer
from lolraft.rpc.peer_streams import BROKEN, BeatStream, FrameStream
from lolraft.rpc.translate_back import Malformed
from lolraft.runtime.transport import (
    Sink,
    SnapshotPiece,
    SnapshotUnavailable,
    Transport,
    TransportError,
)

PIECE_PATIENCE_S = 5.0
"""A snapshot stream that brings nothing for so long is broken."""

MOST_COUNTED = 1_000
"""Of so many peers the bytes are counted."""

FINAL = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""Asking the same peer again for the same snapshot brings the same answer."""

logger = logging.getLogger(__name__)

ChannelOptions: TypeAlias = list[tuple[str, int | str]]
Fetching: TypeAlias = "grpc.aio.UnaryStreamMultiCallable[bytes, bytes]"


def channel_options(max_message_bytes: int) -> ChannelOptions:
    """Return the options of every channel between nodes."""
    return [
        # A connection of its own: gRPC would share one between channels that look alike (P1).
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 5_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # The stream's own dialling replaces gRPC's, which backs off to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.enable_http_proxy", 0),  # Peers are dialled directly, whatever the environment says.
        ("grpc.enable_retries", 0),
    ]


class _Link:
    """Our two streams to one peer."""

    def __init__(self, beats: BeatStream, frames: FrameStream) -> None:
        self.beats = beats
        self.frames = frames


class GrpcTransport(Transport):
    """
    Carry frames, heartbeats and snapshots over gRPC.

    `servicer.handler()` must be added to the node's server before it is started. *patience_s* is
    the election timeout: a peer that takes nothing for so long is dialled again (L7).
    """

    def __init__(
        self,
        *,
        patience_s: float = 1.0,
        max_message_bytes: int = 8 * 1024 * 1024,
        tls: Tls | None = None,
    ) -> None:
        self.sink: Sink | None = None
        self.servicer = PeerServicer(self)
        self._patience_s = patience_s
        self._options = channel_options(max_message_bytes)
        self._credentials: grpc.ChannelCredentials | None = None
        if tls is not None:
            certificate, key, ca = tls.read()
            self._credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        self._links: dict[NodeId, _Link] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._sent: dict[NodeId, int] = {}
        self._received: dict[NodeId, int] = {}

    async def start(self, sink: Sink) -> None:
        """Begin to deliver; streams of peers that came earlier were read and dropped."""
        self.sink = sink

    # --- what we dial ----------------------------------------------------------------------------

    def dial(self, peer: NodeId) -> None:
        """Keep both streams to *peer*, if not already."""
        if peer in self._links or self.sink is None:
            return

        def channel() -> grpc.aio.Channel:
            return self._channel(peer)

        def on_state(stands: bool) -> None:
            if self._links.get(peer) is link and self.sink is not None:
                self.sink.post(StreamUp(peer=peer) if stands else StreamDown(peer=peer))

        def on_written() -> None:
            if self._links.get(peer) is link and self.sink is not None:
                self.sink.post(FrameWritten(peer=peer))

        link = _Link(
            BeatStream(
                f"beats to {peer}",
                channel,
                patience_s=self._patience_s,
                on_ack=lambda raw: self._take_ack(peer, raw),
            ),
            FrameStream(
                f"frames to {peer}",
                channel,
                patience_s=self._patience_s,
                on_state=on_state,
                on_written=on_written,
                read_receipt=translate_back.receipt,
            ),
        )
        self._links[peer] = link

    def hang_up(self, peer: NodeId) -> None:
        """Drop both streams to *peer* in the background; nothing more is posted about them."""
        link = self._links.pop(peer, None)
        if link is not None:
            task = asyncio.get_running_loop().create_task(_close(link))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def send_frame(self, peer: NodeId, frame: Frame) -> None:
        """Give the frame to the stream, when it stands."""
        link = self._links.get(peer)
        if link is not None and link.frames.stands:
            raw = translate.frame_bytes(frame)
            self.count_sent(peer, len(raw))
            link.frames.send(raw)

    def send_heartbeat(self, peer: NodeId, heartbeat: NodeHeartbeat) -> None:
        """Give the heartbeat to the stream, when it stands."""
        link = self._links.get(peer)
        if link is not None and link.beats.stands:
            raw = translate.heartbeat_bytes(heartbeat)
            if link.beats.send(raw):
                self.count_sent(peer, len(raw))

    def _take_ack(self, peer: NodeId, raw: bytes) -> None:
        ack = translate_back.ack(raw)
        if ack.sender != peer:
            raise Malformed(f"{peer} sent an ack of {ack.sender}")
        self.count_received(peer, len(raw))
        if self.sink is not None:
            self.sink.post(AckArrived(ack=ack))

    def _channel(self, peer: NodeId) -> grpc.aio.Channel:
        host, port = host_and_port(peer)
        target = f"dns:///{host}:{port}"
        if self._credentials is not None:
            return grpc.aio.secure_channel(target, self._credentials, options=self._options)
        return grpc.aio.insecure_channel(target, options=self._options)

    # --- what peers dial -------------------------------------------------------------------------

    def send_ack(self, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Answer on the stream that the last heartbeat of *peer* came by."""
        self.servicer.send_ack(ack, peer)

    def heard_of(self, peer: NodeId) -> None:
        """Stop waiting before the next try: *peer* has just dialled us, so it is there."""
        link = self._links.get(peer)
        if link is not None:
            link.beats.hurry()
            link.frames.hurry()

    # --- snapshots -------------------------------------------------------------------------------

    async def fetch_snapshot(
        self, source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """Stream the pieces over a connection of their own; see `Transport.fetch_snapshot`."""
        request = peer_pb2.FetchSnapshotRequest(
            shard_id=shard_id,
            group=group,
            clock_term=clock.term,
            clock_index=clock.index,
            offset=offset,
        ).SerializeToString()
        channel = self._channel(source)
        try:
            method: Fetching = channel.unary_stream("/lolraft.Peer/FetchSnapshot")
            call = method(request)
            while True:
                async with asyncio.timeout(PIECE_PATIENCE_S):
                    raw = await call.read()
                if not isinstance(raw, bytes):  # `grpc.aio.EOF`
                    break
                yield translate_back.piece(raw)
            if await call.code() is not grpc.StatusCode.OK:
                raise TransportError(await call.details() or "the stream ended")
        except grpc.aio.AioRpcError as broken:
            if broken.code() in FINAL:
                raise SnapshotUnavailable(f"{source}: {broken.details()}") from broken
            raise TransportError(f"{source}: {broken.details()}") from broken
        except (TimeoutError, Malformed, *BROKEN) as broken:
            raise TransportError(f"{source}: {broken!r}") from broken
        finally:
            await channel.close()

    # --- counting and the end --------------------------------------------------------------------

    def count_sent(self, peer: NodeId, size: int) -> None:
        """Count bytes that go to *peer*."""
        _count(self._sent, peer, size)

    def count_received(self, peer: NodeId, size: int) -> None:
        """Count bytes that came from *peer*."""
        _count(self._received, peer, size)

    def bytes_sent(self, peer: NodeId) -> int:
        """Return the bytes of messages that went to *peer*, without gRPC's own."""
        return self._sent.get(peer, 0)

    def bytes_received(self, peer: NodeId) -> int:
        """Return the bytes of messages that came from *peer*, without gRPC's own."""
        return self._received.get(peer, 0)

    async def stop(self) -> None:
        """Let the last messages arrive, then close all streams, ours and those of peers."""
        if self.sink is None:
            return
        self.sink = None
        streams = [s for link in self._links.values() for s in (link.beats, link.frames)]
        await asyncio.gather(*(stream.finish() for stream in streams))
        for peer in tuple(self._links):
            self.hang_up(peer)
        await asyncio.gather(*self._closing, self.servicer.close(), return_exceptions=True)


def _count(counts: dict[NodeId, int], peer: NodeId, size: int) -> None:
    if peer in counts or len(counts) < MOST_COUNTED:  # Strangers can make up any name.
        counts[peer] = counts.get(peer, 0) + size


async def _close(link: _Link) -> None:
    await asyncio.gather(link.beats.close(), link.frames.close(), return_exceptions=True)
