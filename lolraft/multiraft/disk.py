"""Group commit: one transaction for what all shards have to save, one in flight (DESIGN 5)."""

from __future__ import annotations

from dataclasses import replace

from lolraft.multiraft import beats, preference, stepping
from lolraft.multiraft.effects import Persist
from lolraft.multiraft.node import Node
from lolraft.multiraft.records import Batch
from lolraft.raft.events import Saved, TransferLeadership

HAND_OVER_EVERY_S = 10.0  # L11


def write_batch(node: Node) -> None:
    """Send everything that waits to the disk, unless a batch is on its way."""
    if node.batch_since_s is not None or node.disk_failed:
        return
    if not node.saves and not node.drops and not node.record_changed:
        return
    record = None
    if node.record_changed:
        node.record = replace(node.record, pins=tuple(sorted(node.pins.items())))
        record, node.record_changed = node.record, False
    node.batch_number += 1
    node.batch_since_s = node.now_s
    node.batch_saves = {shard_id: save.number for shard_id, save in node.saves}
    batch = Batch(
        number=node.batch_number, saves=tuple(node.saves), node=record, dropped=tuple(node.drops)
    )
    node.saves, node.drops = [], []
    node.out.append(Persist(batch=batch))


def on_persisted(node: Node, number: int) -> None:
    """Let go what waited for this batch, then tell the replicas what is durable."""
    if number != node.batch_number or node.batch_since_s is None:
        return
    node.batch_since_s = None
    node.persisted = number
    if node.stalled:
        node.stalled = False
        node.tell("disk_well", "the disk answers again")
    saved, node.batch_saves = node.batch_saves, {}
    for shard_id, save_number in saved.items():
        shard = node.shards.get(shard_id)
        if shard is None or shard.state.saved_number < save_number:
            continue  # Dropped and hosted anew meanwhile.
        shard.durable = max(shard.durable, save_number)
        stepping.release(node, shard)
        stepping.step_shard(node, shard, Saved(number=save_number))
    beats.release_acks(node)
    beats.finish_proving(node)


def on_failed(node: Node, reason: str) -> None:
    """Stop acknowledging for good: after a failed sync nobody knows what is on the disk."""
    node.disk_failed = True
    node.tell("disk_failed", f"the disk failed, this node stops: {reason}")
    for shard in node.shards.values():
        stepping.fail(node, shard, f"the disk failed: {reason}")


def watch_for_stall(node: Node) -> None:
    """Hand leaderships over while the disk does not finish: only heartbeats still work (L11)."""
    timeout_s = node.config.timing.election_timeout_s
    if node.batch_since_s is None or node.now_s - node.batch_since_s < timeout_s - 1e-9:
        return
    if not node.stalled:
        node.stalled = True
        node.tell("stalled", f"the disk has not finished a write for {timeout_s:g} s")
    if node.now_s - node.handed_over_s < HAND_OVER_EVERY_S:
        return
    node.handed_over_s = node.now_s
    for shard in node.shards.values():
        target = preference.ready_target(node, shard)
        if target is not None:
            node.todo.append((shard, TransferLeadership(ticket=None, target=target)))


def stall_at_s(node: Node) -> float | None:
    """Return when the batch in flight will count as stalled."""
    if node.batch_since_s is None or node.stalled:
        return None
    return node.batch_since_s + node.config.timing.election_timeout_s
