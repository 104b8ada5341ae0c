"""After the faults: a leader, progress, equal states and rest, each within a bound (DESIGN 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.raft.types import NodeId, ShardId
from lolraft.sim.checkers.checker import Checker
from lolraft.sim.groups import leader_of, members_of

if TYPE_CHECKING:
    from lolraft.sim.world import World

PROGRESS_S = 10.0
"""A shard whose quorum is healed has a leader and takes a write within this (PROTOCOL L8)."""

EQUAL_S = 30.0
"""And its replicas are equal within this: a learner that is stuck is taken out after 10 s (C2)."""

CLIENTS_S = 15.0
"""And no client waits for an answer any more after this."""


class Liveness(Checker):
    """Say what is late; `peace.py` heals the world, asks, and waits."""

    promise = "liveness (DESIGN 9)"

    def no_progress(self, what: str, said: list[str]) -> None:
        """
        Complain of a request that was not done in time.

        Raises:
            Violation: always.
        """
        self.broken(
            f"{what} is not done within {PROGRESS_S:g} s of peace:\n" + "\n".join(said[-6:])
        )

    def not_equal(self, shard_id: ShardId) -> None:
        """
        Complain of replicas that are not equal in time.

        Raises:
            Violation: always.
        """
        self.broken(
            f"shard {shard_id}'s replicas are not equal after {EQUAL_S:g} s:"
            f" {why_unequal(self.world, shard_id)}"
        )

    def at_rest(self) -> None:
        """Find every client answered, every replica equal, and nobody with a deadline."""
        if any(client.is_busy for client in self.world.clients):
            self.broken(f"a client waits for an answer for {CLIENTS_S:g} s in peace")
        for shard_id in self.world.plan.shards:
            why = why_unequal(self.world, shard_id) or why_restless(self.world, shard_id)
            if why:
                self.broken(f"shard {shard_id} does not come to rest: {why}")


def is_equal(world: World, shard_id: ShardId) -> bool:
    """Return whether nothing of `why_unequal` is the case."""
    return not why_unequal(world, shard_id)


def why_unequal(world: World, shard_id: ShardId) -> str:
    """Return how the members of a shard differ; empty when they are equal and all is settled."""
    leader = leader_of(world, shard_id)
    if leader is None or leader.leadership is None:
        return "there is no leader"
    if leader.configuration.is_joint or leader.leadership.change is not None:
        return f"a change of members is under way: {leader.configuration}"
    if leader.commit_index < leader.log.last_index:
        return f"the leader has committed {leader.commit_index} of {leader.log.last_index}"
    for name in leader.configuration.members:
        node = world.nodes[name]
        if node.machine is None:
            return f"{name} is dead"
        state = node.machine.node.shards[shard_id].state
        if state.leader_id != leader.node_id:
            return f"{name} follows {state.leader_id}, not {leader.node_id}"
        end, commit_index = leader.log.last_clock, leader.commit_index
        if (state.log.last_clock, state.commit_index) != (end, commit_index):
            return f"{name} is at {state.log.last_clock}, {state.commit_index} committed"
        if node.machine.node.shards[shard_id].applied_index != state.commit_index:
            return f"{name} has not applied all"
        mine, first = (node.queues.get(shard_id), world.nodes[leader.node_id].queues.get(shard_id))
        if mine is not None and first is not None and mine.app.dump() != first.app.dump():
            return f"{name} has another state than {leader.node_id}"
    return _who_lingers(world, shard_id, leader.configuration.members)


def _who_lingers(world: World, shard_id: ShardId, members: tuple[NodeId, ...]) -> str:
    for name in world.names:
        machine = world.nodes[name].machine
        if name in members or machine is None:
            continue
        known = machine.node.shards[shard_id].state.configuration
        # Where everybody whom it knew has left as well, nobody is there to tell it.
        if {*known.voters, *known.outgoing} & {*members}:
            return f"{name} was removed and does not clean up (L10)"
    return ""


def why_restless(world: World, shard_id: ShardId) -> str:
    """Return who has a deadline though all is well: an idle shard costs no CPU (DESIGN 4)."""
    for name in members_of(world, shard_id):
        machine = world.nodes[name].machine
        if machine is not None:
            deadline_s = machine.node.shards[shard_id].state.deadline_s
            if deadline_s is not None:
                return f"{name} has a deadline"
    return ""
