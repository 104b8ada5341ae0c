"""A node objects to exactly the claims that it cannot vouch for (DESIGN 5, PROTOCOL L6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft import beliefs
from lolraft.multiraft.effects import Effect
from lolraft.multiraft.frames import Claim
from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import Peer
from lolraft.raft.types import NodeId, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

Said = tuple[int, dict[ShardId, Claim], dict[ShardId, Term]]
"""In which life, the claims that were heard of one peer, and what was said to them."""

NOTHING: Said = (0, {}, {})


class Objections(Checker):
    """
    Compare what a node says of each claim with what it should say, after every turn.

    That depends on the claims and on the replicas, so that a peer whose claims are as they were
    needs a look at the replicas that were touched, and no other.
    """

    promise = "objections (L6)"
    every_turn = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._known: dict[NodeId, dict[NodeId, Said]] = {}

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at every claim that may be judged otherwise than before the turn."""
        assert node.machine is not None, "it has just had a turn"
        inner, life = node.machine.node, node.life
        known = self._known.setdefault(node.node_id, {})
        for peer in inner.peers.values():
            claims, mine = peer.in_ledger.claims, peer.my_objections
            looked_in, heard, said = known.get(peer.node_id, NOTHING)
            if looked_in == life and heard == claims and said == mine:
                for shard in changed:
                    if shard.shard_id in claims or shard.shard_id in mine:
                        self._look(inner, peer, shard.shard_id)
                continue
            known[peer.node_id] = (life, dict(claims), dict(mine))
            for shard_id in (*claims, *mine):
                self._look(inner, peer, shard_id)

    def _look(self, inner: Node, peer: Peer, shard_id: ShardId) -> None:
        said, wanted = peer.my_objections.get(shard_id), beliefs.objection_to(inner, peer, shard_id)
        if said != wanted:
            self.broken(
                f"{inner.node_id} says {said} to {peer.node_id}'s claim on shard {shard_id},"
                f" and should say {wanted}"
            )
