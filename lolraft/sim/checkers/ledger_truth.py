"""Nobody believes for long in a leader that is none (DESIGN 5, PROTOCOL L3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.raft.types import NodeId, Role, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

BOUND_S = 4.0
"""Suspicion comes after 1 s; what a cut wire held up may renew belief once or twice."""


class LedgerTruth(Checker):
    """Measure how long each replica follows somebody who is dead, frozen, or leads no more."""

    promise = "belief in a leader that is none ends (DESIGN 5)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._since: dict[tuple[NodeId, int, ShardId], tuple[float, NodeId, Term]] = {}

    def tick(self) -> None:
        """Look at every replica that follows somebody."""
        now_s, since = self.world.clock.now_s, self._since
        self._since = {}
        for node in self.world.nodes.values():
            if node.machine is None or node.is_paused:
                continue
            for shard in node.machine.node.shards.values():
                leader_id = shard.state.leader_id
                if leader_id is None or leader_id == node.node_id:
                    continue
                term = shard.state.current_term
                if self._leads(leader_id, shard.shard_id, term):
                    continue
                key = (node.node_id, node.life, shard.shard_id)
                known = since.get(key)
                # The time that it was frozen itself does not count.
                started_s = now_s - node.frozen_s
                if known is not None and known[1:] == (leader_id, term):
                    started_s = known[0]
                self._since[key] = (started_s, leader_id, term)
                lasted_s = now_s - node.frozen_s - started_s
                if lasted_s > BOUND_S:
                    self.broken(
                        f"{node.node_id} follows {leader_id} in term {term} of shard"
                        f" {shard.shard_id} for {lasted_s:.1f} s, and that is no leader"
                    )

    def _leads(self, node_id: NodeId, shard_id: ShardId, term: Term) -> bool:
        node: SimNode | None = self.world.nodes.get(node_id)
        if node is None or node.machine is None or node.is_paused:
            return False
        shard = node.machine.node.shards.get(shard_id)
        return (
            shard is not None
            and shard.state.role is Role.LEADER
            and shard.state.current_term == term
        )
