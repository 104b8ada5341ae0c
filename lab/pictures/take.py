"""
Take a picture of the real screen over a simulated cluster: the same bytes in every run.

First the steps of a scenario are played in virtual time, as fast as can be. Then the world stands
still, the screen is opened on it, and keys are pressed; `run:2` among them lets two seconds pass.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from lab.attach import client_of, is_led, taped
from lab.chronicle import Chronicle
from lab.cluster.interface import Cluster
from lab.observe.watch import Watcher
from lab.rooms.app import RoomApp
from lab.rooms.room import load
from lab.rooms.trial import Trial
from lab.rooms.worlds import client_in, world_of
from lab.scenarios import script
from lab.scenarios.run import cluster_for, stage_of
from lab.scenarios.steps import do
from lab.sim.client import SimClient
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lab.tui.app import LabApp
from lab.tui.picture import portable
from lab.tui.ports import Leaving
from lolraft.client import RaftClient

BEGIN_S = 1_800_000_000.0  # The time on the pictures, in seconds since 1970.
LED_S = 20.0
QUANTUM_S = 0.002  # Of virtual time, between two looks at who wants what next.
TURNS = 8  # Of the event loop, in which they say it.
LARGE, SMALL = (140, 45), (80, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What is to be seen on one picture."""

    name: str
    story: str = ""  # The head and steps of a scenario; what `expect` says must be so.
    room: str = ""  # A room instead, with its solution played.
    keys: str = ""  # Pressed one after the other, then the picture is taken.
    size: tuple[int, int] = LARGE
    seed: int = 1


async def take(shot: Shot) -> str:
    """
    Return the picture as an SVG.

    Raises:
        Failed: the story, or the solution of the room, does not come to what it expects.
    """
    with _the_same_everywhere():
        return await (_in_a_room(shot) if shot.room else _of_a_story(shot))


async def _of_a_story(shot: Shot) -> str:
    story = script.parse(shot.name, f"title {shot.name}\nshows a picture\n{shot.story}")
    cluster = cluster_for(story, "sim", shot.seed, starts_s=BEGIN_S)
    chronicle = Chronicle()
    with taped(cluster, None, chronicle) as (watcher, deck):
        try:
            client = await _led(cluster, watcher)
            stage = stage_of(cluster, watcher, client)
            for step in story.steps:
                await do(stage, step)
            await stage.end()
            app = LabApp(watcher, cluster, client, deck=deck)
            chronicle.load = lambda: app.load.view
            return await _on_screen(shot, cluster, app)
        finally:
            await watcher.stop()
            await cluster.close()


async def _in_a_room(shot: Shot) -> str:
    room = load(shot.room)
    chronicle = Chronicle()
    with (
        tempfile.TemporaryDirectory() as folder,  # An alarm saves a recording.
        world_of(room, "sim", shot.seed, starts_s=BEGIN_S) as cluster,
        taped(cluster, None, chronicle, folder=Path(folder)) as (watcher, deck),
    ):
        try:
            await _led(cluster, watcher)
            client = client_in(room, cluster)
            trial = Trial(room, stage_of(cluster, watcher, client))
            chronicle.listeners.append(trial.hear)
            await trial.prepare()
            await trial.play(room.solution, lambda line: None)
            await trial.end()
            app = RoomApp(trial, watcher, cluster, client, deck=deck)
            return await _on_screen(shot, cluster, app)
        finally:
            await watcher.stop()
            await cluster.close()


async def _led(cluster: Cluster, watcher: Watcher | SimWatcher) -> SimClient | RaftClient:
    await cluster.start(lambda line: None)
    watcher.start()
    until_s = cluster.now_s() + LED_S
    while not is_led(watcher.view, by_all=True) and cluster.now_s() < until_s:
        await cluster.sleep(QUANTUM_S)
    return client_of(cluster)


async def _on_screen(shot: Shot, cluster: Cluster, app: LabApp) -> str:
    assert isinstance(cluster, SimCluster), "its time can be held"
    await cluster.time.stop()
    cluster.set_speed(1.0)  # That is how fast it would go on.
    async with app.run_test(size=shot.size) as pilot:
        await settle(pilot)
        for key in shot.keys.split():
            if key.startswith("run:"):
                await pass_time(cluster, float(key.removeprefix("run:")))
            else:
                await pilot.press(key)
            await settle(pilot)
        return await drawn(app, pilot)


async def drawn(app: LabApp, pilot: Pilot[Leaving]) -> str:
    """Return the screen as it is now, all of it painted anew, without what was only notified."""
    app.clear_notifications()
    app.tick()
    assert app.desk is not None, "it is mounted"
    for panel in app.desk.in_sight():
        panel.again()  # Some move on once a second: when that was must not be seen.
    await settle(pilot)
    return compact(portable(app.export_screenshot(title=app.title)))


def compact(svg: str) -> str:
    """Return the picture in half as many bytes: nothing of it lies outside of its line anyway."""
    svg = re.sub(r'<clipPath id="[\w-]+-line-\d+">.*?</clipPath>\n?', "", svg, flags=re.DOTALL)
    svg = re.sub(r' clip-path="url\(#[\w-]+-line-\d+\)"', "", svg)
    svg = svg.replace(' xml:space="preserve"', "").replace(' shape-rendering="crispEdges"', "")
    svg = svg.replace("<svg ", '<svg xml:space="preserve" shape-rendering="crispEdges" ', 1)
    return re.sub(r"terminal-\d+-", "t-", svg)


async def settle(pilot: Pilot[Leaving]) -> None:
    """Let the screen take what there is, and draw it."""
    for _ in range(3):
        await pilot.pause()


async def pass_time(cluster: SimCluster, seconds: float) -> None:
    """Let virtual time pass; whoever waits for something in it goes on at once."""
    until_s = cluster.world.clock.now_s + seconds
    while (left_s := until_s - cluster.world.clock.now_s) > 0:
        await cluster.time.run_to(lambda: False, min(QUANTUM_S, left_s))
        for _ in range(TURNS):
            await asyncio.sleep(0)
    cluster.on_tick()


@contextmanager
def _the_same_everywhere() -> Iterator[None]:
    """Show the hours of UTC, and colours: whose terminal this is must not be seen."""
    before = {name: os.environ.get(name) for name in ("TZ", "NO_COLOR")}
    _set({"TZ": "UTC", "NO_COLOR": None})
    try:
        yield
    finally:
        _set(before)


def _set(wanted: Mapping[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    time.tzset()
