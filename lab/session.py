"""One run of the lab: choose a backend, bring the cluster up, show it, leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
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
from lab.lastresort import watch_signals
from lab.observe.deck import Deck
from lab.observe.replay import open_replay
from lab.observe.watch import Watcher
from lab.onward import end, leaving_of, screen_of, tale
from lab.options import Wishes, looks_of, world_of
from lab.reload import reloading
from lab.report.write import try_to_write
from lab.scenarios.play import Outcome
from lab.scenarios.run import cluster_for, stage_of
from lab.scenarios.script import Script, load
from lab.serve.serving import Serving
from lab.serve.shared import SharedCluster
from lab.setup.images import ensure_node_image
from lab.setup.shell import SetupError
from lab.sim.client import SimClient
from lab.sim.cluster import SimCluster
from lab.sim.swarm import SwarmCluster
from lab.sim.watch import SimWatcher
from lab.streaming import Streaming
from lab.tui import settings
from lab.tui.app import LabApp
from lab.tui.memory import Memory
from lab.tui.ports import Leaving, Onward
from lab.workload.view import view_of
from lolraft.client import RaftClient
from lolraft.errors import ConfigError

PACE_S = 1.0  # Between two steps of a scenario on the screen.
LED_S = 20.0  # A cluster that takes longer to have leaders is shown as it is.
Progress = Callable[[str], None]


def choose(wishes: Wishes, progress: Progress) -> Cluster:
    """
    Return the cluster to show, not started yet; say which and why.

    Raises:
        ClusterError: the backend that was asked for cannot be had.
    """
    if wishes.tab:
        return SharedCluster(Path(wishes.tab), wishes.tls)
    if wishes.connect:
        return ConnectedCluster(wishes.connect, wishes.tls)
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
        raise ClusterError(f"{why_not}; --backend local and --backend sim need no Docker")
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
    if wishes.serve is not None:
        with closing(Serving(wishes.serve, looks_of(wishes), progress)) as serving:
            world = world_of(wishes)
            if world is None:
                return await _run(wishes, progress, serving)
            _must_be_a_world(wishes)
            return await _serve_worlds(serving, world, progress)
    if wishes.replay is not None:
        return await _show_again(wishes.replay, wishes, progress)
    return await _run(wishes, progress)


def _must_be_a_world(wishes: Wishes) -> None:
    """
    Try what every tab will begin with: here somebody reads what is wrong with it.

    Raises:
        RecordingError, ScenarioError, ClusterError: it cannot be had.
    """
    if wishes.replay is not None:
        open_replay(wishes.replay, _to_nobody)
    elif wishes.scenario is not None:
        load(wishes.scenario)
    else:
        choose(wishes, _to_nobody)


async def _serve_worlds(serving: Serving, world: Sequence[str], progress: Progress) -> int:
    """Serve labs that need no cluster: a tab has its own."""
    with signals_end_this_task() as signals, suppress(asyncio.CancelledError):
        await serving.worlds(world)
    progress(f"stopped by {signals[0].name}")
    return 0


async def _run(wishes: Wishes, progress: Progress, serving: Serving | None = None) -> int:
    """Bring a cluster up, show it here or in a browser, or stream it, and end it."""
    if wishes.tab is None:
        heal_orphans(progress)
    script = load(wishes.scenario) if wishes.scenario else wishes.story
    cluster = choose(wishes, progress) if script is None else _stage_for(script, wishes, progress)
    playing: asyncio.Task[Outcome] | None = None
    left: Leaving | Onward | None = (
        Leaving.KEEP if wishes.lines and runs.was_left_running(cluster.title) else None
    )
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
            if cluster.hands_off is None and not cluster.is_shared:
                await wait_for_leaders(watcher, progress)
            gc.freeze()  # Pictures hold no cycles: a walk over 10,000 shards would stop the keys.
            client = client_of(cluster)
            if script is not None:
                stage = stage_of(cluster, watcher, client)
                chronicle.load = lambda: view_of(stage.loaded, cluster.now_s())
                pace_s = 0.0 if streaming else PACE_S
                again = wishes.story is not None
                telling = tale(script, stage, chronicle, again=again, pace_s=pace_s)
                playing = chronicle.playing = asyncio.ensure_future(telling)
            if isinstance(cluster, SharedCluster):
                cluster.join(watcher, chronicle)
            async with reloading(cluster, watcher, wanted=wishes.reload):
                if serving is not None:
                    await serving.share(cluster, watcher.note)
                elif streaming is not None:
                    await streaming.run(playing, wishes.for_s)
                else:
                    memory = memory_of(wishes)
                    app = screen_of(watcher, cluster, client, deck, chronicle, memory)
                    left = await app.run_async()
        except asyncio.CancelledError:
            pass  # By a signal: the screen may also swallow it and return.
        finally:
            if playing is not None:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
            chronicle.finish()
            keep = leaving_of(left) is Leaving.KEEP
            await whatever_comes(end(cluster, watcher, client, keep))
            if wishes.report is not None:
                progress(try_to_write(chronicle.gather.report(), wishes.report))
            if streaming is not None:
                status = streaming.end(signals, playing, sys.exception())
    _last_words(cluster, deck, signals, keep, progress)
    return status if signals else await _next(left, wishes, status, progress)


def _last_words(
    cluster: Cluster,
    deck: Deck,
    signals: Sequence[signal.Signals],
    keep: bool,
    progress: Progress,
) -> None:
    if deck.saved is not None:
        progress(f"a promise was broken: ./log --replay {deck.saved} shows it")
    if signals:
        progress(f"stopped by {signals[0].name}")
    if keep and cluster.backend != "connect":
        progress("the cluster runs on; ./log shows it again, ./log heal ends it")


async def _next(
    left: Leaving | Onward | None, before: Wishes, status: int, progress: Progress
) -> int:
    """Open the story that the screen sent us to, if it did: a new run, told to no file."""
    if not isinstance(left, Onward):
        return status
    glyphs, theme = before.ascii_glyphs, before.theme
    wishes = Wishes(backend="sim", story=left.story, ascii_glyphs=glyphs, theme=theme)
    return await show(wishes, progress)


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


async def _show_again(path: Path, wishes: Wishes, progress: Progress) -> int:
    """
    Show a recording: nothing is started, and nothing is left.

    Raises:
        RecordingError: it cannot be read.
        ConfigError: there is no screen to show it on.
    """
    replay = open_replay(path, progress)
    if wishes.tab is None:
        must_be_terminal()
    gone = ReplayedCluster(replay.tape.first.title)
    left: Leaving | Onward | None = None
    with signals_end_this_task(), suppress(asyncio.CancelledError):
        memory = memory_of(wishes)
        app = LabApp(replay, gone, gone, replay=replay, memory=memory)
        left = await app.run_async()
    return await _next(left, wishes, 0, progress)


def memory_of(wishes: Wishes) -> Memory:
    """Return what is remembered of how the lab looked; the command line wins over it."""
    return Memory(
        settings.path(),
        ascii_glyphs=wishes.ascii_glyphs,
        theme=wishes.theme,
        keeps_speed=wishes.scenario is None,
    )


def _to_nobody(line: str) -> None:
    """Say nothing: who watches a scenario reads it on the screen."""


def _stage_for(script: Script, wishes: Wishes, progress: Progress) -> Cluster:
    """Return a new cluster for a scenario: containers where they can be had, else processes."""
    backend = wishes.backend
    if backend == "auto":
        backend = "local" if _why_no_containers(progress) else "docker"
    progress(f"{script.title}, on {backend}")
    cluster = cluster_for(script, backend, wishes.seed, speed=None if wishes.story else 1.0)
    cluster.title += " story" * (wishes.story is not None)
    return cluster


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
    resort = watch_signals(loop, numbers, heal_own)
    try:
        yield came
    finally:
        resort.end()
        for number in numbers:
            loop.remove_signal_handler(number)


# --- healing -------------------------------------------------------------------------------------


def heal_orphans(progress: Progress) -> int:
    """End what labs left behind that died; return how many runs that were."""
    orphans = [run for run in runs.known_runs() if run.is_orphan]
    for run in orphans:
        _heal(run, progress)
    return len(orphans)


def heal_own() -> None:
    """End what this very process has started, without a word: nobody reads its terminal."""
    for run in runs.known_runs():
        if run.lab_pid == os.getpid() and not run.kept:
            _heal(run, _to_nobody)


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


def say(line: str) -> None:
    """Print a line of progress; a terminal that is gone is no reason to stop."""
    with suppress(OSError):
        print(f"  {line}", file=sys.stderr, flush=True)
