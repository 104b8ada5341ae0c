"""A tap on the wire: every message of one shard and what became of it, for who looks on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from lolraft.multiraft.events import Event, FrameArrived
from lolraft.multiraft.frames import Frame
from lolraft.raft.events import Message
from lolraft.raft.types import NodeId, ShardId
from lolraft.sim.clock import Clock
from lolraft.sim.streams import Connection

MOST_NEWS = 1_000
PLACES = 12  # Bits of a number that say which message of its frame it is.

Item = tuple[ShardId, Message]


class Fate(Enum):
    """Say what became of a message."""

    FLYING = "flying"
    HELD = "held"  # By a broken wire: it arrives late, or the stream breaks.
    ARRIVED = "arrived"
    FROZEN = "frozen"  # It came while the process there was frozen, which reads it when it thaws.
    LOST = "lost"


@dataclass(slots=True, kw_only=True)
class Carried:
    """One message on its way, or at its end."""

    number: int  # Rising in the order of sending; the same in every run of a seed.
    sender: NodeId
    receiver: NodeId
    item: Item
    sent_s: float
    fate: Fate = Fate.FLYING
    at_s: float | None = None  # When that was known; None while it flies.
    why: str = ""  # It is lost, or how it came.


class _Flight:
    """One frame under way, with those of its messages that are looked at."""

    __slots__ = ("carried", "connection", "copies", "frame")

    def __init__(self, frame: Frame, connection: Connection) -> None:
        self.frame = frame
        self.connection = connection
        self.carried: list[Carried] = []
        self.copies = 1


class Wiretap:
    """
    Know the messages of *shard_id*, or of all shards, that the network carries.

    The network tells it what happens to frames, and only while there is a tap. `news` returns what
    changed; who does not ask loses the oldest, and nothing grows.
    """

    def __init__(self, clock: Clock, shard_id: ShardId | None) -> None:
        self.shard_id = shard_id
        self._clock = clock
        self._flights: dict[int, _Flight] = {}  # By the identity of the frame's messages.
        self._news: dict[int, Carried] = {}

    def news(self) -> list[Carried]:
        """Return what was sent, or ended, since the last time, in the order of sending."""
        for key, flight in list(self._flights.items()):
            held = any(carried.fate is Fate.HELD for carried in flight.carried)
            if held and not flight.connection.open:
                self._end(key, Fate.LOST, "the stream broke")
        news, self._news = self._news, {}
        return [replace(news[number]) for number in sorted(news)]

    def find(self, number: int) -> tuple[Carried, Frame, Connection] | None:
        """Return the message of this *number*, its frame and its stream, while it is under way."""
        for flight in self._flights.values():
            for carried in flight.carried:
                if carried.number == number and carried.fate in (Fate.FLYING, Fate.HELD):
                    return carried, flight.frame, flight.connection
        return None

    def let_go(self, carried: Carried) -> None:
        """Look at this message no more: it was taken out of its frame."""
        for flight in self._flights.values():
            flight.carried = [one for one in flight.carried if one is not carried]

    def narrow(self, shard_id: ShardId) -> None:
        """Look at one shard only from now on."""
        self.shard_id = shard_id
        for key, flight in list(self._flights.items()):
            flight.carried = [one for one in flight.carried if one.item[0] == shard_id]
            if not flight.carried:
                del self._flights[key]
        self._news = {n: one for n, one in self._news.items() if one.item[0] == shard_id}

    # --- what the network tells ------------------------------------------------------------------

    def leaves(
        self, number: int, to: NodeId, frame: Frame, passed: Frame, connection: Connection
    ) -> None:
        """Take note of the frame of this *number*; *passed* is what faults left of it."""
        kept = {id(item) for item in passed.messages}
        flight = _Flight(passed, connection)
        for place, item in enumerate(frame.messages):
            if self.shard_id not in (None, item[0]):
                continue
            carried = Carried(
                number=number << PLACES | place,
                sender=frame.sender,
                receiver=to,
                item=item,
                sent_s=self._clock.now_s,
            )
            if id(item) in kept:
                flight.carried.append(carried)
                self._tell(carried)
            else:
                self.settle(carried, Fate.LOST, "by a fault")
        if flight.carried:
            self._flights[id(passed.messages)] = flight

    def doubled(self, event: Event) -> None:
        """Take note that a frame will arrive twice."""
        flight = self._flight(event)
        if flight is not None:
            flight.copies += 1

    def held(self, event: Event) -> None:
        """Take note that a broken wire holds a frame up."""
        flight = self._flight(event)
        for carried in flight.carried if flight is not None else ():
            if carried.fate is Fate.FLYING:
                self.settle(carried, Fate.HELD, "")

    def lost(self, event: Event, why: str) -> None:
        """Take note that a frame does not arrive."""
        if isinstance(event, FrameArrived):
            self._end(id(event.frame.messages), Fate.LOST, why)

    def arrives(self, event: Event, *, frozen: bool) -> None:
        """Take note that a frame was handed over."""
        if isinstance(event, FrameArrived):
            fate = Fate.FROZEN if frozen else Fate.ARRIVED
            self._end(id(event.frame.messages), fate, "")

    def settle(self, carried: Carried, fate: Fate, why: str) -> None:
        """Let this be what became of a message."""
        carried.fate, carried.why, carried.at_s = fate, why, self._clock.now_s
        self._tell(carried)

    def _flight(self, event: Event) -> _Flight | None:
        if not isinstance(event, FrameArrived):
            return None
        return self._flights.get(id(event.frame.messages))

    def _end(self, key: int, fate: Fate, why: str) -> None:
        flight = self._flights.get(key)
        if flight is None:
            return
        for carried in flight.carried:
            if carried.fate in (Fate.FLYING, Fate.HELD):
                self.settle(carried, fate, why)
            elif carried.fate is not Fate.LOST and fate is not Fate.LOST:
                carried.why = "twice"  # When it came first stays when it came.
                self._tell(carried)
        flight.copies -= 1
        if not flight.copies:
            del self._flights[key]

    def _tell(self, carried: Carried) -> None:
        self._news[carried.number] = carried
        if len(self._news) > MOST_NEWS:
            del self._news[next(iter(self._news))]
