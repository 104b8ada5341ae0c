"""Backend `docker`: a container a node, watched over one network and broken on the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress

from lab.cluster import runs
from lab.cluster.base import BaseCluster, Link, free_port
from lab.cluster.docker_engine import (
    NODE_PORT,
    PORT,
    Engine,
    sweep_run,
    sweep_unknown,
    why_no_docker,
)
from lab.cluster.docker_filter import FILTER, FilterBoard
from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.cluster.runs import Run, process_start
from lab.faults import Fault, FaultKind
from lab.setup.images import ensure_node_image
from lab.setup.shell import SetupError
from lolraft.raft.types import NodeId

__all__ = ["DockerCluster", "sweep_run", "sweep_unknown", "why_no_docker"]

STOP_S, SOON_S = 5, 15.0
_STATES = {
    "running": NodeState.RUNNING,
    "paused": NodeState.PAUSED,
    "created": NodeState.STOPPED,
    "restarting": NodeState.EXITED,
}
KILLED_CODE = "137"  # 128 + SIGKILL.


class DockerCluster(BaseCluster):
    """Containers of this engine; two-way cuts are packet filters, one-way cuts transport rules."""

    def __init__(self, run: Run, count: int = 3) -> None:
        super().__init__("docker", f"docker:{run.name}")
        self._run = run
        self._count_wanted = count
        self._engine = Engine(run.name)
        self._filters = FilterBoard(self._engine)
        self._wanted: dict[str, NodeState] = {}  # How a node will have ended, when we end it.
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._image = ""
        self._closed = False

    @classmethod
    def begin(
        cls, *, nodes: int = 3, app: str = "kv", shards: str = "0", more: Sequence[str] = ()
    ) -> DockerCluster:
        """Return a new cluster, whose nodes get *more* arguments too; `start` brings it up."""
        return cls(runs.new_run("docker", app, shards, more), nodes)

    async def start(self, progress: Callable[[str], None]) -> None:
        """Start the containers as one static group, or go on with those that were left running."""
        self._follow()
        known = await self._engine.call("looking for containers", self._engine.containers)
        if known:
            progress(f"going on with {self._run.name}")
            await self._go_on(known)
            return
        await self._need_image(progress)
        progress(f"starting {self._count_wanted} containers")
        await self._engine.call("making the networks", self._engine.make_networks)
        names = [f"n{number}" for number in range(1, self._count_wanted + 1)]
        members = ",".join(_id(name) for name in names)
        with ExitStack() as held:
            ports = {name: free_port(held) for name in names}
        await asyncio.gather(*(self._make(name, ports[name], members) for name in names))
        await asyncio.gather(*(self._launch(name) for name in names))

    async def _need_image(self, progress: Callable[[str], None]) -> None:
        try:
            self._image = await asyncio.to_thread(ensure_node_image, progress)
        except SetupError as broken:
            raise ClusterError(str(broken)) from broken

    async def _go_on(self, known: dict[str, object]) -> None:
        self._run.kept = False
        self._run.lab_pid = os.getpid()
        self._run.lab_start = process_start(os.getpid()) or 0
        runs.save(self._run)
        for name, container in known.items():
            labels = getattr(container, "labels", {})
            state = _STATES.get(getattr(container, "status", ""), NodeState.EXITED)
            self._handles[name] = _handle(name, int(labels[PORT]), state)
        await self._filters.flush(self._running())
        self._changed()

    async def _make(self, name: str, port: int, members: str) -> None:
        arguments = ["serve", _id(name), "--data", "/data", "--app", self._run.app]
        arguments += ["--shards", self._run.shards, "--enable-faults", *self._run.more]
        arguments += ["--members", members] if members else []
        what = f"making {name}"
        await self._engine.call(
            what, self._engine.make_node, name, port, self._image, arguments, ["NET_ADMIN"]
        )
        self._handles[name] = _handle(name, port, NodeState.STOPPED)

    async def _launch(self, name: str) -> None:
        self._wanted.pop(name, None)
        await self._do(name, "start", NodeState.RUNNING)

    # --- what really happened --------------------------------------------------------------------

    def _follow(self) -> None:
        loop = asyncio.get_running_loop()

        def news(name: str, action: str, exit_code: str) -> None:
            with suppress(RuntimeError):  # The loop has ended.
                loop.call_soon_threadsafe(self._on_event, name, action, exit_code)

        self._engine.follow(news)

    def _on_event(self, name: str, action: str, exit_code: str) -> None:
        if self._closed or name not in self._handles:
            return
        if action in ("start", "unpause"):
            self._set_state(name, NodeState.RUNNING)
            if action == "start":
                self._filters.forget(name)
            self._background(self._come_back())
        elif action == "pause":
            self._set_state(name, NodeState.PAUSED)
        elif action == "die":
            self._filters.forget(name)
            otherwise = NodeState.KILLED if exit_code == KILLED_CODE else NodeState.EXITED
            state = self._wanted.pop(name, otherwise)
            self._set_state(name, state)
            if state is NodeState.EXITED:
                self._background(self._explain(name, exit_code))
        elif action == "destroy":
            self._set_state(name, NodeState.EXITED, "its container was removed")
        self._news.set()

    async def _come_back(self) -> None:
        """Give who runs again the cuts that are in force."""
        with suppress(ClusterError):
            await asyncio.gather(self._filters.apply(self._running()), self._rules.push_again())

    async def _explain(self, name: str, exit_code: str) -> None:
        with suppress(ClusterError):
            line = await self._engine.call("reading its log", self._engine.last_line, name)
            if self._handle(name).state is NodeState.EXITED:
                self._set_state(name, NodeState.EXITED, f"exit status {exit_code}: {line}")

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, name: str, verb: str, state: NodeState, **options: object) -> None:
        """Ask the engine, and return when its event says that it has happened."""

        def ask() -> None:
            getattr(self._engine.container(name), verb)(**options)

        await self._engine.call(f"{verb} {name}", ask)
        try:
            async with asyncio.timeout(SOON_S):
                while self._handle(name).state is not state:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            there = self._handle(name).state.value
            raise ClusterError(f"{verb} {name}: it is still {there} after {SOON_S:g} s") from None

    def _running(self) -> list[str]:
        return [node.name for node in self.nodes() if node.state is NodeState.RUNNING]

    # --- what is done to nodes -------------------------------------------------------------------

    def _must_live(self, name: str) -> None:
        if self._handle(name).state not in (NodeState.RUNNING, NodeState.PAUSED):
            raise ClusterError(f"{name} does not run; r starts it")

    async def kill(self, name: str) -> None:
        """SIGKILL, by the engine."""
        self._must_live(name)
        self._wanted[name] = NodeState.KILLED
        await self._do(name, "kill", NodeState.KILLED)
        self._begin(FaultKind.KILL, (name,), "SIGKILL")

    async def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL after a while."""
        self._must_live(name)
        self._wanted[name] = NodeState.STOPPED
        await self._do(name, "stop", NodeState.STOPPED, timeout=STOP_S)
        self._begin(FaultKind.STOP, (name,), "SIGTERM")

    async def pause(self, name: str) -> None:
        """Freeze the container's control group."""
        if self._handle(name).state is not NodeState.RUNNING:
            raise ClusterError(f"{name} does not run; r starts it")
        await self._do(name, "pause", NodeState.PAUSED)
        self._begin(FaultKind.PAUSE, (name,), "freezer")

    async def resume(self, name: str) -> None:
        """Thaw it."""
        if self._handle(name).state is not NodeState.PAUSED:
            raise ClusterError(f"{name} is not paused")
        await self._do(name, "unpause", NodeState.RUNNING)

    async def restart(self, name: str) -> None:
        """Start on the same volume; stop first what runs."""
        if self._handle(name).state in (NodeState.RUNNING, NodeState.PAUSED):
            await self.stop(name)
        await self._launch(name)

    async def add_node(self) -> NodeHandle:
        """Start one more empty node on the same shards (C3)."""
        numbers = [int(node.name[1:]) for node in self.nodes()]
        name = f"n{max(numbers, default=0) + 1}"
        with ExitStack() as held:
            port = free_port(held)
        if not self._image:  # The cluster was left running by an earlier lab.
            await self._need_image(lambda line: None)
        await self._make(name, port, "")
        await self._launch(name)
        return self._handle(name)

    # --- links -----------------------------------------------------------------------------------

    async def _cut_links(self, kind: FaultKind, nodes: tuple[str, ...], pairs: list[Link]) -> Fault:
        """Cut pairs both ways by packet filters; by rules where containers may not filter."""
        fault = self._begin(kind, nodes, FILTER, self._both_ways(pairs))
        try:
            await self._apply_links()
        except ClusterError:
            self._faults.pop(fault.number, None)
            with suppress(ClusterError):
                await self._apply_links()
            return await super()._cut_links(kind, nodes, pairs)
        return fault

    async def _apply_links(self) -> None:
        pairs = {
            (min(link), max(link))
            for fault in self._faults.values()
            if fault.mechanism == FILTER
            for link in fault.links
        }
        await self._filters.cut(pairs, self._running())
        await super()._apply_links()

    # --- the end ---------------------------------------------------------------------------------

    async def close(self, *, leave_running: bool = False) -> None:
        """Remove containers, networks and volumes; or heal, and let go."""
        if self._closed:
            return
        if leave_running:
            for handle in self.nodes():
                if handle.state is NodeState.PAUSED:
                    await self.resume(handle.name)
            await self.heal()
        self._closed = True
        self._faults.clear()
        await self._end_loops()
        await self._rules.close()
        try:
            if leave_running:
                self._run.kept = True
                runs.save(self._run)
            else:
                await self._engine.call("removing the containers", self._engine.remove_all)
                runs.forget(self._run)
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.to_thread(self._engine.close)


def _id(name: str) -> NodeId:
    return NodeId(f"http://{name}:{NODE_PORT}")


def _handle(name: str, port: int, state: NodeState) -> NodeHandle:
    address = f"127.0.0.1:{port}"
    return NodeHandle(name=name, node_id=_id(name), watch_address=address, state=state)
