"""The world of a seed in the lab: the very world of `./dev sim`, looked at and not touched."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from lab.attach import watcher_of
from lab.cluster.interface import Cluster, ClusterError, NodeState
from lab.cluster.steer import Seekable, Steerable
from lab.faults import ClockTrouble, DiskTrouble, Fault, FaultKind, Rhythm
from lab.observe.happenings import ClusterChanged, Happening
from lab.options import Wishes, parse
from lab.session import choose
from lab.sim.chance import Broken, in_force
from lab.sim.cluster import SimCluster
from lab.sim.swarm import HANDS_OFF, OVER, SwarmCluster
from lab.sim.watch import SimWatcher
from lolraft.raft import core, election
from lolraft.raft.quorum import _halves
from lolraft.raft.types import Configuration, NodeId
from lolraft.sim import Plan, World
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule

STORY = 7  # Three nodes; twelve seconds; crashes, stops, cuts, loss, full and torn disks.


class Seat:
    """A seed's world with somebody who looks on, and keeps every change."""

    def __init__(self, cluster: SwarmCluster) -> None:
        self.cluster = cluster
        self.changes: list[ClusterChanged] = []
        watcher = watcher_of(cluster, self._keep)
        assert isinstance(watcher, SimWatcher)
        self.watcher = watcher

    def _keep(self, happening: Happening) -> None:
        if isinstance(happening, ClusterChanged):
            self.changes.append(happening)

    async def to_the_end(self) -> None:
        async with asyncio.timeout(60):
            while self.cluster.ended is None:  # noqa: ASYNC110  # Virtual time has no event for it.
                await asyncio.sleep(0)

    @property
    def told(self) -> list[str]:
        return [event.text for event in self.watcher.view.events]


@asynccontextmanager
async def seat(
    seed: int = STORY, *, plan: Plan | None = None, speed: float | None = None
) -> AsyncIterator[Seat]:
    one = Seat(SwarmCluster(seed, plan=plan, speed=speed))
    try:
        await one.cluster.start(lambda line: None)
        one.watcher.start()
        yield one
    finally:
        await one.watcher.stop()
        await one.cluster.close()


@pytest.mark.parametrize("seed", [5, STORY, 8, 13])
async def test_the_digest_is_that_of_the_simulator(seed: int) -> None:
    world = World(Plan.of_seed(seed))
    world.play()
    async with seat(seed) as one:
        one.watcher.select(0, None, 50)
        await one.to_the_end()
        assert one.cluster.world.digest == world.digest
        assert one.cluster.ended == OVER
        assert one.watcher.view.verdict == "SAFE"
        assert one.told[-1] == f"{OVER}; digest {world.digest}, as of ./dev sim {seed}"


async def test_stepping_by_hand_and_seeking_do_not_make_it_another_world() -> None:
    world = World(Plan.of_seed(8))
    world.play()
    async with seat(8, speed=0.0) as one:
        for _ in range(300):
            assert one.cluster.step()
        assert await one.cluster.to_next_election(60.0)
        one.cluster.set_speed(None)
        await one.to_the_end()
        assert not one.cluster.step()
        assert one.cluster.world.digest == world.digest


async def test_what_chance_does_is_on_the_timeline_and_among_the_faults() -> None:
    async with seat() as one:
        await one.to_the_end()
        kinds = {fault.kind for change in one.changes for fault in change.faults}
        assert {FaultKind.KILL, FaultKind.STOP, FaultKind.ISOLATE, FaultKind.LOSS} <= kinds
        assert all(fault.by_chance for change in one.changes for fault in change.faults)
        states = {node.state for change in one.changes for node in change.nodes}
        assert {NodeState.RUNNING, NodeState.KILLED, NodeState.STOPPED} <= states
        assert "chance: torn write n1 (strike 19)" in one.told
        assert "chance: peace" in one.told
        assert any(text.startswith("chance: isolate n2 is over") for text in one.told)
        assert "n1 starts, epoch 2" in one.told
        assert one.cluster.faults() == (), "peace heals everything"
        events = {event.text: event for event in one.watcher.view.events}
        strike = events["chance: torn write n1 (strike 19)"]
        assert (strike.node, strike.kind, strike.by_you) == ("n1", "chance", False)
        passed_s = one.cluster.now_s() - one.cluster.world.clock.now_s
        at_s = next(at for at, line in one.cluster.world.story.notes if "torn_write" in line)
        times = [event.at_s for text, event in events.items() if "torn write" in text]
        assert at_s + passed_s in times, "at the time of the story, not of the next tick"


async def test_states_are_those_of_the_nodes_at_every_step() -> None:
    async with seat(12, speed=0.0) as one:
        seen = set()
        for _ in range(4000):
            one.cluster.step()
            for handle in one.cluster.nodes():
                node = one.cluster.node(handle.name)
                assert (node.machine is None) == (
                    handle.state in (NodeState.KILLED, NodeState.STOPPED, NodeState.EXITED)
                )
                assert node.is_paused == (handle.state is NodeState.PAUSED)
                seen.add(handle.state)
        assert {NodeState.RUNNING, NodeState.KILLED, NodeState.STOPPED} <= seen


async def test_a_node_that_refuses_to_start_says_why() -> None:
    async with seat(speed=0.0) as one:
        await one.cluster.time.run_to(lambda: False, 1.0)
        node = one.cluster.node("n1")
        node.crash()
        node.disk.is_full = True
        node.start()
        one.cluster.step()
        handle = one.cluster.nodes()[0]
        assert (handle.state, handle.detail) == (
            NodeState.EXITED,
            "no space left on this disk, on purpose",
        )


async def test_clients_in_trouble_are_told_of() -> None:
    async with seat(12) as one:
        await one.to_the_end()
        assert "chance's clients: operations 1 gave up" in one.told


async def test_nobody_touches_it() -> None:
    async with seat(speed=0.0) as one:
        cluster: Cluster = one.cluster
        calls: list[Callable[[], object]] = [
            lambda: cluster.kill("n1"),
            lambda: cluster.stop("n1"),
            lambda: cluster.pause("n1"),
            lambda: cluster.resume("n1"),
            lambda: cluster.restart("n1"),
            lambda: cluster.cut("n1", "n2"),
            lambda: cluster.cut_both("n1", "n2"),
            lambda: cluster.isolate("n1"),
            lambda: cluster.partition((("n1",), ("n2",))),
            lambda: cluster.disturb(FaultKind.FLAP, ("n1", "n2"), Rhythm()),
            lambda: cluster.heal(),
            lambda: cluster.add_node(),
        ]
        for call in calls:
            made = call()
            assert inspect.isawaitable(made)
            with pytest.raises(ClusterError, match="played by its seed"):
                await made
        assert one.cluster.why_not(FaultKind.KILL) == HANDS_OFF
        assert one.cluster.hands_off == HANDS_OFF
        assert all(handle.state is NodeState.RUNNING for handle in one.cluster.nodes())


def _half(configuration: Configuration, have: set[NodeId]) -> bool:
    halves = _halves(configuration)
    return all(sum(voter in have for voter in half) * 2 >= len(half) for half in halves)


async def test_a_broken_promise_is_marked_and_time_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "has_quorum", _half)
    monkeypatch.setattr(core, "has_quorum", _half)
    async with seat() as one:
        await one.to_the_end()
        view = one.watcher.view
        assert view.verdict == "UNSAFE"
        assert view.violation is not None
        assert view.verdict_why == "election safety (§3.4): n1 and n2 lead shard 0 in term 1"
        assert one.cluster.ended == "the seed's story ends with a broken promise"
        stood_s = one.cluster.now_s()
        assert not one.cluster.step()
        await asyncio.sleep(0.05)
        assert one.cluster.now_s() == stood_s


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [lambda: SimCluster(seed=1, speed=0.0), lambda: SwarmCluster(STORY, speed=0.0)],
    ids=["quiet", "swarm"],
)
async def test_a_simulated_cluster_is_steerable_and_a_step_reports(
    make: Callable[[], SimCluster | SwarmCluster],
) -> None:
    cluster = make()
    assert isinstance(cluster, Steerable)
    assert isinstance(cluster, Seekable)
    watcher = SimWatcher(cluster)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        assert cluster.speed == 0.0
        for _ in range(100):
            before, steps = watcher.view, cluster.world.clock.steps
            assert cluster.step()
            assert cluster.world.clock.steps == steps + 1
            assert watcher.view is not before
            assert watcher.view.now_s == cluster.now_s()
        if isinstance(cluster, SimCluster):  # It was led before it was shown.
            leader = watcher.view.shards[0].leader
            assert leader is not None
            await cluster.kill(leader)
        elections = cluster.world.elections
        assert await cluster.to_next_election(30.0)
        assert cluster.world.elections == elections + 1
        assert any(event.kind == "elected" for event in watcher.view.events)
        cluster.set_speed(0.25)
        assert cluster.time.speed == cluster.speed == 0.25
    finally:
        await watcher.stop()
        await cluster.close()


async def test_where_nobody_is_elected_the_search_ends() -> None:
    cluster = SimCluster(nodes=1, seed=1, speed=0.0)
    try:
        await cluster.start(lambda line: None)
        assert cluster.world.elections == 1
        at_s = cluster.now_s()
        assert not await cluster.to_next_election(3.0)
        assert 3.0 <= cluster.now_s() - at_s < 3.5
    finally:
        await cluster.close()


async def test_slow_time_is_seen_moving() -> None:
    """A sixty-fourth: the next tick of virtual time is sixteen seconds away."""
    async with seat(speed=1 / 64) as one:
        before = one.watcher.view.now_s
        async with asyncio.timeout(5):
            while one.watcher.view.now_s == before:  # noqa: ASYNC110  # A value, not an event.
                await asyncio.sleep(0.02)
        assert one.watcher.view.now_s - before < 0.2


# --- faults --------------------------------------------------------------------------------------


N1, N2, N3, N4 = (NodeId(f"http://n{number}:1") for number in range(1, 5))


def both(*pairs: tuple[NodeId, NodeId]) -> list[tuple[NodeId, NodeId]]:
    return [link for one, two in pairs for link in ((one, two), (two, one))]


def broken(world: World) -> Broken:
    found = list(in_force(world).values())
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("links", "rule", "words"),
    [
        ([(N1, N2)], Rule(drop=1.0), "cut n1 → n2 (by chance)"),
        ([(N1, N2), (N1, N3), (N1, N4)], Rule(drop=1.0), "cut n1 → all (by chance)"),
        (both((N1, N2)), Rule(cut=True), "cut both n1 ⇄ n2 (by chance)"),
        (both((N1, N2), (N1, N3), (N1, N4)), Rule(cut=True), "isolate n1 (by chance)"),
        (
            both((N1, N3), (N1, N4), (N2, N3), (N2, N4)),
            Rule(cut=True),
            "partition n1 n2 | n3 n4 (by chance)",
        ),
        (both((N1, N2), (N3, N2)), Rule(cut=True), "partition n1-n2, n2-n3 (by chance)"),
        ([(N1, N2)], Rule(drop=0.1), "loss n1 → n2 10% (by chance)"),
        ([(N1, N2)], Rule(drop=1.0, kind="beat"), "loss n1 → n2 (by chance, heartbeats only)"),
        ([(N1, N2)], Rule(drop=1.0, shard_id=3), "loss n1 → n2 (by chance, shard 3 only)"),
        (both((N1, N2), (N1, N3)), Rule(duplicate=0.3), "duplicate n1 → all 30% (by chance)"),
        (
            both((N1, N2), (N2, N3), (N1, N3)),
            Rule(reorder=0.05),
            "reorder all → all 5% (by chance)",
        ),
        ([(N2, N1)], Rule(delay_s=0.02, jitter_s=0.02), "delay n2 → n1 20 ± 20 ms (by chance)"),
    ],
)
def test_weather_in_the_words_of_the_lab(
    links: list[tuple[NodeId, NodeId]], rule: Rule, words: str
) -> None:
    world = World(Plan(seed=1, nodes=4))
    world.network.put(links, rule)
    item = broken(world)
    fault = Fault(
        number=1, kind=item.kind, nodes=item.nodes, since_s=0.0, mechanism=item.mechanism,
        links=item.links, trouble=item.trouble,
    )  # fmt: skip
    assert str(fault) == words
    assert fault.cuts == (rule.cut or (rule.drop == 1.0 and not rule.kind and not rule.shard_id))


def test_what_the_lab_has_no_word_for_is_left_to_the_timeline() -> None:
    world = World(Plan(seed=1))
    world.network.put([], Rule(cut=True))
    node: SimNode = world.nodes[N1]
    node.app_slow_s = 1.0
    node.disk.is_stuck = True
    assert in_force(world) == {}


def test_disks_and_clocks_are_faults_of_their_node() -> None:
    world = World(Plan(seed=1))
    node = world.nodes[N2]
    node.disk.slow_s = 0.05
    assert broken(world).trouble == DiskTrouble(sync_delay_s=0.05)
    node.disk.slow_s, node.disk.is_full = 0.0, True
    assert (broken(world).kind, broken(world).nodes) == (FaultKind.FULL_DISK, ("n2",))
    node.disk.is_full, node.disk.fails = False, "on purpose"
    assert broken(world).kind is FaultKind.FAILING_SYNC
    node.disk.fails = None
    node.skew(rate=1.1)
    assert broken(world).trouble == ClockTrouble(rate=1.1)


# --- the command line ----------------------------------------------------------------------------


def wishes(*arguments: str) -> Wishes:
    options = parse(list(arguments))
    return Wishes(
        backend=options.backend, nodes=options.nodes, shards=options.shards, app=options.app,
        seed=options.seed, connect=tuple(options.connect),
    )  # fmt: skip


def silent(line: str) -> None:
    """Say nothing."""


async def test_a_seed_alone_is_its_world_and_with_the_backend_a_quiet_cluster() -> None:
    world = choose(wishes("--seed", "12"), silent)
    assert isinstance(world, SwarmCluster)
    assert world.world.plan == Plan.of_seed(12)
    quiet = choose(wishes("--seed", "12", "--backend", "sim", "--nodes", "5"), silent)
    try:
        assert isinstance(quiet, SimCluster)
        assert (quiet.world.plan.seed, quiet.world.plan.nodes) == (12, 5)
    finally:
        await quiet.close()


@pytest.mark.parametrize("more", [("--nodes", "5"), ("--shards", "0-9"), ("--app", "counter")])
def test_nobody_has_a_say_in_the_world_of_a_seed(more: tuple[str, str]) -> None:
    with pytest.raises(ClusterError, match="add --backend sim"):
        choose(wishes("--seed", "12", *more), silent)
