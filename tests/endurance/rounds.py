"""Break a running cluster and heal it, round after round, and time how long it takes to serve."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from lab.attach import client_of
from lab.cluster.interface import Cluster, NodeState
from lab.observe.watch import Watcher
from lab.session import wait_for_leaders
from lolraft.raft.types import ShardId
from tests.endurance import ending
from tests.endurance.workload import Workload

WINDOW = 3  # Rounds that share their keys.
PROBER = 1000  # The number of the client that asks whether the cluster serves again.
TICK_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was done in one round, and how long after the heal every shard took a write."""

    number: int
    deed: str
    served_s: float
    lag_s: float  # The latest that this process was woken meanwhile: how starved the machine is.
    load: float  # Processes that want to run, averaged over a minute.

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"round {self.number:3}: {self.deed:44} served after {self.served_s:5.2f} s"
            f"   (woken {self.lag_s * 1e3:4.0f} ms late at most, load {self.load:.1f})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a whole run showed; what must not be has been raised."""

    rounds: tuple[Round, ...]
    acknowledged: int
    unknown: int
    keys: int
    operations: int


class Endurance:
    """One cluster under load that is broken again and again."""

    def __init__(
        self, cluster: Cluster, shards: tuple[ShardId, ...], *, seed: int, patience_s: float
    ) -> None:
        """Keep what `run` needs; a cluster that does not serve *patience_s* after a heal fails."""
        self.cluster = cluster
        self.patience_s = patience_s
        self.chance = Random(seed)
        self.workload = Workload(cluster, shards, seed)
        self.watcher = Watcher(cluster)

    async def run(
        self, rounds: int, *, clients: int, partitions: bool, report: Callable[[str], None]
    ) -> Outcome:
        """
        Start the cluster, break it *rounds* times, judge it, and leave nothing.

        Raises:
            AssertionError: a write was lost, an answer was wrong, or nobody led in time.
        """
        done: list[Round] = []
        try:
            await self.cluster.start(report)
            self.watcher.start()
            await wait_for_leaders(self.watcher, report)
            self.workload.start(clients)
            for number in range(1, rounds + 1):
                self.workload.window = number // WINDOW
                partitioned = partitions and self.chance.random() < 0.4
                deed = self._cut if partitioned else self._kill
                done.append(await self._round(number, deed))
                report(str(done[-1]))
            await self.workload.stop()
            report("the clients have ended: comparing the nodes")
            await ending.conclude(self.cluster, self.workload)
        finally:
            await self.watcher.stop()
            await self.workload.stop()
            await self.cluster.close()
        report("judging the histories")
        keys, operations = ending.judge(self.workload.histories)
        return Outcome(
            rounds=tuple(done),
            acknowledged=self.workload.acknowledged,
            unknown=self.workload.unknown,
            keys=keys,
            operations=operations,
        )

    async def _round(self, number: int, deed: Callable[[], Awaitable[str]]) -> Round:
        await asyncio.sleep(0.3 + self.chance.random() * 0.5)
        what = await deed()
        healed_s = time.monotonic()
        lag = asyncio.ensure_future(_longest_lag())
        try:
            await asyncio.gather(*(self._served(shard) for shard in self.workload.histories))
        finally:
            lag.cancel()
        served_s = time.monotonic() - healed_s
        (lag_s,) = await asyncio.gather(lag)
        load = os.getloadavg()[0]
        return Round(number=number, deed=what, served_s=served_s, lag_s=lag_s, load=load)

    async def _served(self, shard_id: ShardId) -> None:
        key = f"{self.workload.window}-0"
        async with client_of(self.cluster) as client:
            took = await self.workload.put(client, PROBER, shard_id, key, self.patience_s)
        assert took, f"shard {shard_id} took no write within {self.patience_s:g} s of the heal"

    # --- deeds -----------------------------------------------------------------------------------

    def _victims(self) -> list[str]:
        """Return some of the nodes, one most often; that one leads a shard, as a rule."""
        names = [node.name for node in self.cluster.nodes()]
        count = self.chance.choice((1, 1, 1, 1, 2, 2, len(names)))
        leaders = sorted(
            {shard.leader for shard in self.watcher.view.shards.values() if shard.leader}
        )
        if count == 1 and leaders and self.chance.random() < 0.7:
            return [self.chance.choice(leaders)]
        return self.chance.sample(names, count)

    async def _kill(self) -> str:
        """Kill at random moments, frozen or not; start again at others."""
        victims = self._victims()
        frozen = self.chance.random() < 0.25
        if frozen:
            await self.cluster.pause(victims[0])
            await asyncio.sleep(self.chance.random() * 1.5)
        spares = frozen and self.chance.random() < 0.5
        if spares:
            await self.cluster.resume(victims[0])
        for name in victims:
            await self.cluster.kill(name)
            await asyncio.sleep(self.chance.random() * 0.2)
        await asyncio.sleep(self.chance.random() * 0.8)
        for name in self.chance.sample(victims, len(victims)):
            await self.cluster.restart(name)
        how = f"pause {victims[0]}, " if frozen else ""
        how += "resume, " if spares else ""
        return f"{how}kill {' '.join(victims)}"

    async def _cut(self) -> str:
        """Cut one way, around one node, or between all; sometimes kill somebody meanwhile."""
        names = [node.name for node in self.cluster.nodes()]
        one, other = self.chance.sample(names, 2)
        how = self.chance.choice(("cut", "cut both", "isolate", "partition", "pause"))
        if how == "cut":
            await self.cluster.cut(one, other)
        elif how == "cut both":
            await self.cluster.cut_both(one, other)
        elif how == "isolate":
            await self.cluster.isolate(one)
        elif how == "partition":
            await self.cluster.partition(tuple((name,) for name in names))
        else:
            await self.cluster.pause(one)
        await asyncio.sleep(0.5 + self.chance.random() * 2.0)
        killed = [self.chance.choice(names)] if self.chance.random() < 0.4 else []
        for name in killed:
            await self.cluster.kill(name)
        await asyncio.sleep(self.chance.random() * 0.5)
        await self.cluster.heal()
        for node in self.cluster.nodes():
            if node.state is NodeState.PAUSED:
                await self.cluster.resume(node.name)
        for name in killed:
            await self.cluster.restart(name)
        return f"{how} {one} {other}" + "".join(f", kill {name}" for name in killed)


async def _longest_lag() -> float:
    """Return, when cancelled, by how much a short sleep was overslept at most."""
    longest_s = 0.0
    try:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(TICK_S)
            longest_s = max(longest_s, time.monotonic() - began_s - TICK_S)
    except asyncio.CancelledError:
        return longest_s
