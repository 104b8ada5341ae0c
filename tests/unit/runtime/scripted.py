"""A driver over a scripted machine, for tests of the driver alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from lolraft.app import RaftApp
from lolraft.multiraft.effects import Effect, Respond
from lolraft.multiraft.events import (
    ClientRequest,
    Event,
)
from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.multiraft.report import MachineReport
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId, ShardId
from lolraft.runtime.apps import AppHost
from lolraft.runtime.driver import Driver
from lolraft.runtime.memory_transport import MemoryNetwork
from lolraft.storage.interface import Storage, StorageError

NODE = NodeId("http://a:1")

Answer = Callable[[list[Event]], list[Effect]]


class Scripted:
    """A machine that remembers its turns and answers what the test wants."""

    def __init__(self) -> None:
        self.turns: list[list[Event]] = []
        self.times_s: list[float] = []
        self.answer: Answer = lambda events: []
        self.deadline_s: float | None = None
        self.turned = asyncio.Event()
        self.waiting: set[NodeId] = set()  # Peers for whom a frame waits.

    def turn(self, now_s: float, events: list[Event]) -> list[Effect]:
        self.turns.append(events)
        self.times_s.append(now_s)
        if self.deadline_s is not None and self.deadline_s <= now_s:
            self.deadline_s = None
        self.turned.set()
        return self.answer(events)

    def next_deadline_s(self) -> float | None:
        return self.deadline_s

    def waits_for(self, peer_id: NodeId) -> bool:
        return peer_id in self.waiting

    def report(self, now_s: float) -> MachineReport:
        raise NotImplementedError

    def log_slice(self, *arguments: object) -> object:
        return arguments

    def changed_since(self, *arguments: object) -> object:
        return arguments

    @property
    def events(self) -> list[Event]:
        return [event for turn in self.turns for event in turn]

    async def until(self, kind: type[Event], count: int = 1) -> Event:
        async with asyncio.timeout(10):
            while len(found := [e for e in self.events if isinstance(e, kind)]) < count:
                self.turned.clear()
                await self.turned.wait()
        return found[-1]


class OneThread(Storage):
    """Keeps batches; notes which thread called; fails when told to."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.threads: set[int] = set()
        self.fails = False
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()

    def open(self, node_id: NodeId) -> NodeRecord:
        self.threads.add(threading.get_ident())
        return NodeRecord(node_id=node_id, incarnation=1, epoch=1)

    def load(self) -> dict[ShardId, ShardRecord]:
        self.threads.add(threading.get_ident())
        return {}

    def commit(self, batch: Batch) -> None:
        self.threads.add(threading.get_ident())
        self.gate.wait(10)
        if self.fails:
            raise StorageError("the disk is full")
        self.batches.append(batch)

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1


class Echo(RaftApp):
    def __init__(self) -> None:
        self.latest = 1

    def process_write(self, message: bytes, index: int) -> bytes:
        return message.upper()

    def process_read(self, message: bytes, index: int) -> bytes:
        if message == b"snapshot":
            self.latest = index
        return b"%d" % index

    def install_snapshot(self, index: int) -> None:
        pass

    async def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> None:
        raise NotImplementedError

    def open_snapshot(self, index: int) -> Iterable[bytes]:
        if index != self.latest:
            raise LookupError(index)
        return [b"snap", b"shot"]

    def delete_snapshots_before(self, index: int) -> None:
        pass

    def get_latest_snapshot(self) -> int:
        return self.latest


class Node:
    def __init__(self, directory: Path, *, shards: tuple[ShardId, ...] = ()) -> None:
        self.machine = Scripted()
        self.storage = OneThread()
        self.transport = MemoryNetwork().transport(NODE)
        self.driver = Driver(
            node_id=NODE,
            make_machine=self.make_machine,
            storage=self.storage,
            transport=self.transport,
            host=lambda driver: AppHost(
                lambda shard_id, path: Echo(),
                directory,
                driver.post,
                driver.transport.fetch_snapshot,
            ),
            shards=shards,
        )

    def make_machine(
        self, record: NodeRecord, shards: dict[ShardId, ShardRecord], now_s: float
    ) -> Scripted:
        self.made_from = (record, shards)
        return self.machine


def echo_requests(events: list[Event]) -> list[Effect]:
    return [
        Respond(ticket=event.ticket, code=Code.OK, message=event.message)
        for event in events
        if isinstance(event, ClientRequest)
    ]


async def rounds(count: int = 5) -> None:
    """Let the loop go round a few times: what is going to be called soon has been called."""
    for _ in range(count):
        await asyncio.sleep(0)


# --- turns ---------------------------------------------------------------------------------------
