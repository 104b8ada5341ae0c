"""Pauses and cuts of a local cluster: what they do, that watching goes on, and that they end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lab.cluster.interface import ClusterError, NodeState
from lab.cluster.rules import LEASE_S
from lab.faults import ClockTrouble, DiskTrouble, FaultKind, LinkTrouble, Rhythm
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from tests.integration.local_lab import Lab, local_lab


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def rules(lab: Lab, name: str) -> observe_pb2.FaultState:
    """Return what a node says of its rules."""
    address = next(node.watch_address for node in lab.cluster.nodes() if node.name == name)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = observe_pb2_grpc.FaultsStub(channel)
        return await stub.Get(observe_pb2.GetFaults(), timeout=5.0, wait_for_ready=True)


async def rules_in_force(lab: Lab, name: str) -> int:
    """Return how many links a node drops, by its own word."""
    return len((await rules(lab, name)).rules.links)


async def test_a_paused_leader_is_replaced_and_follows_when_it_goes_on() -> None:
    async with local_lab() as lab:
        old = await lab.leader()
        await lab.cluster.pause(old)
        assert lab.state(old) is NodeState.PAUSED
        new = await lab.leader(other_than=old)
        await lab.put("while paused", "1")
        with pytest.raises(ClusterError, match="does not run"):
            await lab.cluster.pause(old)
        await lab.cluster.resume(old)
        assert lab.cluster.faults() == ()
        await lab.until(lambda: lab.replica(old).role == "follower")
        assert await lab.leader() == new
        await lab.logs_agree()
        # A paused process can be killed, and only the kill is in force then.
        await lab.cluster.pause(old)
        await lab.cluster.kill(old)
        assert lab.state(old) is NodeState.KILLED
        assert [fault.kind for fault in lab.cluster.faults()] == [FaultKind.KILL]
        await lab.cluster.restart(old)
        assert lab.cluster.faults() == ()
        # And stopped: it goes on, hears SIGTERM and ends in order.
        await lab.until(lambda: lab.node(old).epoch == 2)
        await lab.cluster.pause(old)
        await lab.cluster.stop(old)
        assert lab.state(old) is NodeState.STOPPED
        assert [fault.kind for fault in lab.cluster.faults()] == [FaultKind.STOP]


async def test_an_isolated_leader_steps_down_and_is_watched_all_the_while() -> None:
    async with local_lab() as lab:
        old = await lab.leader()
        fault = await lab.cluster.isolate(old)
        assert fault.mechanism == "transport rule"
        assert len(fault.links) == 4
        new = await lab.leader(other_than=old)
        await lab.until(lambda: lab.replica(old).role != "leader")
        await lab.put("by the majority", "1")
        commit = lab.replica(new).commit_index
        await lab.until(lambda: lab.replica(new).commit_index > commit)
        # Watching goes on: the cut node's reports arrive, and say that it is behind.
        reported_s = lab.node(old).reported_at_s
        await lab.until(lambda: lab.node(old).reported_at_s != reported_s)
        assert lab.replica(old).commit_index < lab.replica(new).commit_index
        assert len(lab.view.faults) == 1
        # The lease is renewed for as long as the fault stands.
        version = 0
        for _ in range(3):
            async with asyncio.timeout(LEASE_S):
                while (now := await rules(lab, old)).version == version:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert len(now.rules.links) == 4
            assert now.lease_left_s > LEASE_S / 3
            version = now.version
        assert lab.replica(old).commit_index < lab.replica(new).commit_index
        await lab.cluster.heal()
        assert lab.cluster.faults() == ()
        await lab.logs_agree()
        assert lab.view.verdict == "SAFE"


async def test_a_restarted_node_is_cut_off_still() -> None:
    async with local_lab() as lab:
        leader = await lab.leader()
        name = next(name for name in lab.names if name != leader)
        await lab.cluster.isolate(name)
        await lab.put("while it is cut off", "1")
        behind = await lab.log(name)
        await lab.cluster.kill(name)
        await lab.cluster.restart(name)
        await lab.until(lambda: lab.node(name).epoch == 2)
        assert await rules_in_force(lab, name) == 4
        await lab.put("and restarted", "1")
        heard = [link for link in lab.view.links.values() if link.receiver == name]
        assert len(heard) == 2
        assert await lab.log(name) == behind
        await lab.cluster.heal()
        await lab.logs_agree()


async def test_a_link_cut_one_way_loses_that_way_only() -> None:
    async with local_lab() as lab:
        leader = await lab.leader()
        deaf, third = (name for name in lab.names if name != leader)
        fault = await lab.cluster.cut(leader, deaf)
        assert fault.links == ((leader, deaf),)
        # The deaf node no longer hears its leader, which still hears it.
        await lab.until(lambda: lab.view.links[leader, deaf].phi > 8)
        assert lab.view.links[third, deaf].phi < 8
        await lab.put("a", "1")
        await lab.until(lambda: lab.view.links[deaf, leader].phi < 8)
        await lab.cluster.heal(fault)
        await lab.until(lambda: lab.view.links[leader, deaf].phi < 8)
        await lab.logs_agree()
        with pytest.raises(ClusterError, match="two different nodes"):
            await lab.cluster.cut(leader, leader)


async def test_a_partition_by_groups_leaves_the_majority_at_work() -> None:
    async with local_lab(nodes=5) as lab:
        leader = await lab.leader()
        others = [name for name in lab.names if name != leader]
        minority, majority = (leader, others[0]), tuple(others[1:])
        fault = await lab.cluster.partition((minority, majority))
        assert len(fault.links) == 12
        await lab.until(lambda: lab.shard.leader in majority)
        await lab.until(lambda: lab.replica(leader).role != "leader")
        await lab.put("by the majority", "1")
        await lab.logs_agree(*majority)
        await lab.logs_agree(*minority)
        assert await lab.log(majority[0]) != await lab.log(minority[0])
        # Two faults at once: healing one leaves the other.
        more = await lab.cluster.cut_both(majority[0], majority[1])
        await lab.cluster.heal(fault)
        assert lab.cluster.faults() == (more,)
        assert await rules_in_force(lab, leader) == 2
        await lab.cluster.heal()
        assert await rules_in_force(lab, leader) == 0
        await lab.logs_agree()


async def test_cuts_lapse_by_themselves_when_the_lab_falls_silent() -> None:
    async with local_lab() as lab:
        leader = await lab.leader()
        await lab.cluster.isolate(leader)
        await lab.leader(other_than=leader)
        renewing = lab.cluster._rules._renewing  # type: ignore[attr-defined]
        renewing.cancel()  # As if the lab had died: nobody heals, nobody renews.
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.timeout(LEASE_S + 2.0):
            while await rules_in_force(lab, leader):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert loop.time() - began_s < LEASE_S + 1.0
        await lab.logs_agree()


async def test_groups_that_make_no_partition_are_refused() -> None:
    async with local_lab(nodes=1) as lab:
        for groups in ((("n1",),), (("n1",), ("n1",))):
            with pytest.raises(ClusterError, match="two groups of different nodes"):
                await lab.cluster.partition(groups)
        assert lab.cluster.faults() == ()


async def test_troubles_of_links_disks_and_clocks_reach_the_nodes_and_end() -> None:
    async with local_lab() as lab:
        one, other, third = lab.names
        await lab.cluster.disturb(FaultKind.DELAY, (one, other), LinkTrouble(delay_s=0.05))
        await lab.cluster.disturb(FaultKind.SLOW_DISK, (one,), DiskTrouble(sync_delay_s=0.02))
        await lab.cluster.disturb(FaultKind.CLOCK, (other,), ClockTrouble(rate=1.5))
        found = {name: (await rules(lab, name)).rules for name in lab.names}
        assert [rule.delay_s for rule in found[third].links] == [0.05]
        assert [found[name].storage.sync_delay_s for name in lab.names] == [0.02, 0.0, 0.0]
        assert [found[name].clock.rate for name in lab.names] == [0.0, 1.5, 0.0]
        await lab.put("a", "1")
        await lab.cluster.heal()
        assert lab.cluster.faults() == ()
        for name in lab.names:
            now = (await rules(lab, name)).rules
            assert (list(now.links), now.storage.sync_delay_s, now.clock.rate) == ([], 0.0, 0.0)
        await lab.logs_agree()


async def test_a_crash_loop_and_a_flapping_link_end_when_they_are_healed() -> None:
    async with local_lab() as lab:
        leader = await lab.leader()
        name, other = (item for item in lab.names if item != leader)
        loop = await lab.cluster.disturb(FaultKind.CRASH_LOOP, (name,), Rhythm(period_s=1.0))
        await lab.cluster.disturb(FaultKind.FLAP, (leader, other), Rhythm(period_s=0.4))
        await lab.until(lambda: lab.node(name).epoch >= 3)
        await lab.put("while it crashes", "1")
        await lab.cluster.heal(loop)
        assert lab.state(name) is NodeState.RUNNING
        await lab.cluster.heal()
        assert lab.cluster.faults() == ()
        await lab.logs_agree()
