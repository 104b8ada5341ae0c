"""What a running node streams to `lolraft backup`: a snapshot, and the log after it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

from lolraft.backup import Chain, Kind, entries_body, head_of, parts_of
from lolraft.raft.types import Clock, Entries, Index, ShardId, SnapshotMeta
from lolraft.rpc.pb import client_pb2
from lolraft.runtime.driver import Driver
from lolraft.storage.columns import after, before

PATIENCE_S = 5.0
"""A follower learns of a commit within a heartbeat, a new snapshot is durable within a write."""

POLL_S = 0.01
ENTRIES_BYTES = 512 * 1024
"""Of one record, but for an entry that is larger alone."""


async def backup_pieces(
    driver: Driver, shard_id: ShardId, index: Index
) -> AsyncIterator[client_pb2.BackupPiece]:
    """
    Yield the records of one shard up to *index*, which this node knows to be committed or will.

    The log is taken at once, which costs references and no bytes; the snapshot is read as the
    reader takes it. Nothing of the node waits for that.

    Raises:
        LookupError: the snapshot was replaced by a newer one, or the log does not get there.
    """
    meta, log = await _snapshot_and_log(driver, shard_id, index)
    term = log.terms[-1] if log.terms else meta.clock.term if meta is not None else 0
    chain, app_bytes = Chain(), 0

    def piece(kind: Kind, body: bytes) -> client_pb2.BackupPiece:
        return client_pb2.BackupPiece(**chain.piece(kind, body)._asdict())

    facts = {"node": driver.node_id, "app": driver.app_name, "taken_unix_s": int(time.time())}
    yield piece(Kind.HEAD, head_of(shard_id, Clock(term, log.last), meta, **facts))
    if meta is not None:
        for part in parts_of(meta.sessions):
            yield piece(Kind.SESSIONS, part)
        async for chunk in driver.open_snapshot(shard_id, meta.clock.index):
            for part in parts_of(chunk):
                app_bytes += len(part)
                yield piece(Kind.APP, part)
    for some in _runs(log):
        yield piece(Kind.ENTRIES, entries_body(shard_id, some))
    yield piece(Kind.END, json.dumps({"app_bytes": app_bytes}).encode())


async def _snapshot_and_log(
    driver: Driver, shard_id: ShardId, index: Index
) -> tuple[SnapshotMeta | None, Entries]:
    """Return the newest complete snapshot and the log after it, up to *index* at least."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        meta = driver.metas.get(shard_id)
        first = meta.clock.index + 1 if meta is not None else 1
        found = driver.machine.log_slice(shard_id, first, max(0, index - first + 1))
        # Else the log begins after a snapshot that is not durable yet, or has not come here yet.
        if found is not None and found.entries.first == first and found.commit_index >= index:
            return meta, found.entries
        await asyncio.sleep(POLL_S)
    raise LookupError(f"this node did not get to entry {index} within {PATIENCE_S:g} s")


def _runs(log: Entries) -> Iterator[Entries]:
    """Cut a log into records."""
    first, size = log.first, 0
    for position, payload in enumerate(log.payloads):
        index = log.first + position
        if size > 0 and size + len(payload) > ENTRIES_BYTES:
            yield after(before(log, index), first - 1)
            first, size = index, 0
        size += len(payload) + 13  # And its columns.
    if log.terms:
        yield after(log, first - 1)
