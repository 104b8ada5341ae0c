"""Backend `sim` behind the one `Cluster` interface: every fault, in virtual time, by one seed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.cluster.base import Link
from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.cluster.rules import Rules
from lab.cluster.steer import BRING
from lab.faults import Fault, FaultKind, LinkTrouble, Rhythm
from lab.observe.view import ClusterView, NodeView
from lab.sim.base import TICK_S, VirtualCluster
from lab.sim.hands import Hands
from lab.sim.virtual import VirtualTime
from lab.sim.world import APPS, LabWorld
from lolraft.config import parse_shards
from lolraft.raft.types import NodeId
from lolraft.sim import Plan
from lolraft.sim.app import SimApp
from lolraft.sim.node import SimNode
from lolraft.sim.single import why_not
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
        plan = Plan(
            seed=seed,
            nodes=nodes,
            spares=SPARES,
            shards=parse_shards(shards),
            snapshot_entries=snapshot_entries,
            tail_entries=tail_entries,
            **(more or {}),
        )
        self._directory = Path(tempfile.mkdtemp(prefix="lolraft-sim-"))
        self._plan, self._app, self._judged = plan, app, judged
        super().__init__(
            f"sim:{seed}", self._new_world(), speed=speed, starts_s=starts_s, tick_s=tick_s
        )
        self._jumped_s: dict[str, float] = {}  # How far each clock has been made to jump.

    async def start(self, progress: Callable[[str], None]) -> None:
        """Boot the nodes, and let time pass."""
        progress(f"a simulated cluster of {self.world.plan.nodes}, seed {self.world.plan.seed}")
        for node_id in self._members:
            self._add(node_id)
        self.world.boot(self._members)
        self.time.start()
        self._changed()

    def _new_world(self) -> LabWorld:
        return LabWorld(self._plan, self._app, self._new_app, judged=self._judged)

    def _new_app(self) -> SimApp:
        return APPS[self._app](self._directory)

    @property
    def _members(self) -> tuple[NodeId, ...]:
        return self.world.names[: self._plan.nodes]

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
        self.hands.crash(self._must_run(name).node_id)
        self._begin(FaultKind.KILL, (name,), "simulated crash")
        self._set_state(name, NodeState.KILLED)

    async def stop(self, name: str) -> None:
        """Let the node end in order."""
        node = self._must_run(name)
        if node.is_paused:
            self.hands.resume(node.node_id)
        self.hands.shut_down(node.node_id)
        while node.machine is not None:
            await self.time.sleep(0.01)
        self._begin(FaultKind.STOP, (name,), "simulated stop")
        self._set_state(name, NodeState.STOPPED)

    async def pause(self, name: str) -> None:
        """Freeze the node."""
        node = self._must_run(name)
        if node.is_paused:
            raise ClusterError(f"{name} is paused already")
        self.hands.pause(node.node_id)
        self._begin(FaultKind.PAUSE, (name,), "simulated freeze")
        self._set_state(name, NodeState.PAUSED)

    async def resume(self, name: str) -> None:
        """Let a paused node go on."""
        node = self._must_run(name)
        if not node.is_paused:
            raise ClusterError(f"{name} is not paused")
        self.hands.resume(node.node_id)
        self._set_state(name, NodeState.RUNNING)

    async def restart(self, name: str) -> None:
        """Boot the node from its disk; a running one ends in order first."""
        node = self.node(name)
        if node.machine is not None:
            await self.stop(name)
        self.hands.start(node.node_id)
        self._set_state(name, NodeState.RUNNING)

    async def add_node(self) -> NodeHandle:
        """Boot one of the spare nodes."""
        taken = {handle.node_id for handle in self.nodes()}
        free = [node_id for node_id in self.world.names if node_id not in taken]
        if not free:
            raise ClusterError(f"a simulated cluster has at most {len(taken)} nodes")
        handle = self._add(free[0])
        self.hands.start(free[0])
        self._changed()
        return handle

    async def snapshot(self, name: str, shard_id: int) -> None:
        """Let a node's app make a snapshot of what it has applied."""
        node = self._must_run(name)
        if shard_id not in node.queues:
            raise ClusterError(f"{name} does not host shard {shard_id}")
        self.hands.snapshot(node.node_id, shard_id)

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
        for number in sorted(self.hands.rules.difference(wanted)):
            self.hands.take(number)
        for number, rule in wanted.items():
            if number not in self.hands.rules:
                self.hands.put(number, self._ids(self._faults[number].links), rule)
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
        full = any(trouble.full for trouble in disks)
        failing = full or any(trouble.fail_sync for trouble in disks)
        fails = f"{'disk full' if full else 'fsync failed'}, on purpose" * failing or None
        self.hands.disk(node.node_id, sum(trouble.sync_delay_s for trouble in disks), fails)
        rate, jump_s = 1.0, 0.0
        for who, clock in rules.clocks:
            if who == name:
                rate, jump_s = rate * clock.rate, jump_s + clock.jump_s
        before_s, self._jumped_s[name] = self._jumped_s.get(name, 0.0), jump_s
        if node.rate != rate or jump_s > before_s:
            self.hands.skew(node.node_id, rate, max(0.0, jump_s - before_s))

    # --- single messages -------------------------------------------------------------------------

    def why_not_message(self, how: str, number: int) -> str:
        """Return why the message of this *number* cannot be dropped or brought, or nothing."""
        return why_not(self.world.network, number, bring=how == BRING)

    def handle_message(self, how: str, number: int) -> None:
        """Lose a message that is under way, or let it arrive now; and report."""
        (self.hands.bring if how == BRING else self.hands.drop)(number)
        self._on_tick()

    # --- a world made again ----------------------------------------------------------------------

    def boot_again(self) -> tuple[Hands, VirtualTime]:
        """Return a new world of the same seed as it was just after `start`; its time stands."""
        hands = Hands(self._new_world())
        hands.world.boot(self._members)
        time = self._time_of(hands, 0.0, epoch_s=self.time.epoch_s)
        time.set_ticking()
        return hands, time

    async def enter(self, hands: Hands, time: VirtualTime, view: ClusterView) -> None:
        """Live in another world from now on, in which nodes and faults are those of *view*."""
        await self._end_loops()
        await self.time.stop()
        self.time.give_up("the world that was asked is gone: time went back")
        hands.world.numbers = self.world.numbers  # No name is given to two requests.
        self.world, self.hands, self.time, self.violation = hands.world, hands, time, None
        self._handles, self._faults = {}, {fault.number: fault for fault in view.faults}
        for node in view.nodes:
            self._add(NodeId(node.node_id))
            self._handles[node.name] = self._as_it_is(node)
        rhythms = [one for one in view.faults if isinstance(one.trouble, Rhythm)]
        self._broken = {fault.number for fault in rhythms if fault.number in hands.rules}
        self._jumped_s = {}
        for name, clock in self._wanted_rules().clocks:
            self._jumped_s[name] = self._jumped_s.get(name, 0.0) + clock.jump_s
        time.run()
        for fault in rhythms:
            self._begin_loop(fault)

    def tell_change(self) -> None:
        """Tell all who want to know of nodes and faults."""
        self._changed()

    def _as_it_is(self, node: NodeView) -> NodeHandle:
        """Return a node of a picture; what is done to it is seen before it is told."""
        there, state = self.world.nodes[NodeId(node.node_id)], NodeState(node.state)
        ended = {FaultKind.KILL: NodeState.KILLED, FaultKind.STOP: NodeState.STOPPED}
        if there.is_running:
            state = NodeState.RUNNING
        elif there.machine is not None:
            state = NodeState.PAUSED
        elif state in (NodeState.RUNNING, NodeState.PAUSED):
            why = [one for one in self._faults.values() if one.nodes == (node.name,)]
            state = next((ended[one.kind] for one in why if one.kind in ended), NodeState.EXITED)
        return replace(self._handles[node.name], state=state, detail=node.detail)

    async def close(self, *, leave_running: bool = False) -> None:
        """End the world; there is nothing to leave running."""
        await super().close(leave_running=leave_running)
        shutil.rmtree(self._directory, ignore_errors=True)
