"""A commit is on a quorum of disks at the moment it is made (§3.5, §4.3, §10.2.1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.types import Configuration, Index, NodeId, Role, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class DurableCommit(Checker):
    """
    Look into the disks of all voters whenever a leader commits.

    A crash of any minority would lose nothing at that moment; no crash is needed to notice that
    somebody counted what was not synced.
    """

    promise = "a commit is on a quorum of disks (§3.5)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._highest: dict[tuple[ShardId, int], Index] = {}
        self._ruled: dict[tuple[NodeId, int, ShardId], Index] = {}  # Its configuration's index.
        self._led: dict[tuple[NodeId, int, ShardId], Term] = {}  # Who led when last looked at.

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at leaders whose commit index is higher than anybody's before."""
        for shard in changed:
            state = shard.state
            mark = (node.node_id, node.life, shard.shard_id)
            since = self._ruled.get(mark, 0)
            self._ruled[mark] = state.configuration_index
            led = self._led.pop(mark, None)
            leads = state.role is Role.LEADER
            if leads:
                led = self._led[mark] = state.current_term
            group, index = (shard.shard_id, state.group), state.commit_index
            term = state.log.term_at(index)
            if led is None or index <= self._highest.get(group, 1):
                continue
            if not leads and term != led:
                continue  # It led, follows now, and has heard of this from somebody else.
            self._highest[group] = index
            assert term is not None, "a leader has what it commits"
            if term != led:
                self.broken(
                    f"{node.node_id} leads shard {shard.shard_id} in term {led} and"
                    f" commits entry {index} of term {term} by counting (figure 3.7)"
                )
            self._look(node, shard, index, term, since)

    def _look(self, node: SimNode, shard: Shard, index: Index, term: Term, since: Index) -> None:
        # A commit may have led to a newer configuration within the same turn.
        ruled = [c for at, c in shard.state.configurations if at >= since]
        if not any(is_quorum(c, self._holders(c, shard, index, term)) for c in ruled):
            have = self._holders(ruled[-1], shard, index, term)
            self.broken(
                f"{node.node_id} commits entry {index} (term {term}) of shard"
                f" {shard.shard_id}; of {ruled[-1].members} only {have} have it on disk"
            )

    def _holders(
        self, configuration: Configuration, shard: Shard, index: Index, term: Term
    ) -> list[NodeId]:
        return [
            name for name in configuration.members if self.holds(name, shard.shard_id, index, term)
        ]

    def holds(self, node_id: NodeId, shard_id: ShardId, index: Index, term: Term) -> bool:
        """Return whether an entry is durable at a node, or under its snapshot."""
        node = self.world.nodes.get(node_id)
        if node is None:
            return False
        record = node.disk.shard(shard_id)
        if record.damaged:  # It may have had it, and said so, before it lost the end of its log.
            return True
        base = record.log_starts_after.index
        if index <= base or (record.snapshot is not None and index <= record.snapshot.clock.index):
            return True
        position = index - base - 1
        return position < len(record.entries.terms) and record.entries.terms[position] == term


def is_quorum(configuration: Configuration, have: Collection[NodeId]) -> bool:
    """
    Return whether *have* is a majority of the voters, while joint of both sets (§4.3).

    The product has such a function; who judges it counts for himself.
    """
    halves = [configuration.voters, configuration.outgoing]
    return all(
        2 * len([voter for voter in half if voter in have]) >= len(half) + 1
        for half in halves
        if half
    )
