"""`./log play NAME --headless`: the solution of a room, played without a screen, must win."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from lab.attach import is_led, watched
from lab.chronicle import Chronicle
from lab.cluster.interface import ClusterError
from lab.observe.view import ClusterView
from lab.rooms.judge import Standing
from lab.rooms.room import Room, load, rooms
from lab.rooms.trial import Trial
from lab.rooms.worlds import client_in, world_of
from lab.scenarios.headless import BROKEN, FAILED, PASSED
from lab.scenarios.run import LED_S, stage_of
from lab.scenarios.script import ScenarioError, Step
from lab.scenarios.stage import Failed
from lolraft.errors import LolraftError

SEED = 1  # Of the simulated world, unless another is asked for: a room is the same every time.


def tell_rooms(name: str, backend: str, seed: int | None) -> int:
    """
    Play the solution of one room, or of `all`, and say how each ended.

    Returns 0 where all were won, 1 where one was not, 2 where one could not be played.
    """
    try:
        chosen = rooms() if name == "all" else (load(name),)
        return asyncio.run(_play(chosen, backend, seed))
    except (ScenarioError, ClusterError, LolraftError, OSError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return BROKEN
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def list_rooms() -> None:
    """Print the rooms."""
    with suppress(BrokenPipeError):
        for room in rooms():
            print(f"{room.number:>3}  {room.name:14}  {room.script.title}")


async def _play(chosen: Sequence[Room], backend: str, seed: int | None) -> int:
    task = asyncio.current_task()
    assert task is not None, "a task runs this"
    for number in (signal.SIGTERM, signal.SIGHUP):  # SIGINT does so already.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    failed = 0
    for room in chosen:
        print(f"{room.script.title}  (room {room.name} on {backend})\n{room.task}", flush=True)
        try:
            standing = await solve(room, backend, seed, tell=_say)
        except Failed as why:
            standing = Standing(lost=str(why))
        _say(str(standing))
        failed += not standing.won
    if len(chosen) > 1:
        print(f"{len(chosen) - failed} of {len(chosen)} won")
    return FAILED if failed else PASSED


async def solve(
    room: Room,
    backend: str = "sim",
    seed: int | None = None,
    *,
    steps: Sequence[Step] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Standing:
    """
    Play *steps* in a room, or its own solution, and return how it stands then.

    Raises:
        ClusterError: the backend cannot be had, or not for this room.
        Failed: a step cannot be done.
    """
    chronicle = Chronicle()
    seed = SEED if seed is None else seed
    with world_of(room, backend, seed) as cluster, watched(cluster, None, chronicle) as watcher:
        try:
            await cluster.start(tell)
            watcher.start()
            client = client_in(room, cluster)
            stage = stage_of(cluster, watcher, client)
            trial = Trial(room, stage)
            chronicle.listeners.append(trial.hear)
            try:
                await stage.until(lambda: _not_led(watcher.view), LED_S)
                await trial.prepare()
                return await trial.play(room.solution if steps is None else steps, tell)
            finally:
                await trial.end()
                await client.close()
        finally:
            chronicle.finish()
            await watcher.stop()
            await cluster.close()


def _not_led(view: ClusterView) -> str:
    return "" if is_led(view, by_all=True) else "not all is led and followed"


def _say(line: str) -> None:
    print(f"  {line}", flush=True)
