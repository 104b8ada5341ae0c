"""What the benchmark needs of a system: three nodes on loopback, and who makes load for them."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.cluster.base import free_port
from tests.bench import proc
from tests.bench.children import BenchError, Child
from tests.bench.work import KEYS, Outcome, Work, work_to_json

NODES = 3
START_S = 60.0
LOOK_EVERY_S = 0.1
GRACE_S = 60.0
"""A round that takes so much longer than it should has wedged."""


def free_ports(count: int) -> list[int]:
    """Return different ports of loopback that are free now."""
    with ExitStack() as held:
        return [free_port(held) for _ in range(count)]


class Cluster(ABC):
    """Three nodes of one product."""

    def __init__(self, place: Path, name: str) -> None:
        """Keep data and logs under *place*."""
        self.place = place / name
        self.place.mkdir(parents=True)
        self.nodes: list[Child] = []

    @abstractmethod
    async def leader(self) -> int | None:
        """Return the number of the node that leads, None while none does."""

    @property
    def pids(self) -> list[int]:
        """Return the processes of the nodes that run."""
        return [node.pid for node in self.nodes if node.pid]

    async def start(self) -> None:
        """Start all nodes and wait for a leader."""
        await self.start_nodes()
        await self.led()

    async def start_nodes(self) -> None:
        """Start all nodes."""
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def led(self) -> int:
        """
        Wait until a node leads; return its number.

        Raises:
            BenchError: none does in a minute.
        """
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            if (leader := await self.leader()) is not None:
                return leader
            await asyncio.sleep(LOOK_EVERY_S)
        words = "; ".join(node.last_words() for node in self.nodes)
        raise BenchError(f"no leader after {START_S:.0f} s: {words}")

    async def servers(self) -> list[str]:
        """Return what clients dial, the leader first."""
        raise BenchError("it has no clients")

    async def close(self) -> None:
        """End all nodes."""
        await asyncio.gather(*(node.kill() for node in self.nodes))


class Pool:
    """Workers that act as one client program of a system."""

    def __init__(self, cluster: Cluster, workers: Sequence[Child], *, inside: bool) -> None:
        """Let *workers* work; *inside* means that they are nodes, so that their CPU is theirs."""
        self._cluster = cluster
        self._workers = workers
        self._inside = inside

    async def run(self, work: Work) -> Outcome:
        """Do one round, and see what it cost."""
        workers = self._workers[: max(1, min(len(self._workers), work.callers))]
        servers = self._cluster.pids
        clients = [] if self._inside else [worker.pid for worker in self._workers]
        before = proc.cpu_s(servers), proc.cpu_s(clients)
        began_s = time.perf_counter()
        parts = [work.share(number, len(workers)) for number in range(len(workers))]
        async with asyncio.timeout(work.warm_s + work.run_s + GRACE_S):
            answers = await asyncio.gather(
                *(
                    worker.ask("load", **work_to_json(part))
                    for worker, part in zip(workers, parts, strict=True)
                )
            )
        whole = Outcome(client_is_server=self._inside)
        for answer in answers:
            whole.add(Outcome.of_json(answer))
        whole.wall_s = time.perf_counter() - began_s
        whole.server_cpu_s = proc.cpu_s(servers) - before[0]
        whole.client_cpu_s = proc.cpu_s(clients) - before[1]
        return whole

    async def ask(self, what: str, **arguments: Any) -> Any:  # noqa: ANN401  # See `Child.ask`.
        """Tell the first worker to do something."""
        return await self._workers[0].ask(what, **arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One way to use a cluster."""

    name: str
    client: str  # A kind of `clients.KINDS`; empty where callers live in a node.
    durable: str  # What an acknowledged write survives.
    processes: Sequence[int] = (1,)
    """How many client processes may share the callers; the best is used where there is a choice."""
    cannot: dict[str, str] = field(default_factory=dict)
    """What it cannot do (`read`, say), and why."""


class Measured:
    """A system with its running cluster and its workers."""

    def __init__(
        self, system: System, cluster: Cluster, worker: Callable[[int], Awaitable[Child]]
    ) -> None:
        """Use *worker* for the client process of a number, which it starts at first use."""
        self.system = system
        self.cluster = cluster
        self._worker = worker

    async def pool(
        self, *, clients: int = 1, processes: int = 1, shards: int = 1, filled: bool = False
    ) -> Pool:
        """Open connections in as many client processes; *filled*: every key can be read."""
        if not self.system.client:
            node = self.cluster.nodes[await self.cluster.led()]
            await node.ask("open", count=1)
            return Pool(self.cluster, [node], inside=True)
        await self.cluster.led()
        about: dict[str, Any] = {"kind": self.system.client}
        about["servers"] = await self.cluster.servers()
        if shards > 1:
            about["shards"] = shards
        workers = [await self._worker(number) for number in range(processes)]
        each = max(1, clients // processes)
        await asyncio.gather(*(worker.ask("open", count=each, **about) for worker in workers))
        if filled:
            await workers[0].ask("fill", keys=KEYS)
        return Pool(self.cluster, workers, inside=False)
