"""The virtual disk: what is torn, rots or does not fit is noticed, and nothing else is lost."""

from __future__ import annotations

from random import Random

import pytest

from lolraft.multiraft.records import Batch, NodeRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Entries, EntryKind, NodeId
from lolraft.sim.clock import Clock
from lolraft.sim.disk import Disk
from lolraft.storage.interface import Corrupted, StorageError

NODE = NodeId("http://n1:1")
Heard = list[tuple[int, str | None]]


def new_disk(seed: int = 1) -> Disk:
    return Disk(NodeRecord(node_id=NODE, incarnation=1, epoch=0, hosted=(0,)), Clock(seed))


def batch(number: int, count: int = 1) -> Batch:
    entries = Entries(
        number, (1,) * count, bytes([EntryKind.COMMAND]) * count, (b"x" * 100,) * count
    )
    return Batch(number=number, saves=((0, Save(number=number, entries=entries)),))


def write(disk: Disk, number: int, clock: Clock) -> str | None:
    heard: Heard = []
    disk.commit(batch(number), lambda done, why: heard.append((done.number, why)))
    clock.run(clock.now_s + 1.0)
    assert [item[0] for item in heard] == [number]
    return heard[0][1]


def last(disk: Disk) -> int:
    return len(disk.open(NODE)[1][0].entries.terms)


@pytest.mark.parametrize("seed", range(20))
def test_a_torn_write_is_gone_as_a_whole(seed: int) -> None:
    clock = Clock(seed)
    disk = Disk(NodeRecord(node_id=NODE, incarnation=1, epoch=0), clock)
    disk.open(NODE)
    assert write(disk, 1, clock) is None
    disk.commit(batch(2), lambda done, why: pytest.fail("the node is dead"))
    disk.crash(tears=True)
    clock.run(clock.now_s + 1.0)
    assert disk.torn == 1
    assert last(disk) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_sector_that_rots_is_noticed_and_one_that_reads_again_is_whole(seed: int) -> None:
    clock = Clock(seed)
    disk = Disk(NodeRecord(node_id=NODE, incarnation=1, epoch=0), clock)
    disk.open(NODE)
    assert write(disk, 1, clock) is None
    disk.crash()
    assert disk.rot(0, Random(seed))
    with pytest.raises(Corrupted) as refusal:
        disk.open(NODE)
    assert refusal.value.shard_id == 0
    disk.rotten.clear()
    assert last(disk) == 1


def test_a_disk_without_a_log_does_not_rot() -> None:
    disk = new_disk()
    assert not disk.rot(0, Random(1))
    disk.open(NODE)


def test_a_full_disk_takes_no_batch_and_no_epoch() -> None:
    clock = Clock(1)
    disk = Disk(NodeRecord(node_id=NODE, incarnation=1, epoch=0), clock)
    disk.open(NODE)
    assert write(disk, 1, clock) is None
    disk.is_full = True
    assert "no space" in (write(disk, 2, clock) or "")
    disk.crash()
    with pytest.raises(StorageError, match="no space"):
        disk.open(NODE)
    disk.mend()
    assert last(disk) == 1
