"""Leader completeness: a leader holds what was committed in earlier terms (§3.6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.types import Role, ShardId
from lolraft.sim.checkers.checker import Checker
from lolraft.sim.checkers.committed import Committed

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class LeaderCompleteness(Checker):
    """Compare the log of each new leader with what had been committed in earlier terms."""

    promise = "leader completeness (§3.6)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._led: set[tuple[str, int, ShardId, int]] = set()

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look once at each leadership."""
        for shard in changed:
            state = shard.state
            mark = (node.node_id, node.life, shard.shard_id, state.current_term)
            if state.role is not Role.LEADER or mark in self._led:
                continue
            self._led.add(mark)
            truth = self.world.checker(Committed)
            committed = truth.of(shard.shard_id, state.group)
            terms = truth.terms.get((shard.shard_id, state.group), [])
            for index in range(state.log.base.index + 1, len(committed) + 1):
                if terms[index - 1] >= state.current_term:
                    break  # Votes that come late make leaders of terms that are over.
                if state.log.term_at(index) != committed[index - 1][0]:
                    self.broken(
                        f"{node.node_id} leads shard {shard.shard_id} in term"
                        f" {state.current_term} without committed entry {index}: it has term"
                        f" {state.log.term_at(index)} there, not {committed[index - 1][0]}"
                    )
