"""What a node says of itself: a function of its state, with a cheap answer to "what changed?"."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import Peer
from lolraft.multiraft.report import MachineReport, PeerReport, ShardReport
from lolraft.raft.types import Clock, Entries, Index, Role, ShardId


class LogSlice(NamedTuple):
    """A window of one replica's log."""

    entries: Entries
    base: Clock
    commit_index: Index
    applied_index: Index
    last_index: Index


def report(node: Node, now_s: float, shards: Collection[ShardId] | None = None) -> MachineReport:
    """Return the whole picture, or with only some of the shards in it."""
    hosted = tuple(sorted(node.shards))
    wanted = hosted if shards is None else sorted(set(shards) & node.shards.keys())
    return MachineReport(
        node_id=node.node_id,
        incarnation=node.record.incarnation,
        epoch=node.record.epoch,
        peers=tuple(_peer(peer, now_s) for _, peer in sorted(node.peers.items())),
        shards=tuple(shard_report(node.shards[shard_id]) for shard_id in wanted),
        hosted=hosted,
        disk_is_well=not node.stalled and not node.disk_failed,
        pending_bytes=sum(shard.pending_bytes for shard in node.shards.values())
        + sum(peer.outbox.size_bytes for peer in node.peers.values()),
    )


def _peer(peer: Peer, now_s: float) -> PeerReport:
    detector = peer.detector
    return PeerReport(
        peer=peer.node_id,
        phi=detector.phi(now_s),
        threshold=detector.threshold,
        mean_s=detector.mean_s,
        deviation_s=detector.deviation_s,
        last_heard_s=detector.elapsed_s(now_s),
        round_trip_s=peer.round_trip_s if not math.isinf(peer.acked_sent_s) else 0.0,
        connected=peer.up,
        outbox_bytes=peer.outbox.size_bytes,
        epoch=peer.in_ledger.epoch,
    )


def role_of(shard: Shard) -> str:
    """Return the word for what a replica is."""
    state = shard.state
    if state.stopped:
        return "stopped"
    if state.is_silent:
        return "silent"
    if state.role is Role.FOLLOWER and not state.configuration.is_voter(state.node_id):
        return "learner"
    return state.role.value


def shard_report(shard: Shard) -> ShardReport:
    """Return one replica's facts."""
    state, configuration = shard.state, shard.state.configuration
    last = state.log.last_clock
    return ShardReport(
        shard_id=shard.shard_id,
        role=role_of(shard),
        term=state.current_term,
        leader_id=state.leader_id,
        voted_for=state.ballot.voted_for,
        commit_index=state.commit_index,
        applied_index=shard.applied_index,
        last_index=last.index,
        last_term=last.term,
        snapshot_index=state.snapshot.clock.index if state.snapshot is not None else 0,
        group=state.group,
        voters=configuration.voters,
        outgoing=configuration.outgoing,
        learners=configuration.learners,
        marks=shard.trail.marks(),
        lags=tuple((m, p.match_index) for m, p in sorted(state.progress.items())),
    )


def changed_since(node: Node, version: int) -> tuple[int, tuple[ShardId, ...]]:
    """Return the newest version and the shards that changed after *version*, by shard id."""
    changed = []
    for shard_id, at in reversed(node.changes.items()):
        if at <= version:
            break
        changed.append(shard_id)
    return node.version, tuple(sorted(changed))


def log_slice(node: Node, shard_id: ShardId, first: Index, count: int) -> LogSlice | None:
    """Return up to *count* entries from *first* on; *first* 0 means the tail."""
    shard = node.shards.get(shard_id)
    if shard is None:
        return None
    state = shard.state
    base, last = state.log.base, state.log.last_index
    start = first if first > 0 else last - count + 1
    start = min(max(start, base.index + 1), last + 1)
    entries = state.log.range(start, min(last, start + count - 1))
    return LogSlice(entries, base, state.commit_index, shard.applied_index, last)
