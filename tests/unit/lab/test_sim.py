"""The simulated backend: the same interface, the same pictures, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from lab.apps import kv
from lab.cluster.interface import ClusterError, NodeState
from lab.faults import ClockTrouble, DiskTrouble, FaultKind, LinkTrouble, Rhythm
from lab.sim.client import SimClient
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lolraft.errors import RequestFailed


class Bench:
    """A simulated cluster, watched."""

    def __init__(self, cluster: SimCluster) -> None:
        self.cluster = cluster
        self.watcher = SimWatcher(cluster)
        self.client: SimClient = cluster.client()

    async def until(self, condition: Callable[[], bool], within_s: float = 20.0) -> None:
        until_s = self.cluster.now_s() + within_s
        while not condition():
            assert self.cluster.now_s() < until_s, self.watcher.view.shards
            await self.cluster.time.sleep(0.1)

    @property
    def leader(self) -> str | None:
        shard = self.watcher.view.shards.get(0)
        return shard.leader if shard is not None else None

    async def led(self, *, other_than: str = "") -> str:
        await self.until(lambda: self.leader not in (None, other_than))
        assert self.leader is not None
        return self.leader

    async def put(self, key: str, value: str) -> None:
        await self.client.write(0, kv.put(key, value))

    async def get(self, key: str) -> str | None:
        found = kv.decode_answer(await self.client.read(0, kv.get(key)))["value"]
        assert found is None or isinstance(found, str)
        return found


@asynccontextmanager
async def bench(**wishes: int) -> AsyncIterator[Bench]:
    cluster = SimCluster(seed=wishes.pop("seed", 7), speed=None, **wishes)
    made = Bench(cluster)
    try:
        await cluster.start(lambda line: None)
        made.watcher.start()
        await made.led()
        yield made
    finally:
        await made.watcher.stop()
        await cluster.close()


async def test_a_leader_that_dies_is_replaced_and_nothing_is_lost() -> None:
    async with bench() as one:
        old = await one.led()
        await one.put("a", "1")
        await one.cluster.kill(old)
        assert [fault.kind for fault in one.cluster.faults()] == [FaultKind.KILL]
        await one.led(other_than=old)
        assert await one.get("a") == "1"
        await one.cluster.restart(old)
        assert one.cluster.faults() == ()
        one.watcher.select(0, None, 20)
        shard = one.watcher.view.shards[0]
        await one.until(lambda: len({log.last_index for log in one.watcher.view.logs.values()}) < 2)
        await one.until(lambda: len({log.entries for log in one.watcher.view.logs.values()}) == 1)
        assert "put a" in one.watcher.view.logs[old].entries[-2].text
        assert shard.voters == ("n1", "n2", "n3")
        assert one.watcher.view.verdict == "SAFE"


async def test_an_isolated_leader_steps_down_and_the_majority_goes_on() -> None:
    async with bench() as one:
        old = await one.led()
        fault = await one.cluster.isolate(old)
        assert len(fault.links) == 4
        new = await one.led(other_than=old)
        await one.until(lambda: one.watcher.view.shards[0].replicas[old].role != "leader")
        await one.put("a", "2")
        await one.cluster.heal(fault)
        assert one.cluster.faults() == ()
        await one.until(
            lambda: len({r.last_index for r in one.watcher.view.shards[0].replicas.values()}) == 1
        )
        assert await one.led() == new


async def test_a_cut_one_way_is_heard_the_other_way() -> None:
    async with bench() as one:
        leader = await one.led()
        deaf = next(name for name in ("n1", "n2", "n3") if name != leader)
        await one.cluster.cut(leader, deaf)
        await one.until(lambda: one.watcher.view.links[leader, deaf].phi > 8)
        assert one.watcher.view.links[deaf, leader].phi < 8
        await one.cluster.heal()
        await one.until(lambda: one.watcher.view.links[leader, deaf].phi < 8)


async def test_pauses_stops_and_what_cannot_be_done() -> None:
    async with bench() as one:
        leader = await one.led()
        await one.cluster.pause(leader)
        with pytest.raises(ClusterError, match="paused already"):
            await one.cluster.pause(leader)
        await one.led(other_than=leader)
        await one.cluster.resume(leader)
        with pytest.raises(ClusterError, match="not paused"):
            await one.cluster.resume(leader)
        await one.cluster.stop(leader)
        with pytest.raises(ClusterError, match="does not run"):
            await one.cluster.kill(leader)
        states = {node.name: node.state for node in one.cluster.nodes()}
        assert states[leader] is NodeState.STOPPED
        with pytest.raises(ClusterError, match="there is no node n9"):
            await one.cluster.kill("n9")
        with pytest.raises(ClusterError, match="not nonsense"):
            SimCluster(app="nonsense")


async def test_without_a_majority_nothing_is_acknowledged() -> None:
    async with bench() as one:
        leader = await one.led()
        for name in ("n1", "n2", "n3"):
            if name != leader:
                await one.cluster.kill(name)
        with pytest.raises(RequestFailed) as failed:
            await one.put("a", "1")
        assert not failed.value.outcome_known


async def test_a_node_is_added_and_one_removed() -> None:
    async with bench() as one:
        added = await one.cluster.add_node()
        await one.client.add_server(0, added.node_id)
        await one.until(lambda: added.name in one.watcher.view.shards[0].voters)
        gone = next(name for name in ("n1", "n2", "n3") if name != one.leader)
        await one.client.remove_server(0, f"http://{gone}:1")
        await one.until(lambda: gone not in one.watcher.view.shards[0].voters)
        await one.client.transfer_leadership(0, added.node_id)
        await one.until(lambda: one.leader == added.name)


async def test_what_lags_too_far_behind_gets_a_snapshot() -> None:
    async with bench(snapshot_entries=20, tail_entries=0) as one:
        late = next(name for name in ("n1", "n2", "n3") if name != one.leader)
        await one.cluster.stop(late)
        for number in range(60):
            await one.put(f"k{number}", "v")
        await one.cluster.restart(late)
        await one.until(lambda: one.watcher.view.shards[0].replicas[late].snapshot_index > 20)
        assert any("installed" in event.text for event in one.watcher.view.events)


async def test_the_same_seed_and_deeds_make_the_same_world() -> None:
    digests = []
    for seed in (11, 11, 12):
        async with bench(seed=seed) as one:
            leader = await one.led()
            await one.put("a", "1")
            await one.cluster.kill(leader)
            await one.put("b", "2")
            await one.cluster.restart(leader)
            await one.cluster.time.sleep(2.0)
            digests.append(one.cluster.world.digest)
    assert digests[0] == digests[1] != digests[2]


async def test_a_broken_promise_is_shown_and_time_stands_still() -> None:
    async with bench() as one:
        world = one.cluster.world
        world.clock.after(0.5, world.violated, "election safety (§3.2)", "two leaders in term 9")
        await asyncio.sleep(0.1)
        assert "two leaders" in str(one.cluster.violation)
        events = [event for event in one.watcher.view.events if event.kind == "violation"]
        assert "two leaders in term 9" in events[0].text
        stood_s = world.clock.now_s
        assert not one.cluster.time.step()
        await asyncio.sleep(0.05)
        assert world.clock.now_s == stood_s


async def test_time_is_held_and_stepped() -> None:
    async with bench() as one:
        one.cluster.time.speed = 0.0
        await asyncio.sleep(0.05)
        world = one.cluster.world
        stood_s, steps = world.clock.now_s, world.clock.steps
        await asyncio.sleep(0.05)
        assert world.clock.steps == steps
        assert one.cluster.time.step()
        assert world.clock.steps == steps + 1
        assert world.clock.now_s >= stood_s
        one.cluster.time.speed = None
        await one.put("a", "1")


# --- troubles ------------------------------------------------------------------------------------


async def test_messages_are_late_lost_doubled_and_out_of_order() -> None:
    async with bench() as one:
        leader = await one.led()
        follower = next(name for name in ("n1", "n2", "n3") if name != leader)
        counts = one.cluster.world.network.counts
        for kind, trouble, what in (
            (FaultKind.LOSS, LinkTrouble(drop=0.5), "lost"),
            (FaultKind.DUPLICATE, LinkTrouble(duplicate=0.5), "doubled"),
            (FaultKind.REORDER, LinkTrouble(reorder=0.5), "overtaken"),
        ):
            fault = await one.cluster.disturb(kind, (leader, follower), trouble)
            assert one.cluster.faults() == (fault,)
            before = counts[what]
            for number in range(20):
                await one.put(f"k{number}", "v")
            assert counts[what] > before
            await one.cluster.heal(fault)
        assert one.cluster.world.network.weather.is_calm


async def test_a_slow_link_delays_what_needs_it() -> None:
    async with bench() as one:
        leader = await one.led()
        for other in ("n1", "n2", "n3"):
            if other != leader:
                await one.cluster.disturb(
                    FaultKind.DELAY, (leader, other), LinkTrouble(delay_s=0.2)
                )
        began_s = one.cluster.now_s()
        await one.put("a", "1")
        assert one.cluster.now_s() - began_s >= 0.2
        await one.cluster.heal()
        await one.cluster.time.sleep(1.0)
        began_s = one.cluster.now_s()
        await one.put("a", "2")
        assert one.cluster.now_s() - began_s < 0.2


async def test_a_flapping_link_is_now_cut_and_now_whole() -> None:
    async with bench() as one:
        fault = await one.cluster.disturb(FaultKind.FLAP, ("n1", "n2"), Rhythm(period_s=1.0))
        weather = one.cluster.world.network.weather
        seen = set()
        for _ in range(20):
            await one.cluster.time.sleep(0.1)
            seen.add(weather.is_calm)
        assert seen == {True, False}
        await one.cluster.heal(fault)
        await one.cluster.time.sleep(1.0)
        assert weather.is_calm


async def test_a_crash_loop_goes_on_until_it_is_healed() -> None:
    async with bench() as one:
        name = next(item for item in ("n1", "n2", "n3") if item != one.leader)
        life = one.cluster.node(name).life
        fault = await one.cluster.disturb(FaultKind.CRASH_LOOP, (name,), Rhythm(period_s=1.0))
        await one.cluster.time.sleep(3.2)
        assert one.cluster.node(name).life >= life + 6  # A start and an end each count.
        await one.cluster.heal(fault)
        assert one.cluster.node(name).is_running
        assert one.cluster.faults() == ()


async def test_a_slow_disk_delays_and_a_failing_one_ends_its_node() -> None:
    async with bench() as one:
        leader = await one.led()
        await one.cluster.disturb(FaultKind.SLOW_DISK, (leader,), DiskTrouble(sync_delay_s=0.2))
        assert one.cluster.node(leader).disk.slow_s == 0.2
        await one.cluster.heal()
        assert one.cluster.node(leader).disk.slow_s == 0.0
        await one.cluster.disturb(FaultKind.FAILING_SYNC, (leader,), DiskTrouble(fail_sync=True))
        await one.put("a", "1")  # Others acknowledge it; who failed says so and leads no more.
        await one.led(other_than=leader)
        await one.cluster.heal()
        await one.cluster.restart(leader)
        await one.until(lambda: one.watcher.view.shards[0].replicas[leader].role == "follower")


async def test_a_clock_runs_fast_and_jumps_once() -> None:
    async with bench() as one:
        node = one.cluster.node("n1")
        await one.cluster.disturb(FaultKind.CLOCK, ("n1",), ClockTrouble(rate=2.0))
        assert node.rate == 2.0
        before_s = node.now_s
        await one.cluster.disturb(FaultKind.CLOCK, ("n1",), ClockTrouble(jump_s=5.0))
        assert node.now_s >= before_s + 5.0
        await one.cluster.disturb(FaultKind.LOSS, ("n1", "n2"), LinkTrouble(drop=0.1))
        assert node.now_s < before_s + 10.0, "another rule lets it jump no further"
        await one.cluster.heal()
        assert node.rate == 1.0


async def test_what_the_simulator_lacks_is_said() -> None:
    async with bench() as one:
        with pytest.raises(ClusterError, match="no bandwidth"):
            await one.cluster.disturb(
                FaultKind.BANDWIDTH, ("n1", "n2"), LinkTrouble(bandwidth_bytes_s=1000)
            )
