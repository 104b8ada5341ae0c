"""Backend `local`: a process a node, on loopback, with data under a directory of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lab.cluster import runs
from lab.cluster.base import BaseCluster, free_port
from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.cluster.launch import KEPT, LIVE_ON
from lab.cluster.runs import NodeRun, Run, process_start
from lab.faults import FaultKind
from lolraft.raft.types import NodeId

STOP_S, GONE_S = 5.0, 10.0


class LocalCluster(BaseCluster):
    """Processes of this machine; cuts are transport rules."""

    def __init__(self, run: Run, count: int = 3) -> None:
        super().__init__("local", f"local:{run.name}")
        self._run = run
        self._count_wanted = count
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, NodeState] = {}  # How a node will have ended, when we end it.
        self._closed = False

    @classmethod
    def begin(
        cls, *, nodes: int = 3, app: str = "kv", shards: str = "0", more: Sequence[str] = ()
    ) -> LocalCluster:
        """Return a new cluster, whose nodes get *more* arguments too; `start` brings it up."""
        return cls(runs.new_run("local", app, shards, more), nodes)

    @property
    def directory(self) -> Path:
        """Return where the nodes keep data and logs."""
        return Path(self._run.directory)

    async def start(self, progress: Callable[[str], None]) -> None:
        """Start the nodes as one static group, or go on with those that were left running."""
        if not self._run.nodes:
            progress(f"starting {self._count_wanted} local processes")
            self.directory.mkdir(parents=True, exist_ok=True)
            with ExitStack() as ports:
                for number in range(1, self._count_wanted + 1):
                    self._add(f"n{number}", free_port(ports))
            members = ",".join(node.node_id for node in self._run.nodes)
            for node in self._run.nodes:
                await self._launch(node, members)
            return
        progress(f"going on with {self._run.name}")
        self._run.kept = False
        self._run.lab_pid = os.getpid()
        self._run.lab_start = process_start(os.getpid()) or 0
        runs.save(self._run)
        for node in self._run.nodes:
            alive = node.pid > 0 and process_start(node.pid) == node.start
            state = NodeState.RUNNING if alive else NodeState.EXITED
            self._handles[node.name] = _handle(node, state)
            if alive:
                self._watch(node)
        self._changed()

    def _add(self, name: str, port: int) -> NodeRun:
        node = NodeRun(name=name, node_id=f"http://127.0.0.1:{port}", port=port)
        self._run.nodes.append(node)
        self._handles[name] = _handle(node, NodeState.STOPPED)
        return node

    def _node(self, name: str) -> NodeRun:
        self._handle(name)
        return next(node for node in self._run.nodes if node.name == name)

    async def _launch(self, node: NodeRun, members: str = "") -> None:
        place = self.directory / node.name
        place.mkdir(parents=True, exist_ok=True)
        arguments = ["serve", node.node_id, "--listen", f"127.0.0.1:{node.port}"]
        arguments += ["--data", str(place / "data"), "--app", self._run.app]
        arguments += ["--shards", self._run.shards, "--enable-faults", *self._run.more]
        if members:
            arguments += ["--members", members]
        (place / KEPT).unlink(missing_ok=True)
        with (place / "log.txt").open("ab") as log, _blocked(LIVE_ON):
            process = subprocess.Popen(  # noqa: ASYNC220  # Forking takes no time.
                [sys.executable, "-m", "lab.cluster.launch", str(os.getpid()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ctrl-c in the terminal is the lab's, not the nodes'.
                cwd=place,
            )
        process.returncode = 0  # `_watch` reaps it; Popen need not warn that it still runs.
        node.pid, node.start = process.pid, process_start(process.pid) or 0
        runs.save(self._run)
        self._wanted.pop(node.name, None)
        self._set_state(node.name, NodeState.RUNNING)
        self._watch(node)

    def _watch(self, node: NodeRun) -> None:
        loop = asyncio.get_running_loop()
        self._watches[node.name] = loop.create_task(self._until_gone(node))

    async def _until_gone(self, node: NodeRun) -> None:
        """Notice the end of a process, whoever ended it."""
        await _wait_gone(node.pid, node.start)
        _reap(node.pid)
        node.pid = 0
        state = self._wanted.pop(node.name, NodeState.EXITED)
        detail = _last_line(self.directory / node.name / "log.txt")
        if not self._closed:
            self._set_state(node.name, state, detail if state is NodeState.EXITED else "")

    # --- what is done to nodes -------------------------------------------------------------------

    async def _end(self, name: str, number: int, state: NodeState, within_s: float) -> None:
        node = self._node(name)
        if node.pid == 0:
            raise ClusterError(f"{name} does not run; r starts it")
        self._wanted[name] = state
        _signal(node, number)
        if number == signal.SIGTERM:
            _signal(node, signal.SIGCONT)  # A paused process hears nothing else.
        try:
            async with asyncio.timeout(within_s):
                await asyncio.shield(self._watches[name])
        except TimeoutError:
            if number == signal.SIGKILL:
                raise ClusterError(f"{name} does not die (pid {node.pid})") from None
            await self._end(name, signal.SIGKILL, state, GONE_S)

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        await self._end(name, signal.SIGKILL, NodeState.KILLED, GONE_S)
        self._begin(FaultKind.KILL, (name,), "SIGKILL")

    async def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL after a while."""
        await self._end(name, signal.SIGTERM, NodeState.STOPPED, STOP_S)
        self._begin(FaultKind.STOP, (name,), "SIGTERM")

    async def pause(self, name: str) -> None:
        """SIGSTOP."""
        if self._handle(name).state is not NodeState.RUNNING:
            raise ClusterError(f"{name} does not run; r starts it")
        _signal(self._node(name), signal.SIGSTOP)
        self._set_state(name, NodeState.PAUSED)
        self._begin(FaultKind.PAUSE, (name,), "SIGSTOP")

    async def resume(self, name: str) -> None:
        """SIGCONT."""
        if self._handle(name).state is not NodeState.PAUSED:
            raise ClusterError(f"{name} is not paused")
        _signal(self._node(name), signal.SIGCONT)
        self._set_state(name, NodeState.RUNNING)
        await self._rules.push_again()

    async def restart(self, name: str) -> None:
        """Start on the same data; stop first what runs."""
        node = self._node(name)
        if node.pid:
            await self._end(name, signal.SIGTERM, NodeState.STOPPED, STOP_S)
        if not node.pid:  # Else another who wanted it, a reload perhaps, has been faster.
            await self._launch(node)
        await self._rules.push_again()

    async def add_node(self) -> NodeHandle:
        """Start one more empty node on the same shards (C3)."""
        numbers = [int(node.name[1:]) for node in self._run.nodes]
        with ExitStack() as ports:
            node = self._add(f"n{max(numbers, default=0) + 1}", free_port(ports))
        await self._launch(node)
        return self._handle(node.name)

    async def close(self, *, leave_running: bool = False) -> None:
        """End every process and delete the data; or heal, and let go."""
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
        if leave_running:
            await self._let_live()
            self._run.kept = True
            runs.save(self._run)
        else:
            end_processes(self._run)
            await asyncio.gather(*self._watches.values(), return_exceptions=True)
            sweep(self._run)
        for watch in self._watches.values():
            watch.cancel()

    async def _let_live(self) -> None:
        """Let every process outlive this one, and wait until they all say that they will."""
        asked = [node for node in self._run.nodes if node.pid]
        for node in asked:
            _signal(node, LIVE_ON)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                for node in asked:
                    kept = self.directory / node.name / KEPT
                    while node.pid and not kept.exists():  # noqa: ASYNC110  # Files tell nobody.
                        await asyncio.sleep(0.02)


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Start processes with a signal blocked: it waits for them until they are ready for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handle(node: NodeRun, state: NodeState) -> NodeHandle:
    return NodeHandle(
        name=node.name,
        node_id=NodeId(node.node_id),
        watch_address=f"127.0.0.1:{node.port}",
        state=state,
    )


def _signal(node: NodeRun, number: int) -> None:
    if node.pid > 0 and process_start(node.pid) == node.start:
        with suppress(ProcessLookupError):
            os.kill(node.pid, number)


async def _wait_gone(pid: int, start: int) -> None:
    """Wait until a process has ended: by the kernel's word where it gives one."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        while process_start(pid) == start:  # noqa: ASYNC110  # This system tells no other way.
            await asyncio.sleep(0.1)
        return
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # Of an earlier lab: not our child.
        os.waitpid(pid, os.WNOHANG)


def _last_line(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(errors="replace").strip().splitlines()
        return lines[-1][-200:] if lines else ""
    return ""


def end_processes(run: Run) -> int:
    """SIGKILL every process of a run that is still the one it started; return how many."""
    ended = 0
    for node in run.nodes:
        if node.pid > 0 and process_start(node.pid) == node.start:
            _signal(node, signal.SIGKILL)
            ended += 1
    return ended


def sweep(run: Run) -> None:
    """Delete what a run left on disk."""
    shutil.rmtree(run.directory, ignore_errors=True)
    runs.forget(run)
