"""An idle node does nothing but beat: no turn leads to the next without a reason (DESIGN 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.types import NodeId
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

MOST_TURNS = 4_000
"""Turns of one node in a second; clients, peers and disks account for some hundreds."""


class Busy(Checker):
    """Count turns."""

    promise = "no busy loop (DESIGN 4)"
    every_turn = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._turns: dict[NodeId, int] = {}
        self._next_s = 0.0

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Count one."""
        now_s, turns = self.world.clock.now_s, self._turns
        if now_s >= self._next_s:
            self._next_s = int(now_s) + 1.0
            turns.clear()
        turns[node.node_id] = count = turns.get(node.node_id, 0) + 1
        if count > MOST_TURNS:
            self.broken(f"{node.node_id} has {MOST_TURNS} turns within a second")
