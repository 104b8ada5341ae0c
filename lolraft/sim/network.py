"""
The network: streams with delay, loss, duplicates, cuts; dialled, broken and dialled again.

A stream keeps its order and loses nothing, as TCP does. A cut wire holds up what it carries: mended
soon, all of it arrives late and in order; mended late, the stream has broken, and what was under
way is lost. Faults on single messages act above the streams, as those of the lab do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import log
from random import Random
from typing import TYPE_CHECKING

from lolraft.multiraft.commands import WriteId
from lolraft.multiraft.events import (
    AckArrived,
    Event,
    FrameArrived,
    FrameWritten,
    HeartbeatArrived,
    StreamDown,
    StreamUp,
)
from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck
from lolraft.raft.types import NodeId
from lolraft.sim.clock import Clock
from lolraft.sim.single import what_is_left
from lolraft.sim.streams import BEAT, FRAME, Connection, Stream
from lolraft.sim.weather import Link, Rule, Weather
from lolraft.sim.wiretap import Item, Wiretap

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode

REDIAL_FIRST_S, REDIAL_LAST_S = 0.1, 1.0
CONNECT_S = 1.0
PATIENCE_S = 1.0  # A stream on which nothing is taken for so long is dialled anew (L7).
WRITTEN_S = 0.0001
MOST_WAITING = 16  # Heartbeats that wait on a cut wire.


class Network:
    """All streams between the nodes, and the weather on each link."""

    def __init__(self, clock: Clock, nodes: dict[NodeId, SimNode], latency_s: float) -> None:
        self.weather = Weather()
        self.counts: Counter[str] = Counter()
        self.on_frame: Callable[[SimNode, NodeId, Frame], None] = lambda node, peer, frame: None
        self.tap: Wiretap | None = None  # Of who looks at single messages.
        self.taken: dict[int, Item] = {}  # By identity: messages taken out of their frames.
        self.frames = 0  # Sent so far: the number of each.
        self._clock = clock
        self.nodes = nodes
        self._latency_s = latency_s
        self._chances: dict[tuple[NodeId, NodeId, str], Random] = {}
        self._streams: dict[tuple[NodeId, NodeId, str], Stream] = {}

    # --- faults ----------------------------------------------------------------------------------

    def put(self, links: Iterable[Link], rule: Rule) -> int:
        """Put a rule in force; `take` with the returned number ends it."""
        return self.weather.put(links, rule)

    def take(self, number: int) -> None:
        """End a rule; what a cut held up goes on."""
        self.weather.take(number)
        self._let_go()

    def clear(self) -> None:
        """End all faults."""
        self.weather.clear()
        self._let_go()

    def _let_go(self) -> None:
        for stream in self._streams.values():
            connection = stream.connection
            if connection is not None and connection.held:
                # The sender has backed off: it tries again only after a while.
                wait_s = stream.chance.random() * 0.4
                self._clock.after(wait_s, self._resend, stream, connection)

    def _resend(self, stream: Stream, connection: Connection) -> None:
        if not connection.open or self.weather.is_cut(stream.dialler, stream.peer):
            return
        self.counts["held up"] += 1
        while connection.held and connection.open:
            goes_back, event = connection.held.popleft()
            self._hand_over(stream, connection, event, goes_back)

    def break_stream(self, dialler: NodeId, peer: NodeId) -> None:
        """Break the streams that *dialler* has to *peer*, as a reset connection does."""
        for kind in (BEAT, FRAME):
            stream = self._streams.get((dialler, peer, kind))
            if stream is not None:
                self._break(stream)

    # --- life of a stream ------------------------------------------------------------------------

    def dial(self, dialler: NodeId, peer: NodeId) -> None:
        """Keep both streams from *dialler* to *peer*, if not already."""
        life = self.nodes[dialler].life
        for kind in (BEAT, FRAME):
            known = self._streams.get((dialler, peer, kind))
            if known is not None and known.dialler_life == life:
                continue
            stream = Stream(dialler, life, peer, kind, self._chance(dialler, peer, kind))
            self._streams[dialler, peer, kind] = stream
            self._clock.after(0.0, self._try, stream)

    def hang_up(self, dialler: NodeId, peer: NodeId) -> None:
        """Drop both streams; nothing more is posted about them."""
        for kind in (BEAT, FRAME):
            stream = self._streams.pop((dialler, peer, kind), None)
            if stream is not None:
                stream.close()

    def gone(self, node_id: NodeId, silently: bool) -> None:
        """Break the streams of a node that died; its peers see it at once, or by and by."""
        for key, stream in list(self._streams.items()):
            connection = stream.connection
            if stream.dialler == node_id:
                if connection is not None:
                    connection.drains = stream.chance.random() < 0.7
                stream.close()
                del self._streams[key]
            elif stream.peer == node_id and connection is not None and not silently:
                delay_s = self._delay_s(stream.chance)
                self._clock.after(delay_s, self._break_if, stream, connection)

    def _is_current(self, stream: Stream) -> bool:
        return (
            self._streams.get((stream.dialler, stream.peer, stream.kind)) is stream
            and self.nodes[stream.dialler].life == stream.dialler_life
        )

    def _try(self, stream: Stream) -> None:
        if not self._is_current(stream) or stream.connection is not None:
            return
        self._clock.after(2 * self._delay_s(stream.chance), self._connect, stream)

    def _connect(self, stream: Stream) -> None:
        if not self._is_current(stream) or stream.connection is not None:
            return
        there = self.nodes.get(stream.peer)
        if self.nodes[stream.dialler].is_paused:
            self._clock.after(REDIAL_FIRST_S, self._try, stream)
            return
        is_cut = self.weather.is_cut(stream.dialler, stream.peer)
        if there is None or not there.is_running or is_cut:
            # Refused at once where there is no process, else the connection takes too long.
            wait_s = min(REDIAL_FIRST_S * 2**stream.attempt, REDIAL_LAST_S)
            stream.attempt = min(stream.attempt + 1, 8)
            refused = there is not None and there.machine is None and not is_cut
            self._clock.after(wait_s if refused else wait_s + CONNECT_S, self._try, stream)
            return
        stream.attempt = 0
        stream.connection = Connection(there.life)
        stream.untaken.clear()
        stream.room = stream.chance.randrange(4)
        if stream.kind == FRAME:
            self.nodes[stream.dialler].post(StreamUp(peer=stream.peer))
        for kind in (BEAT, FRAME):  # Who hears of a node dials it at once.
            back = self._streams.get((stream.peer, stream.dialler, kind))
            if back is not None and back.connection is None:
                self._clock.after(0.0, self._try, back)

    def _break_if(self, stream: Stream, connection: Connection) -> None:
        if stream.connection is connection:
            self._break(stream)

    def _break(self, stream: Stream) -> None:
        if stream.connection is None or not self._is_current(stream):
            return
        self.counts["broken"] += 1
        stream.close()
        if stream.kind == FRAME:
            self.nodes[stream.dialler].post(StreamDown(peer=stream.peer))
        self._clock.after(REDIAL_FIRST_S, self._try, stream)

    # --- what nodes send -------------------------------------------------------------------------

    def send_frame(self, sender: SimNode, peer: NodeId, frame: Frame) -> None:
        """Write a frame; the sender hears of it when the stream has taken it."""
        stream = self._streams.get((sender.node_id, peer, FRAME))
        if stream is None or stream.connection is None:
            return
        self.on_frame(sender, peer, frame)
        passed = self._filter(sender.node_id, peer, frame)
        self.frames += 1
        if self.tap is not None:
            self.tap.leaves(self.frames, peer, frame, passed, stream.connection)
        is_cut = self.weather.is_cut(sender.node_id, peer)
        if is_cut:
            stream.room -= 1
        if not is_cut or stream.room >= 0:
            written = FrameWritten(peer=peer)
            self._clock.after(WRITTEN_S, self._post, sender, sender.life, written)
        stream.untaken.append(self._clock.now_s)
        if not stream.is_watched:
            stream.is_watched = True
            self._clock.after(PATIENCE_S, self._watch, stream, stream.connection)
        self._carry(stream, stream.connection, FrameArrived(frame=passed), goes_back=False)

    def _watch(self, stream: Stream, connection: Connection) -> None:
        """Break a stream whose oldest frame was not taken for too long (L7)."""
        stream.is_watched = False
        if stream.connection is None or not stream.untaken or not self._is_current(stream):
            return
        waited_s = self._clock.now_s - stream.untaken[0]
        if self.nodes[stream.dialler].is_paused:
            waited_s = 0.0  # It is we who do not run; there may be receipts in the socket (L5).
        elif waited_s >= PATIENCE_S - 1e-9:
            self.counts["stuck"] += 1
            self._break(stream)
            return
        stream.is_watched = True
        self._clock.after(PATIENCE_S - waited_s, self._watch, stream, stream.connection)

    def send_heartbeat(self, sender: SimNode, peer: NodeId, heartbeat: NodeHeartbeat) -> None:
        """Send a heartbeat on its stream of its own; dropped when that is down or full."""
        stream = self._streams.get((sender.node_id, peer, BEAT))
        if stream is None or stream.connection is None:
            return
        now_s = self._clock.now_s
        if stream.untaken and now_s - stream.last_send_s > PATIENCE_S / 2:
            stream.untaken.clear()  # We were away ourselves (L5).
        stream.last_send_s = now_s
        if stream.untaken and now_s - stream.untaken[0] > PATIENCE_S:
            self._break(stream)
            return
        if not stream.untaken:
            stream.untaken.append(now_s)
        if len(stream.connection.held) < MOST_WAITING:
            beat = HeartbeatArrived(heartbeat=heartbeat)
            self._carry(stream, stream.connection, beat, goes_back=False)

    def send_ack(self, sender: SimNode, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Answer on the stream that *peer* has dialled."""
        stream = self._streams.get((peer, sender.node_id, BEAT))
        if stream is not None and stream.connection is not None:
            self._carry(stream, stream.connection, AckArrived(ack=ack), goes_back=True)

    def _filter(self, sender: NodeId, peer: NodeId, frame: Frame) -> Frame:
        """Return *frame* without the messages that faults on single messages take."""
        weather = self.weather
        if weather.is_calm:
            return frame
        drop = weather.on(sender, peer, FRAME).drop
        shards = weather.lost_shards(sender, peer)
        if not drop and not shards:
            return frame
        dice = self._chance(sender, peer, FRAME).random

        def passes(shard_id: int) -> bool:
            kept = dice() >= drop and (shard_id not in shards or dice() >= shards[shard_id])
            self.counts["lost"] += not kept
            return kept

        return replace(
            frame,
            messages=tuple(item for item in frame.messages if passes(item[0])),
            forwards=tuple(item for item in frame.forwards if passes(item.shard_id)),
            replies=tuple(item for item in frame.replies if passes(-1)),
        )

    # --- the way there ---------------------------------------------------------------------------

    def _chance(self, one: NodeId, other: NodeId, kind: str) -> Random:
        key = (one, other, kind)
        if key not in self._chances:
            self._chances[key] = self._clock.chance(f"network {one} {other} {kind}")
        return self._chances[key]

    def _delay_s(self, chance: Random) -> float:
        # `chance.expovariate(2.0)`, which most messages would call for this line alone.
        return self._latency_s * (0.5 - log(1.0 - chance.random()) / 2.0)

    def delay_s(self, sender: NodeId, receiver: NodeId, kind: str) -> float | None:
        """Return how long one message takes now; None where it does not arrive."""
        if self.weather.is_cut(sender, receiver):
            return None
        rule = self.weather.on(sender, receiver, kind)
        chance = self._chance(sender, receiver, kind)
        if rule.drop and chance.random() < rule.drop:
            return None
        return self._delay_s(chance) + rule.delay_s + rule.jitter_s * chance.random()

    def _carry(self, stream: Stream, connection: Connection, event: Event, goes_back: bool) -> None:
        sender, receiver = stream.dialler, stream.peer
        if goes_back:
            sender, receiver = receiver, sender
        clock, dice = self._clock, stream.chance.random
        at_s = clock.now_s + self._delay_s(stream.chance)
        if not self.weather.is_calm:
            rule = self.weather.on(sender, receiver, stream.kind)
            if stream.kind == BEAT and rule.drop and dice() < rule.drop:
                self.counts["lost"] += 1
                return
            at_s += rule.delay_s + rule.jitter_s * dice()
            if rule.duplicate and dice() < rule.duplicate:
                self.counts["doubled"] += 1
                late_s = at_s - clock.now_s + dice() * 0.3
                again = _without_nameless(event)
                if self.tap is not None:
                    self.tap.doubled(event)
                clock.after(late_s, self._arrive, stream, connection, again, goes_back)
            if rule.reorder and dice() < rule.reorder:
                self.counts["overtaken"] += 1
                late_s = at_s - clock.now_s + dice() * 0.5
                clock.after(late_s, self._arrive, stream, connection, event, goes_back)
                return
        if goes_back:
            at_s = connection.back_s = max(at_s, connection.back_s)
        else:
            at_s = connection.forth_s = max(at_s, connection.forth_s)
        clock.after(at_s - clock.now_s, self._arrive, stream, connection, event, goes_back)

    def _arrive(
        self, stream: Stream, connection: Connection, event: Event, goes_back: bool
    ) -> None:
        tap = self.tap
        if not connection.open and not (connection.drains and not goes_back):
            if tap is not None:
                tap.lost(event, "the stream broke")
            return
        if connection.held or self.weather.is_cut(stream.dialler, stream.peer):
            if connection.open:
                connection.held.append((goes_back, event))
                if tap is not None:
                    tap.held(event)
            elif tap is not None:
                tap.lost(event, "the stream broke")
            return
        self._hand_over(stream, connection, event, goes_back)

    def _hand_over(
        self, stream: Stream, connection: Connection, event: Event, goes_back: bool
    ) -> None:
        if goes_back:
            there = self.nodes[stream.dialler]
            if there.life == stream.dialler_life:
                stream.untaken.clear()
                there.post(event)
            return
        there = self.nodes[stream.peer]
        if there.machine is None or there.life != connection.peer_life:
            if self.tap is not None:
                self.tap.lost(event, "nobody is there")
            self._break_if(stream, connection)  # Another process answers with a reset.
            return
        if stream.kind == FRAME and connection.open:
            if there.is_paused:
                connection.unread += 1
            elif stream.untaken:
                stream.untaken.popleft()
        if self.tap is not None:
            self.tap.arrives(event, frozen=there.is_paused)
        there.post(what_is_left(self, event) if self.taken else event)

    def resumed(self, node_id: NodeId) -> None:
        """Let a node that was frozen read what lies in its sockets."""
        for stream in self._streams.values():
            connection = stream.connection
            if stream.peer == node_id and connection is not None:
                for _ in range(min(connection.unread, len(stream.untaken))):
                    stream.untaken.popleft()
                connection.unread = 0

    def _post(self, node: SimNode, life: int, event: Event) -> None:
        if node.life == life:
            node.post(event)


def _without_nameless(event: Event) -> Event:
    """
    Return *event* without what no stream of gRPC doubles, and nobody promises to do once then.

    That are writes without an id, and those of sessions, whose clients count their tries: told by
    a double that the session has expired, one would take a write for not executed that was.
    """
    if not isinstance(event, FrameArrived) or not event.frame.forwards:
        return event
    forwards = tuple(
        item
        for item in event.frame.forwards
        if item.request_id and not isinstance(item.request_id, WriteId)
    )
    return FrameArrived(frame=replace(event.frame, forwards=forwards))
