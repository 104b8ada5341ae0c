"""What is committed is the same everywhere and for ever (§3.6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.types import Index, NodeId, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

Entry = tuple[Term, int, bytes]
"""Term, kind, payload."""


class Committed(Checker):
    """Keep the one truth of each group, and hold every replica's commit against it."""

    promise = "committed for ever (§3.6.3)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._truth: dict[tuple[ShardId, int], list[Entry]] = {}
        self.terms: dict[tuple[ShardId, int], list[Term]] = {}  # In which each was committed.
        self._looked: dict[tuple[NodeId, int, ShardId, int], Index] = {}

    def of(self, shard_id: ShardId, group: int) -> list[Entry]:
        """Return all that was ever committed in a group, from index 1 on."""
        return self._truth.setdefault((shard_id, group), [])

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Compare what a replica has committed since the last look."""
        for shard in changed:
            state = shard.state
            mark = (node.node_id, node.life, shard.shard_id, state.group)
            start = max(self._looked.get(mark, 0), state.log.base.index) + 1
            if start <= state.commit_index:
                self._looked[mark] = state.commit_index
                self._compare(node, shard, start)

    def _compare(self, node: SimNode, shard: Shard, start: Index) -> None:
        state = shard.state
        truth = self.of(shard.shard_id, state.group)
        entries = state.log.range(start, state.commit_index)
        for position, term in enumerate(entries.terms):
            index = start + position
            entry = (term, entries.kinds[position], entries.payloads[position])
            if index <= len(truth):
                if truth[index - 1] != entry:
                    self.broken(
                        f"{node.node_id} has committed {entry} at {index} of shard"
                        f" {shard.shard_id}, where {truth[index - 1]} was committed"
                    )
            elif index == len(truth) + 1:
                truth.append(entry)
                terms = self.terms.setdefault((shard.shard_id, state.group), [])
                terms.append(state.current_term)
            else:
                self.broken(
                    f"{node.node_id} has committed {index} of shard {shard.shard_id}, and nobody"
                    f" has ever committed {len(truth) + 1}"
                )
