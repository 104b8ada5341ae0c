"""Leader append-only: a leader never overwrites or deletes entries of its log (§3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.types import Clock, NodeId, Role, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

Known = tuple[Term, Clock]
"""In which term it led, and its last entry then."""


class LeaderAppendOnly(Checker):
    """
    Compare the log of each leader with its log when it was last looked at.

    An index and a term name one entry and all before it (`LogMatching`), so that the last entry
    stands for the whole log: a leader that still has it has changed nothing before it.
    """

    promise = "leader append-only (§3.5)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._known: dict[tuple[NodeId, int, ShardId], Known] = {}

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at every leader that was touched."""
        for shard in changed:
            state = shard.state
            mark = (node.node_id, node.life, shard.shard_id)
            known = self._known.pop(mark, None)
            if state.role is not Role.LEADER:
                continue
            self._known[mark] = (state.current_term, state.log.last_clock)
            if known is None or known[0] != state.current_term:
                continue
            last = known[1]
            if last.index > state.log.base.index and state.log.term_at(last.index) != last.term:
                self.broken(
                    f"{node.node_id} leads shard {shard.shard_id} in term {state.current_term},"
                    f" and its entry {last.index} of term {last.term} is gone"
                )
