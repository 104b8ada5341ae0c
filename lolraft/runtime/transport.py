"""The seam between a node and the wire: what a transport does, in values, not in bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from lolraft.errors import LolraftError
from lolraft.multiraft.events import Event
from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck
from lolraft.raft.types import Clock, NodeId, ShardId, SnapshotMeta


class TransportError(LolraftError):
    """The way to a peer broke; the same call may work in a moment."""


class SnapshotUnavailable(LolraftError):
    """The peer has no such snapshot (any more), or of another group: asking again is no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPiece:
    """
    A part of one snapshot on its way; the first carries Raft's half (DESIGN section 10).

    The sessions may be larger than any message: the data of all pieces begins with them, and the
    app's bytes follow.
    """

    offset: int  # Of `data` in that stream.
    data: bytes
    crc32: int  # Of `data`.
    meta: SnapshotMeta | None = None  # In the first piece of a stream, without the sessions.
    last: bool = False
    total_crc32: int = 0  # In the last piece: of all data from 0.
    sessions_bytes: int = 0  # In the first piece.


class Sink(Protocol):
    """What a transport brings home to: the node."""

    def post(self, event: Event) -> None:
        """Take *event*; returns at once."""

    def serve_snapshot(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """
        Return the pieces of the snapshot at *clock*, from byte *offset* on.

        Raises:
            SnapshotUnavailable: at the first step, when there is no such snapshot here.
        """


class Transport(ABC):
    """
    Carry frames, heartbeats and snapshots between nodes; all methods are called from one loop.

    Frames stay `Frame` values at this seam in both directions, so that faults can be injected
    above any wire. What arrives is posted to the sink as `FrameArrived`, `HeartbeatArrived` and
    `AckArrived`; the state of our stream to a peer as `StreamUp`, `StreamDown`, `FrameWritten`.
    Nothing raises for what the wire or a peer does: it is posted, or dropped and counted.
    """

    @abstractmethod
    async def start(self, sink: Sink) -> None:
        """Begin to deliver to *sink*."""

    @abstractmethod
    def dial(self, peer: NodeId) -> None:
        """Keep a beat stream and an Exchange stream to *peer*; `StreamUp` when one stands."""

    @abstractmethod
    def hang_up(self, peer: NodeId) -> None:
        """Drop the streams to *peer* and stop dialling; posts nothing more about them."""

    @abstractmethod
    def send_frame(self, peer: NodeId, frame: Frame) -> None:
        """Write *frame*, then post `FrameWritten`; dropped when the stream is down."""

    @abstractmethod
    def send_heartbeat(self, peer: NodeId, heartbeat: NodeHeartbeat) -> None:
        """Write *heartbeat* on the beat stream; dropped when that is down or does not take it."""

    @abstractmethod
    def send_ack(self, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Answer on the stream that the last heartbeat of *peer* came by; dropped when gone."""

    @abstractmethod
    def fetch_snapshot(
        self, source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """
        Return the pieces that *source* serves, from byte *offset* on.

        Raises:
            SnapshotUnavailable: *source* has no such snapshot.
            TransportError: the stream broke or cannot be made now.
        """

    @abstractmethod
    def bytes_sent(self, peer: NodeId) -> int:
        """Return how many bytes of frames, heartbeats and acks went to *peer*."""

    @abstractmethod
    def bytes_received(self, peer: NodeId) -> int:
        """Return how many bytes of frames, heartbeats and acks came from *peer*."""

    @abstractmethod
    async def stop(self) -> None:
        """Close every stream; nothing is posted afterwards. May be called twice."""
