"""What the rows of the database say, each with a checksum: pages of SQLite have none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from zlib import crc32

from lolraft.multiraft.records import NodeRecord
from lolraft.raft.types import (
    NO_BALLOT,
    ZERO,
    Ballot,
    Clock,
    Configuration,
    NodeId,
    ShardId,
    SnapshotMeta,
)
from lolraft.storage import blob
from lolraft.storage.blob import Damaged

MISMATCH = "the checksum does not match"


def checksum(*values: object) -> int:
    """Return the checksum of what a row holds."""
    return crc32(repr(values).encode(errors="backslashreplace"))


@dataclass(frozen=True, slots=True)
class ShardRow:
    """The small facts of one shard; `snapshot_sum` ties the snapshot beside them to the row."""

    ballot: Ballot = NO_BALLOT
    base: Clock = ZERO
    snapshot_sum: int | None = None

    def columns(self, shard_id: ShardId) -> tuple[object, ...]:
        """Return what is stored, the checksum last."""
        (term, voted_for), (base_term, base_index) = self.ballot, self.base
        values = (shard_id, _signed(term), voted_for, _signed(base_term), _signed(base_index))
        return (*values, checksum(*values, self.snapshot_sum))


def _signed(number: int) -> int:
    """Return a number of 64 bits, as the wire carries it, as SQLite keeps it: with a sign."""
    return number - (1 << 64) if number >> 63 else number


def _unsigned(number: object) -> int:
    assert isinstance(number, int), "the checksum covers types"
    return number % (1 << 64)


def read_shard(columns: tuple[object, ...], snapshot: bytes | None) -> ShardRow:
    """
    Return a row of `columns` as it was written.

    Raises:
        Damaged: the checksum does not match.
    """
    *values, stored = columns
    snapshot_sum = None if snapshot is None else crc32(snapshot)
    if checksum(*values, snapshot_sum) != stored:
        raise Damaged(MISMATCH)
    _, term, voted_for, base_term, base_index = values
    ballot = Ballot(_unsigned(term), NodeId(str(voted_for)) if voted_for else None)
    return ShardRow(ballot, Clock(_unsigned(base_term), _unsigned(base_index)), snapshot_sum)


def encode_node(record: NodeRecord) -> str:
    """Return the facts of the node as text."""
    value = {
        "node_id": record.node_id,
        "incarnation": record.incarnation,
        "epoch": record.epoch,
        "hosted": record.hosted,
        "pins": record.pins,
        "proven": record.proven,
        "lease_s": record.lease_s,
    }
    text = json.dumps(value)
    return f"{checksum(text):08x} {text}"


def decode_node(raw: str) -> NodeRecord:
    """
    Return what `encode_node` was given.

    Raises:
        Damaged: the checksum does not match.
    """
    stored, _, text = raw.partition(" ")
    if stored != f"{checksum(text):08x}":
        raise Damaged(MISMATCH)
    value = json.loads(text)
    return NodeRecord(
        node_id=NodeId(value["node_id"]),
        incarnation=value["incarnation"],
        epoch=value["epoch"],
        hosted=tuple(value["hosted"]),
        pins=tuple((NodeId(peer), number) for peer, number in value["pins"]),
        proven=value["proven"],
        lease_s=value.get("lease_s", 0.0),  # Directories from before leases have none.
    )


def encode_snapshot(meta: SnapshotMeta) -> bytes:
    """Return Raft's half of a snapshot as bytes."""
    facts = {
        "clock": meta.clock,
        "configuration": meta.configuration.encode().decode(),
        "configuration_index": meta.configuration_index,
    }
    return blob.join_snapshot(json.dumps(facts).encode(), meta.sessions)


def decode_snapshot(raw: bytes) -> SnapshotMeta:
    """
    Return what `encode_snapshot` was given.

    Raises:
        Damaged: the checksum does not match.
    """
    head, sessions = blob.split_snapshot(raw)
    facts = json.loads(head)
    return SnapshotMeta(
        clock=Clock(*facts["clock"]),
        configuration=Configuration.decode(facts["configuration"].encode()),
        configuration_index=facts["configuration_index"],
        sessions=sessions,
    )
