"""What shards cost while nobody uses them, and how many of them come back after a failure."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tests.bench import proc
from tests.bench.children import BenchError
from tests.bench.lineup import Lineup, Say
from tests.bench.rounds import Row, Settings, measure_spread
from tests.bench.systems import ours
from tests.bench.systems.base import Cluster

MIB = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Idle:
    """What a node costs, at the mean over those that run."""

    system: str
    shards: int
    cpu_percent: float  # Of one core.
    rss_mib: float
    one_dead: bool = False
    above_cpu: float | None = None  # Above the empty node, that hosts one shard.
    above_mib: float | None = None

    def above(self, empty: Idle | None) -> Idle:
        """Compare with an *empty* node."""
        if empty is not None:
            self.above_cpu = self.cpu_percent - empty.cpu_percent
            self.above_mib = self.rss_mib - empty.rss_mib
        return self


@dataclass(slots=True, kw_only=True)
class Recovery:
    """How long many shards took, in seconds, until each of them had accepted a write."""

    shards: int
    after_death_s: float | None = None  # Those that the dead node led.
    orphans: int = 0
    after_restart_s: float | None = None  # All of them, after all nodes were stopped and started.


@dataclass(slots=True, kw_only=True)
class Hosting:
    """What was seen of many shards; where something failed, what came before it."""

    idle: list[Idle] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    recovery: Recovery
    why: str = ""


async def watch_idle(cluster: Cluster, system: str, shards: int, idle_s: float) -> Idle:
    """Look at a cluster that nobody uses."""
    await asyncio.sleep(idle_s / 4)  # What was done before may still have to end.
    pids = cluster.pids
    before_s, began_s = proc.cpu_s(pids), time.perf_counter()
    await asyncio.sleep(idle_s)
    used_s, took_s = proc.cpu_s(pids) - before_s, time.perf_counter() - began_s
    return Idle(
        system=system,
        shards=shards,
        cpu_percent=used_s / took_s / len(pids) * 100,
        rss_mib=proc.rss_bytes(pids) / len(pids) / MIB,
    )


async def measure_idle(lineup: Lineup, settings: Settings, say: Say) -> list[Idle]:
    """Look at the systems that were started, of one group each; they have not worked yet."""
    found: list[Idle] = []
    seen: set[int] = set()
    for one in lineup.running:
        if id(one.cluster) not in seen:
            seen.add(id(one.cluster))
            name = one.system.name.partition(", Raft")[0]
            found.append(await watch_idle(one.cluster, name, 1, settings.idle_s))
            _tell(found[-1], say)
    return found


async def measure_shards(
    lineup: Lineup, shards: int, empty: Idle | None, settings: Settings, say: Say
) -> Hosting:
    """Host *shards* on three nodes: idle, written to, with one node dead, and started again."""
    say(f"starting three nodes with {shards:,} shards")
    cluster = ours.LolraftCluster(lineup.place, f"lolraft-{shards}", shards)
    lineup.add_cluster(cluster)
    found = Hosting(recovery=Recovery(shards=shards))
    try:
        await _host(lineup, cluster, found, empty, settings, say)
    except (BenchError, TimeoutError) as broken:
        found.why = str(broken) or "took too long"
        say(f"{shards:,} shards: {found.why}")
    finally:
        await cluster.close()
    return found


async def _host(
    lineup: Lineup,
    cluster: ours.LolraftCluster,
    found: Hosting,
    empty: Idle | None,
    settings: Settings,
    say: Say,
) -> None:
    shards, recovery = range(cluster.shards), found.recovery

    async def look(*, one_dead: bool = False) -> None:
        idle = await watch_idle(cluster, "lolraft", cluster.shards, settings.idle_s)
        idle.one_dead = one_dead
        found.idle.append(idle.above(empty))
        _tell(idle, say)

    await cluster.start_nodes()
    await cluster.all_led()
    await look()
    found.rows += await measure_spread(lineup, cluster, settings, say)
    client = await lineup.measured(ours.RAFT_CLIENT, cluster).pool(shards=cluster.shards)
    await client.ask("touch", shards=list(shards))
    victim = await cluster.led()
    orphans = sorted((await cluster.led_shards())[victim])
    began_s = time.monotonic()
    await cluster.nodes[victim].kill()
    recovery.orphans = len(orphans)
    recovery.after_death_s = await client.ask("touch", shards=orphans) - began_s
    say(f"all write {recovery.after_death_s:.1f} s after the leader of {len(orphans):,} died")
    await look(one_dead=True)
    await asyncio.gather(*(node.stop() for node in cluster.nodes))
    began_s = time.monotonic()
    await cluster.start_nodes()
    recovery.after_restart_s = await client.ask("touch", shards=list(shards)) - began_s
    say(f"all write {recovery.after_restart_s:.1f} s after a full start")


def _tell(idle: Idle, say: Say) -> None:
    shards = f"{idle.shards:,} shard{'s' if idle.shards > 1 else ''}"
    what = f"idle, {shards}{', one node dead' if idle.one_dead else ''}"
    say(f"{what:34} {idle.system:22} {idle.cpu_percent:.1f} % of a core, {idle.rss_mib:.0f} MiB")
