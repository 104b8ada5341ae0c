"""A run that tests tell of: a leader is killed under load, and another node paused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.attach import watched
from lab.chronicle import Chronicle
from lab.report.gather import Report
from lab.sim.cluster import SimCluster
from lab.workload.beside import LoadBeside


@dataclass
class Run:
    """What a run left: its report, the recording, and who was killed."""

    report: Report
    recording: Path
    killed: str


async def run(recording: Path) -> Run:
    """Kill a leader under load, pause another node, and end while it is paused."""
    chronicle, cluster = Chronicle(), SimCluster(seed=5, shards="0-1", speed=None)
    with watched(cluster, recording, chronicle) as watcher:
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            load = LoadBeside(cluster.client(), now=cluster.now_s, sleep=cluster.sleep)
            chronicle.load = lambda: load.view
            await cluster.sleep(2.0)
            load.start((0, 1))
            await cluster.sleep(5.0)
            leader = watcher.view.shards[0].leader
            assert leader is not None
            await cluster.kill(leader)
            await cluster.sleep(4.0)
            await cluster.restart(leader)
            await cluster.sleep(3.0)
            await load.stop()
            await cluster.pause(next(name for name in ("n1", "n2", "n3") if name != leader))
            await cluster.sleep(4.0)
            chronicle.finish()
            report = chronicle.gather.report()
        finally:
            await watcher.stop()
            await cluster.close()
    return Run(report, recording, leader)
