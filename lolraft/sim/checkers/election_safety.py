"""At most one leader a term (§3.2, §3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.types import NodeId, Role, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class ElectionSafety(Checker):
    """Remember who led which term of which group."""

    promise = "election safety (§3.4)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.leaders: dict[tuple[ShardId, int, Term], NodeId] = {}

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Compare every leader with whoever led its term before."""
        for shard in changed:
            state = shard.state
            if state.role is Role.LEADER:
                key = (shard.shard_id, state.group, state.current_term)
                known = self.leaders.setdefault(key, node.node_id)
                if known != node.node_id:
                    self.broken(
                        f"{known} and {node.node_id} lead shard {shard.shard_id}"
                        f" in term {state.current_term}"
                    )
