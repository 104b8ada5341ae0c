"""What is left of snapshots after a crash, and where the apps start from (PROTOCOL S5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from lolraft.app import RaftApp
from lolraft.multiraft.records import ShardRecord
from lolraft.raft.types import (
    ZERO,
    Clock,
    Configuration,
    Entries,
    NodeId,
    ShardId,
    SnapshotMeta,
)
from lolraft.runtime.apps import FOR_EVER, AppHost
from lolraft.runtime.startup import reconcile
from lolraft.storage.interface import Corrupted


class Shelf(RaftApp):
    """Has snapshots at some indexes; its calls that change something are written down."""

    def __init__(self, *indexes: int) -> None:
        self.indexes = set(indexes)
        self.calls: list[tuple[str, int]] = []

    def process_write(self, message: bytes, index: int) -> bytes:
        raise NotImplementedError

    def process_read(self, message: bytes, index: int) -> bytes:
        raise NotImplementedError

    async def install_snapshot(self, index: int) -> None:
        self.calls.append(("install", index))

    async def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> None:
        raise NotImplementedError

    def open_snapshot(self, index: int) -> Iterable[bytes]:
        if index not in self.indexes:
            raise LookupError(index)
        yield b"x"  # A generator: it raises at its first step, not at the call.

    async def delete_snapshots_before(self, index: int) -> None:
        self.calls.append(("delete", index))

    def get_latest_snapshot(self) -> int:
        return max(self.indexes, default=1)


def record(snapshot: int | None, log_starts_after: Clock = ZERO) -> ShardRecord:
    meta = None
    if snapshot is not None:
        meta = SnapshotMeta(
            clock=Clock(2, snapshot),
            configuration=Configuration(voters=(NodeId("http://a:1"),)),
            configuration_index=1,
        )
    return ShardRecord(
        snapshot=meta,
        log_starts_after=log_starts_after,
        entries=Entries(log_starts_after.index + 1, (2,), b"\x01", (b"",)),
    )


async def start(
    directory: Path, app: Shelf, loaded: ShardRecord | None
) -> tuple[list[tuple[str, int]], ShardRecord]:
    host = AppHost(lambda shard_id, path: app, directory, lambda event: None, _no_pieces)
    records = {} if loaded is None else {7: loaded}
    shards = await reconcile(host, (7,), records)
    return app.calls, shards[7]


def _no_pieces(*_: object) -> AsyncIterator[object]:
    raise NotImplementedError


async def test_a_new_shard_starts_from_the_initial_state(tmp_path: Path) -> None:
    calls, shard = await start(tmp_path, Shelf(), None)
    assert calls == [("install", 1)]
    assert shard == ShardRecord()


async def test_a_complete_snapshot_is_installed_and_older_ones_go(tmp_path: Path) -> None:
    loaded = record(40, Clock(2, 40))
    calls, shard = await start(tmp_path, Shelf(30, 40), loaded)
    assert calls == [("delete", 40), ("install", 40)]
    assert shard == loaded


async def test_the_apps_half_alone_is_deleted(tmp_path: Path) -> None:
    calls, shard = await start(tmp_path, Shelf(40), record(None))
    assert calls == [("delete", FOR_EVER), ("install", 1)]
    assert shard.snapshot is None


async def test_the_apps_newer_half_leaves_the_complete_one_in_force(tmp_path: Path) -> None:
    loaded = record(30, Clock(2, 30))
    calls, shard = await start(tmp_path, Shelf(30, 40), loaded)
    assert calls == [("install", 30)]
    assert shard == loaded


async def test_rafts_half_alone_is_dropped_where_the_log_reaches_back(tmp_path: Path) -> None:
    calls, shard = await start(tmp_path, Shelf(), record(40))
    assert calls == [("install", 1)]
    assert shard.snapshot is None
    assert shard.entries == record(40).entries


async def test_a_log_without_its_beginning_is_damage(tmp_path: Path) -> None:
    with pytest.raises(Corrupted, match="shard 7: the app has no snapshot at index 40") as damage:
        await start(tmp_path, Shelf(30), record(40, Clock(2, 35)))
    assert damage.value.shard_id == 7


async def test_shards_with_a_log_are_hosted_though_not_listed(tmp_path: Path) -> None:
    made: list[ShardId] = []

    def make(shard_id: ShardId, directory: Path) -> Shelf:
        made.append(shard_id)
        return Shelf()

    host = AppHost(make, tmp_path, lambda event: None, _no_pieces)
    shards = await reconcile(host, (9, 2), {5: record(None)})
    assert made == [2, 5, 9]
    assert sorted(shards) == [2, 5, 9]
