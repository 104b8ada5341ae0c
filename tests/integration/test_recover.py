"""A majority is destroyed: survivors go on by an operator's word, and merge with nobody."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lolraft.raft.types import NodeId
from lolraft.rpc.pb import lolraft_pb2 as pb
from tests.integration.cluster import free_id
from tests.integration.processes import PATIENCE_S, Process, Processes
from tests.integration.test_cli import lolraft
from tests.integration.test_damaged_log import rot_newest_batch

AGREED = "--accept-data-loss"


class Disaster(Processes):
    """A cluster of which some are lost for ever; commands run beside the stopped survivors."""

    def __init__(self, directory: Path, count: int = 3) -> None:
        super().__init__(directory, count)
        self.directory = directory

    def data(self, node_id: NodeId) -> Path:
        return self.directory / node_id.rpartition(":")[2]

    def recover(self, node_id: NodeId, *more: str, fails: bool = False) -> str:
        """Run the command on one server's data; return what it printed."""
        ended = lolraft(
            *("recover", "--data", str(self.data(node_id)), "--shard", "0", *more),
            cwd=self.directory,
        )
        assert ended.returncode == (1 if fails else 0), ended.stderr + ended.stdout
        return ended.stderr if fails else ended.stdout

    async def stop_all(self) -> None:
        for process in self.processes.values():
            await process.kill()

    async def restart(self, *node_ids: NodeId) -> None:
        """Start servers as they would be after a disaster: without `--members`."""
        for node_id in node_ids:
            self.processes[node_id] = Process(self.directory, node_id, ())
            await self.processes[node_id].start()

    async def add(self, server: NodeId, to: NodeId) -> None:
        request = pb.AddServerRequest(shard_id=0, server_id=server)
        await self._insist(lambda stub: stub.AddServer(request, timeout=15.0), to)

    async def refusal(self, server: NodeId, to: NodeId) -> str:
        """Ask for a server to be added, until it has started; return why it is not."""
        request = pb.AddServerRequest(shard_id=0, server_id=server)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await self.stub(to).AddServer(request, timeout=15.0)
                if refused.value.code() is not grpc.StatusCode.UNAVAILABLE:
                    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
                    return str(refused.value.details())


def last_entry(shown: str) -> tuple[int, int]:
    """Return (term, index) of the only shard in what `recover --json` printed."""
    (shard,) = json.loads(shown)["shards"]
    return shard["last"]["term"], shard["last"]["index"]


async def test_the_last_survivor_of_three_goes_on_and_the_group_grows_again(tmp_path: Path) -> None:
    async with Disaster(tmp_path) as cluster:
        lines = [b"line %d" % number for number in range(20)]
        for line in lines:
            await cluster.write(line)
        survivor, *lost = cluster.ids
        await cluster.read(node_id=survivor)  # It has applied them all.
        await cluster.stop_all()
        shutil.rmtree(cluster.data(lost[0]))

        shown = cluster.recover(survivor)
        assert all(name in shown for name in cluster.ids)
        said = cluster.recover(survivor, "--survivors", survivor, AGREED)
        assert "goes on without " + ", ".join(sorted(lost)) in said
        assert "lost: every entry after" in said
        assert list(cluster.data(survivor).glob("before-recover-0-*.db"))
        await cluster.restart(survivor)
        lines.append(b"after the disaster")
        await cluster.write(lines[-1])
        assert await cluster.read(node_id=survivor) == b"\n".join(lines)

        # One that was thought lost comes back with its old data: it is no part of the new group.
        returned = lost[1]
        await cluster.restart(returned)
        refused = await cluster.refusal(returned, to=survivor)
        assert "belongs to another group of shard 0; wipe its data first" in refused
        lines.append(b"beside the old one")
        await cluster.write(lines[-1])
        await cluster.processes[returned].kill()

        # Wiped, and started as for the first time: they do not begin the old group anew (S4).
        shutil.rmtree(cluster.data(returned))
        for name in lost:
            cluster.processes[name] = Process(tmp_path, name, tuple(sorted((survivor, *lost))))
            cluster.processes[name].log = tmp_path / f"again-{name[-5:]}.log"
            await cluster.processes[name].start()
        for name in lost:
            await cluster.processes[name].says("knows another data directory")
        for name in lost:
            await cluster.processes[name].kill()
            assert " leads in term " not in cluster.processes[name].said()
            shutil.rmtree(cluster.data(name))

        # Wiped, under the old id; and a new one.
        new = free_id()
        for name in (lost[0], new):
            await cluster.restart(name)
            await cluster.add(name, to=survivor)
            assert await cluster.read(node_id=name) == b"\n".join(lines)
        await cluster.processes[survivor].kill()  # Three voters again: one may go.
        cluster.ids = (lost[0], new)
        lines.append(b"whole again")
        await cluster.write(lines[-1])
        assert await cluster.read() == b"\n".join(lines)


async def test_two_survivors_of_five_keep_their_logs_and_the_longest_wins(tmp_path: Path) -> None:
    async with Disaster(tmp_path, count=5) as cluster:
        await cluster.write(b"first")
        behind, ahead = cluster.ids[:2]
        await cluster.read(node_id=behind)
        await cluster.processes[behind].kill()
        for number in range(5):
            await cluster.write(b"%d" % number)
        expected = await cluster.read(node_id=ahead)
        await cluster.stop_all()
        for name in cluster.ids[2:]:
            shutil.rmtree(cluster.data(name))
        held = {name: last_entry(cluster.recover(name, "--json")) for name in (behind, ahead)}
        assert held[behind] < held[ahead]
        both = ("--survivors", f"{behind},{ahead}", AGREED)

        # The wrong one first: the other, which holds more, refuses to follow it.
        wrong = json.loads(cluster.recover(behind, *both, "--json"))
        plan = wrong["plan"]
        refused = cluster.recover(ahead, "--follow", plan, AGREED, fails=True)
        assert "holds more of shard 0" in refused
        for name in ("node.db", "node.db-wal", "node.db-shm"):
            (cluster.data(behind) / name).unlink(missing_ok=True)
        shutil.move(wrong["copy"], cluster.data(behind) / "node.db")
        assert last_entry(cluster.recover(behind, "--json")) == held[behind]

        plan = json.loads(cluster.recover(ahead, *both, "--json"))["plan"]
        cluster.recover(behind, "--follow", plan, AGREED)
        await cluster.restart(ahead, behind)
        cluster.ids = (ahead, behind)
        await cluster.write(b"after")
        await cluster.add(behind, to=ahead)  # From learner to voter; nothing was wiped.
        assert await cluster.read(node_id=behind) == expected + b"\nafter"


async def test_a_damaged_log_that_nobody_can_repair_goes_on_with_what_is_whole(
    tmp_path: Path,
) -> None:
    async with Disaster(tmp_path, count=1) as cluster:
        for number in range(5):
            await cluster.write(b"line %d" % number)
        (node,) = cluster.ids
        await cluster.stop_all()
        rot_newest_batch(tmp_path, node)
        assert "DAMAGED" in cluster.recover(node)
        await cluster.restart(node)  # It says so, and serves nothing.
        request = pb.WriteRequest(shard_id=0, message=b"refused")
        with pytest.raises(grpc.aio.AioRpcError, match="has no leader now"):
            await cluster.stub(node).Write(request, timeout=15.0, wait_for_ready=True)
        await cluster.stop_all()
        said = cluster.recover(node, "--survivors", node, AGREED)
        assert "that were here and cannot be read any more" in said
        await cluster.restart(node)
        await cluster.write(b"after")
        lines = (await cluster.read()).split(b"\n")
        assert lines[:-1] == [b"line %d" % number for number in range(len(lines) - 1)]
        await cluster.stop_all()
        assert "DAMAGED" not in cluster.recover(node)


async def test_it_refuses_what_is_not_needed_or_not_meant(tmp_path: Path) -> None:
    async with Disaster(tmp_path) as cluster:
        await cluster.write(b"first")
        one, two, three = cluster.ids
        running = cluster.recover(one, fails=True)
        assert "is in use by process" in running
        await cluster.stop_all()
        before = cluster.recover(one)
        assert "are a quorum" in cluster.recover(one, "--survivors", f"{one},{two}", fails=True)
        assert "not among" in cluster.recover(one, "--survivors", two, AGREED, fails=True)
        stranger = f"{one},http://127.0.0.1:9"
        assert "no member" in cluster.recover(one, "--survivors", stranger, AGREED, fails=True)
        assert "no plan" in cluster.recover(one, "--follow", "nonsense", AGREED, fails=True)
        unmeant = lolraft(
            *("recover", "--data", str(cluster.data(one)), "--shard", "0", "--survivors", one),
            cwd=tmp_path,
        )
        assert unmeant.returncode == 2
        assert "--accept-data-loss" in unmeant.stderr
        which = lolraft(
            "recover", "--data", str(cluster.data(one)), "--survivors", one, cwd=tmp_path
        )
        assert (which.returncode, "--shard: which one?" in which.stderr) == (2, True)
        assert cluster.recover(one) == before
        nowhere = lolraft("recover", "--data", str(tmp_path / "nowhere"), cwd=tmp_path)
        assert nowhere.returncode == 1
        assert "holds no node's data" in nowhere.stderr
        assert not (tmp_path / "nowhere").exists()
        await cluster.restart(one, two, three)
        await cluster.write(b"second")
