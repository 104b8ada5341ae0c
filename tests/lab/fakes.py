"""A cluster, a client and a source that only remember what was asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

from lab.cluster.interface import Cluster, ClusterError, NodeHandle, NodeState
from lab.faults import Fault, FaultKind, Trouble
from lab.observe.view import ClusterView, EventView
from lolraft.raft.types import NodeId


class FakeSource:
    """Show the view it is given; keep selections and notes."""

    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.selected: list[tuple[int | None, int | None, int]] = []
        self.notes: list[EventView] = []

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        self.selected.append((shard_id, first_index, count))

    def note(self, event: EventView) -> None:
        self.notes.append(event)
        self.view = replace(
            self.view, events=(*self.view.events, replace(event, at_s=self.view.now_s))
        )


class FakeCluster(Cluster):
    """Write every call down; refuse what it was told to refuse."""

    backend = "docker"

    def __init__(self, view: ClusterView) -> None:
        self.title = view.title
        self.calls: list[tuple[object, ...]] = []
        self.refusing: str | None = None
        self.unable: dict[FaultKind, str] = {}
        self._faults = view.faults
        self._nodes = tuple(
            NodeHandle(
                name=node.name,
                node_id=NodeId(node.node_id),
                watch_address=f"{node.name}:1",
                state=NodeState(node.state),
            )
            for node in view.nodes
        )

    def now_s(self) -> float:
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(min(delay_s, 0.01))

    def nodes(self) -> tuple[NodeHandle, ...]:
        return self._nodes

    def faults(self) -> tuple[Fault, ...]:
        return self._faults

    def why_not(self, kind: FaultKind) -> str | None:
        return self.unable.get(kind)

    def on_change(self, callback: Callable[[], None]) -> None:
        self._changed = callback

    def _called(self, *call: object) -> None:
        self.calls.append(call)
        if self.refusing is not None:
            raise ClusterError(self.refusing)

    def _fault(self, kind: FaultKind, nodes: tuple[str, ...], *call: object) -> Fault:
        self._called(*call)
        return Fault(number=99, kind=kind, nodes=nodes, since_s=0.0, mechanism="transport rule")

    async def start(self, progress: Callable[[str], None]) -> None:
        self._called("start")

    async def kill(self, name: str) -> None:
        self._called("kill", name)

    async def stop(self, name: str) -> None:
        self._called("stop", name)

    async def pause(self, name: str) -> None:
        self._called("pause", name)

    async def resume(self, name: str) -> None:
        self._called("resume", name)

    async def restart(self, name: str) -> None:
        self._called("restart", name)

    async def cut(self, sender: str, receiver: str) -> Fault:
        return self._fault(FaultKind.CUT, (sender, receiver), "cut", sender, receiver)

    async def cut_both(self, one: str, other: str) -> Fault:
        return self._fault(FaultKind.CUT_BOTH, (one, other), "cut_both", one, other)

    async def isolate(self, name: str) -> Fault:
        return self._fault(FaultKind.ISOLATE, (name,), "isolate", name)

    async def partition(self, groups: tuple[tuple[str, ...], ...]) -> Fault:
        return self._fault(FaultKind.PARTITION, groups[0], "partition", groups)

    async def disturb(self, kind: FaultKind, where: tuple[str, ...], trouble: Trouble) -> Fault:
        return self._fault(kind, where, "disturb", kind, where, trouble)

    async def heal(self, fault: Fault | None = None) -> None:
        self._called("heal", None if fault is None else fault.number)

    async def add_node(self) -> NodeHandle:
        self._called("add_node")
        return NodeHandle(
            name="n9",
            node_id=NodeId("http://n9:50000"),
            watch_address="n9:1",
            state=NodeState.RUNNING,
        )

    async def close(self, *, leave_running: bool = False) -> None:
        self._called("close", leave_running)


class FakeClient:
    """Write every request down, answer in kind."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.failing: Exception | None = None

    def _called(self, *call: object) -> None:
        self.calls.append(call)
        if self.failing is not None:
            raise self.failing

    async def write(
        self, shard_id: int, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        self._called("write", shard_id, message)
        return b"ok"

    async def read(self, shard_id: int, message: bytes, *, timeout_s: float | None = None) -> bytes:
        self._called("read", shard_id, message)
        return b"world"

    async def add_server(self, shard_id: int, server_id: str) -> None:
        self._called("add_server", shard_id, server_id)

    async def remove_server(self, shard_id: int, server_id: str) -> None:
        self._called("remove_server", shard_id, server_id)

    async def transfer_leadership(self, shard_id: int, target: str) -> None:
        self._called("transfer_leadership", shard_id, target)


WORDS = SimpleNamespace(
    put=lambda key, value: f"put {key} {value}".encode(),
    get=lambda key: f"get {key}".encode(),
    snapshot=lambda: b"snapshot",
    tell=lambda answer: answer.decode(),
)
