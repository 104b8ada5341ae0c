"""Who asks is answered, once (DESIGN 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Respond
from lolraft.raft.types import NodeId
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class Tickets(Checker):
    """Count the answers to each ticket."""

    promise = "every ticket is answered once (DESIGN 4)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._answered: set[tuple[NodeId, int, int]] = set()

    def responded(self, node: SimNode, respond: Respond, known: bool) -> None:
        """An answer that nobody waits for was given twice, unless its asker has gone."""
        mark = (node.node_id, node.life, respond.ticket)
        if mark in self._answered:
            self.broken(f"{node.node_id} answers ticket {respond.ticket} twice")
        self._answered.add(mark)

    def at_rest(self) -> None:
        """When all is quiet, nobody waits."""
        for node in self.world.nodes.values():
            if node.is_running and node.tickets:
                waited_s = self.world.clock.now_s - min(s for s, _ in node.tickets.values())
                self.broken(
                    f"{node.node_id} has not answered {len(node.tickets)} requests, the oldest"
                    f" for {waited_s:.1f} s"
                )
