"""One stream between two nodes: its order, what is under way, what a broken wire holds up."""

from __future__ import annotations

from collections import deque
from random import Random

from lolraft.multiraft.events import Event
from lolraft.raft.types import NodeId

BEAT, FRAME = "beat", "frame"


class Connection:
    """One life of a stream; what was under way when it ends is lost."""

    __slots__ = ("back_s", "drains", "forth_s", "held", "open", "peer_life", "unread")

    def __init__(self, peer_life: int) -> None:
        self.peer_life = peer_life  # Of the process that accepted it.
        self.open = True
        self.drains = False  # The sender died, but what it had written still arrives.
        self.forth_s = 0.0  # When the last message there arrives: later ones come after it.
        self.back_s = 0.0
        self.unread = 0  # Frames that lie in the sockets of a frozen peer.
        self.held: deque[tuple[bool, Event]] = deque()  # (goes back, event): the wire is cut.


class Stream:
    """What one node has dialled at another: `beat` carries heartbeats, `frame` carries frames."""

    __slots__ = (
        "attempt",
        "chance",
        "connection",
        "dialler",
        "dialler_life",
        "is_watched",
        "kind",
        "last_send_s",
        "peer",
        "room",
        "untaken",
    )

    def __init__(
        self, dialler: NodeId, dialler_life: int, peer: NodeId, kind: str, chance: Random
    ) -> None:
        self.dialler = dialler
        self.dialler_life = dialler_life
        self.peer = peer
        self.kind = kind
        self.chance = chance  # Of all streams between the two, so that no other shifts it.
        self.connection: Connection | None = None
        self.attempt = 0  # Failed dials in a row.
        self.untaken: deque[float] = deque()  # When what the peer has not taken was sent.
        self.last_send_s = 0.0
        self.room = 0  # So many frames still fit into the buffers of a wire that is cut.
        self.is_watched = False

    def close(self) -> None:
        """End this life of the stream."""
        if self.connection is not None:
            self.connection.open = False
            self.connection.held.clear()
            self.connection = None
        self.untaken.clear()
