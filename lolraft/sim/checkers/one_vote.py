"""One vote a term, across crashes (§3.4, §3.8, PROTOCOL S1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.frames import Frame
from lolraft.raft.events import VoteRequest, VoteResponse
from lolraft.raft.types import NodeId, ShardId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class OneVote(Checker):
    """Remember every vote that left: what was said counts, not what is remembered."""

    promise = "one vote a term (§3.4)"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._votes: dict[tuple[ShardId, int, Term, NodeId], NodeId] = {}

    def frame_leaves(self, node: SimNode, peer: NodeId, frame: Frame) -> None:
        """A candidate votes for itself, a granted answer for its receiver."""
        for shard_id, message in frame.messages:
            match message:
                case VoteResponse(granted=True, pre_vote=False) as vote:
                    self._vote(shard_id, vote.group, vote.term, node.node_id, peer)
                case VoteRequest(pre_vote=False) as request:
                    own = node.node_id
                    self._vote(shard_id, request.group, request.term, own, own)
                case _:
                    pass

    def _vote(
        self, shard_id: ShardId, group: int, term: Term, voter: NodeId, candidate: NodeId
    ) -> None:
        known = self._votes.setdefault((shard_id, group, term, voter), candidate)
        if known != candidate:
            self.broken(
                f"{voter} votes in term {term} of shard {shard_id} for {known} and for {candidate}"
            )
