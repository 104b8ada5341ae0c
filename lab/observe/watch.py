"""The live watcher: one stream a node, one picture of them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from lab.apps import describer
from lab.cluster.interface import Cluster, NodeHandle, NodeState
from lab.observe.fold import fold
from lab.observe.happenings import (
    ClusterChanged,
    Happening,
    LogsFetched,
    Noted,
    Reported,
    Ticked,
    WatchBroke,
)
from lab.observe.view import ClusterView, EntryView, EventView, LogView
from lolraft.client_stream import channel_at
from lolraft.errors import ConfigError
from lolraft.raft.types import EntryKind
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

UPDATE_S = 0.25
AGAIN_S = 0.3  # A broken watch is dialled anew after this.
LOGS_S = 0.25
TICK_S = 0.25
LOG_S = 1.0
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
]
SILENT_S = 5.0
"""A watch that brings nothing for so long is dialled anew: its connection may be dead, untold."""
KIND_NAMES = {int(kind): kind.name.lower() for kind in EntryKind}


class Watcher:
    """
    Watch every node of a cluster and fold what they say into `view`.

    It is the screen's `ViewSource`. A node that does not answer is dialled for ever; its last
    picture stays and grows old.
    """

    def __init__(
        self, cluster: Cluster, *, on_happening: Callable[[Happening], None] | None = None
    ) -> None:
        self._cluster = cluster
        self._on_happening = on_happening
        self._view = ClusterView(title=cluster.title, backend=cluster.backend, verdict="UNKNOWN")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._selected: tuple[int, int | None, int] | None = None
        self._wake_logs = asyncio.Event()
        self._others: list[asyncio.Task[None]] = []

    @property
    def view(self) -> ClusterView:
        """Return the newest picture."""
        return self._view

    def start(self) -> None:
        """Begin to watch; nodes that join later are watched too."""
        loop = asyncio.get_running_loop()
        self._cluster.on_change(self._on_change)
        self._on_change()
        self._others = [loop.create_task(self._fetch_logs()), loop.create_task(self._tick())]

    async def stop(self) -> None:
        """Stop watching and close every connection."""
        tasks = [*self._tasks.values(), *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channel in self._channels.values():
            await channel.close()

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        """Fetch the logs of *shard_id* from now on; None fetches nothing."""
        wish = None if shard_id is None else (shard_id, first_index, count)
        if wish != self._selected:
            self._selected = wish
            self._wake_logs.set()

    def note(self, event: EventView) -> None:
        """Put a line of the lab's own on the timeline."""
        self._take(Noted(at_s=time.time(), event=event))

    def _take(self, happening: Happening) -> None:
        self._view = fold(self._view, happening)
        if self._on_happening is not None:
            self._on_happening(happening)

    def _on_change(self) -> None:
        nodes = self._cluster.nodes()
        self._take(ClusterChanged(at_s=time.time(), nodes=nodes, faults=self._cluster.faults()))
        for node in nodes:
            if node.name not in self._tasks:
                task = asyncio.get_running_loop().create_task(self._watch(node.name))
                self._tasks[node.name] = task

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._take(Ticked(at_s=time.time()))

    # --- reports ---------------------------------------------------------------------------------

    def _handle(self, name: str) -> NodeHandle | None:
        return next((node for node in self._cluster.nodes() if node.name == name), None)

    async def _watch(self, name: str) -> None:
        while (handle := self._handle(name)) is not None:
            address = handle.watch_address
            if handle.state in (NodeState.RUNNING, NodeState.PAUSED) and address:
                try:
                    await self._follow(name, address)
                except grpc.aio.AioRpcError as error:
                    self._broke(name, error.details() or error.code().name)
                except TimeoutError:
                    self._broke(name, f"nothing was heard for {SILENT_S:g} s")
                except ConfigError as broken:  # A TLS file is gone; perhaps it comes back.
                    self._broke(name, str(broken))
            await asyncio.sleep(AGAIN_S)

    async def _follow(self, name: str, address: str) -> None:
        """Fold what one stream brings, until it ends or the node moves to another address."""
        request = observe_pb2.WatchRequest(interval_s=UPDATE_S, log_lines=200)
        async with channel_at(address, self._cluster.tls, OPTIONS) as channel:
            call = _stub(channel).Watch(request)
            while True:
                async with asyncio.timeout(SILENT_S):
                    update = await call.read()
                if update is grpc.aio.EOF:
                    return
                self._take(Reported(at_s=time.time(), node=name, update=update))
                if (now := self._handle(name)) is None or now.watch_address != address:
                    return  # It moved: a container has a new address.

    def _broke(self, name: str, reason: str) -> None:
        self._take(WatchBroke(at_s=time.time(), node=name, reason=reason))

    # --- logs ------------------------------------------------------------------------------------

    async def _fetch_logs(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOGS_S):
                    await self._wake_logs.wait()
            self._wake_logs.clear()
            if self._selected is not None:
                await self._fetch(*self._selected)

    async def _fetch(self, shard_id: int, first: int | None, count: int) -> None:
        if first is None:
            shard = self._view.shards.get(shard_id)
            replicas = shard.replicas.values() if shard is not None else ()
            last = max((replica.last_index for replica in replicas), default=0)
            first = max(1, last - count + 1)  # The same window of every replica.
        nodes = [
            node
            for node in self._cluster.nodes()
            if node.state is NodeState.RUNNING and node.watch_address
        ]
        found = await asyncio.gather(*(self._log(node, shard_id, first, count) for node in nodes))
        logs = {log.node: log for log in found if log is not None}
        if self._selected is None or self._selected[0] != shard_id:
            return
        if self._view.logs_shard == shard_id:  # Who does not answer keeps its last log.
            logs = {**self._view.logs, **logs}
        happening = LogsFetched(
            at_s=time.time(), shard_id=shard_id, logs=tuple(logs[name] for name in sorted(logs))
        )
        self._take(happening)

    async def _log(self, node: NodeHandle, shard_id: int, first: int, count: int) -> LogView | None:
        request = observe_pb2.LogRequest(shard_id=shard_id, first=first, count=count)
        address = node.watch_address
        try:
            if address not in self._channels:
                self._channels[address] = channel_at(address, self._cluster.tls, OPTIONS)
            found = await _stub(self._channels[address]).Log(request, timeout=LOG_S)
        except grpc.aio.AioRpcError:
            await self._channels.pop(address).close()  # Perhaps it is dead: the next is new.
            return None
        except ConfigError:
            return None  # A TLS file is gone: the watch says so.
        known = self._view.node(node.name)
        describe = describer(known.app if known is not None else "")
        return log_view(node.name, found, describe, time.time())


def log_view(
    node: str, found: observe_pb2.LogRange, describe: Callable[[bytes], str], at_s: float
) -> LogView:
    """Return what a node said of a window of a log, with its commands in words."""
    # A node of another version may know more kinds; columns of unequal length end early.
    columns = zip(found.terms, found.kinds, found.payloads, found.sizes, strict=False)
    entries = tuple(
        EntryView(
            index=found.first + position,
            term=term,
            kind=KIND_NAMES.get(kind, "?"),
            text=_text(kind, payload, size, describe),
            size_bytes=size,
        )
        for position, (term, kind, payload, size) in enumerate(columns)
    )
    return LogView(
        node=node,
        base_index=found.base_index,
        base_term=found.base_term,
        commit_index=found.commit_index,
        applied_index=found.applied_index,
        last_index=found.last_index,
        entries=entries,
        at_s=at_s,
    )


def _stub(channel: grpc.aio.Channel) -> Any:  # noqa: ANN401  # Generated stubs are untyped.
    return observe_pb2_grpc.ObserveStub(channel)


def _text(kind: int, payload: bytes, size: int, describe: Callable[[bytes], str]) -> str:
    if kind != EntryKind.COMMAND:
        return KIND_NAMES.get(kind, "?")
    if len(payload) < size:
        return f"{size} B"  # Cut on its way: no app could read it.
    return describe(payload)
