"""A tab's way to the cluster that the serving process has."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from lab.chronicle import Chronicle
from lab.cluster.interface import Cluster, ClusterError, NodeHandle
from lab.faults import Fault, FaultKind, Trouble
from lab.observe.happenings import Happening, Noted
from lab.observe.view import ClusterView, EventView
from lab.serve.words import MOST_BYTES, Asked, Done, Said, Told, line_of, word_of
from lolraft.config import Tls

LOOK_S = 5.0
GONE = "the lab that serves this page has ended"


class Notes(Protocol):
    """Who keeps a timeline: a watcher."""

    def note(self, event: EventView) -> None:
        """Put a line on it."""


def _nowhere(event: EventView) -> None:
    """Put it nowhere: nobody looks yet."""


def _first_look(path: Path) -> Told:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as host:
            host.settimeout(LOOK_S)
            host.connect(str(path))
            with host.makefile("rb") as lines:
                told = word_of(lines.readline(MOST_BYTES))
    except (OSError, ValueError) as broken:
        raise ClusterError(GONE) from broken
    assert isinstance(told, Told), "this is what it says first"
    return told


class SharedCluster(Cluster):
    """
    Show somebody else's cluster and ask them to break it.

    Nodes are watched, and written to, directly: those need no controller.
    """

    is_shared = True

    def __init__(self, path: Path, tls: Tls | None = None) -> None:
        """
        Look at what a `Host` at this socket has, whose name is wanted at once; `start` connects.

        Raises:
            ClusterError: nobody serves.
        """
        self._path, self.tls = path, tls
        self._told = _first_look(path)
        self.backend, self.title = self._told.backend, self._told.title
        self.hands_off = self._told.hands_off
        self._note: Callable[[EventView], None] = _nowhere
        self._callbacks: list[Callable[[], None]] = []
        self._waiting: dict[int, asyncio.Future[Done]] = {}
        self._tickets = 0
        self._host: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self, progress: Callable[[str], None]) -> None:
        """
        Connect, and learn what there is.

        Raises:
            ClusterError: nobody serves.
        """
        try:
            reader, self._host = await asyncio.open_unix_connection(self._path, limit=MOST_BYTES)
        except OSError as broken:
            raise ClusterError(GONE) from broken
        self._take(await reader.readline())
        self._hearing = asyncio.ensure_future(self._hear(reader))

    async def close(self, *, leave_running: bool = False) -> None:
        """Look away: the cluster and its faults stay as they are."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        if self._host is not None:
            self._host.close()

    # --- hearing ---------------------------------------------------------------------------------

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        try:
            with suppress(ConnectionError):
                while line := await reader.readline():
                    self._take(line)
        finally:
            self.hands_off = GONE
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ClusterError(GONE))

    def _take(self, line: bytes) -> None:
        word = word_of(line) if line else None
        if isinstance(word, Told):
            self._told = word
            self.backend, self.title, self.hands_off = word.backend, word.title, word.hands_off
            for callback in tuple(self._callbacks):
                callback()
        elif isinstance(word, Said):
            self._note(word.event)
        elif isinstance(word, Done) and word.ticket in self._waiting:
            waiting = self._waiting[word.ticket]
            if not waiting.done():
                waiting.set_result(word)

    def join(self, watcher: Notes, chronicle: Chronicle) -> None:
        """Tell the others what is done here, and put what they do on the timeline of *watcher*."""
        self._note = watcher.note
        chronicle.listeners.append(self._pass_on)

    def _pass_on(self, happening: Happening, _view: ClusterView) -> None:
        if isinstance(happening, Noted) and happening.event.by_you and self._host is not None:
            self._host.write(line_of(Said(event=happening.event)))

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call *callback* at every change."""
        self._callbacks.append(callback)

    def nodes(self) -> tuple[NodeHandle, ...]:
        """Return all nodes."""
        return self._told.nodes

    def faults(self) -> tuple[Fault, ...]:
        """Return what is in force, whichever tab did it."""
        return self._told.faults

    def why_not(self, kind: FaultKind) -> str | None:
        """Return what the cluster's own backend says."""
        return self._told.cannot.get(kind)

    @property
    def ended(self) -> str | None:
        """Return what the cluster's own backend says."""
        return self._told.ended

    def now_s(self) -> float:
        """Return the time of this machine."""
        return time.time()

    async def sleep(self, delay_s: float) -> None:
        """Wait."""
        await asyncio.sleep(delay_s)

    # --- asking ----------------------------------------------------------------------------------

    async def _ask(self, what: str, *names: str, **more: Any) -> Done:  # noqa: ANN401  # Of Asked.
        if self._host is None or self.hands_off == GONE:
            raise ClusterError(GONE)
        self._tickets += 1
        ticket = self._tickets
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            self._host.write(line_of(Asked(ticket=ticket, what=what, names=names, **more)))
            done = await self._waiting[ticket]
        finally:
            del self._waiting[ticket]
        if done.refused is not None:
            raise ClusterError(done.refused)
        return done

    async def _fault(self, what: str, *names: str, **more: Any) -> Fault:  # noqa: ANN401
        fault = (await self._ask(what, *names, **more)).fault
        assert fault is not None, "what begins a fault returns it"
        return fault

    async def kill(self, name: str) -> None:
        """SIGKILL the node."""
        await self._ask("kill", name)

    async def stop(self, name: str) -> None:
        """SIGTERM the node and wait."""
        await self._ask("stop", name)

    async def pause(self, name: str) -> None:
        """Freeze all its threads."""
        await self._ask("pause", name)

    async def resume(self, name: str) -> None:
        """Let it go on."""
        await self._ask("resume", name)

    async def restart(self, name: str) -> None:
        """Start it again."""
        await self._ask("restart", name)

    async def cut(self, sender: str, receiver: str) -> Fault:
        """Cut one way."""
        return await self._fault("cut", sender, receiver)

    async def cut_both(self, one: str, other: str) -> Fault:
        """Cut both ways."""
        return await self._fault("cut_both", one, other)

    async def isolate(self, name: str) -> Fault:
        """Cut the node off from all others."""
        return await self._fault("isolate", name)

    async def partition(self, groups: tuple[tuple[str, ...], ...]) -> Fault:
        """Cut between the groups."""
        return await self._fault("partition", groups=groups)

    async def disturb(self, kind: FaultKind, where: tuple[str, ...], trouble: Trouble) -> Fault:
        """Make a link or a node behave badly."""
        return await self._fault("disturb", *where, kind=kind, trouble=trouble)

    async def heal(self, fault: Fault | None = None) -> None:
        """End one fault, or all."""
        await self._ask("heal", fault=None if fault is None else fault.number)

    async def add_node(self) -> NodeHandle:
        """Start one more empty node."""
        node = (await self._ask("add_node")).node
        assert node is not None, "a new node is returned"
        return node
