"""Who leads a shard and who belongs to it, as somebody who sees all nodes at once knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.raft.state import RaftState
from lolraft.raft.types import NodeId, Role, ShardId

if TYPE_CHECKING:
    from lolraft.sim.world import World


def leader_of(world: World, shard_id: ShardId) -> RaftState | None:
    """Return the leader with the highest term among running nodes."""
    leaders = []
    for node in world.nodes.values():
        if node.is_running and node.machine is not None:
            shard = node.machine.node.shards.get(shard_id)
            if shard is not None and shard.state.role is Role.LEADER:
                leaders.append(shard.state)
    return max(leaders, key=lambda state: state.current_term, default=None)


def members_of(world: World, shard_id: ShardId) -> tuple[NodeId, ...]:
    """Return the members of a shard, as its leader says."""
    leader = leader_of(world, shard_id)
    return () if leader is None else leader.configuration.members
