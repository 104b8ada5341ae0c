"""One run of the lab: choose a backend, bring the cluster up, show it, leave nothing behind."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.attach import client_of, is_led, taped
from lab.chronicle import Chronicle
from lab.cluster import runs
from lab.cluster.connect import ConnectedCluster
from lab.cluster.docker import DockerCluster, sweep_run, sweep_unknown, why_no_docker
from lab.cluster.interface import Cluster, ClusterError
from lab.cluster.local import LocalCluster, end_processes, sweep
from lab.cluster.replayed import ReplayedCluster
from lab.observe.replay import open_replay
from lab.observe.watch import Watcher
from lab.report.write import try_to_write
from lab.scenarios.play import Outcome, play
from lab.scenarios.run import cluster_for, stage_of
from lab.scenarios.script import Script, load
from lab.setup.images import ensure_node_image
from lab.setup.shell import SetupError
from lab.sim.client import SimClient
from lab.sim.cluster import SimCluster
from lab.sim.swarm import SwarmCluster
from lab.sim.watch import SimWatcher
from lab.streaming import Streaming
from lab.tui.app import LabApp
from lab.tui.ports import Leaving
from lab.workload.telling import either
from lab.workload.view import view_of
from lolraft.client import RaftClient
from lolraft.errors import ConfigError

PACE_S = 1.0  # Between two steps of a scenario on the screen.
LED_S = 20.0  # A cluster that takes longer to have leaders is shown as it is.
BACKENDS = ("auto", "docker", "local", "sim")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    backend: str = "auto"  # auto, docker, local, sim
    nodes: int = 3
    shards: str = "0"
    app: str = "kv"
    connect: tuple[str, ...] = ()
    fresh: bool = False  # A new cluster though one was left running.
    ascii_glyphs: bool = False
    seed: int | None = None  # Of a world, or with `sim` of a cluster.
    scenario: str | None = None
    record: Path | None = None  # A file for what is seen.
    report: Path | None = None  # A folder for what is told of it in the end.
    lines: str = ""  # plain, json: a stream of lines instead of the screen.
    for_s: float | None = None  # How long to stream; None: until somebody ends it.
    replay: Path | None = None  # One to see again, with no cluster.


def choose(wishes: Wishes, progress: Progress) -> Cluster:
    """
    Return the cluster to show, not started yet; say which and why.

    Raises:
        ClusterError: the backend that was asked for cannot be had.
    """
    if wishes.connect:
        return ConnectedCluster(wishes.connect)
    if wishes.seed is not None and wishes.backend == "auto":
        return _world_of(wishes.seed, wishes)
    if wishes.backend == "sim":
        return SimCluster(
            nodes=wishes.nodes, shards=wishes.shards, app=wishes.app, seed=wishes.seed
        )
    kept = [
        run for run in runs.known_runs() if run.kept and wishes.backend in ("auto", run.backend)
    ]
    if kept and not wishes.fresh:
        progress(f"a cluster was left running: {kept[-1].name} (--new starts another)")
        return _again(kept[-1])
    why_not = _why_no_containers(progress) if wishes.backend in ("auto", "docker") else ""
    if wishes.backend == "docker" and why_not:
        raise ClusterError(f"{why_not}; ./log --backend local needs no Docker")
    if wishes.backend == "local" or why_not:
        if why_not:
            progress(f"{why_not}: the nodes are local processes")
        return LocalCluster.begin(nodes=wishes.nodes, app=wishes.app, shards=wishes.shards)
    progress("Docker answers: the nodes are containers (--backend local for processes)")
    return DockerCluster.begin(nodes=wishes.nodes, app=wishes.app, shards=wishes.shards)


def _world_of(seed: int, wishes: Wishes) -> Cluster:
    """Return the world that `./dev sim` plays for *seed*; nobody else has a say in it."""
    usual = Wishes()
    if (wishes.nodes, wishes.shards, wishes.app) != (usual.nodes, usual.shards, usual.app):
        raise ClusterError(
            "--seed alone opens the world of that seed, which decides nodes, shards and app; "
            "add --backend sim for a simulated cluster of your own"
        )
    return SwarmCluster(seed)


def _again(run: runs.Run) -> Cluster:
    return LocalCluster(run) if run.backend == "local" else DockerCluster(run)


def _why_no_containers(progress: Progress) -> str:
    """Return why nodes cannot be containers, empty when they can: their image is here then."""
    why_not = why_no_docker()
    if not why_not:
        try:
            ensure_node_image(progress)
        except SetupError as broken:
            why_not = str(broken)
    return why_not


async def show(wishes: Wishes, progress: Progress) -> int:
    """
    Run the lab until the user leaves, whichever way; nothing stays that should not.

    Returns the exit status: 1 where a streamed scenario failed, or a promise was seen to break.
    """
    if wishes.replay is not None:
        return await show_again(wishes.replay, progress, ascii_glyphs=wishes.ascii_glyphs)
    heal_orphans(progress)
    script = load(wishes.scenario) if wishes.scenario else None
    cluster = choose(wishes, progress) if script is None else _stage_for(script, wishes, progress)
    playing: asyncio.Task[Outcome] | None = None
    leaving = Leaving.KEEP if wishes.lines and runs.was_left_running(cluster.title) else None
    chronicle, status = Chronicle(), 0
    streaming = Streaming(wishes.lines, chronicle) if wishes.lines else None
    client: RaftClient | SimClient | None = None
    with (
        taped(cluster, wishes.record, chronicle) as (watcher, deck),
        signals_end_this_task() as signals,
    ):
        try:
            await cluster.start(progress)
            watcher.start()
            if cluster.hands_off is None:
                await wait_for_leaders(watcher, progress)
            client = client_of(cluster)
            if script is not None:
                stage = stage_of(cluster, watcher, client)
                chronicle.load = lambda: view_of(stage.loaded, cluster.now_s())
                pace_s = 0.0 if streaming else PACE_S
                playing = asyncio.ensure_future(play(script, stage, _to_nobody, pace_s=pace_s))
            if streaming is not None:
                await streaming.run(playing, wishes.for_s)
            else:
                glyphs = wishes.ascii_glyphs
                app = LabApp(watcher, cluster, client, ascii_glyphs=glyphs, deck=deck)
                app.report = chronicle.gather.report
                chronicle.load = either(lambda: app.load.view, chronicle.load)
                leaving = await app.run_async()
        except asyncio.CancelledError:
            pass  # By a signal: the screen may also swallow it and return.
        finally:
            if playing is not None:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
            chronicle.finish()
            await whatever_comes(end(cluster, watcher, client, leaving is Leaving.KEEP))
            if wishes.report is not None:
                progress(try_to_write(chronicle.gather.report(), wishes.report))
            if streaming is not None:
                status = streaming.end(signals, playing, sys.exception())
    if deck.saved is not None:
        progress(f"a promise was broken: ./log --replay {deck.saved} shows it")
    if signals:
        progress(f"stopped by {signals[0].name}")
    if leaving is Leaving.KEEP and cluster.backend != "connect":
        progress("the cluster runs on; ./log shows it again, ./log heal ends it")
    return status


def must_be_terminal() -> None:
    """
    Refuse to draw where nobody sees it.

    Raises:
        ConfigError: the output is no terminal.
    """
    if not sys.stdout.isatty():
        raise ConfigError(
            "the screen needs a terminal, and this output is none:"
            " --plain or --json stream lines instead"
        )


async def show_again(path: Path, progress: Progress, *, ascii_glyphs: bool = False) -> int:
    """
    Show a recording: nothing is started, and nothing is left.

    Raises:
        RecordingError: it cannot be read.
        ConfigError: there is no screen to show it on.
    """
    replay = open_replay(path, progress)
    must_be_terminal()
    gone = ReplayedCluster(replay.tape.first.title)
    with signals_end_this_task(), suppress(asyncio.CancelledError):
        await LabApp(replay, gone, gone, ascii_glyphs=ascii_glyphs, replay=replay).run_async()
    return 0


def _to_nobody(line: str) -> None:
    """Say nothing: who watches a scenario reads it on the screen."""


def _stage_for(script: Script, wishes: Wishes, progress: Progress) -> Cluster:
    """Return a new cluster for a scenario: containers where they can be had, else processes."""
    backend = wishes.backend
    if backend == "auto":
        backend = "local" if _why_no_containers(progress) else "docker"
    progress(f"{script.title}, on {backend}")
    return cluster_for(script, backend, wishes.seed, speed=1.0)


async def end(
    cluster: Cluster,
    watcher: Watcher | SimWatcher,
    client: RaftClient | SimClient | None,
    leave_running: bool,
) -> None:
    """Stop watching and asking, and close the cluster, unless it is to go on."""
    try:
        await watcher.stop()
        if client is not None:
            await client.close()
    finally:
        await cluster.close(leave_running=leave_running)


async def whatever_comes(ending: Coroutine[Any, Any, None]) -> None:
    """Wait until *ending* is done, also when this task is cancelled meanwhile."""
    task = asyncio.ensure_future(ending)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


async def wait_for_leaders(watcher: Watcher | SimWatcher, progress: Progress) -> None:
    """Wait until every shard is led, but not for ever."""
    progress("waiting for leaders")
    with suppress(TimeoutError):
        async with asyncio.timeout(LED_S):
            while not is_led(watcher.view):  # noqa: ASYNC110  # The picture is a value, not an event.
                await asyncio.sleep(0.05)  # The watcher's picture is a value.


@contextmanager
def signals_end_this_task() -> Iterator[list[signal.Signals]]:
    """
    Let the first of SIGTERM, SIGHUP and SIGINT cancel this task, so that `finally` runs.

    Yields those that came; more than one change nothing, however impatient their sender is.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "a task runs this"
    came: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        came.append(number)
        if len(came) == 1:
            task.cancel()

    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield came
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


# --- healing -------------------------------------------------------------------------------------


def heal_orphans(progress: Progress) -> int:
    """End what labs left behind that died; return how many runs that were."""
    orphans = [run for run in runs.known_runs() if run.is_orphan]
    for run in orphans:
        _heal(run, progress)
    return len(orphans)


def heal_all(progress: Progress) -> int:
    """End everything that a lab started and that no living lab shows."""
    healed = 0
    for run in runs.known_runs():
        if run.kept or run.is_orphan:
            _heal(run, progress)
            healed += 1
        else:
            progress(f"{run.name} belongs to a running lab (pid {run.lab_pid}): left alone")
    if not why_no_docker():
        healed += sweep_unknown({run.name for run in runs.known_runs()}, progress)
    progress("nothing was left" if not healed else f"healed {healed}")
    return 0


def _heal(run: runs.Run, progress: Progress) -> None:
    if run.backend == "local":
        ended = end_processes(run)
        progress(f"{run.name}: ended {ended} processes of a lab that is gone")
        sweep(run)
        return
    why_not = why_no_docker()
    if why_not:
        progress(f"{run.name}: {why_not}; its containers cannot be removed now")
        return
    sweep_run(run.name)
    runs.forget(run)
    progress(f"{run.name}: removed the containers of a lab that is gone")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line of `./log`."""
    parser = argparse.ArgumentParser(
        prog="./log", description="Watch a Raft cluster and break it; `./log heal` cleans up."
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("heal", "report", "play"),
        help="heal: end what a dead lab left; report F: make the report of a recording;"
        " play [ROOM]: a room with a task, or which there are",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="F", help="the recording to report, the room to play"
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="1 to 9 (default 3)")
    parser.add_argument("--shards", default="0", metavar="0-9,777", help="default: 0")
    parser.add_argument("--app", default="kv", help="kv or counter")
    parser.add_argument("--connect", nargs="+", default=[], metavar="ADDRESS", help="running nodes")
    parser.add_argument(
        "--scenario", metavar="NAME", help="play one; `list` names them, `all` needs --headless"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="F",
        help="to a file; --headless: a folder, of what fails",
    )
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write a report of the run into this folder"
    )
    lines = parser.add_mutually_exclusive_group()
    lines.add_argument("--plain", action="store_true", help="no screen: a line for each event")
    lines.add_argument("--json", action="store_true", help="the same as JSON: see lab/stream.py")
    parser.add_argument(
        "--for", type=float, dest="for_s", metavar="SECONDS", help="end --plain and --json then"
    )
    parser.add_argument("--replay", type=Path, metavar="F", help="see a recording again")
    parser.add_argument("--headless", action="store_true", help="without a screen: pass or fail")
    parser.add_argument(
        "--seed",
        type=int,
        help="the world of this seed, as ./dev sim plays it; "
        "with --backend sim, a quiet simulated cluster",
    )
    parser.add_argument("--new", action="store_true", help="do not go on with one left running")
    parser.add_argument("--ascii", action="store_true", help="plain signs")
    options = parser.parse_args(arguments)
    if options.file is not None and options.command not in ("report", "play"):
        parser.error(f"what is {options.file} for? a file is for: ./log report F")
    if options.replay is not None and (others := _given_beside_replay(parser, options)):
        parser.error(f"--replay shows what was recorded, with no cluster: leave out {others}")
    return options


def _given_beside_replay(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Return what asks for a cluster, although a recording has none."""
    beside = ("--backend", "--nodes", "--shards", "--app", "--connect", "--scenario", "--record",
              "--headless", "--seed", "--new", "--report", "--plain", "--json")  # fmt: skip
    given = [name for name in beside if getattr(options, name[2:]) != parser.get_default(name[2:])]
    if options.command is not None:
        given.append(options.command)
    return ", ".join(given)


def say(line: str) -> None:
    """Print a line of progress; a terminal that is gone is no reason to stop."""
    with suppress(OSError):
        print(f"  {line}", file=sys.stderr, flush=True)
