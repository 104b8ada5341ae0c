"""A node objects to exactly the claims that it cannot vouch for (DESIGN 5, PROTOCOL L6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft import beliefs
from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode


class Objections(Checker):
    """Compare what a node says of each claim with what it should say, after every turn."""

    promise = "objections (L6)"
    every_turn = True

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at every claim that was heard."""
        assert node.machine is not None, "it has just had a turn"
        inner = node.machine.node
        for peer in inner.peers.values():
            mine = peer.my_objections
            for shard_id in (*peer.in_ledger.claims, *mine):
                wanted = beliefs.objection_to(inner, peer, shard_id)
                if mine.get(shard_id) != wanted:
                    self.broken(
                        f"{node.node_id} says {mine.get(shard_id)} to {peer.node_id}'s claim on"
                        f" shard {shard_id}, and should say {wanted}"
                    )
