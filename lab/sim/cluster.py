"""Backend `sim` behind the one `Cluster` interface: every fault, in virtual time, by one seed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.cluster.base import Link
from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.cluster.rules import Rules
from lab.faults import Fault, FaultKind, LinkTrouble, Rhythm
from lab.sim.base import TICK_S, VirtualCluster
from lab.sim.world import APPS, LabWorld
from lolraft.config import parse_shards
from lolraft.raft.types import NodeId
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule

SPARES = 6  # Nodes that can be added later.
WIRE = "broken wire"
WITHOUT = "the simulator's streams have no bandwidth; delay them instead"


class SimCluster(VirtualCluster):
    """
    Nodes that live in this process, driven by the simulator's clock, network and disks.

    The simulator's checkers look on: `violation` says which promise was broken, if one was.
    """

    rule = "message rule"

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
        more: Mapping[str, Any] | None = None,
        judged: bool = True,
        starts_s: float | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        """
        Make a world; nothing runs before `start`.

        *more* are other fields of the simulator's `Plan`, such as `lease_s`. A world that is not
        *judged* has none of the simulator's checkers: what reports show is all that is known.
        *starts_s* is its time at first, in seconds since 1970; None is now. Nodes report every
        *tick_s* of it.

        Raises:
            ClusterError: *app* is none of the lab's.
        """
        seed = secrets.randbelow(10**6) if seed is None else seed
        if app not in APPS:
            raise ClusterError(f"the simulator has the apps {', '.join(APPS)}, not {app}")
        directory = Path(tempfile.mkdtemp(prefix="lolraft-sim-"))
        plan = Plan(
            seed=seed,
            nodes=nodes,
            spares=SPARES,
            shards=parse_shards(shards),
            snapshot_entries=snapshot_entries,
            tail_entries=tail_entries,
            **(more or {}),
        )
        world = LabWorld(plan, app, lambda: APPS[app](directory), judged=judged)
        super().__init__(f"sim:{seed}", world, speed=speed, starts_s=starts_s, tick_s=tick_s)
        self._directory = directory
        self._put: dict[int, int] = {}  # Fault number to the weather's.
        self._jumped_s: dict[str, float] = {}  # How far each clock has been made to jump.

    async def start(self, progress: Callable[[str], None]) -> None:
        """Boot the nodes, and let time pass."""
        progress(f"a simulated cluster of {self.world.plan.nodes}, seed {self.world.plan.seed}")
        members = self.world.names[: self.world.plan.nodes]
        for node_id in members:
            self._add(node_id)
        self.world.boot(members)
        self.time.start()
        self._changed()

    def _look(self) -> None:
        for handle in self.nodes():  # An app may raise, a disk may fail: then a node ends itself.
            ended = self.world.nodes[handle.node_id].machine is None
            if handle.state in (NodeState.RUNNING, NodeState.PAUSED) and ended:
                self._set_state(handle.name, NodeState.EXITED, "it ended by itself")

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

    def why_not(self, kind: FaultKind) -> str | None:
        """Return why the simulator cannot do *kind*."""
        return WITHOUT if kind is FaultKind.BANDWIDTH else None

    async def _cut_links(self, kind: FaultKind, nodes: tuple[str, ...], pairs: list[Link]) -> Fault:
        return await self._applied(self._begin(kind, nodes, WIRE, self._both_ways(pairs)))

    def _ids(self, links: Iterable[Link]) -> list[tuple[NodeId, NodeId]]:
        return [(self._handle(one).node_id, self._handle(other).node_id) for one, other in links]

    async def _apply_links(self) -> None:
        """Make weather, disks and clocks those of the faults in force."""
        wanted = {
            number: rule
            for number, fault in self._faults.items()
            if (rule := self._weather(fault)) is not None
        }
        for number in [number for number in self._put if number not in wanted]:
            self.world.network.take(self._put.pop(number))
        for number, rule in wanted.items():
            if number not in self._put:
                links = self._ids(self._faults[number].links)
                self._put[number] = self.world.network.put(links, rule)
        rules = self._wanted_rules()
        for handle in self.nodes():
            self._trouble(handle.name, rules)

    def _weather(self, fault: Fault) -> Rule | None:
        match fault.trouble:
            case LinkTrouble() as trouble:
                return Rule(
                    drop=trouble.drop,
                    delay_s=trouble.delay_s,
                    jitter_s=trouble.jitter_s,
                    duplicate=trouble.duplicate,
                    reorder=trouble.reorder,
                )
            case Rhythm() if fault.number not in self._broken:
                return None
        if not fault.links:
            return None
        return Rule(drop=1.0) if fault.kind is FaultKind.CUT else Rule(cut=True)

    def _trouble(self, name: str, rules: Rules) -> None:
        """Give one node's disk and clock the troubles in force."""
        node = self.node(name)
        disks = [trouble for who, trouble in rules.disks if who == name]
        node.disk.slow_s = sum(trouble.sync_delay_s for trouble in disks)
        full = any(trouble.full for trouble in disks)
        failing = full or any(trouble.fail_sync for trouble in disks)
        node.disk.fails = f"{'disk full' if full else 'fsync failed'}, on purpose" * failing or None
        rate, jump_s = 1.0, 0.0
        for who, clock in rules.clocks:
            if who == name:
                rate, jump_s = rate * clock.rate, jump_s + clock.jump_s
        before_s, self._jumped_s[name] = self._jumped_s.get(name, 0.0), jump_s
        if node.rate != rate or jump_s > before_s:
            node.skew(rate=rate, jump_s=max(0.0, jump_s - before_s))

    async def close(self, *, leave_running: bool = False) -> None:
        """End the world; there is nothing to leave running."""
        await super().close(leave_running=leave_running)
        shutil.rmtree(self._directory, ignore_errors=True)
