"""A node that says what it is told to say, on a real port; and a cluster of such nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from lab.cluster.interface import NodeHandle, NodeState
from lab.observe.view import ClusterView
from lolraft.raft.types import NodeId
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from tests.lab.fakes import FakeCluster

Context = Any


class FakeNode:
    """Serve `Observe` and `Faults`; what is put into `say` goes to every watch."""

    def __init__(self, name: str = "n1") -> None:
        self.node_id = f"http://{name}:1"
        self.address = ""
        self.watches = 0
        self.greets = True  # Send a full picture first, as a node does.
        self.epoch = 1
        self.log = observe_pb2.LogRange()
        self.rules: list[observe_pb2.FaultRules] = []
        self.refusing: tuple[grpc.StatusCode, str] | None = None
        self.hanging = False
        self._say: list[asyncio.Queue[observe_pb2.Update | None]] = []
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> FakeNode:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the port of before where there was one."""
        self._server = grpc.aio.server()
        observe_pb2_grpc.add_ObserveServicer_to_server(self, self._server)
        observe_pb2_grpc.add_FaultsServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(self.address or "127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        """Vanish, as a killed process does."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def update(self, *, full: bool = True, last: int = 1) -> observe_pb2.Update:
        """Return a report of one shard that this node leads alone."""
        facts = observe_pb2.NodeFacts(node_id=self.node_id, epoch=self.epoch, app="kv")
        shard = observe_pb2.ShardFacts(
            shard_id=0,
            role="leader",
            term=1,
            leader_id=self.node_id,
            commit_index=last,
            last_index=last,
            voters=[self.node_id],
        )
        return observe_pb2.Update(full=full, node=facts, shards=[shard])

    def say(self, update: observe_pb2.Update | None) -> None:
        """Send an update to every watch; None ends them."""
        for queue in self._say:
            queue.put_nowait(update)

    async def Watch(  # noqa: N802
        self, request: observe_pb2.WatchRequest, context: Context
    ) -> AsyncIterator[observe_pb2.Update]:
        self.watches += 1
        if self.refusing is not None:
            await context.abort(*self.refusing)
        queue: asyncio.Queue[observe_pb2.Update | None] = asyncio.Queue()
        self._say.append(queue)
        try:
            if self.greets:
                yield self.update()
            while (update := await queue.get()) is not None:
                yield update
        finally:
            self._say.remove(queue)

    async def Log(self, request: observe_pb2.LogRequest, context: Context) -> observe_pb2.LogRange:  # noqa: N802
        return self.log

    async def Set(self, rules: observe_pb2.FaultRules, context: Context) -> observe_pb2.FaultState:  # noqa: N802
        if self.hanging:
            await asyncio.sleep(3600)
        if self.refusing is not None:
            await context.abort(*self.refusing)
        self.rules.append(rules)
        return observe_pb2.FaultState(version=rules.version)

    async def Get(self, request: observe_pb2.GetFaults, context: Context) -> observe_pb2.FaultState:  # noqa: N802
        return observe_pb2.FaultState()


class FakeNodes(FakeCluster):
    """A cluster whose nodes are where the test says."""

    def __init__(self, *nodes: FakeNode) -> None:
        super().__init__(ClusterView(title="fake", backend="local"))
        self.states: dict[int, NodeState] = {}
        self._callbacks: list[Any] = []
        self.fakes = list(nodes)

    def nodes(self) -> tuple[NodeHandle, ...]:
        return tuple(
            NodeHandle(
                name=f"n{number}",
                node_id=NodeId(node.node_id),
                watch_address=node.address,
                state=self.states.get(number, NodeState.RUNNING),
            )
            for number, node in enumerate(self.fakes, 1)
        )

    def on_change(self, callback: Any) -> None:  # noqa: ANN401
        self._callbacks.append(callback)

    def changed(self) -> None:
        for callback in self._callbacks:
            callback()
