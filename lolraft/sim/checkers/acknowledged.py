"""An acknowledged write is never lost (§3.2)."""

from __future__ import annotations

from lolraft.raft.types import ShardId
from lolraft.sim.app import Registers
from lolraft.sim.checkers.checker import Checker


class Acknowledged(Checker):
    """Find every write that a client was told of in every replica, once all is quiet."""

    promise = "acknowledged writes stay (§3.2)"

    def at_rest(self) -> None:
        """Look into every app of every member."""
        told: dict[ShardId, list[str]] = {}
        for shard_id, history in sorted(self.world.histories.items()):
            told[shard_id] = [
                item.name
                for item in history.operations
                if item.kind != "read" and item.answer is not None
            ]
        for node, shard_id in self.world.members_at_rest():
            queue = node.queues.get(shard_id)
            if queue is None or not isinstance(queue.app, Registers):
                continue
            executed = queue.app.executed
            lost = [name for name in told.get(shard_id, ()) if name not in executed]
            if lost:
                self.broken(f"{node.node_id} has lost {lost[:5]} of shard {shard_id}")
