"""What a checker can look at; it overrides what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from lolraft.multiraft.effects import Effect, Respond, Tell
from lolraft.multiraft.frames import Frame, NodeHeartbeatAck
from lolraft.multiraft.node import Shard
from lolraft.raft.types import Index, NodeId, ShardId
from lolraft.sim.app import SimApp
from lolraft.sim.violation import Violation

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class Checker:
    """Judge one promise over the whole life of a world."""

    promise = ""
    """Its name and where it is made."""

    every_turn = False
    """Whether `after_turn` is called for turns that touched no shard and wrote nothing, too."""

    def __init__(self, world: World) -> None:
        self.world = world

    def broken(self, text: str) -> NoReturn:
        """
        End the world.

        Raises:
            Violation: always.
        """
        raise Violation(self.promise, text)

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at a node that has just had its turn, and at its shards that were touched."""

    def frame_leaves(self, node: SimNode, peer: NodeId, frame: Frame) -> None:
        """Look at what is about to be said to a peer."""

    def ack_leaves(self, node: SimNode, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Look at an ack that is about to be sent."""

    def applied(
        self, node: SimNode, shard_id: ShardId, index: Index, message: bytes, app: SimApp
    ) -> None:
        """Look at an app that has executed a command."""

    def installed(self, node: SimNode, shard_id: ShardId, index: Index, app: SimApp) -> None:
        """Look at an app that has started from a snapshot."""

    def responded(self, node: SimNode, respond: Respond, known: bool) -> None:
        """Look at an answer; *known* says whether somebody waits for its ticket."""

    def started(self, node: SimNode) -> None:
        """Look at a node that has booted."""

    def died(self, node: SimNode) -> None:
        """Note that a node is no more."""

    def told(self, node: SimNode, tell: Tell) -> None:
        """Look at an event that a node reports."""

    def tick(self) -> None:
        """Look at everything, now and then."""

    def at_rest(self) -> None:
        """Look at a world in which all faults ended, and all that was asked was answered."""
