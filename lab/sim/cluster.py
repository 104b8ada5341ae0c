"""Backend `sim` behind the one `Cluster` interface: every fault, in virtual time, by one seed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.cluster.base import BaseCluster, Link
from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.faults import Fault, FaultKind
from lab.sim.client import SimClient
from lab.sim.virtual import VirtualTime
from lab.sim.world import APPS, LabWorld
from lolraft.config import parse_shards
from lolraft.raft.types import NodeId
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule

SPARES = 6  # Nodes that can be added later.
TICK_S = 0.25  # Of virtual time, between two reports.
WIRE, RULE = "broken wire", "message rule"


class SimCluster(BaseCluster):
    """
    Nodes that live in this process, driven by the simulator's clock, network and disks.

    The simulator's checkers look on: `violation` says which promise was broken, if one was.
    """

    def __init__(
        self,
        *,
        nodes: int = 3,
        shards: str = "0",
        app: str = "kv",
        seed: int | None = None,
        speed: float | None = 1.0,
        snapshot_entries: int = 100_000,
        tail_entries: int = 10_000,
    ) -> None:
        """
        Make a world; nothing runs before `start`.

        Raises:
            ClusterError: *app* is none of the lab's.
        """
        self.seed = secrets.randbelow(10**6) if seed is None else seed
        super().__init__("sim", f"sim:{self.seed}")
        if app not in APPS:
            raise ClusterError(f"the simulator has the apps {', '.join(APPS)}, not {app}")
        self._directory = Path(tempfile.mkdtemp(prefix="lolraft-sim-"))
        plan = Plan(
            seed=self.seed,
            nodes=nodes,
            spares=SPARES,
            shards=parse_shards(shards),
            snapshot_entries=snapshot_entries,
            tail_entries=tail_entries,
        )
        self.world = LabWorld(plan, app, self._directory)
        self.violation: Exception | None = None
        self.on_tick: Callable[[], None] = lambda: None
        self._told_of: set[str] = set()  # Nodes whose end is known to be wanted.
        self._put: dict[int, list[int]] = {}  # Fault number to the weather's numbers.
        self.time = VirtualTime(
            self.world.clock,
            speed=speed,
            tick_s=TICK_S,
            on_tick=self._on_tick,
            on_failure=self._on_failure,
        )

    def client(self, ids: list[NodeId] | None = None) -> SimClient:
        """Return a client that knows all nodes, or those of *ids*."""
        return SimClient(self.world, self.time, ids)

    def node(self, name: str) -> SimNode:
        """Return the simulated node of this name."""
        return self.world.nodes[self._handle(name).node_id]

    def now_s(self) -> float:
        """Return virtual time as seconds since 1970."""
        return self.time.wall_s

    async def sleep(self, delay_s: float) -> None:
        """Wait in virtual time."""
        await self.time.sleep(delay_s)

    async def start(self, progress: Callable[[str], None]) -> None:
        """Boot the nodes, and let time pass."""
        progress(f"a simulated cluster of {self.world.plan.nodes}, seed {self.seed}")
        members = self.world.names[: self.world.plan.nodes]
        for node_id in members:
            self._add(node_id)
        self.world.boot(members)
        self.time.start()
        self._changed()

    def _add(self, node_id: NodeId) -> NodeHandle:
        name = node_id.removeprefix("http://").partition(":")[0]
        self._handles[name] = NodeHandle(
            name=name, node_id=node_id, watch_address="", state=NodeState.RUNNING
        )
        return self._handles[name]

    def _on_failure(self, broken: Exception) -> None:
        self.violation = broken
        self.on_tick()
        self._changed()

    def _on_tick(self) -> None:
        for handle in self.nodes():  # An app may raise, a disk may fail: then a node ends itself.
            ended = self.world.nodes[handle.node_id].machine is None
            if handle.state in (NodeState.RUNNING, NodeState.PAUSED) and ended:
                self._set_state(handle.name, NodeState.EXITED, "it ended by itself")
        self.on_tick()

    # --- nodes -----------------------------------------------------------------------------------

    def _must_run(self, name: str) -> SimNode:
        node = self.node(name)
        if node.machine is None:
            raise ClusterError(f"{name} does not run; restart it first")
        return node

    async def kill(self, name: str) -> None:
        """Let the node die at once, and what was not synced with it."""
        self._must_run(name).crash()
        self._begin(FaultKind.KILL, (name,), "simulated crash")
        self._set_state(name, NodeState.KILLED)

    async def stop(self, name: str) -> None:
        """Let the node end in order."""
        node = self._must_run(name)
        if node.is_paused:
            node.resume()
        node.shut_down()
        while node.machine is not None:
            await self.time.sleep(0.01)
        self._begin(FaultKind.STOP, (name,), "simulated stop")
        self._set_state(name, NodeState.STOPPED)

    async def pause(self, name: str) -> None:
        """Freeze the node."""
        node = self._must_run(name)
        if node.is_paused:
            raise ClusterError(f"{name} is paused already")
        node.pause()
        self._begin(FaultKind.PAUSE, (name,), "simulated freeze")
        self._set_state(name, NodeState.PAUSED)

    async def resume(self, name: str) -> None:
        """Let a paused node go on."""
        node = self._must_run(name)
        if not node.is_paused:
            raise ClusterError(f"{name} is not paused")
        node.resume()
        self._set_state(name, NodeState.RUNNING)

    async def restart(self, name: str) -> None:
        """Boot the node from its disk; a running one ends in order first."""
        node = self.node(name)
        if node.machine is not None:
            await self.stop(name)
        node.start()
        self._set_state(name, NodeState.RUNNING)

    async def add_node(self) -> NodeHandle:
        """Boot one of the spare nodes."""
        taken = {handle.node_id for handle in self.nodes()}
        free = [node_id for node_id in self.world.names if node_id not in taken]
        if not free:
            raise ClusterError(f"a simulated cluster has at most {len(taken)} nodes")
        handle = self._add(free[0])
        self.world.nodes[free[0]].start()
        self._changed()
        return handle

    async def snapshot(self, name: str, shard_id: int) -> None:
        """Let a node's app make a snapshot of what it has applied."""
        queue = self._must_run(name).queues.get(shard_id)
        if queue is None:
            raise ClusterError(f"{name} does not host shard {shard_id}")
        queue.make_snapshot()

    # --- links -----------------------------------------------------------------------------------

    async def cut(self, sender: str, receiver: str) -> Fault:
        """Lose every message of one direction, above the streams."""
        self._two_nodes(sender, receiver)
        links = ((sender, receiver),)
        fault = self._begin(FaultKind.CUT, (sender, receiver), RULE, links)
        self._put[fault.number] = [self.world.network.put(self._ids(links), Rule(drop=1.0))]
        return fault

    async def _cut_links(self, kind: FaultKind, nodes: tuple[str, ...], pairs: list[Link]) -> Fault:
        fault = self._begin(kind, nodes, WIRE, self._both_ways(pairs))
        self._put[fault.number] = [self.world.network.put(self._ids(fault.links), Rule(cut=True))]
        return fault

    def _ids(self, links: Iterable[Link]) -> list[tuple[NodeId, NodeId]]:
        return [(self._handle(one).node_id, self._handle(other).node_id) for one, other in links]

    async def _apply_links(self) -> None:
        for number in [number for number in self._put if number not in self._faults]:
            for put in self._put.pop(number):
                self.world.network.take(put)

    async def close(self, *, leave_running: bool = False) -> None:
        """End the world; there is nothing to leave running."""
        await self.time.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
