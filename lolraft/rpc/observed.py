"""What is seen of a node, as messages of `lolraft.Observe`: of a real one, or a simulated one."""

from __future__ import annotations

from lolraft.multiraft import commands
from lolraft.multiraft.effects import Tell
from lolraft.multiraft.report import PeerReport, ShardReport
from lolraft.multiraft.reporting import LogSlice
from lolraft.raft.types import EntryKind
from lolraft.rpc.pb import observe_pb2

MOST_PAYLOAD_BYTES = 2 * 1024 * 1024
"""Of one answer, over all its entries: clients take messages of 4 MiB."""


def log_range(found: LogSlice, payload_bytes: int) -> observe_pb2.LogRange:
    """Return a window of a log, *payload_bytes* of each command at most, without its request id."""
    entries = found.entries
    most = min(payload_bytes, MOST_PAYLOAD_BYTES // max(1, len(entries.payloads)))
    starts = [
        commands.message_start(payload) if kind == EntryKind.COMMAND else 0
        for kind, payload in zip(entries.kinds, entries.payloads, strict=True)
    ]
    columns = list(zip(starts, entries.payloads, strict=True))
    return observe_pb2.LogRange(
        base_term=found.base.term,
        base_index=found.base.index,
        commit_index=found.commit_index,
        applied_index=found.applied_index,
        last_index=found.last_index,
        first=entries.first,
        terms=entries.terms,
        kinds=entries.kinds,
        payloads=[payload[start : start + most] for start, payload in columns],
        sizes=[len(payload) - start for start, payload in columns],
    )


def peer_facts(peer: PeerReport, sent_bytes: int, received_bytes: int) -> observe_pb2.PeerFacts:
    """Return what a node knows of one peer."""
    return observe_pb2.PeerFacts(
        peer=peer.peer,
        phi=peer.phi,
        threshold=peer.threshold,
        mean_s=peer.mean_s,
        deviation_s=peer.deviation_s,
        last_heard_s=peer.last_heard_s,
        round_trip_s=peer.round_trip_s,
        connected=peer.connected,
        outbox_bytes=peer.outbox_bytes,
        epoch=peer.epoch,
        sent_bytes=sent_bytes,
        received_bytes=received_bytes,
    )


def node_event(wall_s: float, tell: Tell) -> observe_pb2.NodeEvent:
    """Return what a node has told, with the time at which it did."""
    return observe_pb2.NodeEvent(
        wall_s=wall_s,
        kind=tell.kind,
        text=tell.text,
        shard_id=tell.shard_id,
        term=tell.term,
        peer=tell.peer or "",
    )


def shard_facts(shard: ShardReport) -> observe_pb2.ShardFacts:
    """Return one replica."""
    return observe_pb2.ShardFacts(
        shard_id=shard.shard_id,
        role=shard.role,
        term=shard.term,
        leader_id=shard.leader_id or "",
        voted_for=shard.voted_for or "",
        commit_index=shard.commit_index,
        applied_index=shard.applied_index,
        last_index=shard.last_index,
        last_term=shard.last_term,
        snapshot_index=shard.snapshot_index,
        group=shard.group,
        voters=shard.voters,
        outgoing=shard.outgoing,
        learners=shard.learners,
        match_index=dict(shard.lags),
        mark_index=[index for index, _ in shard.marks],
        mark_digest=[int.from_bytes(digest, "little") for _, digest in shard.marks],
    )
