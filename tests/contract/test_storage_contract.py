"""Every store keeps the same promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import (
    Ballot,
    Clock,
    Configuration,
    Entries,
    NodeId,
    SnapshotMeta,
)
from lolraft.storage.interface import Locked, Storage, StorageError, WrongNode
from lolraft.storage.memory import MemoryDisk, MemoryStorage, after_save
from lolraft.storage.sqlite import SqliteStorage

ME = NodeId("http://n1:1")
Opener = Callable[[], Storage]


@pytest.fixture(params=["memory", "sqlite"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return a function that makes a store over the same disk."""
    disk = MemoryDisk()
    if request.param == "memory":
        return lambda: MemoryStorage(disk)
    return lambda: SqliteStorage(tmp_path / "data")


def entries(first: int, *terms: int) -> Entries:
    payloads = tuple(b"%d/%d" % (term, first + i) for i, term in enumerate(terms))
    return Entries(first, terms, bytes([1] * len(terms)), payloads)


def meta(index: int, term: int) -> SnapshotMeta:
    configuration = Configuration(voters=(ME,), group_id=2**127 + 5)
    return SnapshotMeta(
        clock=Clock(term, index), configuration=configuration, configuration_index=1, sessions=b"s"
    )


def commit(store: Storage, *saves: tuple[int, Save]) -> None:
    store.commit(Batch(number=1, saves=saves))


def reopened(store: Storage, again: Opener) -> dict[int, ShardRecord]:
    store.close()
    other = again()
    other.open(ME)
    found = other.load()
    other.close()
    return found


def opened(again: Opener) -> Storage:
    store = again()
    store.open(ME)
    store.load()
    return store


def test_epoch_rises_and_incarnation_stays(again: Opener) -> None:
    store = again()
    first = store.open(ME)
    store.close()
    second = again().open(ME)
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.incarnation == second.incarnation != 0


def test_another_node_is_refused(again: Opener) -> None:
    opened(again).close()
    with pytest.raises(WrongNode, match="n1:1"):
        again().open(NodeId("http://n2:1"))


def test_two_stores_on_one_disk_are_refused(again: Opener) -> None:
    store = opened(again)
    with pytest.raises(Locked):
        again().open(ME)
    store.close()


def test_everything_comes_back(again: Opener) -> None:
    store = opened(again)
    save = Save(number=1, ballot=Ballot(3, ME), entries=entries(1, 1, 1, 3))
    commit(store, (7, save), (2**32 - 1, Save(number=1, ballot=Ballot(9, None))))
    found = reopened(store, again)
    assert found[7] == ShardRecord(ballot=Ballot(3, ME), entries=entries(1, 1, 1, 3))
    assert found[2**32 - 1].ballot == Ballot(9, None)


def test_the_node_record_comes_back(again: Opener) -> None:
    store = again()
    record = store.open(ME)
    pins = ((NodeId("http://n2:1"), 2**64 - 1),)
    facts = replace(record, hosted=(1, 5), pins=pins, proven=False, lease_s=0.5)
    store.commit(Batch(number=1, node=facts))
    store.close()
    found = again().open(ME)
    assert (found.hosted, found.pins, found.proven) == ((1, 5), pins, False)
    assert found.lease_s == 0.5


def test_truncate_then_append_in_one_save(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, entries=entries(1, 1, 1, 1, 1))))
    commit(store, (1, Save(number=2, truncate_from=3, entries=entries(3, 2))))
    assert reopened(store, again)[1].entries == entries(1, 1, 1, 2)


def test_a_bare_truncation_survives(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, entries=entries(1, 1, 1, 1))))
    commit(store, (1, Save(number=2, truncate_from=2)))
    assert reopened(store, again)[1].entries == entries(1, 1)


def test_several_saves_of_a_shard_in_one_batch(again: Opener) -> None:
    store = opened(again)
    commit(
        store,
        (1, Save(number=1, entries=entries(1, 1, 1, 1))),
        (1, Save(number=2, truncate_from=2, entries=entries(2, 2, 2))),
        (1, Save(number=3, truncate_from=3)),
        (1, Save(number=4, entries=entries(3, 5))),
    )
    assert reopened(store, again)[1].entries == entries(1, 1, 2, 5)


def test_compaction_keeps_the_tail(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, entries=entries(1, 1, 1, 1, 1))))
    commit(store, (1, Save(number=2, snapshot=meta(3, 1), log_starts_after=Clock(1, 2))))
    found = reopened(store, again)[1]
    assert found.entries == entries(3, 1, 1)
    assert (found.snapshot, found.log_starts_after) == (meta(3, 1), Clock(1, 2))


def test_a_snapshot_ahead_of_the_log_empties_it(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, entries=entries(1, 1, 1))))
    commit(store, (1, Save(number=2, snapshot=meta(9, 4), log_starts_after=Clock(4, 9))))
    commit(store, (1, Save(number=3, entries=entries(10, 4, 4))))
    found = reopened(store, again)[1]
    assert found.entries == entries(10, 4, 4)


def test_dropping_keeps_the_ballot(again: Opener) -> None:
    store = opened(again)
    commit(store, (1, Save(number=1, ballot=Ballot(5, ME), entries=entries(1, 1, 1))))
    store.commit(Batch(number=2, dropped=(1,)))
    found = reopened(store, again)[1]
    assert found == ShardRecord(ballot=Ballot(5, ME), damaged=True), "it must not vote yet (S12)"


def test_big_entries_and_many_shards(again: Opener) -> None:
    store = opened(again)
    big = Entries(1, (1,), b"\1", (bytes(range(256)) * 8192,))
    commit(store, *((shard, Save(number=1, entries=entries(1, 1))) for shard in range(1, 1000)))
    commit(store, (0, Save(number=1, entries=big)))
    found = reopened(store, again)
    assert len(found) == 1000
    assert found[0].entries == big
    assert list(found) == sorted(found)


def test_a_closed_store_refuses(again: Opener) -> None:
    store = opened(again)
    store.close()
    store.close()
    with pytest.raises(StorageError):
        commit(store, (1, Save(number=1, ballot=Ballot(1, None))))


class Model:
    """A plain log per shard, from which valid saves are drawn."""

    def __init__(self) -> None:
        self.records: dict[int, ShardRecord] = {}
        self.term = 1
        self.number = 0

    def save(self, shard: int, action: int, amount: int) -> Save:
        record = self.records.get(shard, ShardRecord())
        base, last = record.log_starts_after.index, record.entries.last
        last = max(last, base)
        self.number += 1
        self.term += action == 1
        if action == 1 and last > base:
            first = max(base + 1, last - amount)
            save = Save(number=self.number, truncate_from=first, entries=entries(first, self.term))
        elif action == 2 and last > base:
            clock = Clock(record.entries.terms[0], base + 1)
            save = Save(number=self.number, snapshot=meta(*clock[::-1]), log_starts_after=clock)
        elif action == 3:
            clock = Clock(self.term, last + amount)
            save = Save(number=self.number, snapshot=meta(*clock[::-1]), log_starts_after=clock)
        elif action == 4 and last > base:
            save = Save(number=self.number, truncate_from=max(base + 1, last - amount))
        else:
            save = Save(
                number=self.number,
                ballot=Ballot(self.term, ME) if amount == 1 else None,
                entries=entries(last + 1, *([self.term] * amount)),
            )
        self.records[shard] = after_save(record, save)
        return save


STEP = st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(1, 4))


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    deleted_a_commit=st.sampled_from([0, 1, 32]),
    batches=st.lists(st.one_of(st.none(), st.lists(STEP, max_size=5)), max_size=25),
)
def test_sqlite_equals_the_model(
    tmp_path_factory: pytest.TempPathFactory,
    deleted_a_commit: int,
    batches: list[list[tuple[int, int, int]] | None],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Old batches that linger must not come back, however many there are.
        patch.setattr("lolraft.storage.sqlite.DELETED_A_COMMIT", deleted_a_commit)
        _check_against_model(tmp_path_factory, batches)


def _check_against_model(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int, int]] | None]
) -> None:
    directory = tmp_path_factory.mktemp("store")
    model = Model()
    store: Storage = SqliteStorage(directory)
    store.open(ME)
    store.load()
    for batch in [*batches, None]:
        if batch is None:
            store.close()
            store = SqliteStorage(directory)
            store.open(ME)
            found = {key: value for key, value in store.load().items() if value != ShardRecord()}
            kept = {key: value for key, value in model.records.items() if value != ShardRecord()}
            assert found == kept
            continue
        saves = []
        dropped: tuple[int, ...] = ()
        for shard, action, amount in batch:
            if action == 6 and not any(shard == item[0] for item in saves):
                dropped = (*dropped, shard)
                ballot = model.records.get(shard, ShardRecord()).ballot
                if shard in model.records:
                    model.records[shard] = ShardRecord(ballot=ballot, damaged=True)
            elif shard not in dropped:
                saves.append((shard, model.save(shard, action, amount)))
        known = tuple(shard for shard in dropped if shard in model.records)
        store.commit(Batch(number=1, saves=tuple(saves), dropped=known))
    store.close()
