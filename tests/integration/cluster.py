"""Nodes in this process, over real gRPC on loopback, and over real SQLite in a directory."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab.cluster.base import free_port as lab_port
from lolraft.app import RaftApp
from lolraft.config import Config
from lolraft.errors import Rejected
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.report import ShardReport
from lolraft.node import RaftNode
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId, ShardId

PATIENCE_S = 15.0
"""How long a condition may take to come true; far more than it needs, for a loaded machine."""


def free_port() -> int:
    """Return a port that no process listens on, and no connection will take."""
    with ExitStack() as held:
        return lab_port(held)


def free_id() -> NodeId:
    """Return the id of a node that can be started here."""
    return NodeId(f"http://127.0.0.1:{free_port()}")


class Diary(RaftApp):
    """
    Keep every message ever written, in order; the answer to a write is how many there are.

    A read answers all messages, one a line; the read `snapshot` makes a snapshot before that, and
    `count` answers their number. `reject` is refused and `break` breaks the app.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lines: list[bytes] = []

    def process_write(self, message: bytes, index: int) -> bytes:
        if message == b"reject":
            raise Rejected("not this one")
        if message == b"break":
            raise ZeroDivisionError("broken on purpose")
        self.lines.append(message)
        return b"%d" % len(self.lines)

    def process_read(self, message: bytes, index: int) -> bytes:
        if message == b"snapshot":
            (self.directory / f"{index}.part").write_bytes(b"\n".join(self.lines))
            (self.directory / f"{index}.part").rename(self.directory / f"{index}.snap")
        return b"%d" % len(self.lines) if message == b"count" else b"\n".join(self.lines)

    def install_snapshot(self, index: int) -> None:
        self.lines = []
        if index > 1:
            body = (self.directory / f"{index}.snap").read_bytes()
            self.lines = body.split(b"\n") if body else []

    async def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> None:
        body = b"".join([chunk async for chunk in chunks])
        (self.directory / f"{index}.part").write_bytes(body)
        (self.directory / f"{index}.part").rename(self.directory / f"{index}.snap")

    def open_snapshot(self, index: int) -> Iterable[bytes]:
        if index not in self._indexes():
            raise LookupError(f"no snapshot {index}")
        return [(self.directory / f"{index}.snap").read_bytes()] if index > 1 else []

    def delete_snapshots_before(self, index: int) -> None:
        for old in self._indexes():
            if 1 < old < index:
                (self.directory / f"{old}.snap").unlink()

    def get_latest_snapshot(self) -> int:
        return max(self._indexes())

    def _indexes(self) -> set[int]:
        return {1} | {int(path.stem) for path in self.directory.glob("*.snap")}


def diary(shard_id: ShardId, directory: Path) -> Diary:
    """Make the app of one shard."""
    return Diary(directory)


class Cluster:
    """Some nodes, by id; those in `nodes` run."""

    def __init__(
        self,
        directory: Path,
        count: int = 3,
        *,
        shards: tuple[ShardId, ...] = (0,),
        static: bool = True,
        app: Callable[[ShardId, Path], RaftApp] = diary,
        **settings: Any,  # noqa: ANN401  # More of `Config`.
    ) -> None:
        self.directory = directory
        self.ids = [free_id() for _ in range(count)]
        self.shards = shards
        self.members = tuple(self.ids) if static else ()
        self.app = app
        self.settings = settings
        self.nodes: dict[NodeId, RaftNode] = {}

    async def __aenter__(self) -> Cluster:
        await asyncio.gather(*map(self.start, self.ids))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))

    def new_id(self) -> NodeId:
        """Name one more node; it is started without members and added."""
        node_id = free_id()
        self.ids.append(node_id)
        return node_id

    async def start(self, node_id: NodeId) -> RaftNode:
        config = Config(
            node_id=node_id,
            data=self.directory / node_id.rpartition(":")[2],
            shards=self.shards,
            members=self.members if node_id in self.members else (),
            **self.settings,
        )
        node = RaftNode(config, self.app)
        await node.start()
        self.nodes[node_id] = node
        return node

    async def crash(self, node_id: NodeId) -> None:
        await self.until(lambda: all(self._is_proven(name) for name in self.nodes))
        await self.nodes.pop(node_id).crash()

    def _is_proven(self, node_id: NodeId) -> bool:
        """Return whether it may vote: on a first start it hears from every other first (S4)."""
        return self.nodes[node_id].driver.machine.node.record.proven

    async def stop(self, node_id: NodeId) -> None:
        await self.nodes.pop(node_id).stop()

    # --- looking ---------------------------------------------------------------------------------

    def shard(self, node_id: NodeId, shard_id: ShardId = 0) -> ShardReport:
        """Return what the node says of the shard."""
        driver = self.nodes[node_id].driver
        report = driver.machine.report(driver.clock())
        return next(shard for shard in report.shards if shard.shard_id == shard_id)

    def leaders(self, shard_id: ShardId = 0) -> list[NodeId]:
        """Return which running nodes lead the shard."""
        return [n for n in self.nodes if self.shard(n, shard_id).role == "leader"]

    async def leader(self, shard_id: ShardId = 0, *, other_than: NodeId | None = None) -> NodeId:
        """Wait until one running node leads, and all the others know it."""

        def agreed() -> bool:
            names = {self.shard(node_id, shard_id).leader_id for node_id in self.nodes}
            return len(names) == 1 and None not in names and names <= set(self.nodes)

        await self.until(agreed)
        leader = self.shard(next(iter(self.nodes)), shard_id).leader_id
        assert leader is not None
        assert leader != other_than
        return leader

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for *condition*."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110 - conditions span nodes; none has an event.
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came true; the nodes say: {self.describe()}") from None

    def describe(self) -> str:
        """Say what every node says of every shard."""
        return "\n".join(
            f"{node_id} {self.shard(node_id, shard_id)}"
            for node_id in self.nodes
            for shard_id in self.shards
        )

    async def settled(self, shard_id: ShardId = 0) -> None:
        """Wait until every running member has applied the same, last entry."""

        def same() -> bool:
            shards = [self.shard(node_id, shard_id) for node_id in self.nodes]
            marks = {(one.last_index, one.applied_index) for one in shards}
            return len(marks) == 1 and len(set(marks.pop())) == 1

        await self.until(same)

    async def caught_up(self, node_id: NodeId, shard_id: ShardId = 0) -> None:
        """Wait until one member has applied what anybody had committed when this began."""
        reached = max(self.shard(other, shard_id).commit_index for other in self.nodes)
        await self.until(lambda: self.shard(node_id, shard_id).applied_index >= reached)

    # --- asking ----------------------------------------------------------------------------------

    async def ask(
        self,
        node_id: NodeId,
        kind: RequestKind,
        message: bytes = b"",
        *,
        shard_id: ShardId = 0,
        request_id: str = "",
    ) -> Respond:
        """Ask one node once."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.nodes[node_id].driver.ask(kind, shard_id, message, request_id)

    async def insist(
        self,
        kind: RequestKind,
        message: bytes = b"",
        *,
        node_id: NodeId | None = None,
        shard_id: ShardId = 0,
        request_id: str = "",
    ) -> bytes:
        """Ask again while there is no leader, as a client does; return the answer."""
        respond: Respond | None = None
        deadline_s = time.monotonic() + PATIENCE_S
        turn = 0
        while time.monotonic() < deadline_s:
            names = [node_id] if node_id is not None else list(self.nodes)
            respond = await self.ask(
                names[turn % len(names)], kind, message, shard_id=shard_id, request_id=request_id
            )
            if respond.code is Code.OK:
                return respond.message
            assert respond.code in (Code.UNAVAILABLE, Code.FAILED_PRECONDITION), respond
            turn += 1
            await asyncio.sleep(0.02)
        raise AssertionError(f"{kind} was never served: {respond}\n{self.describe()}")

    async def write(
        self,
        message: bytes,
        *,
        node_id: NodeId | None = None,
        shard_id: ShardId = 0,
        request_id: str = "",
    ) -> bytes:
        """Write with an id of its own, so that asking again cannot write twice."""
        return await self.insist(
            RequestKind.WRITE,
            message,
            node_id=node_id,
            shard_id=shard_id,
            request_id=request_id or f"{secrets.randbits(64):016x}",
        )

    async def read(
        self, message: bytes = b"", *, node_id: NodeId | None = None, shard_id: ShardId = 0
    ) -> bytes:
        """Read, linearizably, from whoever leads, or from one node's own replica."""
        kind = RequestKind.READ if node_id is None else RequestKind.READ_LOCAL
        return await self.insist(kind, message, node_id=node_id, shard_id=shard_id)

    async def add(self, server_id: NodeId, *, to: NodeId, shard_id: ShardId = 0) -> None:
        await self.insist(RequestKind.ADD_SERVER, server_id.encode(), node_id=to, shard_id=shard_id)

    async def remove(self, server_id: NodeId, *, to: NodeId, shard_id: ShardId = 0) -> None:
        await self.insist(
            RequestKind.REMOVE_SERVER, server_id.encode(), node_id=to, shard_id=shard_id
        )
