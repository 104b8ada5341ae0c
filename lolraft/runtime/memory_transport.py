"""A network in memory with the manners of the real one: for tests without sockets."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from lolraft.multiraft.events import (
    AckArrived,
    FrameArrived,
    FrameWritten,
    HeartbeatArrived,
    StreamDown,
    StreamUp,
)
from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck, PeerTraffic
from lolraft.raft.types import Clock, NodeId, ShardId
from lolraft.runtime.transport import (
    Sink,
    SnapshotPiece,
    SnapshotUnavailable,
    Transport,
    TransportError,
)


class MemoryNetwork:
    """
    Connect the transports of one event loop.

    Delivery takes one iteration of the loop and keeps the order of each pair. `cut` and `heal`
    break and mend streams as a partition does: both directions, with `StreamDown` at both ends.
    """

    def __init__(self) -> None:
        self._nodes: dict[NodeId, MemoryTransport] = {}
        self._cuts: set[frozenset[NodeId]] = set()

    def transport(self, node_id: NodeId) -> MemoryTransport:
        """Return a new transport for *node_id*; it takes part once it is started."""
        return MemoryTransport(self, node_id)

    def cut(self, one: NodeId, other: NodeId) -> None:
        """Break what stands between the two and let nothing through."""
        self._cuts.add(frozenset((one, other)))
        self._settle()

    def heal(self) -> None:
        """End all cuts."""
        self._cuts.clear()
        self._settle()

    def reach(self, one: NodeId, other: NodeId) -> MemoryTransport | None:
        """Return *other*'s transport when *one* can talk to it now."""
        if frozenset((one, other)) in self._cuts or one not in self._nodes:
            return None
        return self._nodes.get(other)

    def join(self, transport: MemoryTransport) -> None:
        """Take *transport* into the network."""
        self._nodes[transport.node_id] = transport
        self._settle()

    def leave(self, transport: MemoryTransport) -> None:
        """Take *transport* out: its streams break."""
        if self._nodes.get(transport.node_id) is transport:
            del self._nodes[transport.node_id]
            self._settle()

    def _settle(self) -> None:
        for transport in tuple(self._nodes.values()):
            transport.look_round()


class MemoryTransport(Transport):
    """One node's end of a `MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork, node_id: NodeId) -> None:
        self.node_id = node_id
        self.sink: Sink | None = None
        self._network = network
        self._dialled: dict[NodeId, MemoryTransport | None] = {}  # To which stream, when it stands.
        self._sent: defaultdict[NodeId, int] = defaultdict(int)
        self._received: defaultdict[NodeId, int] = defaultdict(int)

    async def start(self, sink: Sink) -> None:
        """Join the network."""
        self.sink = sink
        self._network.join(self)

    def dial(self, peer: NodeId) -> None:
        """Stand as soon as *peer* is there."""
        self._dialled.setdefault(peer, None)
        self.look_round()

    def hang_up(self, peer: NodeId) -> None:
        """Forget the stream."""
        self._dialled.pop(peer, None)

    def look_round(self) -> None:
        """Notice which streams broke or can stand now."""
        if self.sink is None:
            return
        for peer, stream in list(self._dialled.items()):
            there = self._network.reach(self.node_id, peer)
            if stream is there:
                continue
            if stream is not None:
                self.sink.post(StreamDown(peer=peer))
            self._dialled[peer] = there
            if there is not None:
                self.sink.post(StreamUp(peer=peer))

    def send_frame(self, peer: NodeId, frame: Frame) -> None:
        """Deliver in the next iteration of the loop."""
        stream = self._dialled.get(peer)
        if stream is not None:
            self._deliver(peer, stream, frame)
            asyncio.get_running_loop().call_soon(self._written, peer, stream)

    def _written(self, peer: NodeId, stream: MemoryTransport) -> None:
        if self.sink is not None and self._dialled.get(peer) is stream:
            self.sink.post(FrameWritten(peer=peer))

    def send_heartbeat(self, peer: NodeId, heartbeat: NodeHeartbeat) -> None:
        """Deliver in the next iteration of the loop."""
        stream = self._dialled.get(peer)
        if stream is not None:
            self._deliver(peer, stream, heartbeat)

    def send_ack(self, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Deliver in the next iteration of the loop, whether we dialled or not."""
        stream = self._network.reach(self.node_id, peer)
        if stream is not None:
            self._deliver(peer, stream, ack)

    def _deliver(self, peer: NodeId, stream: MemoryTransport, traffic: PeerTraffic) -> None:
        size = len(repr(traffic))  # There are no bytes here; this grows as they would.
        self._sent[peer] += size
        asyncio.get_running_loop().call_soon(self._arrive, stream, traffic, size)

    def _arrive(self, stream: MemoryTransport, traffic: PeerTraffic, size: int) -> None:
        if self._network.reach(self.node_id, stream.node_id) is not stream or stream.sink is None:
            return
        stream._received[self.node_id] += size
        match traffic:
            case Frame():
                stream.sink.post(FrameArrived(frame=traffic))
            case NodeHeartbeat():
                stream.sink.post(HeartbeatArrived(heartbeat=traffic))
            case NodeHeartbeatAck():
                stream.sink.post(AckArrived(ack=traffic))

    async def fetch_snapshot(
        self, source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """Read the other node's pieces directly; a cut breaks the stream between two of them."""
        there = self._network.reach(self.node_id, source)
        if there is None or there.sink is None:
            raise TransportError(f"{source} cannot be reached")
        async for piece in there.sink.serve_snapshot(shard_id, clock, group, offset):
            yield piece
            await asyncio.sleep(0)
            if self._network.reach(self.node_id, source) is not there:
                raise TransportError(f"the stream from {source} broke")

    def bytes_sent(self, peer: NodeId) -> int:
        """Return the size of what was sent, in characters of its text."""
        return self._sent[peer]

    def bytes_received(self, peer: NodeId) -> int:
        """Return the size of what arrived, in characters of its text."""
        return self._received[peer]

    async def stop(self) -> None:
        """Leave the network, once what was sent has arrived."""
        self.sink = None
        await asyncio.sleep(0)
        self._dialled.clear()
        self._network.leave(self)


__all__ = ["MemoryNetwork", "MemoryTransport", "SnapshotUnavailable"]
