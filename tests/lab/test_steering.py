"""The keys that steer the simulator's time, and a seed's world on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from lab.attach import client_of
from lab.cluster.interface import NodeState
from lab.sim.base import VirtualCluster
from lab.sim.cluster import SimCluster
from lab.sim.swarm import SwarmCluster
from lab.sim.watch import SimWatcher
from lab.tui.app import LabApp
from lab.tui.keys import KEYS, Key
from lab.tui.steering import SPEEDS
from lolraft.raft import core, election
from lolraft.raft.quorum import _halves
from lolraft.raft.types import Configuration
from tests.lab.screen import Driven, running

TOUCHING = [key for key in KEYS if key.touches]


@dataclass
class Room(Driven):
    """The app over a real simulated cluster."""

    cluster: VirtualCluster
    deadline_s = 20.0

    @property
    def top(self) -> str:
        return self.text().splitlines()[0]

    @property
    def toasts(self) -> str:
        return "\n".join(note.message for note in self.app._notifications)


@asynccontextmanager
async def room(cluster: VirtualCluster, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Room]:
    watcher = SimWatcher(cluster)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        app = LabApp(watcher, cluster, client_of(cluster))
        async with app.run_test(size=size) as pilot:
            one = Room(app, pilot, cluster)
            await one.until(lambda: "raft lab" in one.text() or "UNSAFE" in one.text())
            yield one
    finally:
        await watcher.stop()
        await cluster.close()


def quiet() -> SimCluster:
    return SimCluster(seed=3, speed=1.0)


async def test_z_stops_time_itself_and_the_title_says_so() -> None:
    async with room(quiet()) as one:
        await one.until(lambda: "● SIM ×1" in one.top)
        await one.press("z")
        await one.until(lambda: "HELD  time stands" in one.top)
        stood_s = one.cluster.now_s()
        await asyncio.sleep(0.1)
        assert one.cluster.now_s() == stood_s
        await one.press("z")
        await one.until(lambda: one.cluster.now_s() > stood_s)
        await one.until(lambda: "● SIM ×1" in one.top)


async def test_faster_and_slower_go_through_every_speed_and_stop_at_the_ends() -> None:
    async with room(quiet()) as one:
        speeds = []
        for _ in range(len(SPEEDS) + 1):
            await one.press("left_curly_bracket")
        for _ in range(len(SPEEDS) + 1):
            speeds.append(one.cluster.speed)
            await one.press("right_curly_bracket")
        assert speeds == [*SPEEDS, None]
        await one.until(lambda: "SIM as fast as it can" in one.top)


@pytest.mark.parametrize(
    ("key", "times", "words"),
    [
        ("left_curly_bracket", 2, "SIM ×0.25"),
        ("left_curly_bracket", 6, "SIM ×1/64"),
        ("right_curly_bracket", 4, "SIM ×16"),
    ],
)
async def test_the_title_says_the_speed(key: str, times: int, words: str) -> None:
    async with room(quiet()) as one:
        await one.press(*[key] * times)
        await one.until(lambda: words in one.top)


async def test_a_speed_chosen_while_held_counts_when_time_goes_on() -> None:
    async with room(quiet()) as one:
        await one.press("z", "right_curly_bracket")
        assert one.cluster.speed == 0.0
        await one.press("z")
        assert one.cluster.speed == 2.0


async def test_a_step_holds_time_and_shows_what_it_did() -> None:
    async with room(quiet()) as one:
        await one.until(lambda: "● SIM ×1" in one.top)
        one.app.action_sim_step()
        steps, shown = one.cluster.world.clock.steps, one.app.scene()
        assert one.cluster.speed == 0.0
        one.app.action_sim_step()
        assert one.cluster.world.clock.steps == steps + 1
        scene = one.app.scene()
        assert scene is not None
        assert shown is not None
        assert scene.view is not shown.view
        assert scene.held
        await one.until(lambda: "HELD  time stands" in one.top)


async def test_on_to_the_next_election() -> None:
    async with room(quiet()) as one:
        assert isinstance(one.cluster, SimCluster)
        await one.until(lambda: (scene := one.app.scene()) and scene.view.shards)
        scene = one.app.scene()
        assert scene is not None
        leader = scene.view.shards[0].leader
        assert leader is not None
        await one.press("z")
        await one.cluster.kill(leader)
        elections = one.cluster.world.elections
        one.app.action_sim_election()
        await one.until(lambda: one.cluster.world.elections == elections + 1)
        await one.until(
            lambda: (now := one.app.scene()) and now.view.shards[0].leader not in (None, leader)
        )
        assert one.cluster.speed == 0.0


async def test_the_footer_has_them_in_the_simulator() -> None:
    async with room(quiet(), (140, 45)) as one:
        assert "} faster  { slower" in one.text().splitlines()[-1]


async def test_the_palette_has_them_in_the_simulator() -> None:
    async with room(quiet(), (140, 45)) as one:
        await one.press("colon")
        await one.press(*"sim:")
        for title in ("Sim: faster", "Sim: slower", "Sim: step", "Sim: to next election"):
            await one.until(lambda title=title: title in one.text())


async def test_real_nodes_have_no_time_to_steer_and_say_so() -> None:
    async with running(size=(140, 45)) as lab:
        await lab.press("right_curly_bracket", "left_curly_bracket")
        assert "these nodes live in real time" in lab.toasts
        assert "} faster" not in lab.text().splitlines()[-1]
        await lab.press("z")
        assert "HELD  z goes on" in lab.text().splitlines()[0]
        await lab.press("colon", *"sim:")
        await asyncio.sleep(0.3)
        assert "Sim: step" not in lab.text()


# --- the world of a seed -------------------------------------------------------------------------


@pytest.mark.parametrize("key", TOUCHING, ids=lambda key: key.id)
async def test_a_key_that_would_touch_a_seeds_world_is_refused(key: Key) -> None:
    async with room(SwarmCluster(7, speed=0.0)) as one:
        await one.press(key.keys.split(",")[0])
        assert "this world is played by its seed" in one.toasts
        assert len(one.app.screen_stack) == 1, "and nothing is asked"


async def test_keys_that_look_work_in_a_seeds_world_and_only_they_are_offered() -> None:
    async with room(SwarmCluster(7, speed=0.0)) as one:
        await one.press("2", "1", "j", "tab", "7")
        assert one.toasts == ""
        assert one.app.page == "faults"
        await one.press("1")
        await one.until(lambda: "z stops time" in one.text())
        assert "K kill" not in one.text()
        assert "K kills" not in one.text()


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_the_end_of_the_story_is_said(size: tuple[int, int]) -> None:
    async with room(SwarmCluster(7, speed=None), size) as one:
        await one.until(lambda: "OVER" in one.top)
        assert "every promise kept" in one.top
        assert "SAFE" in one.top
        await one.until(lambda: "the seed's story is over: every promise kept" in one.text())
        await one.press("right_curly_bracket")
        assert "its time stands for good" in one.toasts


def _half(configuration: Configuration, have: set[str]) -> bool:
    halves = _halves(configuration)
    return all(sum(voter in have for voter in half) * 2 >= len(half) for half in halves)


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_failing_seed_is_marked_with_the_promise_and_held(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A majority is half: the mistake that `planted.py` has, in this process."""
    monkeypatch.setattr(election, "has_quorum", _half)
    monkeypatch.setattr(core, "has_quorum", _half)
    async with room(SwarmCluster(7, speed=None), size) as one:
        await one.until(lambda: "UNSAFE" in one.top)
        assert "! UNSAFE  election safety (§3.4): n1 and n2 lead shard 0 in term 1" in one.top
        scene = one.app.scene()
        assert scene is not None
        assert scene.held
        assert ("time stands for good" in one.top) == (size[0] > 100)


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_no_panel_names_a_key_for_what_nobody_may_do(size: tuple[int, int]) -> None:
    async with room(SwarmCluster(7, speed=0.0), size) as one:
        await one.cluster.time.run_to(lambda: False, 1.0)
        while all(node.state is not NodeState.STOPPED for node in one.cluster.nodes()):
            assert one.cluster.step()
        one.app.action_sim_step()
        await one.until(lambda: "stopped" in one.text())
        for key in ("1", "4", "7"):
            await one.press(key)
            for words in ("x cut", "s starts", "r restarts", "t transfer", "u undoes"):
                assert words not in one.text()


async def test_a_cut_by_chance_is_not_by_you() -> None:
    async with room(SwarmCluster(7, speed=0.0)) as one:
        await one.cluster.time.run_to(lambda: False, 1.6)
        while not any(fault.cuts for fault in one.cluster.faults()):
            assert one.cluster.step()
        one.app.action_sim_step()
        fault = next(fault for fault in one.cluster.faults() if fault.cuts)
        one.app.choose("link", fault.links[0])
        await one.press("4")
        await one.until(lambda: "by chance" in one.text())
        assert "by you" not in one.text()
        await one.press("7")
        await one.until(lambda: "chance heals" in one.text())


async def test_a_simulated_world_cannot_be_left_running() -> None:
    async with room(quiet()) as one:
        await one.press("q")
        await one.until(lambda: "end the cluster" in one.text())
        assert "leave it running" not in one.text()
