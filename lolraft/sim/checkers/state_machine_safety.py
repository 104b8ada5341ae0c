"""State machine safety: every replica executes the same commands in the same order (§3.6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.raft.types import Index, ShardId
from lolraft.sim.app import Registers, SimApp
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class StateMachineSafety(Checker):
    """Compare each command, and a hash of all the commands before it, over all replicas."""

    promise = "state machine safety (§3.6.3)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._commands: dict[tuple[ShardId, Index], tuple[bytes, bytes]] = {}
        self._trails: dict[tuple[ShardId, Index], bytes] = {}

    def applied(
        self, node: SimNode, shard_id: ShardId, index: Index, message: bytes, app: SimApp
    ) -> None:
        """Compare what was executed at *index*, and the state after it."""
        trail = app.trail if isinstance(app, Registers) else b""
        known = self._commands.setdefault((shard_id, index), (message, trail))
        if known != (message, trail):
            self.broken(
                f"{node.node_id} executes {message!r} at {index} of shard {shard_id},"
                f" where {known[0]!r} was executed, or after other commands"
            )

    def installed(self, node: SimNode, shard_id: ShardId, index: Index, app: SimApp) -> None:
        """Compare the state of a snapshot with other snapshots of its index."""
        trail = app.trail if isinstance(app, Registers) else b""
        known = self._trails.setdefault((shard_id, index), trail)
        if known != trail:
            self.broken(
                f"{node.node_id} starts shard {shard_id} from a snapshot at {index} that differs"
                " from another one there"
            )
