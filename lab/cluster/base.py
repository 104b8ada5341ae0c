"""What every backend shares: faults as values, transport rules, who is told about changes."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace

from lab.cluster.interface import Cluster, ClusterError, NodeHandle, NodeState
from lab.cluster.rules import RuleBoard, Rules
from lab.faults import (
    CUT,
    ENDED_BY_START,
    LINK_TROUBLES,
    ClockTrouble,
    DiskTrouble,
    Fault,
    FaultKind,
    LinkTrouble,
    Rhythm,
    Trouble,
)
from lolraft.config import Tls

Link = tuple[str, str]

_spots = random.SystemRandom()


def free_port(held: ExitStack) -> int:
    """
    Return a port of loopback that is free now; it is held until *held* closes.

    It lies below the range from which kernels give ports to connections that go out: one of those
    could otherwise sit on the port of a node that is to be restarted.
    """
    while True:
        probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        port = _spots.randrange(10_000, 32_000)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port


class BaseCluster(Cluster):
    """Keep handles and faults; a backend does what needs processes, containers or the kernel."""

    rule = "transport rule"  # The mechanism above the streams.

    def __init__(self, backend: str, title: str, tls: Tls | None = None) -> None:
        self.backend = backend
        self.title = title
        self.tls = tls
        self._handles: dict[str, NodeHandle] = {}
        self._faults: dict[int, Fault] = {}
        self._count = 0
        self._callbacks: list[Callable[[], None]] = []
        self._rules = RuleBoard(self.nodes, tls)
        self._loops: dict[int, asyncio.Task[None]] = {}  # By the number of the fault.
        self._broken: set[int] = set()  # Faults with a rhythm that are in their bad half.

    def nodes(self) -> tuple[NodeHandle, ...]:
        """Return all nodes, in the order of their names."""
        return tuple(sorted(self._handles.values(), key=lambda node: (len(node.name), node.name)))

    def faults(self) -> tuple[Fault, ...]:
        """Return what is in force, oldest first."""
        return tuple(self._faults.values())

    def why_not(self, kind: FaultKind) -> str | None:
        """Return None: a full backend can do all of them."""
        return None

    def now_s(self) -> float:
        """Return the time of this machine."""
        return time.time()

    async def sleep(self, delay_s: float) -> None:
        """Wait."""
        await asyncio.sleep(delay_s)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call *callback* at every change."""
        self._callbacks.append(callback)

    def _changed(self) -> None:
        for callback in tuple(self._callbacks):
            callback()

    def _handle(self, name: str) -> NodeHandle:
        if name not in self._handles:
            there = ", ".join(node.name for node in self.nodes())
            raise ClusterError(f"there is no node {name}; there are {there}")
        return self._handles[name]

    def _set_state(self, name: str, state: NodeState, detail: str = "") -> None:
        handle = self._handle(name)
        if (handle.state, handle.detail) != (state, detail):
            self._handles[name] = replace(handle, state=state, detail=detail)
        over = {FaultKind.PAUSE} if state is not NodeState.PAUSED else set()  # Also by a kill.
        if state is NodeState.RUNNING:
            over |= {FaultKind.KILL, FaultKind.STOP}
        self._end_faults(lambda fault: fault.kind in over and fault.nodes == (name,))
        self._changed()

    def _begin(
        self,
        kind: FaultKind,
        nodes: tuple[str, ...],
        mechanism: str,
        links: Iterable[Link] = (),
        trouble: Trouble | None = None,
    ) -> Fault:
        self._count += 1
        fault = Fault(
            number=self._count,
            kind=kind,
            nodes=nodes,
            since_s=self.now_s(),
            mechanism=mechanism,
            links=tuple(links),
            trouble=trouble,
        )
        self._faults[fault.number] = fault
        self._changed()
        return fault

    def _end_faults(self, which: Callable[[Fault], bool]) -> list[Fault]:
        ended = [fault for fault in self._faults.values() if which(fault)]
        for fault in ended:
            del self._faults[fault.number]
        return ended

    # --- links -----------------------------------------------------------------------------------

    def _both_ways(self, pairs: Iterable[Link]) -> tuple[Link, ...]:
        return tuple(link for one, other in pairs for link in ((one, other), (other, one)))

    async def cut(self, sender: str, receiver: str) -> Fault:
        """Cut one way, by a transport rule: a packet filter would stop both (LAB part 2)."""
        self._two_nodes(sender, receiver)
        links = ((sender, receiver),)
        fault = self._begin(FaultKind.CUT, (sender, receiver), self.rule, links)
        return await self._applied(fault)

    async def cut_both(self, one: str, other: str) -> Fault:
        """Cut both ways."""
        self._two_nodes(one, other)
        return await self._cut_links(FaultKind.CUT_BOTH, (one, other), [(one, other)])

    async def isolate(self, name: str) -> Fault:
        """Cut the node off from all others."""
        self._handle(name)
        pairs = [(name, node.name) for node in self.nodes() if node.name != name]
        return await self._cut_links(FaultKind.ISOLATE, (name,), pairs)

    async def partition(self, groups: tuple[tuple[str, ...], ...]) -> Fault:
        """Cut between the groups."""
        named = [name for group in groups for name in group]
        for name in named:
            self._handle(name)
        if len(groups) < 2 or len(set(named)) != len(named):
            raise ClusterError("a partition needs two groups of different nodes at least")
        pairs = [
            (one, other)
            for position, group in enumerate(groups)
            for later in groups[position + 1 :]
            for one in group
            for other in later
        ]
        sides = tuple(" ".join(group) for group in groups)
        return await self._cut_links(FaultKind.PARTITION, sides, pairs)

    async def _cut_links(self, kind: FaultKind, nodes: tuple[str, ...], pairs: list[Link]) -> Fault:
        """Cut pairs both ways; a backend with packet filters does better."""
        return await self._applied(self._begin(kind, nodes, self.rule, self._both_ways(pairs)))

    def _two_nodes(self, one: str, other: str) -> None:
        self._handle(one)
        self._handle(other)
        if one == other:
            raise ClusterError("a link joins two different nodes")

    async def _applied(self, fault: Fault) -> Fault:
        try:
            await self._apply_links()
        except ClusterError:
            self._faults.pop(fault.number, None)
            await self._apply_links()
            self._changed()
            raise
        return fault

    async def _apply_links(self) -> None:
        """Make the rules those of the faults in force."""
        await self._rules.set(self._wanted_rules())

    def _wanted_rules(self) -> Rules:
        links: dict[tuple[str, str, LinkTrouble], None] = {}
        disks, clocks = [], []
        for fault in self._faults.values():
            match fault.trouble:
                case DiskTrouble() as trouble:
                    disks.append((fault.nodes[0], trouble))
                case ClockTrouble() as trouble:
                    clocks.append((fault.nodes[0], trouble))
                case LinkTrouble() as trouble:
                    links.update(dict.fromkeys((*link, trouble) for link in fault.links))
                case Rhythm() if fault.number not in self._broken:
                    pass
                case _ if fault.mechanism == self.rule:
                    links.update(dict.fromkeys((*link, CUT) for link in fault.links))
        return Rules(tuple(links), tuple(disks), tuple(clocks))

    # --- troubles --------------------------------------------------------------------------------

    async def disturb(self, kind: FaultKind, where: tuple[str, ...], trouble: Trouble) -> Fault:
        """Make a link or a node behave badly, by a rule or a rhythm."""
        reason = self.why_not(kind)
        if reason is not None:
            raise ClusterError(reason)
        links: tuple[Link, ...] = ()
        if kind in LINK_TROUBLES:
            one, other = where
            self._two_nodes(one, other)
            links = ((one, other), (other, one)) if kind is FaultKind.FLAP else ((one, other),)
        else:
            self._handle(where[0])
        mechanism = "kill and start" if kind is FaultKind.CRASH_LOOP else self.rule
        fault = self._begin(kind, where, mechanism, links, trouble)
        if not isinstance(trouble, Rhythm):
            return await self._applied(fault)
        self._begin_loop(fault)
        return fault

    def _begin_loop(self, fault: Fault) -> None:
        assert isinstance(fault.trouble, Rhythm), "it has a rhythm"
        loop = self._crash_again if fault.kind is FaultKind.CRASH_LOOP else self._flap
        task = asyncio.get_running_loop().create_task(loop(fault, fault.trouble.period_s))
        self._loops[fault.number] = task

    async def _flap(self, fault: Fault, period_s: float) -> None:
        while True:
            self._broken.add(fault.number)
            await self._apply_links()
            await self.sleep(period_s / 2)
            self._broken.discard(fault.number)
            await self._apply_links()
            await self.sleep(period_s / 2)

    async def _crash_again(self, fault: Fault, period_s: float) -> None:
        name = fault.nodes[0]
        while True:
            if self._handle(name).state is NodeState.RUNNING:
                await self.kill(name)
            await self.sleep(period_s / 2)
            await self.restart(name)
            await self.sleep(period_s / 2)

    async def heal(self, fault: Fault | None = None) -> None:
        """End one fault, or all that a start of the node does not end."""
        ended = self._end_faults(
            lambda item: (
                item.kind not in ENDED_BY_START and (fault is None or item.number == fault.number)
            )
        )
        for item in ended:
            await self._end_loop(item)
        if ended:
            await self._apply_links()
            self._changed()

    async def _end_loop(self, fault: Fault) -> None:
        task = self._loops.pop(fault.number, None)
        self._broken.discard(fault.number)
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        name = fault.nodes[0]
        if fault.kind is FaultKind.CRASH_LOOP and self._handle(name).state is not NodeState.RUNNING:
            await self.restart(name)

    async def _end_loops(self) -> None:
        """Stop everything that goes on by itself: the cluster ends."""
        loops, self._loops = self._loops, {}
        for task in loops.values():
            task.cancel()
        await asyncio.gather(*loops.values(), return_exceptions=True)
