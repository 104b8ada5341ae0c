"""Log matching: an index and a term name one entry, and all that comes before it (§3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect, Persist
from lolraft.multiraft.node import Shard
from lolraft.raft.effects import Save
from lolraft.raft.types import Clock, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

Known = tuple[Term, int, bytes]
"""Of one entry: the term of the one before it, its kind, its payload."""


class LogMatching(Checker):
    """
    Compare every entry that is written anywhere with every other of its term and index.

    With the term of the entry before it, equality follows for the whole prefix by induction.
    """

    promise = "log matching (§3.5)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._known: dict[tuple[ShardId, int, Clock], Known] = {}

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at what goes to the disk."""
        for effect in effects:
            if isinstance(effect, Persist):
                for shard_id, save in effect.batch.saves:
                    if save.entries is not None:
                        self._look(node, shard_id, save)

    def _look(self, node: SimNode, shard_id: ShardId, save: Save) -> None:
        assert node.machine is not None, "it has just had a turn"
        shard = node.machine.node.shards.get(shard_id)
        entries = save.entries
        if shard is None or shard.state.is_silent or entries is None or not entries.terms:
            return
        group = shard.state.group
        before = shard.state.log.term_at(entries.first - 1)
        for position, term in enumerate(entries.terms):
            kind, payload = entries.kinds[position], entries.payloads[position]
            key = (shard_id, group, Clock(term, entries.first + position))
            if before is not None:  # Else it was truncated, or compacted, since.
                known = self._known.setdefault(key, (before, kind, payload))
                if known != (before, kind, payload):
                    self.broken(
                        f"{node.node_id} writes {(before, kind, payload)} as entry {key[2]} of"
                        f" shard {shard_id}, which is {known} elsewhere"
                    )
            before = term
