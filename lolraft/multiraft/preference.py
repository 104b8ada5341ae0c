"""
Who leads rather: priorities of nodes, and leaders that give way to a higher one.

A priority belongs to a node, as liveness does: it is the machine that is weak, far away or about
to be serviced, with all its replicas. Heartbeats announce it, so nothing is written to any log and
a change costs one message a peer, however many shards there are. It is a wish, never a rule of
safety: it orders who stands first and who is handed a leadership, and forbids nothing, so that a
node which avoids leadership leads where no other can.
"""

from __future__ import annotations

from zlib import crc32

from lolraft.multiraft import beliefs
from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import Peer
from lolraft.raft.election import mix
from lolraft.raft.events import TransferLeadership
from lolraft.raft.types import NodeId, Role

CALM_S = 10.0  # So long has a leader led, and its target lived, before it gives way.
LOOK_S = 1.0  # Between two looks, while a peer has a higher priority than this node.
MOST_AT_ONCE = 200  # Hand-overs of one look: each is an election (L8).
LONGEST_WAIT_S = 640.0  # The wait of a shard doubles up to this, ...
FORGET_FACTOR = 10  # ... and begins anew when the last hand-over is so many waits ago.


def count(node: Node) -> None:
    """Note who has a priority, as the replicas are told (`Liveness`), and whether to give way."""
    known = [(peer.node_id, peer.priority) for peer in node.peers.values() if peer.priority]
    if node.config.priority:
        known.append((node.node_id, node.config.priority))
    node.priorities = tuple(sorted(known))
    if _may_give_way(node) and node.give_way_at_s is None:
        node.give_way_at_s = node.now_s + LOOK_S


def _may_give_way(node: Node) -> bool:
    mine = node.config.priority
    return mine < 0 or any(peer.priority > mine for peer in node.peers.values())


def on_change(node: Node, peer: Peer) -> None:
    """Tell the replicas that are shared with a peer of its new priority."""
    count(node)
    for shard_id in sorted(peer.shared):
        shard = node.shards[shard_id]
        node.todo.append((shard, beliefs.liveness_of(node, shard)))


def ready_target(node: Node, shard: Shard) -> NodeId | None:
    """
    Return who could lead a shard at once: live, its disk well (L11), all that is committed there.

    The highest priority first, then the longest log; among equals each shard has an order of its
    own, so that the shards of one node do not all move to the same other.
    """
    state, ready = shard.state, []
    if state.role is not Role.LEADER:
        return None
    for member, progress in state.progress.items():
        peer = node.peers.get(member)
        if peer is None or not peer.live or not peer.disk_is_well:
            continue
        is_voter = member in state.configuration.voters
        if is_voter and progress.match_index >= state.commit_index:
            order = mix(crc32(member.encode()), shard.shard_id, 0, 0)
            ready.append((-peer.priority, -progress.match_index, order, member))
    return min(ready)[3] if ready else None


def give_way(node: Node) -> None:
    """Hand shards over to peers of a higher priority where all is calm, never to and fro."""
    if node.give_way_at_s is None or node.now_s < node.give_way_at_s - 1e-9:
        return
    node.give_way_at_s = node.now_s + LOOK_S if _may_give_way(node) else None
    calm = {
        peer.node_id
        for peer in node.peers.values()
        if peer.priority > node.config.priority and node.now_s - peer.live_since_s >= CALM_S
    }
    moved = 0
    for shard in node.shards.values() if calm and not node.stalled else ():
        if moved == MOST_AT_ONCE:
            break
        if not _is_calm(node, shard):
            continue
        target = ready_target(node, shard)
        if target in calm and _takes_turn(node, shard):
            node.todo.append((shard, TransferLeadership(ticket=None, target=target)))
            moved += 1


def _is_calm(node: Node, shard: Shard) -> bool:
    leadership = shard.state.leadership
    return (
        leadership is not None
        and leadership.change is None
        and leadership.transfer is None
        and not shard.state.configuration.is_joint
        and shard.state.commit_index >= leadership.barrier_index
        and node.now_s - shard.led_since_s >= CALM_S
    )


def _takes_turn(node: Node, shard: Shard) -> bool:
    """Note a hand-over, or return False: too soon after the last. One in vain doubles the wait."""
    last = node.gave_way.get(shard.shard_id)
    wait_s = CALM_S
    if last is not None:
        passed_s = node.now_s - last[0]
        if passed_s < last[1] - 1e-9:
            return False
        if passed_s < FORGET_FACTOR * last[1]:
            wait_s = min(2 * last[1], LONGEST_WAIT_S)
    node.gave_way[shard.shard_id] = (node.now_s, wait_s)
    return True
