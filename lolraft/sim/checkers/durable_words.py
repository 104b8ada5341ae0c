"""What a node says is on its disk before it says it (§3.8, PROTOCOL S1, S3, S4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.frames import Frame, NodeHeartbeatAck
from lolraft.multiraft.node import Shard
from lolraft.raft.events import AppendRequest, AppendResponse, Message, VoteRequest, VoteResponse
from lolraft.raft.types import Index, NodeId, Term
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode


class DurableWords(Checker):
    """
    Look into the sender's disk whenever something leaves it.

    A crash at this moment must not make it a lie; no crash is needed to notice that it would.
    """

    promise = "what is said is durable (S1)"

    def frame_leaves(self, node: SimNode, peer: NodeId, frame: Frame) -> None:
        """Look at every message that promises something."""
        if node.machine is None:
            return
        shards = node.machine.node.shards
        for shard_id, message in frame.messages:
            shard = shards.get(shard_id)
            if shard is not None and not shard.state.is_silent and not shard.state.stopped:
                self._look(node, peer, shard, message)
        record = node.disk.rows.node
        assert record is not None, "it has booted"
        if record.epoch < frame.epoch:
            self.broken(f"{node.node_id} speaks in epoch {frame.epoch}, its disk has less (S7)")
        pinned = peer in node.machine.node.pins
        if frame.messages and pinned and dict(record.pins).get(peer) is None:
            self.broken(f"{node.node_id} speaks to {peer}, whose pin is not on disk (S4)")

    def _look(self, node: SimNode, peer: NodeId, shard: Shard, message: Message) -> None:
        match message:
            case VoteResponse(granted=True, pre_vote=False):
                self._ballot(node, shard, message.term, peer, "votes")
            case VoteRequest(pre_vote=False):
                self._ballot(node, shard, message.term, node.node_id, "stands")
            case VoteResponse(pre_vote=False):
                self._ballot(node, shard, message.term, None, "names its term")
            case AppendRequest():
                self._ballot(node, shard, message.term, node.node_id, "leads")
            case AppendResponse():
                self._ballot(node, shard, message.term, None, "answers")
                if message.success and message.term == shard.state.current_term:
                    self._entries(node, shard, message.match_index)
            case _:
                pass

    def _ballot(
        self, node: SimNode, shard: Shard, term: Term, vote: NodeId | None, deed: str
    ) -> None:
        ballot = node.disk.shard(shard.shard_id).ballot
        if ballot.current_term > term:
            return
        if ballot.current_term < term or (vote is not None and ballot.voted_for != vote):
            self.broken(
                f"{node.node_id} {deed} in term {term} of shard {shard.shard_id}"
                f"{'' if vote is None else f' for {vote}'}, its disk says {ballot}"
            )

    def _entries(self, node: SimNode, shard: Shard, match: Index) -> None:
        record, state = node.disk.shard(shard.shard_id), shard.state
        base = max(
            record.log_starts_after.index,
            record.snapshot.clock.index if record.snapshot is not None else 0,
            state.log.base.index,
        )
        if match <= base:
            return
        position = match - record.log_starts_after.index - 1
        terms = record.entries.terms
        if position >= len(terms) or terms[position] != state.log.term_at(match):
            last = record.log_starts_after.index + len(terms)
            self.broken(
                f"{node.node_id} says that it has entry {match} of shard {shard.shard_id};"
                f" its disk ends at {last} or has another one there"
            )

    def ack_leaves(self, node: SimNode, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """An ack vouches for the claims of its ledger version: their terms are on disk."""
        if node.machine is None:
            return
        inner = node.machine.node
        known = inner.peers[peer]
        if ack.ledger_version == 0 or ack.ledger_version != known.in_ledger.version:
            return
        if ack.to_epoch != known.in_ledger.epoch:
            return
        for shard_id, claim in known.in_ledger.claims.items():
            shard = inner.shards.get(shard_id)
            objected = shard_id in known.my_objections
            if shard is None or objected or shard.state.leader_id != peer:
                continue
            # A claim that only an append has brought is not vouched for by this ack.
            if known.in_ledger.marks.get(shard_id, 0) > ack.ledger_version:
                continue
            if shard.state.current_term == claim.term and not shard.state.stopped:
                self._ballot(node, shard, claim.term, None, f"acks {peer}'s claim")
