"""A transport that loses, delays, doubles and reorders messages, above any wire (DESIGN 8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from lolraft.multiraft.events import AckArrived, Event, FrameArrived, FrameWritten, HeartbeatArrived
from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck
from lolraft.multiraft.peers import message_bytes
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    Message,
    SnapshotOffer,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Clock, NodeId, ShardId
from lolraft.runtime.faults import FaultBox, LinkRule
from lolraft.runtime.transport import (
    Sink,
    SnapshotPiece,
    Transport,
    TransportError,
)


def kind_of(message: Message) -> str:
    """Return the word that rules use for a message of Raft."""
    if isinstance(message, AppendRequest | AppendResponse):
        return "append"
    if isinstance(message, VoteRequest | VoteResponse | TimeoutNow):
        return "vote"
    return "snapshot" if isinstance(message, SnapshotOffer) else "append"


class FaultyTransport(Transport):
    """
    Treat what passes as the rules of a `FaultBox` say.

    Delay, duplication, reordering and bandwidth act where a message is sent; loss acts at both
    ends, so that a rule works also where only one of the two nodes has it. A delayed message keeps
    its place among the others of its link, unless it is to be reordered.
    """

    def __init__(self, inner: Transport, box: FaultBox) -> None:
        self._inner = inner
        self._box = box
        self._sink: Sink | None = None
        self._free_at_s: dict[tuple[NodeId, str], float] = {}  # Of a delayed link.

    async def start(self, sink: Sink) -> None:
        """Deliver to *sink* what the rules let in."""
        self._sink = sink
        await self._inner.start(_FaultySink(sink, self))

    def dial(self, peer: NodeId) -> None:
        """Dial: a cut is not seen by who dials, as with a real one."""
        self._inner.dial(peer)

    def hang_up(self, peer: NodeId) -> None:
        """Hang up."""
        self._inner.hang_up(peer)

    # --- what passes -----------------------------------------------------------------------------

    def is_lost(
        self, sender: str, receiver: str, kind: str, shard_id: ShardId | None = None
    ) -> bool:
        """Return whether a rule takes this message, throwing dice where it is not certain."""
        for rule in self._box.rules.links:
            hit = rule.drop > 0 and rule.matches(sender, receiver, kind, shard_id)
            if hit and (rule.drop >= 1 or self._box.random.random() < rule.drop):
                return True
        return False

    def filter(self, frame: Frame, sender: str, receiver: str) -> Frame:
        """Return *frame* without what is lost on this link."""
        if not self._box.rules.links:
            return frame
        lost = self.is_lost
        return replace(
            frame,
            messages=tuple(
                item
                for item in frame.messages
                if not lost(sender, receiver, kind_of(item[1]), item[0])
            ),
            forwards=tuple(
                item
                for item in frame.forwards
                if not lost(sender, receiver, "forward", item.shard_id)
            ),
            replies=tuple(item for item in frame.replies if not lost(sender, receiver, "forward")),
        )

    def _rule(self, peer: NodeId, kind: str) -> LinkRule | None:
        for rule in self._box.rules.links:
            shapes = rule.delay_s or rule.jitter_s or rule.duplicate or rule.reorder
            if (shapes or rule.bandwidth_bytes_s) and rule.matches(
                self._box.node_id, peer, kind, rule.shard_id
            ):
                return rule
        return None

    def _send(self, peer: NodeId, kind: str, size: int, send: Callable[[], None]) -> None:
        """Send now, later, twice or out of turn."""
        rule = self._rule(peer, kind)
        if rule is None:
            send()
            return
        loop, dice = asyncio.get_running_loop(), self._box.random
        at_s = loop.time() + rule.delay_s + rule.jitter_s * dice.random()
        if rule.reorder and dice.random() < rule.reorder:
            at_s += rule.delay_s + rule.jitter_s + 0.01  # Later than those behind it.
        else:
            at_s = max(at_s, self._free_at_s.get((peer, kind), 0.0))
            pace_s = size / rule.bandwidth_bytes_s if rule.bandwidth_bytes_s else 0.0
            at_s += pace_s
            self._free_at_s[peer, kind] = at_s
        loop.call_at(at_s, send)
        if rule.duplicate and dice.random() < rule.duplicate:
            loop.call_at(at_s, send)

    def send_frame(self, peer: NodeId, frame: Frame) -> None:
        """Write what is not lost; a frame that is lost whole counts as written."""
        passed = self.filter(frame, self._box.node_id, peer)
        if not (passed.messages or passed.forwards or passed.replies):
            self._post_later(FrameWritten(peer=peer))
            return
        if self._rule(peer, "append") is None:
            self._inner.send_frame(peer, passed)
            return
        size = sum(message_bytes(message) for _, message in passed.messages)
        # The node may go on at once: the frame is on the (slow) wire now.
        self._post_later(FrameWritten(peer=peer))
        self._send(peer, "append", size, lambda: self._inner.send_frame(peer, passed))

    def _post_later(self, event: Event) -> None:
        if self._sink is not None:
            asyncio.get_running_loop().call_soon(self._sink.post, event)

    def send_heartbeat(self, peer: NodeId, heartbeat: NodeHeartbeat) -> None:
        """Send a heartbeat, unless it is lost."""
        if not self.is_lost(self._box.node_id, peer, "beat"):
            self._send(peer, "beat", 64, lambda: self._inner.send_heartbeat(peer, heartbeat))

    def send_ack(self, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Send an ack, unless it is lost: it travels from us to *peer*."""
        if not self.is_lost(self._box.node_id, peer, "beat"):
            self._send(peer, "beat", 64, lambda: self._inner.send_ack(peer, ack))

    async def fetch_snapshot(
        self, source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """Fetch, until a rule cuts the link in either direction."""
        me = self._box.node_id
        pieces = self._inner.fetch_snapshot(source, shard_id, clock, group, offset)
        async for piece in pieces:
            if self.is_lost(source, me, "snapshot", shard_id) or self.is_lost(
                me, source, "snapshot", shard_id
            ):
                raise TransportError(f"the link to {source} is cut (a fault that was asked for)")
            yield piece

    def bytes_sent(self, peer: NodeId) -> int:
        """Return the real count."""
        return self._inner.bytes_sent(peer)

    def bytes_received(self, peer: NodeId) -> int:
        """Return the real count."""
        return self._inner.bytes_received(peer)

    async def stop(self) -> None:
        """Stop the real transport."""
        await self._inner.stop()


class _FaultySink:
    """Between the wire and the node: what is lost on its way in does not arrive."""

    def __init__(self, sink: Sink, transport: FaultyTransport) -> None:
        self._sink = sink
        self._transport = transport
        self._me = transport._box.node_id

    def post(self, event: Event) -> None:
        """Pass *event* on, or what is left of it."""
        lost = self._transport.is_lost
        match event:
            case FrameArrived(frame=frame):
                passed = self._transport.filter(frame, frame.sender, self._me)
                if passed is not frame:
                    event = FrameArrived(frame=passed)
            case HeartbeatArrived(heartbeat=heartbeat):
                if lost(heartbeat.sender, self._me, "beat"):
                    return
            case AckArrived(ack=ack):
                if lost(ack.sender, self._me, "beat"):
                    return
            case _:
                pass
        self._sink.post(event)

    def serve_snapshot(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """Serve as the node does; who fetches has the rule."""
        return self._sink.serve_snapshot(shard_id, clock, group, offset)
