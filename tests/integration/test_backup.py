"""A backup of a running cluster is a moment of its history; a restore begins a group with it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from lolraft.backup import read_backup
from lolraft.multiraft.records import Batch
from lolraft.raft.effects import Save
from lolraft.raft.types import Ballot, NodeId
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.cluster import Cluster, free_id
from tests.integration.processes import Process, Processes
from tests.integration.test_cli import lolraft

APP = "tests.integration.cluster:Diary"


async def command(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run the command line beside a cluster that goes on; return status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lolraft", *arguments),
        cwd=cwd,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def restore(tmp_path: Path, file: Path, data: Path, node_id: NodeId) -> tuple[int, str]:
    ended = lolraft(
        *("restore", str(file), "--data", str(data), "--id", node_id, "--app", APP),
        cwd=tmp_path,
    )
    return ended.returncode, ended.stdout + ended.stderr


class Restored(Processes):
    """One server, started on what was restored for it."""

    def __init__(self, directory: Path, node_id: NodeId) -> None:
        super().__init__(directory, 0)
        self.ids = (node_id,)
        self.processes = {node_id: Process(directory, node_id, ())}


def data_of(directory: Path, node_id: NodeId) -> Path:
    return directory / node_id.rpartition(":")[2]


@pytest.mark.parametrize("with_snapshot", [False, True])
async def test_a_backup_under_load_is_a_prefix_with_all_that_was_acknowledged(
    tmp_path: Path, with_snapshot: bool
) -> None:
    acknowledged: list[bytes] = []
    file = tmp_path / "saved"
    async with Processes(tmp_path) as cluster:
        for number in range(20):
            await cluster.write(b"before %d" % number)
            acknowledged.append(b"before %d" % number)
        if with_snapshot:  # Then the rest comes from the log after it.
            await cluster.read(b"snapshot", node_id=await cluster.leader())
            await cluster.write(b"after the snapshot")
            acknowledged.append(b"after the snapshot")
        begun = list(acknowledged)
        stop = asyncio.Event()

        async def load(name: int) -> None:
            number = 0
            while not stop.is_set():
                await cluster.write(b"during %d %d" % (name, number))
                number += 1

        loads = [asyncio.create_task(load(name)) for name in range(4)]
        # Of one server alone: the leader has the snapshot, a follower asks it how far to go.
        leader = await cluster.leader()
        server = leader if with_snapshot else next(name for name in cluster.ids if name != leader)
        status, said = await command("backup", server, "--out", str(file), cwd=tmp_path)
        stop.set()
        await asyncio.gather(*loads)
        assert status == 0, said
        whole = (await cluster.read()).split(b"\n")
    (shard,) = read_backup(file)
    assert (shard.snapshot_index > 0) is with_snapshot

    node_id = free_id()
    status, said = restore(tmp_path, file, data_of(tmp_path, node_id), node_id)
    assert status == 0, said
    async with Restored(tmp_path, node_id) as alone:
        state = (await alone.read()).split(b"\n")
        assert state[: len(begun)] == begun, "what was acknowledged before is in it"
        assert state == whole[: len(state)], "a prefix of the history"
        await alone.write(b"a history of its own")


async def test_request_ids_are_remembered_across_a_restore(tmp_path: Path) -> None:
    from lolraft.client import RaftClient

    async with Processes(tmp_path) as cluster, RaftClient(cluster.ids) as client:
        assert await client.write(0, b"once", request_id="r1") == b"1"
        await cluster.read(b"snapshot", node_id=await cluster.leader())
        assert await client.write(0, b"later", request_id="r2") == b"2"
        status, said = await command(
            "backup", *cluster.ids, "--out", str(tmp_path / "saved"), cwd=tmp_path
        )
        assert status == 0, said
    node_id = free_id()
    status, said = restore(tmp_path, tmp_path / "saved", data_of(tmp_path, node_id), node_id)
    assert status == 0, said
    async with Restored(tmp_path, node_id) as alone, RaftClient(alone.ids) as client:
        assert await client.write(0, b"once", request_id="r1") == b"1"
        assert await client.write(0, b"later", request_id="r2") == b"2"
        assert await alone.read() == b"once\nlater"


async def test_all_shards_go_into_one_file_and_the_new_groups_grow(tmp_path: Path) -> None:
    file = tmp_path / "saved"
    async with Cluster(tmp_path / "old", shards=(0, 3, 7)) as cluster:
        for shard_id in (0, 3, 7):
            await cluster.write(b"of %d" % shard_id, shard_id=shard_id)
        status, said = await command(
            *("backup", *cluster.ids, "--all", "--out", str(file), "--json"), cwd=tmp_path
        )
        assert status == 0, said
        assert [item["shard_id"] for item in json.loads(said)["shards"]] == [0, 3, 7]
    async with Cluster(tmp_path / "new", 0, shards=(0, 3, 7), static=False) as cluster:
        first, second = cluster.new_id(), cluster.new_id()
        status, said = restore(tmp_path, file, data_of(tmp_path / "new", first), first)
        assert status == 0, said
        for node_id in (first, second):
            await cluster.start(node_id)
        for shard_id in (0, 3, 7):
            await cluster.add(second, to=first, shard_id=shard_id)
            assert await cluster.read(node_id=second, shard_id=shard_id) == b"of %d" % shard_id


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small backup, with a snapshot and entries after it."""
    directory = tmp_path_factory.mktemp("saved")

    async def make() -> None:
        async with Cluster(directory, 1) as cluster:
            await cluster.write(b"in the snapshot")
            await cluster.read(b"snapshot")
            node = cluster.ids[0]
            await cluster.until(lambda: cluster.shard(node).snapshot_index > 1)
            await cluster.write(b"in the log")
            status, said = await command(
                "backup", node, "--out", str(directory / "saved"), cwd=directory
            )
            assert status == 0, said

    asyncio.run(make())
    return directory / "saved"


def test_a_damaged_file_is_refused_and_nothing_is_written(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    cases = {
        "a flipped bit": whole[: len(whole) // 2]
        + bytes([whole[len(whole) // 2] ^ 1])
        + whole[len(whole) // 2 + 1 :],
        "cut short": whole[:-1],
        "without its end": whole[: whole.rindex(b'{"shards"') - 9],
        "another format": whole.replace(b"lolraft backup 1", b"lolraft backup 2"),
        "something else": b"a text, not a backup",
        "nothing": b"",
    }
    says = {"another format": "use the version that wrote it"}
    says |= {"something else": "is no file of", "nothing": "is no file of"}
    for name, raw in cases.items():
        (tmp_path / "file").write_bytes(raw)
        status, said = restore(tmp_path, tmp_path / "file", tmp_path / "data", free_id())
        assert status == 1, name
        assert says.get(name, "use another backup") in said, name
        assert not (tmp_path / "data").exists(), name
    status, said = restore(tmp_path, tmp_path / "nowhere", tmp_path / "data", free_id())
    assert (status, "cannot read" in said) == (1, True)


def test_what_is_there_is_not_overwritten_and_a_ballot_is_kept(saved: Path, tmp_path: Path) -> None:
    node_id, data = free_id(), tmp_path / "data"
    # A replica that was removed: its ballot stays, its log is gone (S12).
    store = SqliteStorage(data)
    store.open(node_id)
    ballot = Ballot(50, NodeId("http://x:1"))
    store.commit(Batch(number=1, saves=((0, Save(number=1, ballot=ballot)),)))
    store.close()
    # And what an interrupted restore left of the app's half.
    (data / "apps" / "0").mkdir(parents=True)
    (data / "apps" / "0" / "99.snap").write_bytes(b"of an earlier try")
    assert restore(tmp_path, saved, data, free_id())[0] == 1, "another server's"
    status, said = restore(tmp_path, saved, data, node_id)
    assert status == 0, said
    assert [path.stem for path in (data / "apps" / "0").glob("*.snap")] != ["99"]
    store = SqliteStorage(data)
    store.open(node_id)
    record = store.load()[0]
    store.close()
    assert record.ballot == ballot
    assert record.snapshot is not None
    assert record.snapshot.configuration.voters == (node_id,)
    status, said = restore(tmp_path, saved, data, node_id)
    assert status == 1
    assert "holds shard 0 already" in said


def test_a_backup_that_cannot_be_had_leaves_no_file(tmp_path: Path) -> None:
    ended = lolraft(*("backup", "127.0.0.1:1", "--out", "saved", "--timeout", "0.5"), cwd=tmp_path)
    assert ended.returncode == 1
    assert "UNAVAILABLE" in ended.stderr
    ended = lolraft("backup", "127.0.0.1:1", "--out", "no/such/folder", cwd=tmp_path)
    assert ended.returncode == 2
    assert "cannot write" in ended.stderr
    assert list(tmp_path.iterdir()) == []
