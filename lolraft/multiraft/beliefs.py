"""Who leads, who lives, who vouches: the ledger's rules (DESIGN 5, PROTOCOL S13, L1 to L9)."""

from __future__ import annotations

from typing import NamedTuple

from lolraft.multiraft import proposals, requests
from lolraft.multiraft.frames import Claim
from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import Peer
from lolraft.multiraft.waves import STANDING
from lolraft.raft.events import (
    LeaderClaim,
    LeaderLost,
    LeadershipConfirmed,
    Liveness,
    Objection,
)
from lolraft.raft.quorum import has_quorum
from lolraft.raft.state import RaftState
from lolraft.raft.types import Configuration, NodeId, Role, ShardId, Term


class Glance(NamedTuple):
    """What of a replica matters to the node, before a step."""

    role: Role
    term: Term
    leader_id: NodeId | None
    configuration: Configuration
    stopped: bool
    group: int


def glance(state: RaftState) -> Glance:
    """Return what `after_step` compares with."""
    return Glance(
        state.role,
        state.current_term,
        state.leader_id,
        state.configuration,
        state.stopped,
        state.group,
    )


def after_step(node: Node, shard: Shard, before: Glance) -> None:
    """Keep claims, beliefs and objections true after a step, before its effects leave."""
    state, shard_id = shard.state, shard.shard_id
    now = glance(state)
    if now == before:
        return
    if now.role not in STANDING:
        node.elections.standing.discard(shard_id)
    led, leads = before.role is Role.LEADER, now.role is Role.LEADER
    if now.configuration is not before.configuration or leads != led:
        share(node, shard)
    if leads and (not led or now.term != before.term):
        shard.led_since_s = node.now_s
        node.grace.append((node.now_s + node.config.timing.election_timeout_s, shard_id, now.term))
    if led and (not leads or now.term != before.term):
        shard.confirms.clear()
        node.confirming.discard(shard_id)
        proposals.on_leadership_lost(node, shard)
    if led != leads or now.term != before.term or now.configuration is not before.configuration:
        _claim(node, shard)
    if now.leader_id != before.leader_id:
        _move_belief(node, shard, before.leader_id)
    if now.term != before.term or now.stopped != before.stopped or now.group != before.group:
        judge_all(node, shard_id)
    if leads and not led:
        node.todo.append((shard, liveness_of(node, shard)))


def _move_belief(node: Node, shard: Shard, before: NodeId | None) -> None:
    if before is not None:
        node.believers.get(before, set()).discard(shard.shard_id)
    if shard.state.leader_id is not None:
        node.believers.setdefault(shard.state.leader_id, set()).add(shard.shard_id)
        requests.on_leader_known(node, shard)


def share(node: Node, shard: Shard) -> None:
    """
    Note with whom a shard is shared, and pin incarnations that its configuration names (S4).

    Also where this node is no member by its own log. A leader that is removing itself leads until
    that commits, and must know who of the others lives; so must a replica that died meanwhile, or
    it would never ask whether it was removed.
    """
    configuration = shard.state.configuration
    members = set(configuration.members)
    for member in sorted(members - {node.node_id}):
        node.peer(member).shared.add(shard.shard_id)
    for peer in node.peers.values():
        if peer.node_id not in members:
            peer.shared.discard(shard.shard_id)
    for member, incarnation in configuration.incarnations:
        if incarnation and member != node.node_id and node.pins.get(member) != incarnation:
            node.pins[member] = incarnation
            node.record_changed = True
    if members:
        # Who lives was told to the shards that were shared then; this one may have been silent.
        view, state = liveness_of(node, shard), shard.state
        told = (state.live, state.acking, state.priorities)
        if (view.live, view.acking, view.priorities) != told:
            node.todo.append((shard, view))


def _claim(node: Node, shard: Shard) -> None:
    state = shard.state
    leads = state.role is Role.LEADER
    members = set(state.configuration.members) if leads else set()
    claim = Claim(shard_id=shard.shard_id, term=state.current_term, group=state.group)
    for peer in node.peers.values():
        if peer.node_id in members:
            peer.out_ledger.claim(claim)
        else:
            peer.out_ledger.withdraw(shard.shard_id)
        if not leads:
            peer.objections.pop(shard.shard_id, None)


def judge_all(node: Node, shard_id: ShardId) -> None:
    """Judge every claim on one shard: its replica has changed."""
    for peer in node.peers.values():
        judge(node, peer, shard_id)


def judge(node: Node, peer: Peer, shard_id: ShardId) -> None:
    """Object to a peer's claim, or stop objecting: can this node vouch for it now? (DESIGN 5)."""
    objection = objection_to(node, peer, shard_id)
    if peer.my_objections.get(shard_id) == objection:
        return
    if objection is None:
        del peer.my_objections[shard_id]
    else:
        peer.my_objections[shard_id] = objection
    peer.my_objections_version += 1


def objection_to(node: Node, peer: Peer, shard_id: ShardId) -> Term | None:
    """Return our term, or 0 without a replica, where we cannot vouch for a claim; else None."""
    claim = peer.in_ledger.claims.get(shard_id)
    if claim is None:
        return None
    shard = node.shards.get(shard_id)
    if shard is None or shard.state.stopped or shard.state.group not in (0, claim.group):
        return 0
    return shard.state.current_term if shard.state.current_term > claim.term else None


def on_claims(node: Node, peer: Peer, news: list[Claim], gone: list[ShardId]) -> None:
    """Pass what changed in a peer's ledger on to the replicas that it is about."""
    for shard_id in gone:
        judge(node, peer, shard_id)
        shard = node.shards.get(shard_id)
        if shard is not None and shard.state.leader_id == peer.node_id:
            _lose(node, shard, peer.node_id)
    for claim in news:
        shard = node.shards.get(claim.shard_id)
        if shard is not None:
            event = LeaderClaim(leader_id=peer.node_id, group=claim.group, term=claim.term)
            node.todo.append((shard, event))
        judge(node, peer, claim.shard_id)


def _lose(node: Node, shard: Shard, leader_id: NodeId) -> None:
    term = shard.state.current_term
    node.todo.append((shard, LeaderLost(leader_id=leader_id, term=term)))


def lose_all(node: Node, leader_id: NodeId) -> None:
    """End the belief of every replica in one node: it is silent, or has restarted."""
    for shard_id in sorted(node.believers.get(leader_id, ())):
        _lose(node, node.shards[shard_id], leader_id)


def believe_again(node: Node, peer: Peer) -> None:
    """Offer the standing claims of a peer that lives again to replicas without a leader (L9)."""
    for claim in peer.in_ledger.claims.values():
        shard = node.shards.get(claim.shard_id)
        if shard is not None and shard.state.leader_id is None:
            event = LeaderClaim(leader_id=peer.node_id, group=claim.group, term=claim.term)
            node.todo.append((shard, event))


def on_objections(node: Node, peer: Peer, objections: dict[ShardId, Term]) -> None:
    """Take a peer's objections, whole; a higher term ends a leadership at once (DESIGN 5)."""
    changed = sorted(set(objections) ^ set(peer.objections))
    changed += [
        s for s in objections if s in peer.objections and objections[s] != peer.objections[s]
    ]
    peer.objections = dict(objections)
    for shard_id in changed:
        shard = node.shards.get(shard_id)
        if shard is None or shard.state.role is not Role.LEADER:
            continue
        if shard_id in objections:
            event = Objection(sender=peer.node_id, term=objections[shard_id])
            node.todo.append((shard, event))
        node.todo.append((shard, liveness_of(node, shard)))


def liveness_of(node: Node, shard: Shard) -> Liveness:
    """Return the node's view of the peers as one shard must see it (L6)."""
    shard_id = shard.shard_id
    objecting = frozenset(
        peer.node_id for peer in node.peers.values() if shard_id in peer.objections
    )
    acking = node.global_acking - objecting
    grace_s = node.config.timing.election_timeout_s
    if shard.state.role is Role.LEADER and node.now_s < shard.led_since_s + grace_s - 1e-9:
        acking = frozenset(shard.state.configuration.members)  # Just elected by a quorum.
    return Liveness(
        live=node.global_live, acking=acking, objecting=objecting, priorities=node.priorities
    )


def update_liveness(node: Node) -> None:
    """Judge every peer, and tell the shards it concerns when a set changed, not per tick."""
    now_s, timeout_s = node.now_s, node.config.timing.election_timeout_s - 1e-9
    changed: set[ShardId] = set()
    moved = False
    for peer in node.peers.values():
        live = not peer.detector.suspects(now_s) and not peer.refused
        since_s = peer.stuck_since_s
        stuck = since_s is not None and now_s - since_s >= timeout_s
        acking = now_s - peer.acked_sent_s < timeout_s and not stuck
        if live == peer.live and acking == peer.acking:
            continue
        if live != peer.live and peer.is_partner:
            phi = peer.detector.phi(now_s)
            kind, verb = ("trusted", "is heard") if live else ("suspect", "suspected")
            node.tell(kind, f"{peer.node_id} {verb} (φ {min(phi, 99):.1f})", peer=peer.node_id)
        returned, lost = live and not peer.live, peer.live and not live
        peer.live, peer.acking, moved = live, acking, True
        changed |= peer.shared
        if lost:
            lose_all(node, peer.node_id)
        if returned:
            peer.live_since_s = node.now_s
            believe_again(node, peer)
    if moved:
        node.global_live = frozenset(p.node_id for p in node.peers.values() if p.live)
        node.global_acking = frozenset(p.node_id for p in node.peers.values() if p.acking)
    for shard_id in sorted(changed):
        shard = node.shards[shard_id]
        node.todo.append((shard, liveness_of(node, shard)))
    while node.grace and node.grace[0][0] <= node.now_s + 1e-9:
        _, shard_id, term = node.grace.popleft()
        led = node.shards.get(shard_id)
        if led is not None and led.state.role is Role.LEADER and led.state.current_term == term:
            node.todo.append((led, liveness_of(node, led)))


def next_liveness_s(node: Node) -> float | None:
    """Return when a peer will be suspected, or its last ack will be too old."""
    timeout_s = node.config.timing.election_timeout_s
    times = [node.grace[0][0]] if node.grace else []
    for peer in node.peers.values():
        if peer.live:
            at_s = peer.detector.suspect_at_s()
            if at_s is not None:
                times.append(at_s)
        if peer.acking:
            times.append(peer.acked_sent_s + timeout_s)
            if peer.stuck_since_s is not None:
                times.append(peer.stuck_since_s + timeout_s)
    return min(times) if times else None


# --- read rounds (§6.4) --------------------------------------------------------------------------


def want_round(node: Node, shard: Shard, round_: int) -> None:
    """Remember that reads of a shard wait for the next heartbeat to be acked by a quorum."""
    state = shard.state
    if state.role is not Role.LEADER:
        return  # It stepped down in the very step that wanted this: the reads were refused.
    if has_quorum(state.configuration, {node.node_id}):
        confirmed = LeadershipConfirmed(round_=round_, term=state.current_term)
        node.todo.append((shard, confirmed))
        return
    shard.confirms.append((round_, state.current_term, node.seq + 1))
    node.confirming.add(shard.shard_id)
    node.wants_round = True


def confirm_rounds(node: Node) -> None:
    """Confirm every round whose heartbeat a quorum acked, with the claim and no objection."""
    for shard_id in sorted(node.confirming):
        shard = node.shards[shard_id]
        confirmed = 0
        while shard.confirms and _is_confirmed(node, shard, shard.confirms[0][2]):
            confirmed = shard.confirms.popleft()[0]
        if confirmed:
            term = shard.state.current_term
            node.todo.append((shard, LeadershipConfirmed(round_=confirmed, term=term)))
        if not shard.confirms:
            node.confirming.discard(shard_id)
    waiting = (node.shards[shard_id].confirms[0][2] for shard_id in node.confirming)
    if not any(seq <= node.round_seq for seq in waiting):
        node.round_seq = 0  # The next round may go out at once.


def _is_confirmed(node: Node, shard: Shard, seq: int) -> bool:
    shard_id, term = shard.shard_id, shard.state.current_term
    have = {
        peer.node_id
        for peer in node.peers.values()
        if peer.acked_seq >= seq
        and shard_id not in peer.objections
        and peer.out_ledger.holds(shard_id, term)
    }
    return has_quorum(shard.state.configuration, have | {node.node_id})
