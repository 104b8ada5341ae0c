"""
Chapter 6, section 6.4.1: using clocks to reduce messaging for read-only queries.

The dissertation trusts followers not to stand before an election timeout has passed since the last
heartbeat; ours lets each ack promise so in words, and a voter keeps its promise even to who is told
to stand (PROTOCOL S6).
"""

from __future__ import annotations

import pytest

from lolraft.multiraft.frames import RequestKind
from lolraft.raft.events import VoteResponse
from tests.paper.node import PaperNode
from tests.paper.replica import FIVE, P2, P3, vote

READ, LEASE, TRANSFER = RequestKind.READ, RequestKind.READ_LEASE, RequestKind.TRANSFER
LEASE_S, DRIFT = 0.9, 0.05
LASTS_S = LEASE_S * (1 - DRIFT)


def leased(node: PaperNode) -> PaperNode:
    """Let *node* lead, and all its peers have promised in answer to beats of this moment."""
    beat_now(node.settled())
    for peer in node.peers:
        node.ack(peer, promised_s=LEASE_S)
    return node


def beat_now(node: PaperNode) -> None:
    """Let a heartbeat leave at this very moment: that of a round for a plain query."""
    node.now_s += 0.01  # Those before left earlier.
    node.ask(READ)


def is_served_at_once(node: PaperNode, kind: RequestKind = LEASE) -> bool:
    """Return whether a query is answered before anybody says another word."""
    return node.ask(kind) in node.answers


def test_under_a_lease_queries_need_no_communication() -> None:
    """§6.4.1: while the leader held its lease, it would service queries without communication."""
    assert is_served_at_once(leased(PaperNode(lease_s=LEASE_S)))


def test_a_lease_needs_a_majority() -> None:
    """§6.4.1: once its heartbeats were acknowledged by a majority of the cluster."""
    node = PaperNode(voters=FIVE, lease_s=LEASE_S).settled()
    beat_now(node)
    node.ack(P2, promised_s=LEASE_S)
    assert not is_served_at_once(node), "two of five"
    node.ack(P3, promised_s=LEASE_S)
    assert is_served_at_once(node)


def test_an_acknowledgment_without_a_promise_extends_no_lease() -> None:
    """§6.4.1: the followers must not time out before then; ours: they say so."""
    node = PaperNode(lease_s=LEASE_S).settled()
    beat_now(node)
    for peer in node.peers:
        node.ack(peer)
    assert not is_served_at_once(node)


def test_a_lease_lasts_from_when_the_heartbeat_was_sent() -> None:
    """§6.4.1: it extends its lease to *start* + election timeout / clock drift bound."""
    node = PaperNode(lease_s=LEASE_S).settled()
    beat_now(node)
    sent_s = node.now_s
    beats = [node.last_beat(peer) for peer in node.peers]
    node.now_s += 0.3  # Not one of them is answered before.
    for peer, beat in zip(node.peers, beats, strict=True):
        node.ack(peer, beat, promised_s=LEASE_S)
    node.now_s = sent_s + LASTS_S - 0.01
    assert is_served_at_once(node)
    node.now_s = sent_s + LASTS_S + 0.01
    assert not is_served_at_once(node)


def test_a_lease_is_shorter_by_the_drift_of_clocks() -> None:
    """§6.4.1: this assumes a bound on clock drift: over a time, no clock gains more than that."""
    node = leased(PaperNode(lease_s=LEASE_S))
    node.now_s += LASTS_S + 0.01
    assert not is_served_at_once(node), "by its own clock the promises stand, by theirs perhaps not"


def test_new_heartbeats_extend_a_lease() -> None:
    """§6.4.1: the leader uses the normal heartbeat mechanism to maintain a lease."""
    node = leased(PaperNode(lease_s=LEASE_S))
    for _ in range(20):
        node.run(0.1)
        node.ack(P2, promised_s=LEASE_S)
        assert is_served_at_once(node)


def test_without_a_lease_the_leader_asks() -> None:
    """§6.4.1: ours falls back to the steps of §6.4; it never answers on an expired lease."""
    node = leased(PaperNode(lease_s=LEASE_S))
    node.now_s += LASTS_S + 0.01
    ticket = node.ask(LEASE)
    assert ticket not in node.answers
    node.ack(P2)
    assert ticket in node.answers


def test_a_lease_expires_before_leadership_is_transferred() -> None:
    """§6.4.1: a transfer could let another lead sooner, so the leader expires its lease first."""
    node = leased(PaperNode(lease_s=LEASE_S))
    assert is_served_at_once(node)
    node.ask(TRANSFER, P2.encode())
    assert not is_served_at_once(node)


def test_a_lease_is_for_queries_that_want_it() -> None:
    """§6.4.1: if a clock breaks the bound, the answer could be arbitrarily stale: so we do not
    recommend it unless it is needed. Ours: who asks for it trusts clocks, nobody else."""
    node = leased(PaperNode(lease_s=LEASE_S))
    assert is_served_at_once(node, LEASE)
    assert not is_served_at_once(node, READ)


def test_a_lease_is_off_unless_it_is_configured() -> None:
    """§6.4.1: ... unless it is necessary to meet performance requirements."""
    assert not is_served_at_once(leased(PaperNode()))


@pytest.mark.parametrize("forced", [False, True])
def test_a_follower_votes_for_nobody_before_then(forced: bool) -> None:
    """§6.4.1: ... since the followers shouldn't time out before then."""
    node = PaperNode(lease_s=LEASE_S)
    node.now_s += LEASE_S  # What an earlier life may have promised is over.
    node.turn(node.beat(P3))
    node.follows(P2)
    ((_, ack),) = node.acks[-1:]
    assert ack.promised_s == LEASE_S
    asked = vote(P3, 2, (0, 1), force_vote=forced)
    node.now_s += LEASE_S - 0.01
    node.say(P3, asked)
    node.now_s += 0.02
    node.say(P3, vote(P3, 2, (0, 1), force_vote=True))
    votes = [letter for _, letter in node.letters if isinstance(letter, VoteResponse)]
    assert [letter.granted for letter in votes] == [False, True]
