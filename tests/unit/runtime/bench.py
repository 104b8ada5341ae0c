"""An app that writes down every call, and a host whose events are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

from lolraft.app import RaftApp
from lolraft.errors import Rejected
from lolraft.multiraft.effects import RunApply, RunRead
from lolraft.multiraft.events import (
    Event,
)
from lolraft.raft.types import Clock, Configuration, NodeId, ShardId, SnapshotMeta
from lolraft.runtime.apps import AppHost
from lolraft.runtime.transport import SnapshotPiece

SOURCE = NodeId("http://a:1")
META = SnapshotMeta(
    clock=Clock(3, 40), configuration=Configuration(voters=(SOURCE,)), configuration_index=1
)


class Notebook(RaftApp):
    """Writes down every call; the message says how it behaves."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.latest = 1
        self.running = 0

    def process_write(self, message: bytes, index: int) -> bytes | Awaitable[bytes]:
        self.calls.append(("write", index))
        if message.startswith(b"later"):
            return self.later(message)
        return self.behave(message)

    async def later(self, message: bytes) -> bytes:
        assert self.running == 0, "one at a time"
        self.running += 1
        await asyncio.sleep(0.001)
        self.running -= 1
        return self.behave(message)

    def behave(self, message: bytes) -> bytes:
        if message.endswith(b"reject"):
            raise Rejected("no such thing")
        if message.endswith(b"break"):
            raise ZeroDivisionError("oops")
        if message.endswith(b"text"):
            return "text"  # type: ignore[return-value]  # An app that breaks the contract.
        if message.endswith(b"slow"):
            time.sleep(0.004)
        return message

    def process_read(self, message: bytes, index: int) -> bytes | Awaitable[bytes]:
        self.calls.append(("read", index))
        if message == b"snapshot":
            self.latest = index
        return self.later(message) if message.startswith(b"later") else self.behave(message)

    def install_snapshot(self, index: int) -> None:
        self.calls.append(("install", index))

    async def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> None:
        body = b"".join([chunk async for chunk in chunks])
        self.calls.append(("save", index, body))

    def open_snapshot(self, index: int) -> Iterable[bytes]:
        if index == 13:
            raise LookupError("no 13")
        return iter([b"a", b"b"])

    def delete_snapshots_before(self, index: int) -> None:
        self.calls.append(("delete", index))

    def get_latest_snapshot(self) -> int:
        self.calls.append("latest?")
        return self.latest


class Bench:
    """An `AppHost` whose events are kept."""

    def __init__(self, directory: Path) -> None:
        self.apps: dict[ShardId, list[Notebook]] = {}
        self.events: list[Event] = []
        self.more = asyncio.Event()
        self.pieces: Callable[[int], AsyncIterator[SnapshotPiece]] | None = None
        self.host = AppHost(self.make, directory, self.post, self.fetch_pieces)

    def make(self, shard_id: ShardId, directory: Path) -> Notebook:
        assert directory.is_dir()
        app = Notebook()
        self.apps.setdefault(shard_id, []).append(app)
        return app

    def post(self, event: Event) -> None:
        self.events.append(event)
        self.more.set()

    def fetch_pieces(
        self, source: NodeId, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        assert (source, clock) == (SOURCE, META.clock)
        assert group in (5, 6)
        assert self.pieces is not None
        return self.pieces(offset)

    async def get(self, count: int) -> list[Event]:
        """Return the events, as soon as there are *count*; there must not be more."""
        async with asyncio.timeout(10):
            while len(self.events) < count:
                self.more.clear()
                await self.more.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(self.events) == count, self.events
        return self.events

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - a call into an app has no event.
                await asyncio.sleep(0)


def apply(*messages: bytes, first: int = 2, shard_id: ShardId = 1) -> RunApply:
    items = tuple((first + n, message) for n, message in enumerate(messages))
    return RunApply(shard_id=shard_id, last_index=first + len(messages) - 1, items=items)


def read(message: bytes, index: int, ticket: int = 1) -> RunRead:
    return RunRead(shard_id=1, ticket=ticket, message=message, index=index)
