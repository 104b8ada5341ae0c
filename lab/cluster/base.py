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
from lab.cluster.rules import RuleBoard
from lab.faults import Fault, FaultKind

Link = tuple[str, str]
RULE = "transport rule"

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

    def __init__(self, backend: str, title: str) -> None:
        self.backend = backend
        self.title = title
        self._handles: dict[str, NodeHandle] = {}
        self._faults: dict[int, Fault] = {}
        self._count = 0
        self._callbacks: list[Callable[[], None]] = []
        self._rules = RuleBoard(self.nodes)

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
    ) -> Fault:
        self._count += 1
        fault = Fault(
            number=self._count,
            kind=kind,
            nodes=nodes,
            since_s=self.now_s(),
            mechanism=mechanism,
            links=tuple(links),
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
        fault = self._begin(FaultKind.CUT, (sender, receiver), RULE, links)
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
        return await self._applied(self._begin(kind, nodes, RULE, self._both_ways(pairs)))

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
        links = {
            link
            for fault in self._faults.values()
            if fault.mechanism == RULE
            for link in fault.links
        }
        await self._rules.set(tuple(sorted(links)))

    async def heal(self, fault: Fault | None = None) -> None:
        """End one network fault, or all of them."""
        ended = self._end_faults(
            lambda item: bool(item.links) and (fault is None or item.number == fault.number)
        )
        if ended:
            await self._apply_links()
            self._changed()
