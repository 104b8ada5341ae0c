"""Heartbeats out and in, acks out and in (DESIGN section 5, PROTOCOL S4, S7, L2, L4, L5)."""

from __future__ import annotations

from lolraft.multiraft import beliefs, preference
from lolraft.multiraft.effects import SendAck, SendHeartbeat
from lolraft.multiraft.frames import NodeHeartbeat, NodeHeartbeatAck
from lolraft.multiraft.node import Node
from lolraft.multiraft.peers import Peer
from lolraft.raft.events import PeerRestarted, Proven
from lolraft.raft.types import NodeId

PATIENT_BEATS = 30  # After so many, who waits for a member says so.


def send_beats(node: Node) -> None:
    """Send the beat that is due, or a read round at once: one message a peer for all shards."""
    due = node.now_s >= node.beat_at_s - 1e-9
    in_flight = node.round_seq > 0 and node.now_s - node.round_sent_s < _interval_s(node)
    if not due and (not node.wants_round or in_flight):
        return
    node.seq += 1
    if node.seq == PATIENT_BEATS and not node.record.proven:
        _say_who_is_missing(node)
    if due:
        # From the plan, not from now, so that the rhythm does not drift; but never a burst.
        node.beat_at_s = max(node.beat_at_s, node.now_s - _interval_s(node)) + _interval_s(node)
    if node.wants_round:
        node.round_seq, node.round_sent_s, node.wants_round = node.seq, node.now_s, False
    for peer in node.peers.values():
        if peer.is_partner:
            _send(node, peer, is_beat=due)


def _say_who_is_missing(node: Node) -> None:
    """Say why this node takes no part: the very first boot needs all listed members once (S4)."""
    missing = [peer.node_id for peer in node.peers.values() if not peer.pinned_us]
    names = ", ".join(sorted(missing)) or "a member that knows another data directory"
    node.tell("unproven", f"first start: votes for nobody before it has heard from {names}")


def _interval_s(node: Node) -> float:
    return node.config.timing.heartbeat_s


def _send(node: Node, peer: Peer, *, is_beat: bool) -> None:
    if node.persisted < peer.pin_batch:
        return
    base, claims, withdrawn = peer.out_ledger.delta()
    heartbeat = NodeHeartbeat(
        sender=node.node_id,
        incarnation=node.record.incarnation,
        epoch=node.record.epoch,
        seq=node.seq,
        is_beat=is_beat,
        ledger_version=peer.out_ledger.version,
        base_version=base,
        claims=claims,
        withdrawn=withdrawn,
        disk_is_well=not node.stalled,
        objections_seen=peer.objections_version,
        priority=node.config.priority,
    )
    peer.note_sent(node.seq, node.now_s)
    node.out.append(SendHeartbeat(peer=peer.node_id, heartbeat=heartbeat))


def is_stranger(node: Node, peer: Peer, incarnation: int) -> bool:
    """Return whether another incarnation than the pinned one speaks; pin at first contact (S4)."""
    pinned = node.pins.get(peer.node_id)
    if pinned is None:
        node.pins[peer.node_id] = incarnation
        node.record_changed = True
        peer.pin_batch = node.next_batch
        return False
    refused = pinned != incarnation
    if refused and not peer.refused:
        node.tell(
            "refused_incarnation",
            f"{peer.node_id} came back with another data directory; remove it and add it again",
            peer=peer.node_id,
        )
    peer.refused = refused
    return refused


def on_heartbeat(node: Node, heartbeat: NodeHeartbeat) -> None:
    """Take a sign of life and the claims in it; the ack may wait for their ballots."""
    peer = node.peer(heartbeat.sender)
    ledger = peer.in_ledger
    if is_stranger(node, peer, heartbeat.incarnation) or heartbeat.epoch < ledger.epoch:
        _ack(node, peer, heartbeat, version=0)
        return
    if heartbeat.epoch > ledger.epoch:
        if ledger.epoch:
            beliefs.lose_all(node, peer.node_id)
        for shard_id in ledger.restart(heartbeat.epoch):
            beliefs.judge(node, peer, shard_id)
        peer.live_since_s = node.now_s
        peer.my_objections_version = 0
        peer.detector.forget_seq()
    peer.detector.heard(node.now_s, heartbeat.seq if heartbeat.is_beat else None)
    peer.disk_is_well = heartbeat.disk_is_well
    if heartbeat.priority != peer.priority:
        peer.priority = heartbeat.priority
        preference.on_change(node, peer)
    news, gone = ledger.take(heartbeat)
    beliefs.on_claims(node, peer, news, gone)
    node.acks_due.append((peer, heartbeat))


def send_acks(node: Node) -> None:
    """Answer the heartbeats of this turn, now that the replicas have taken the claims."""
    due, node.acks_due = node.acks_due, []
    for peer, heartbeat in due:
        _ack(node, peer, heartbeat, version=peer.in_ledger.version)


def _ack(node: Node, peer: Peer, heartbeat: NodeHeartbeat, *, version: int) -> None:
    # Versions of objections carry our epoch, so that a restart is a new series (L6).
    objections_version = (node.record.epoch << 32) + peer.my_objections_version
    unseen = objections_version != heartbeat.objections_seen
    ack = NodeHeartbeatAck(
        sender=node.node_id,
        incarnation=node.record.incarnation,
        to_epoch=heartbeat.epoch,
        seq=heartbeat.seq,
        ledger_version=version,
        own_epoch=node.record.epoch,
        known_epoch=peer.in_ledger.epoch,
        pinned=node.pins.get(peer.node_id, 0),
        objections_version=objections_version,
        objections=tuple(sorted(peer.my_objections.items())) if unseen else None,
    )
    # What this ack vouches for is durable first: the ballots of the claims, the pin.
    needs = max(node.ballot_batch, peer.pin_batch)
    if needs > node.persisted:
        peer.held_ack = (needs, ack)
    else:
        peer.held_ack = None
        node.out.append(SendAck(peer=peer.node_id, ack=ack))


def release_acks(node: Node) -> None:
    """Send the acks that waited for the batch that is durable now."""
    for peer in node.peers.values():
        if peer.held_ack is not None and peer.held_ack[0] <= node.persisted:
            node.out.append(SendAck(peer=peer.node_id, ack=peer.held_ack[1]))
            peer.held_ack = None


def on_ack(node: Node, ack: NodeHeartbeatAck) -> None:
    """Take what a peer vouches for; acks to another epoch are dropped (S7)."""
    peer = node.peers.get(ack.sender)
    if peer is None:
        return
    if ack.known_epoch > node.record.epoch:
        node.raise_epoch(ack.known_epoch + 1)
        return
    peer.pinned_us = ack.pinned
    if ack.pinned not in (0, node.record.incarnation):
        node.tell_once(
            "refused_incarnation",
            f"{peer.node_id} knows another data directory under this id; "
            "remove this server from its groups and add it again",
            peer.node_id,
        )
        return
    if ack.to_epoch != node.record.epoch or is_stranger(node, peer, ack.incarnation):
        return
    if ack.own_epoch != peer.own_epoch:
        _on_restart(node, peer, ack.own_epoch)
    sent_s = peer.sent.get(ack.seq)
    if ack.seq > peer.acked_seq:
        peer.acked_seq = ack.seq
    if sent_s is not None and sent_s > peer.acked_sent_s:
        peer.acked_sent_s = sent_s
        peer.round_trip_s = node.now_s - sent_s
    peer.out_ledger.acknowledge(ack.ledger_version)
    if ack.objections is not None and ack.objections_version != peer.objections_version:
        peer.objections_version = ack.objections_version
        beliefs.on_objections(node, peer, dict(ack.objections))
    _prove(node)


def _on_restart(node: Node, peer: Peer, own_epoch: int) -> None:
    """Take everything that the peer held as unknown: it has a new life (L2)."""
    restarted = peer.own_epoch != 0
    peer.own_epoch = own_epoch
    peer.out_ledger.acked = 0
    if restarted:
        peer.objections_version = 0
        forget_in_flight(node, peer.node_id)


def forget_in_flight(node: Node, peer_id: NodeId) -> None:
    """Let every leader here probe the peer: what was in flight to it is lost (L2)."""
    peer = node.peers[peer_id]
    for shard_id in sorted(peer.out_ledger.claims):
        node.todo.append((node.shards[shard_id], PeerRestarted(peer=peer_id)))


def _prove(node: Node) -> None:
    """Take part once every listed member said that it knows no other incarnation of us (S4)."""
    if node.record.proven or node.proving_batch:
        return
    members = {m for s in node.shards.values() for m in s.state.configuration.members}
    others = [node.peer(member) for member in sorted(members - {node.node_id})]
    if all(peer.pinned_us == node.record.incarnation for peer in others):
        node.set_proven()
        node.proving_batch = node.next_batch


def finish_proving(node: Node) -> None:
    """Tell the replicas, now that it is durable."""
    if node.proving_batch and node.persisted >= node.proving_batch:
        node.proving_batch = 0
        for shard in node.shards.values():
            node.todo.append((shard, Proven()))
