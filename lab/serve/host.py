"""Who has the cluster: it tells every tab of it, and does what they ask, one after another."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from lab.cluster.interface import Cluster, ClusterError, NodeHandle
from lab.faults import Fault, FaultKind
from lab.observe.view import EventView
from lab.serve.words import MOST_BYTES, Asked, Done, Said, Told, line_of, word_of

BY_NAME = ("kill", "stop", "pause", "resume", "restart")  # Act on one node, and return nothing.
CUTS = ("cut", "cut_both", "isolate")  # Act on links by names.


class Host:
    """
    One cluster and one controller of its faults, for any number of tabs.

    A node takes whole rule sets, the newest wins: two controllers would undo each other's faults
    every second. So tabs have none; they ask here, over a socket that only this user can reach.
    """

    def __init__(self, cluster: Cluster, note: Callable[[EventView], None]) -> None:
        """Begin; *note* gets the lines that tabs put on the timeline, as the other tabs do."""
        self._cluster, self._note = cluster, note
        self._directory = Path(tempfile.mkdtemp(prefix="raft-lab-"))  # Nobody else may enter it.
        self._tabs: set[asyncio.StreamWriter] = set()
        self._deeds: set[asyncio.Task[None]] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._server: asyncio.Server | None = None
        cluster.on_change(self._tell_all)

    @property
    def path(self) -> Path:
        """Return the socket to which a tab connects."""
        return self._directory / "lab.sock"

    async def start(self) -> None:
        """Let tabs come."""
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=MOST_BYTES)

    async def close(self) -> None:
        """Let go of every tab; what they asked for is done, or given up by the cluster's end."""
        if self._server is not None:
            self._server.close()
        for tab in tuple(self._tabs):
            tab.close()
        for deed in tuple(self._deeds):
            deed.cancel()
        await asyncio.gather(*self._deeds, return_exceptions=True)
        shutil.rmtree(self._directory, ignore_errors=True)

    # --- telling ---------------------------------------------------------------------------------

    def _told(self) -> Told:
        cluster = self._cluster
        why_not = {kind: cluster.why_not(kind) for kind in FaultKind}
        return Told(
            backend=cluster.backend,
            title=cluster.title,
            hands_off=cluster.hands_off,
            ended=cluster.ended,
            nodes=cluster.nodes(),
            faults=cluster.faults(),
            cannot=MappingProxyType({kind: why for kind, why in why_not.items() if why}),
        )

    def _tell_all(self) -> None:
        line = line_of(self._told())
        for tab in self._tabs:
            tab.write(line)

    def _pass_on(self, event: EventView, of: asyncio.StreamWriter) -> None:
        text = f"a tab: {event.text.removeprefix('you: ')}"
        event = replace(event, text=text, by_you=False)
        self._note(event)
        for tab in self._tabs - {of}:
            tab.write(line_of(Said(event=event)))

    # --- being asked -----------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, tab: asyncio.StreamWriter) -> None:
        tab.write(line_of(self._told()))
        self._tabs.add(tab)
        try:
            with suppress(ConnectionError):
                while line := await reader.readline():
                    word = word_of(line)
                    if isinstance(word, Said):
                        self._pass_on(word.event, tab)
                        continue
                    deed = asyncio.ensure_future(self._answer(word, tab))
                    self._deeds.add(deed)  # It is done to its end, though the tab may close.
                    deed.add_done_callback(self._deeds.discard)
        finally:
            self._tabs.discard(tab)
            tab.close()

    async def _answer(self, asked: Asked, tab: asyncio.StreamWriter) -> None:
        done = Done(ticket=asked.ticket)
        try:
            async with self._turns[asked.names[0] if asked.what in BY_NAME else "links"]:
                result = await self._do(asked)
        except ClusterError as broken:
            done = replace(done, refused=str(broken))
        except Exception as broken:  # The tab waits for an answer, whatever a backend raises.
            done = replace(done, refused=f"{type(broken).__name__}: {broken}")
        else:
            if isinstance(result, Fault):
                done = replace(done, fault=result)
            elif result is not None:
                done = replace(done, node=result)
        with suppress(ConnectionError, RuntimeError):  # The tab has closed.
            tab.write(line_of(done))
            await tab.drain()

    async def _do(self, asked: Asked) -> Fault | NodeHandle | None:
        cluster = self._cluster
        if asked.what in (*BY_NAME, *CUTS):
            result: Fault | None = await getattr(cluster, asked.what)(*asked.names)
            return result
        if asked.what == "partition":
            return await cluster.partition(asked.groups)
        if asked.what == "disturb" and asked.kind is not None and asked.trouble is not None:
            return await cluster.disturb(asked.kind, asked.names, asked.trouble)
        if asked.what == "add_node":
            return await cluster.add_node()
        if asked.what == "heal":
            await self._heal(asked.fault)
            return None
        raise ClusterError(f"nobody here can {asked.what}")

    async def _heal(self, number: int | None) -> None:
        if number is None:
            await self._cluster.heal()
            return
        for fault in self._cluster.faults():
            if fault.number == number:
                await self._cluster.heal(fault)
