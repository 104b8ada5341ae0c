"""Replicas remember the same of their clients (§6.3, PROTOCOL S10)."""

from __future__ import annotations

from lolraft.raft.types import NodeId, ShardId
from lolraft.sim.checkers.checker import Checker


class SameMemory(Checker):
    """
    Compare what the members of a shard would put into a snapshot, once all is quiet.

    Some have taken every entry, some have started from one snapshot or another.
    """

    promise = "sessions are a function of the log (S10)"

    def at_rest(self) -> None:
        """All of them have applied the same entries."""
        first: dict[ShardId, tuple[NodeId, bytes]] = {}
        for node, shard_id in self.world.members_at_rest():
            assert node.machine is not None, "it runs"
            shard = node.machine.node.shards[shard_id]
            memory = shard.sessions.cut(shard.applied_index)
            other, expected = first.setdefault(shard_id, (node.node_id, memory))
            if memory != expected:
                self.broken(
                    f"{node.node_id} remembers other answers of shard {shard_id} than {other}"
                )
