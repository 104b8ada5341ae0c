"""`./log play`: choose a room, and play it on the screen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from lab.attach import taped
from lab.chronicle import Chronicle
from lab.cluster.interface import ClusterError
from lab.onward import end
from lab.rooms.app import RoomApp
from lab.rooms.headless import SEED, list_rooms
from lab.rooms.room import Room, load
from lab.rooms.trial import Trial
from lab.rooms.worlds import client_in, world_of
from lab.scenarios.run import stage_of
from lab.scenarios.script import ScenarioError
from lab.scenarios.stage import Failed
from lab.session import (
    Progress,
    must_be_terminal,
    signals_end_this_task,
    wait_for_leaders,
    whatever_comes,
)
from lab.tui.memory import Memory
from lab.workload.telling import either
from lolraft.errors import LolraftError


def enter(
    name: str | None,
    backend: str,
    seed: int | None,
    progress: Progress,
    *,
    memory: Memory | None = None,
    ask: Callable[[str], str] = input,
) -> int:
    """
    Play the room of this name or number; with none, list them, and ask which.

    Returns 0 where it was won, 1 where not; 0 too where nothing was chosen.

    Raises:
        ScenarioError: there is no such room.
        ClusterError: it cannot be played on this backend.
        ConfigError: there is no screen to play it on.
    """
    if name is None:
        list_rooms()
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return 0
        with suppress(EOFError):
            name = ask("\nwhich room? its number or name, enter for none: ").strip()
        if not name:
            return 0
    room = load(name)
    must_be_terminal()
    won = asyncio.run(_show(room, backend, seed, progress, memory))
    progress(f"{room.script.title}: {'won' if won else 'not won yet'}")
    return 0 if won else 1


async def _show(
    room: Room, backend: str, seed: int | None, progress: Progress, memory: Memory | None
) -> bool:
    chronicle = Chronicle()
    seed = SEED if seed is None else seed
    with (
        world_of(room, backend, seed, speed=1.0) as cluster,
        taped(cluster, None, chronicle) as (watcher, deck),
        signals_end_this_task(),
    ):
        trial: Trial | None = None
        client = preparing = None
        try:
            await cluster.start(progress)
            watcher.start()
            await wait_for_leaders(watcher, progress)
            client = client_in(room, cluster)
            playing = trial = Trial(room, stage_of(cluster, watcher, client))
            chronicle.listeners.append(trial.hear)
            preparing = asyncio.ensure_future(prepare(trial))
            app = RoomApp(trial, watcher, cluster, client, deck=deck, memory=memory)
            app.report = chronicle.gather.report
            chronicle.load = either(lambda: app.load.view, lambda: playing.load)
            await app.run_async()
        except asyncio.CancelledError:
            pass  # By a signal: the screen may also swallow it and return.
        finally:
            if preparing is not None:
                preparing.cancel()
                await asyncio.gather(preparing, return_exceptions=True)
            if trial is not None:
                await whatever_comes(trial.end())
            chronicle.finish()
            await whatever_comes(end(cluster, watcher, client, leave_running=False))
    return trial is not None and trial.standing.won


async def prepare(trial: Trial) -> None:
    """Bring the room to where the player's turn begins; what goes wrong is said in the caption."""
    try:
        await trial.prepare()
    except (Failed, ClusterError, ScenarioError, LolraftError) as broken:
        trial.trouble = f"the room could not be made ready: {broken}"
