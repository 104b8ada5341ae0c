"""Start every system that can be had here, and end them all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lolraft.rpc.observe_service import VERSION
from tests.bench.children import BenchError, Child
from tests.bench.systems import etcd, ours, pysyncobj
from tests.bench.systems.base import Cluster, Measured, System

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Lineup:
    """The systems that run, those that cannot and why, and the versions of all."""

    place: Path
    running: list[Measured] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)

    def find(self, system: System) -> Measured | None:
        """Return a system with its running cluster, None where it does not run."""
        return next((one for one in self.running if one.system is system), None)

    def measured(self, system: System, cluster: Cluster) -> Measured:
        """Return *system* with workers of its own on *cluster*."""
        made: dict[int, Child] = {}

        async def worker(number: int) -> Child:
            if number not in made:
                log = cluster.place / f"worker-{len(self.children)}.log"
                command = (sys.executable, "-m", "tests.bench.worker")
                made[number] = Child(command, log, talks=True)
                self.children.append(made[number])
                await made[number].start()
            return made[number]

        return Measured(system, cluster, worker)

    async def end_clusters(self) -> None:
        """End all that runs; nothing of it can be measured any more."""
        ends = [child.kill() for child in self.children]
        ends += [cluster.close() for cluster in self.clusters]
        self.children, self.clusters, self.running = [], [], []
        await asyncio.shield(asyncio.gather(*ends, return_exceptions=True))

    def add_cluster(self, cluster: Cluster) -> Cluster:
        """Let *cluster* be ended at the end, whatever happens before."""
        self.clusters.append(cluster)
        return cluster


@asynccontextmanager
async def open_lineup(place: Path, wanted: Collection[str], say: Say) -> AsyncIterator[Lineup]:
    """Start the systems whose names begin with one of *wanted*; all where it is empty."""
    lineup = Lineup(place=place)
    try:
        for group in (_ours, _etcd, _pysyncobj):
            await group(lineup, wanted, say)
        yield lineup
    finally:
        await lineup.end_clusters()


def _chosen(wanted: Collection[str], *systems: System) -> list[System]:
    names = [name.lower() for name in wanted]
    return [
        system
        for system in systems
        if not names or any(system.name.lower().startswith(name) for name in names)
    ]


async def _ours(lineup: Lineup, wanted: Collection[str], say: Say) -> None:
    lineup.versions["lolraft"] = VERSION
    systems = _chosen(wanted, ours.RAFT_CLIENT, ours.PLAIN)
    if systems:
        await _start(lineup, systems, partial(ours.LolraftCluster, lineup.place), say)


async def _etcd(lineup: Lineup, wanted: Collection[str], say: Say) -> None:
    systems = _chosen(wanted, etcd.SYSTEM)
    if not systems:
        return
    try:
        program = etcd.find_etcd(lineup.place)
    except BenchError as missing:
        lineup.missing[etcd.SYSTEM.name] = str(missing)
        say(f"without etcd: {missing}")
        return
    lineup.versions["etcd"] = etcd.version_of(program)
    await _start(lineup, systems, partial(etcd.EtcdCluster, lineup.place, program), say)


async def _pysyncobj(lineup: Lineup, wanted: Collection[str], say: Say) -> None:
    for system in _chosen(wanted, pysyncobj.BATCHED, pysyncobj.SINGLE):
        try:
            lineup.versions["PySyncObj"] = pysyncobj.version()
        except BenchError as missing:
            lineup.missing[system.name] = str(missing)
            say(f"without {system.name}: {missing}")
            continue
        single = system is pysyncobj.SINGLE
        make = partial(pysyncobj.PySyncObjCluster, lineup.place, single=single)
        await _start(lineup, [system], make, say)


async def _start(
    lineup: Lineup, systems: list[System], make: Callable[[], Cluster], say: Say
) -> None:
    """Start one cluster for *systems*; where that fails, they are missing, and the rest goes on."""
    say(f"starting three nodes for {' and '.join(system.name for system in systems)}")
    cluster = lineup.add_cluster(make())
    try:
        await cluster.start()
    except BenchError as broken:
        await cluster.close()
        lineup.missing.update({system.name: str(broken) for system in systems})
        say(f"without {systems[0].name}: {broken}")
        return
    lineup.running += [lineup.measured(system, cluster) for system in systems]
