"""Disks of running nodes that fail, fill up or are slow: no acknowledgement, and they say so."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lab.apps import kv
from lab.cluster import runs
from lolraft.rpc.pb import lolraft_pb2, lolraft_pb2_grpc, observe_pb2, observe_pb2_grpc
from tests.integration.local_lab import Lab, local_lab


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def address_of(lab: Lab, name: str) -> str:
    return next(node.watch_address for node in lab.cluster.nodes() if node.name == name)


async def set_disk(lab: Lab, name: str, **rule: float) -> None:
    """Break the disk of one node, for as long as the test takes."""
    storage = observe_pb2.StorageRule(**rule)
    rules = observe_pb2.FaultRules(version=int(time.time() * 1000), lease_s=60.0, storage=storage)
    async with grpc.aio.insecure_channel(address_of(lab, name)) as channel:
        await observe_pb2_grpc.FaultsStub(channel).Set(rules, timeout=5.0, wait_for_ready=True)


async def write_to(lab: Lab, name: str, key: str, request_id: str) -> str:
    """Write through one node alone; return the status that it answers, or OK."""
    request = lolraft_pb2.WriteRequest(shard_id=0, message=kv.put(key, "x"), request_id=request_id)
    async with grpc.aio.insecure_channel(address_of(lab, name)) as channel:
        try:
            await lolraft_pb2_grpc.RaftStub(channel).Write(request, timeout=3.0)
        except grpc.aio.AioRpcError as refused:
            return refused.code().name
    return "OK"


async def write_something(lab: Lab, name: str) -> None:
    """Make a node stand until its disk, asked for the ballot, has failed and stopped it."""
    async with grpc.aio.insecure_channel(address_of(lab, name)) as channel:
        stub = lolraft_pb2_grpc.RaftStub(channel)
        async with asyncio.timeout(30):
            while lab.replica(name).role != "stopped":
                with suppress(grpc.aio.AioRpcError):
                    await stub.SendTimeoutNow(lolraft_pb2.TimeoutNow(shard_id=0), timeout=3.0)
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", ["fail_sync", "full"])
async def test_nodes_whose_disk_failed_acknowledge_nothing_until_they_are_started_again(
    fault: str,
) -> None:
    async with local_lab() as lab:
        await lab.put("before", "1")
        old = await lab.leader()
        followers = [name for name in lab.names if name != old]
        for name in lab.names:  # Nobody can acknowledge: the leader's followers fail as well.
            await set_disk(lab, name, **{fault: True})
        assert await write_to(lab, old, "never acknowledged", "r1") != "OK"
        for name in lab.names:
            await write_something(lab, name)
        said = [event.text for event in lab.view.events if event.kind == "disk_failed"]
        assert said, lab.view.events
        assert "disk failed" in said[0]
        # After a failed sync nobody knows what is on the disk: it does not come back by itself.
        for name in lab.names:
            await set_disk(lab, name)
            assert await write_to(lab, name, "never acknowledged", "r1") != "OK"
        assert {lab.replica(name).role for name in lab.names} == {"stopped"}
        # Started again, it goes on from what its disk has.
        for name in (old, *followers):
            await lab.cluster.restart(name)
        await lab.put("after", "2")
        assert await lab.get("before") == "1"
        await lab.logs_agree()
        assert lab.view.verdict == "SAFE", lab.view.verdict_why


async def test_the_majority_goes_on_when_the_leaders_disk_fails() -> None:
    async with local_lab() as lab:
        old = await lab.leader()
        await set_disk(lab, old, fail_sync=True)
        await lab.put("a", "1")  # Acknowledged by others, whoever was asked first.
        new = await lab.leader(other_than=old)
        await lab.until(lambda: lab.replica(old).role == "stopped")
        assert not lab.node(old).disk_is_well
        await lab.put("b", "2")
        assert await lab.get("b") == "2"
        assert lab.replica(new).role == "leader"
        await lab.cluster.restart(old)
        await lab.logs_agree()


async def test_a_leader_whose_disk_hangs_hands_over() -> None:
    async with local_lab() as lab:
        old = await lab.leader()
        await set_disk(lab, old, sync_delay_s=30.0)
        await lab.put("a", "1")
        await lab.leader(other_than=old)
        await lab.until(
            lambda: any(item.kind == "stalled" and item.node == old for item in lab.view.events)
        )
        await lab.put("b", "2")
        await lab.cluster.kill(old)
        await lab.cluster.restart(old)
        await lab.logs_agree()


async def test_a_real_limit_of_the_system_ends_acknowledgements() -> None:
    """No fault of ours: the kernel refuses to let the follower's files grow, then lets it."""
    async with local_lab() as lab:
        leader = await lab.leader()
        name = next(name for name in lab.names if name != leader)
        (run,) = runs.known_runs()
        pid = next(node.pid for node in run.nodes if node.name == name)
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, most))  # Its files are longer already.
        await lab.put("a", "1")
        await lab.until(lambda: lab.replica(name).role == "stopped")
        said = next(event.text for event in lab.view.events if event.kind == "disk_failed")
        assert "space" in said
        assert "cannot write to" in said
        os.kill(pid, 0)  # It runs, watched and silent.
        await lab.put("b", "2")
        await lab.cluster.restart(name)
        await lab.logs_agree()


async def test_a_short_stall_costs_time_and_nothing_else() -> None:
    async with local_lab() as lab:
        leader = await lab.leader()
        term = lab.shard.term
        for name in lab.names:
            await set_disk(lab, name, sync_delay_s=0.1)
        await asyncio.gather(*(lab.put(f"k{n}", "v") for n in range(20)))
        assert (await lab.leader(), lab.shard.term) == (leader, term)
        await lab.until(lambda: lab.node(leader).fsync_s > 0.01)
        await lab.check({f"k{n}": "v" for n in range(20)})
