"""Every store: after a failed commit, at the ends of the numbers, and asked out of turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Ballot, Clock, Configuration, Entries, NodeId, SnapshotMeta
from lolraft.storage.interface import Locked, Storage, StorageError, WrongNode
from lolraft.storage.memory import MemoryDisk, MemoryStorage
from lolraft.storage.sqlite import SqliteStorage
from tests.contract.test_storage_contract import ME, commit, entries, meta, opened, reopened

BIGGEST = 2**64 - 1
YOU = NodeId("http://n2:1")
Opener = Callable[[], Storage]


@pytest.fixture(params=["memory", "sqlite"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return a function that makes a store over the same disk."""
    disk = MemoryDisk()
    if request.param == "memory":
        return lambda: MemoryStorage(disk)
    return lambda: SqliteStorage(tmp_path / "data")


def fail_next(store: Storage) -> None:
    """Let the next commit that needs room fail, as on a full disk."""
    if isinstance(store, SqliteStorage):
        store._db.execute("PRAGMA max_page_count = 1")
    else:
        assert isinstance(store, MemoryStorage)
        store.fail_next_commit("no room")


BIG = Entries(2, (2,), b"\1", (bytes(100_000),))


def test_a_failed_commit_leaves_nothing_and_the_store_takes_no_more(again: Opener) -> None:
    store = opened(again)
    before = Save(number=1, ballot=Ballot(1, ME), entries=entries(1, 1))
    commit(store, (1, before), (2, before))
    fail_next(store)
    failing = Save(number=2, ballot=Ballot(2, YOU), truncate_from=1, entries=entries(1, 2, 2))
    with pytest.raises(StorageError):
        commit(store, (1, failing), (2, Save(number=2, entries=BIG)))
    if isinstance(store, SqliteStorage):
        store._db.execute("PRAGMA max_page_count = 1000000")  # There is room again.
    with pytest.raises(StorageError, match="takes no more batches"):
        commit(store, (3, before))
    whole = ShardRecord(ballot=Ballot(1, ME), entries=entries(1, 1))
    assert reopened(store, again) == {1: whole, 2: whole}


def test_a_store_that_failed_serves_again_when_it_is_opened_anew(again: Opener) -> None:
    store = opened(again)
    fail_next(store)
    with pytest.raises(StorageError):
        commit(store, (1, Save(number=1, entries=BIG._replace(first=1))))
    store.close()
    other = opened(again)
    commit(other, (1, Save(number=1, entries=entries(1, 1))))
    assert reopened(other, again)[1].entries == entries(1, 1)


def test_the_epoch_rises_at_every_start_whatever_came_between(again: Opener) -> None:
    store = again()
    record = store.open(ME)
    for epoch in range(1, 5):
        assert record.epoch == epoch
        store.load()
        store.commit(Batch(number=1, node=replace(record, hosted=(epoch,))))
        store.close()
        store = again()
        record = store.open(ME)
        assert record.hosted == (epoch,)
    store.close()


def test_a_refused_start_changes_nothing_and_holds_no_lock(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, ballot=Ballot(1, ME))))
    with pytest.raises(Locked):
        again().open(ME)
    store.close()
    with pytest.raises(WrongNode):
        again().open(YOU)
    store = again()
    assert store.open(ME).epoch == 2
    assert reopened(store, again)[1].ballot == Ballot(1, ME)


@pytest.mark.parametrize("pins", [(), ((YOU, 1),), ((ME, BIGGEST), (YOU, 2**63))])
def test_pins_and_proof_come_back(again: Opener, pins: tuple[tuple[NodeId, int], ...]) -> None:
    store = again()
    record = store.open(ME)
    store.load()
    for proven in (False, True):
        store.commit(Batch(number=1, node=replace(record, pins=pins, proven=proven)))
        store.close()
        store = again()
        found = store.open(ME)
        store.load()
        assert (found.pins, found.proven, found.incarnation) == (pins, proven, record.incarnation)
    store.close()


@pytest.mark.parametrize("term", [0, 1, 2**31, 2**32, 2**63 - 1, 2**63, BIGGEST])
@pytest.mark.parametrize("voted_for", [None, YOU])
def test_every_ballot_comes_back(again: Opener, term: int, voted_for: NodeId | None) -> None:
    store = opened(again)
    commit(store, (7, Save(number=1, ballot=Ballot(term + (term == 0), ME))))
    commit(store, (7, Save(number=2, ballot=Ballot(term, voted_for))))
    kept = {7: ShardRecord(ballot=Ballot(term, voted_for))}
    expected = {} if kept[7] == ShardRecord() else kept
    assert reopened(store, again) == expected


def test_a_ballot_alone_touches_neither_log_nor_snapshot(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, ballot=Ballot(1, ME), entries=entries(1, 1, 1, 1))))
    commit(store, (1, Save(number=2, snapshot=meta(2, 1), log_starts_after=Clock(1, 1))))
    before = reopened(store, again)[1]
    store = opened(again)
    commit(store, (1, Save(number=3, ballot=Ballot(9, YOU))))
    assert reopened(store, again)[1] == replace(before, ballot=Ballot(9, YOU))


def test_all_of_a_snapshots_facts_come_back(again: Opener) -> None:
    configuration = Configuration(
        voters=(ME, YOU), outgoing=(ME,), learners=(NodeId("http://n3:1"),), group_id=2**128 - 1
    )
    whole = SnapshotMeta(
        clock=Clock(BIGGEST, 2**40),
        configuration=configuration,
        configuration_index=2**39,
        sessions=bytes(range(256)) * 4096,
    )
    store = opened(again)
    commit(store, (1, Save(number=1, snapshot=whole, log_starts_after=whole.clock)))
    after = Entries(2**40 + 1, (BIGGEST, BIGGEST), b"\1\2", (b"", b"\0"))
    commit(store, (1, Save(number=2, entries=after)))
    found = reopened(store, again)[1]
    assert found == ShardRecord(snapshot=whole, log_starts_after=whole.clock, entries=after)


def test_a_newer_snapshot_takes_the_place_of_the_older(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, entries=entries(1, *[1] * 9))))
    commit(store, (1, Save(number=2, snapshot=meta(4, 1))))  # The log is kept for slow peers.
    commit(store, (1, Save(number=3, snapshot=meta(8, 1), log_starts_after=Clock(1, 6))))
    found = reopened(store, again)[1]
    assert (found.snapshot, found.log_starts_after) == (meta(8, 1), Clock(1, 6))
    assert found.entries == entries(7, 1, 1, 1)


def test_what_one_shard_does_leaves_the_others_alone(again: Opener) -> None:
    store = opened(again)
    full = Save(number=1, ballot=Ballot(1, ME), entries=entries(1, 1, 1, 1))
    commit(store, *((shard, full) for shard in range(5)))
    commit(
        store,
        (0, Save(number=2, truncate_from=1)),
        (1, Save(number=2, snapshot=meta(3, 1), log_starts_after=Clock(1, 3))),
        (2, Save(number=2, truncate_from=2, entries=entries(2, 2))),
    )
    store.commit(Batch(number=3, dropped=(3,)))
    found = reopened(store, again)
    ballot = Ballot(1, ME)
    assert found[0] == ShardRecord(ballot=ballot)
    assert (found[1].snapshot, found[1].entries.terms) == (meta(3, 1), ())
    assert found[2] == ShardRecord(ballot=ballot, entries=entries(1, 1, 2))
    assert found[3] == ShardRecord(ballot=ballot, damaged=True)
    assert found[4] == ShardRecord(ballot=ballot, entries=entries(1, 1, 1, 1))


def test_a_dropped_shard_may_begin_anew(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, ballot=Ballot(1, ME), entries=entries(1, 1, 1, 1))))
    commit(store, (1, Save(number=2, snapshot=meta(3, 1), log_starts_after=Clock(1, 3))))
    store.commit(Batch(number=3, dropped=(1,)))
    commit(store, (1, Save(number=4, entries=entries(1, 5), repaired=True)))
    assert reopened(store, again) == {1: ShardRecord(ballot=Ballot(1, ME), entries=entries(1, 5))}


@pytest.mark.parametrize("closed", [False, True])
def test_a_store_that_is_not_open_refuses(again: Opener, closed: bool) -> None:
    store = again()
    if closed:
        store.open(ME)
        store.close()
    with pytest.raises(StorageError, match="not open"):
        store.load()
    with pytest.raises(StorageError, match="not open"):
        commit(store, (1, Save(number=1, ballot=Ballot(1, None))))
