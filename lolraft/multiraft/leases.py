"""
Leases: a leader reads without asking while a quorum has promised it no vote (§6.4.1, PROTOCOL S6).

An ack of a heartbeat promises: no vote against what you claim for `lease_s` of my clock. The leader
counts from when it *sent* that heartbeat, which was earlier, and `clock_drift` less, because its
clock may be the slower one. A promise is between nodes, as liveness is: it is judged per shard only
when somebody asks for a vote, by whether the peer's ledger still claims the shard. So a leader that
withdraws its claim sets its voters free, and an idle shard costs nothing.
"""

from __future__ import annotations

from dataclasses import replace

from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import Peer
from lolraft.raft.quorum import has_quorum


def begin(node: Node) -> None:
    """
    Grant no vote for the largest lease that earlier lives may have promised.

    The largest is on disk before the first promise leaves: acks wait for that batch.
    """
    largest_s = max(node.record.lease_s, node.config.lease_s)
    node.no_vote_before_s = node.now_s + largest_s if largest_s else 0.0
    if largest_s > node.record.lease_s:
        node.record = replace(node.record, lease_s=largest_s)
        node.record_changed = True
        node.ballot_batch = node.next_batch


def promise(node: Node, peer: Peer) -> float:
    """Promise a peer whose heartbeat is being acked; return for how long, 0 without leases."""
    lease_s = node.config.lease_s
    peer.promised_until_s = max(peer.promised_until_s, node.now_s + lease_s)
    return lease_s


def on_promise(node: Node, peer: Peer, sent_s: float, promised_s: float) -> None:
    """Count a peer's promise from when the heartbeat that it acks was sent, less the drift."""
    lease_s = min(node.config.lease_s, promised_s) * (1 - node.config.clock_drift)
    peer.lease_until_s = max(peer.lease_until_s, sent_s + lease_s)


def promised_until_s(node: Node, shard: Shard) -> float:
    """Return until when this node grants no vote in a shard; a time that has passed when it may."""
    until_s = node.no_vote_before_s
    for peer in node.peers.values():
        if peer.promised_until_s > until_s:
            claim = peer.in_ledger.claims.get(shard.shard_id)
            if claim is not None and claim.group in (0, shard.state.group):
                until_s = peer.promised_until_s
    return until_s


def is_held(node: Node, shard: Shard) -> bool:
    """
    Return whether a quorum has promised that nobody else leads this shard at this moment (S13).

    A promise counts for a shard as an ack does for ReadIndex: with this very claim, and without an
    objection. The replica itself adds that its barrier is committed and that it hands nothing over.
    """
    state = shard.state
    have = {
        peer.node_id
        for peer in node.peers.values()
        if node.now_s < peer.lease_until_s
        and shard.shard_id not in peer.objections
        and peer.out_ledger.holds(shard.shard_id, state.current_term)
    }
    return has_quorum(state.configuration, have | {node.node_id})
