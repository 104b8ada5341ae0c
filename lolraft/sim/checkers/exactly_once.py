"""A request id is executed once, whatever crashes and whoever asks again (§6.3, PROTOCOL S10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.raft.types import Index, ShardId
from lolraft.sim.app import Registers, SimApp
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode


class ExactlyOnce(Checker):
    """Look at the app's own count of each command, at every execution."""

    promise = "exactly-once (§6.3)"

    def applied(
        self, node: SimNode, shard_id: ShardId, index: Index, message: bytes, app: SimApp
    ) -> None:
        """Every command of the workload has a name of its own."""
        if not isinstance(app, Registers):
            return
        name = message.split(b" ", 1)[0].decode()
        if app.executed.get(name, 0) > 1:
            self.broken(f"{node.node_id} executes {name} of shard {shard_id} again at {index}")
