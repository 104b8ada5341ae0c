"""Two transports behind one face, and nodes that keep what arrives."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

import grpc.aio

from lolraft.multiraft.events import (
    Event,
    StreamUp,
)
from lolraft.multiraft.frames import (
    Claim,
    Forward,
    ForwardReply,
    Frame,
    NodeHeartbeat,
    NodeHeartbeatAck,
    RequestKind,
)
from lolraft.raft.effects import Code
from lolraft.raft.events import AppendRequest, AppendResponse, VoteRequest
from lolraft.raft.types import Clock, Configuration, Entries, NodeId, ShardId, SnapshotMeta
from lolraft.rpc.peer_transport import GrpcTransport
from lolraft.runtime.memory_transport import MemoryNetwork
from lolraft.runtime.transport import (
    SnapshotPiece,
    SnapshotUnavailable,
    Transport,
)
from tests.integration.cluster import free_id

GROUP = 0xFEDCBA9876543210
META = SnapshotMeta(
    clock=Clock(3, 40),
    configuration=Configuration(voters=(NodeId("http://a:1"),), group_id=(7 << 64) | GROUP),
    configuration_index=12,
    sessions=b"sessions",
)
BODY = bytes(range(256)) * 1000

Kind = TypeVar("Kind", bound=Event)


@dataclass
class FakeNode:
    """Keeps what a transport posts, and serves one snapshot."""

    events: list[Event] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    endless: bool = False  # Serve a snapshot without an end.
    served: int = 0  # Pieces of it.

    def post(self, event: Event) -> None:
        self.events.append(event)
        self.more.set()

    async def serve_snapshot(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        if (shard_id, clock, group) != (7, META.clock, GROUP):
            raise SnapshotUnavailable("no such snapshot")
        meta: SnapshotMeta | None = META
        while self.endless:
            self.served += 1
            yield SnapshotPiece(offset=0, data=bytes(256 * 1024), crc32=0, meta=meta)
        for at in range(offset, len(BODY), 50_000):
            data = BODY[at : at + 50_000]
            yield SnapshotPiece(offset=at, data=data, crc32=zlib.crc32(data), meta=meta)
            meta = None
        yield SnapshotPiece(
            offset=len(BODY), data=b"", crc32=0, meta=meta, last=True, total_crc32=zlib.crc32(BODY)
        )

    async def next(self, kind: type[Kind]) -> Kind:
        """Take the next event, which must be of this kind, off the list."""
        async with asyncio.timeout(10):
            while not self.events:
                self.more.clear()
                await self.more.wait()
        event = self.events.pop(0)
        assert isinstance(event, kind), f"wanted {kind.__name__}, got {event}"
        return event

    async def until(self, kind: type[Kind]) -> Kind:
        """Drop events until one of this kind comes."""
        while not any(isinstance(event, kind) for event in self.events):
            self.more.clear()
            async with asyncio.timeout(10):
                await self.more.wait()
        while not isinstance(event := self.events.pop(0), kind):
            pass
        return event


class World:
    """Two or more transports that can reach each other, and be started and stopped."""

    async def start(self, node_id: NodeId) -> tuple[Transport, FakeNode]:
        raise NotImplementedError

    async def stop(self, transport: Transport) -> None:
        raise NotImplementedError

    def new_id(self) -> NodeId:
        raise NotImplementedError


class MemoryWorld(World):
    def __init__(self) -> None:
        self._network = MemoryNetwork()
        self._count = 0

    async def start(self, node_id: NodeId) -> tuple[Transport, FakeNode]:
        transport, node = self._network.transport(node_id), FakeNode()
        await transport.start(node)
        return transport, node

    async def stop(self, transport: Transport) -> None:
        await transport.stop()

    def new_id(self) -> NodeId:
        self._count += 1
        return NodeId(f"http://node-{self._count}:50000")


class GrpcWorld(World):
    def __init__(self) -> None:
        self._servers: dict[Transport, grpc.aio.Server] = {}

    async def start(self, node_id: NodeId) -> tuple[Transport, FakeNode]:
        transport, node = GrpcTransport(patience_s=0.5), FakeNode()
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((transport.servicer.handler(),))
        server.add_insecure_port(node_id.removeprefix("http://"))
        await transport.start(node)
        await server.start()
        self._servers[transport] = server
        return transport, node

    async def stop(self, transport: Transport) -> None:
        await transport.stop()
        server = self._servers.pop(transport, None)
        if server is not None:
            await server.stop(0)

    async def stop_all(self) -> None:
        for transport in list(self._servers):
            await self.stop(transport)

    def new_id(self) -> NodeId:
        return free_id()


def frame_of(sender: NodeId, *, size: int = 3) -> Frame:
    return Frame(
        sender=sender,
        incarnation=2**64 - 1,
        epoch=9,
        messages=(
            (
                7,
                AppendRequest(
                    sender=sender,
                    group=GROUP,
                    term=5,
                    prev_clock=Clock(4, 10),
                    entries=Entries(11, (4, 5), b"\x01\x00", (b"\0\0" + b"x" * size, b"")),
                    commit_index=9,
                    ledger=(9, 3),
                ),
            ),
            (2**32 - 1, AppendResponse(sender=sender, group=1, term=5, success=True)),
            (0, VoteRequest(sender=sender, group=1, term=6, last_clock=Clock(5, 12))),
        ),
        forwards=(Forward(number=4, kind=RequestKind.READ, shard_id=7, message=b"?"),),
        replies=(ForwardReply(number=1, to_epoch=2, code=Code.UNAVAILABLE, message=b"no"),),
    )


def beat_of(sender: NodeId, seq: int = 1) -> NodeHeartbeat:
    return NodeHeartbeat(
        sender=sender,
        incarnation=1,
        epoch=3,
        seq=seq,
        is_beat=True,
        ledger_version=4,
        base_version=2,
        claims=(Claim(shard_id=7, term=5, group=GROUP),),
        withdrawn=(9, 8),
        disk_is_well=False,
    )


def ack_of(sender: NodeId, objections: tuple[tuple[int, int], ...] | None) -> NodeHeartbeatAck:
    return NodeHeartbeatAck(
        sender=sender,
        incarnation=8,
        to_epoch=3,
        seq=1,
        ledger_version=4,
        own_epoch=6,
        known_epoch=7,
        pinned=5,
        objections_version=2,
        objections=objections,
    )


async def pair(world: World) -> tuple[NodeId, Transport, FakeNode, NodeId, Transport, FakeNode]:
    """Two started nodes of which the first has dialled the second."""
    a, b = world.new_id(), world.new_id()
    to_b, node_b = await world.start(b)
    to_a, node_a = await world.start(a)
    to_a.dial(b)
    assert (await node_a.next(StreamUp)).peer == b
    return a, to_a, node_a, b, to_b, node_b
