"""
`./log --reload`: a change under `lolraft/` restarts the local nodes one by one, in sight.

The lab itself goes on with the code that it was started with.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from watchfiles import awatch

import lolraft
from lab.attach import is_led
from lab.cluster.interface import Cluster, ClusterError, NodeHandle, NodeState
from lab.faults import FaultKind
from lab.observe.view import ClusterView, EventView, ShardView
from lolraft.errors import ConfigError

PACKAGE = Path(lolraft.__file__).resolve().parent
"""What the local nodes run."""

QUIET_MS = 200  # Editors, formatters and git write more than once for one change.
BACK_S = 20.0  # In which a restarted node is back, and every shard is led.
POLL_S = 0.1
NOT_SOURCES = {"__pycache__", "tests", "pb"}  # `pb` is generated.


class Screen(Protocol):
    """Where the picture comes from, and notes go; every `ViewSource` is one."""

    @property
    def view(self) -> ClusterView:
        """Return the newest picture."""

    def note(self, event: EventView) -> None:
        """Put a line of the lab's own on the timeline."""


# --- what changes --------------------------------------------------------------------------------


def is_source(path: Path) -> bool:
    """Return whether nodes run what stands at *path*, which is relative to their package."""
    hidden = path.name.startswith((".", "test_"))  # `.#core.py` is an editor's.
    return path.suffix == ".py" and not hidden and NOT_SOURCES.isdisjoint(path.parts)


async def changes(place: Path) -> AsyncIterator[tuple[str, ...]]:
    """
    Yield the sources below *place* that changed, by their paths from there, when all is quiet.

    *place* is absolute, and leads through no link. What changes while nobody waits comes next.
    """
    async for found in awatch(
        place,
        watch_filter=lambda change, path: is_source(Path(path).relative_to(place)),
        step=QUIET_MS,
    ):
        yield tuple(sorted({Path(path).relative_to(place).as_posix() for _, path in found}))


# --- what is done --------------------------------------------------------------------------------


@asynccontextmanager
async def reloading(
    cluster: Cluster, screen: Screen, *, wanted: bool, place: Path = PACKAGE
) -> AsyncIterator[None]:
    """Restart the nodes of *cluster* at every change below *place*, while this context lasts."""
    if not wanted:
        yield
        return
    reloader = Reloader(cluster, screen, changes(place))
    task = asyncio.ensure_future(reloader.run())
    try:
        await asyncio.sleep(0)  # It waits for the first change now: none is lost from here on.
        reloader.say(f"reload: watching {place}")
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Reloader:
    """
    Restart nodes in rounds: each waits until the node before it is back.

    Nodes that the user broke are left alone: they are the user's, and get the new code when they
    are started. One that does not come up again ends the round, so that the others keep the code
    that works; the next change begins with it.
    """

    def __init__(
        self, cluster: Cluster, screen: Screen, changed: AsyncIterator[tuple[str, ...]]
    ) -> None:
        self._cluster, self._screen, self._changed = cluster, screen, changed

    async def run(self) -> None:
        """Play a round for each change, for ever; those that come meanwhile make the next one."""
        try:
            async for names in self._changed:
                await self._round(names)
        except Exception as broken:  # The system's, of watching: the screen stays.
            self.say(f"reload ended: {broken}", kind="failed")
            raise

    def say(self, text: str, node: str | None = None, *, kind: str = "reload") -> None:
        """Put a line on the timeline."""
        at_s, by_you = self._cluster.now_s(), kind == "reload"
        self._screen.note(EventView(at_s=at_s, node=node, kind=kind, text=text, by_you=by_you))

    async def _round(self, names: tuple[str, ...]) -> None:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self.say(f"reload: {names[0]}{more} changed")
        dead_first = sorted(
            self._cluster.nodes(), key=lambda node: node.state is not NodeState.EXITED
        )
        for name in [node.name for node in dead_first]:
            why_not = self._whose(name)
            if why_not:
                self.say(f"reload: {name} is left alone: it is {why_not}", name)
                continue
            why_not = await self._restart(name)
            if why_not:
                text = f"reload stopped at {name}: {why_not} · the next change tries again"
                self.say(text, name, kind="failed")
                return
            self.say(f"{name} restarted by reload", name)

    def _whose(self, name: str) -> str:
        """Return what the user did to a node that is not ours to restart, else nothing."""
        loops = [one for one in self._cluster.faults() if one.kind is FaultKind.CRASH_LOOP]
        if any(name in fault.nodes for fault in loops):
            return "in a crash loop"
        state = self._handle(name).state
        return "" if state in (NodeState.RUNNING, NodeState.EXITED) else state.value

    async def _restart(self, name: str) -> str:
        """Restart a node and wait until it is back; return why it is not, else nothing."""
        known = self._screen.view.node(name)
        epoch = known.epoch if known is not None else 0
        try:
            await _whole(self._cluster.restart(name))
        except ClusterError as broken:
            return str(broken)
        until_s = self._cluster.now_s() + BACK_S
        while True:
            handle = self._handle(name)
            if handle.state is NodeState.EXITED:
                return handle.detail or "it ended without a word"
            if handle.state is not NodeState.RUNNING:
                return f"it is {handle.state.value} now"
            why_not = why_not_back(self._screen.view, name, epoch)
            if why_not and self._cluster.now_s() >= until_s:
                return f"{why_not}, after {BACK_S:g} s"
            if not why_not:
                return ""
            await self._cluster.sleep(POLL_S)

    def _handle(self, name: str) -> NodeHandle:
        return next(node for node in self._cluster.nodes() if node.name == name)


def why_not_back(view: ClusterView, name: str, epoch: int) -> str:
    """Return what a node that was restarted after *epoch* lacks until the next one may go."""
    node = view.node(name)
    if node is None or node.reported_at_s is None or node.epoch <= epoch:
        return "it does not report"
    voting = [shard for shard in view.shards.values() if name in shard.voters]
    if not all(_knows_leader(shard, name) for shard in voting):
        return "it hears of no leader"
    return "" if is_led(view) else "not every shard is led"


def _knows_leader(shard: ShardView, name: str) -> bool:
    replica = shard.replicas.get(name)
    return replica is not None and replica.leader is not None


async def _whole(work: Awaitable[None]) -> None:
    """Do it to its end, also when this task ends meanwhile: who was stopped is started again."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


# --- when it cannot be ---------------------------------------------------------------------------


def backend_of(options: argparse.Namespace) -> str:
    """
    Return the backend that a command line asks for: with --reload it is `local`.

    Raises:
        ConfigError: --reload cannot be had for that one; the sentence says why.
    """
    backend: str = options.backend
    if not options.reload:
        return backend
    if options.connect:
        why = "those of --connect were not started by this lab: restart them where they run"
    elif options.scenario is not None:
        why = "a scenario says itself when its nodes start: leave out one of the two"
    elif backend == "sim" or (options.seed is not None and backend == "auto"):
        why = "simulated ones are part of the lab: start ./log again, and it runs the new code"
    elif backend == "docker":
        why = "containers run the code in their image: ./log --new builds it from the new sources"
    else:
        return "local"
    raise ConfigError(f"--reload restarts local nodes; {why}")
