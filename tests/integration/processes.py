"""Nodes as processes of their own (`python -m lolraft serve`), asked over `lolraft.Raft`."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import grpc
import grpc.aio

from lolraft.client import RaftClient
from lolraft.consistency import Consistency
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import lolraft_pb2 as pb
from lolraft.rpc.pb import lolraft_pb2_grpc
from tests.integration.cluster import free_id

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0

Answer = TypeVar("Answer")


class Process:
    """One node's process; its log is in `<port>.log`."""

    def __init__(
        self,
        directory: Path,
        node_id: NodeId,
        members: tuple[NodeId, ...],
        more: Sequence[str] = (),
    ) -> None:
        self.node_id = node_id
        port = node_id.rpartition(":")[2]
        self.log = directory / f"{port}.log"
        self._arguments = ["serve", node_id, "--data", str(directory / port)]
        self._arguments += ["--app", "tests.integration.cluster:Diary", "--shards", "0"]
        self._arguments += ["--members", ",".join(members)] if members else []
        self._arguments += more  # Of an option that is given twice the last counts.
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process; it serves a moment later."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "lolraft", *self._arguments),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        """Send SIGKILL and wait until the process is gone."""
        await self.signal(signal.SIGKILL)

    async def signal(self, number: signal.Signals) -> int:
        """Send a signal that ends the process; return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await process.wait()

    async def ended(self) -> int:
        """Wait until the process ends by itself; return its exit status."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE_S):
            return await self._process.wait()

    async def says(self, text: str) -> None:
        """Wait until the process has logged *text*."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.said():  # noqa: ASYNC110 - another process has no event here.
                await asyncio.sleep(0.02)

    def said(self) -> str:
        """Return what the process has logged."""
        return self.log.read_text()


class Processes:
    """A static cluster of processes, and a client that insists."""

    def __init__(
        self, directory: Path, count: int = 3, *, scheme: str = "http", more: Sequence[str] = ()
    ) -> None:
        free = (free_id().partition("://")[2] for _ in range(count))
        self.ids = tuple(NodeId(f"{scheme}://{address}") for address in free)
        self.processes = {
            node_id: Process(directory, node_id, self.ids, more) for node_id in self.ids
        }
        self._channels: dict[NodeId, grpc.aio.Channel] = {}

    async def __aenter__(self) -> Processes:
        for process in self.processes.values():
            await process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()
        for process in self.processes.values():
            await process.kill()

    def stub(self, node_id: NodeId) -> lolraft_pb2_grpc.RaftAsyncStub:
        """Return a stub of 0.10.2's service on one node."""
        channel = self._channels.get(node_id)
        if channel is None:
            options = [
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.min_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 100),
                ("grpc.use_local_subchannel_pool", 1),
            ]
            address = node_id.removeprefix("http://")
            channel = self._channels[node_id] = grpc.aio.insecure_channel(address, options=options)
        return lolraft_pb2_grpc.RaftStub(channel)

    async def write(self, message: bytes, *, shard_id: ShardId = 0) -> bytes:
        """Write through whichever node answers; asked again with the same request id."""
        request = pb.WriteRequest(
            shard_id=shard_id, message=message, request_id=secrets.token_hex(8)
        )
        return (await self._insist(lambda stub: stub.Write(request, timeout=1.0))).message

    async def read(self, message: bytes = b"", *, node_id: NodeId | None = None) -> bytes:
        """Read, linearizably, from whoever leads, or from one node's own replica."""
        if node_id is not None:
            async with RaftClient([node_id], timeout_s=PATIENCE_S) as client:
                return await client.read(0, message, consistency=Consistency.LOCAL)
        return await self.read_through(message)

    async def read_through(self, message: bytes = b"", node_id: NodeId | None = None) -> bytes:
        """Read with a plain unary call, that the node passes on where it does not lead."""
        request = pb.ReadRequest(shard_id=0, message=message)
        answer = await self._insist(lambda stub: stub.Read(request, timeout=1.0), node_id)
        return answer.message

    async def _insist(
        self,
        ask: Callable[[lolraft_pb2_grpc.RaftAsyncStub], Awaitable[Answer]],
        node_id: NodeId | None = None,
    ) -> Answer:
        names = self.ids if node_id is None else (node_id,)
        deadline_s = time.monotonic() + PATIENCE_S
        turn = 0
        while True:
            try:
                return await ask(self.stub(names[turn % len(names)]))
            except grpc.aio.AioRpcError as refused:
                if time.monotonic() > deadline_s:
                    said = "\n".join(process.said() for process in self.processes.values())
                    raise AssertionError(f"never served: {refused.details()}\n{said}") from refused
            turn += 1
            await asyncio.sleep(0.01)

    async def leader(self) -> NodeId:
        """Return which node leads, as its log says."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            found = await self._ask_leader()
            if found is not None:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError("no node says that it leads")

    async def followed(self) -> None:
        """Wait until the leader of a first start has heard of every other's log (S4)."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            if await self._ask_leader(followers=len(self.ids) - 1) is not None:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("not all follow")

    async def _ask_leader(self, followers: int = 0) -> NodeId | None:
        from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

        for node_id in self.ids:
            self.stub(node_id)
            watch = observe_pb2_grpc.ObserveStub(self._channels[node_id]).Watch(
                observe_pb2.WatchRequest()
            )
            try:
                async with asyncio.timeout(1.0):
                    update = await watch.read()
                for shard in update.shards:
                    matched = sum(index > 0 for index in shard.match_index.values())
                    if shard.role == "leader" and matched >= followers:
                        return node_id
            except (grpc.aio.AioRpcError, TimeoutError):
                continue
            finally:
                watch.cancel()
        return None
