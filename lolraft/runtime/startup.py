"""Which snapshots are complete after a crash, and which apps start from what (PROTOCOL S5)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace

from lolraft.app import RaftApp
from lolraft.multiraft.records import ShardRecord
from lolraft.raft.types import Index, ShardId
from lolraft.runtime.apps import FOR_EVER, AppHost, as_async, snapshot_index
from lolraft.storage.interface import Corrupted

logger = logging.getLogger(__name__)


async def reconcile(
    apps: AppHost, hosted: tuple[ShardId, ...], loaded: dict[ShardId, ShardRecord]
) -> dict[ShardId, ShardRecord]:
    """
    Bring every app to its newest complete snapshot; return what the replicas start from.

    A snapshot is complete when both halves are there: the app's bytes and Raft's row.

    Raises:
        Corrupted: a log starts after a snapshot that the app does not have.
    """
    shards: dict[ShardId, ShardRecord] = {}
    for shard_id in sorted({*hosted, *loaded}):
        app = apps.build(shard_id)
        record = await _complete(shard_id, app, loaded.get(shard_id, ShardRecord()))
        index = snapshot_index(record.snapshot)
        await _maybe(app.install_snapshot(index))
        apps.adopt(shard_id, app, index)
        shards[shard_id] = record
    return shards


async def _complete(shard_id: ShardId, app: RaftApp, record: ShardRecord) -> ShardRecord:
    index = snapshot_index(record.snapshot)
    if index > 1 and not await _has(app, index):
        if record.log_starts_after.index > 0:
            raise Corrupted(
                f"shard {shard_id}: the app has no snapshot at index {index}, and the log starts"
                " after it. Restore the shard's directory, or remove this server and add it again.",
                shard_id,
            )
        logger.warning("shard %d: only Raft's half of snapshot %d exists", shard_id, index)
        record, index = replace(record, snapshot=None), 1
    latest = await _latest(app)
    if latest > index:
        # The app's half alone: the node died before Raft's half was written. The interface can
        # delete it only together with all older ones; else it stays until the log has been
        # replayed up to it, and is then a snapshot like any other.
        logger.warning("shard %d: only the app's half of snapshot %d exists", shard_id, latest)
        if index == 1:
            await _maybe(app.delete_snapshots_before(FOR_EVER))
    elif index > 1:
        await _maybe(app.delete_snapshots_before(index))
    return record


async def _has(app: RaftApp, index: Index) -> bool:
    try:
        async for _ in as_async(app.open_snapshot(index)):
            break
    except LookupError:
        return False
    return True


async def _latest(app: RaftApp) -> Index:
    latest = app.get_latest_snapshot()
    return latest if isinstance(latest, int) else await latest


async def _maybe(outcome: Awaitable[None] | None) -> None:
    if outcome is not None:
        await outcome
