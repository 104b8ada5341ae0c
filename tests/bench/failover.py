"""
Measure a failover as a person at the lab sees it, in containers too, which `./dev bench` is not.

    python -m tests.bench.failover [--backend local|docker] [--tries 10]

From SIGKILL of the leader to the next write; the cluster and the client are those of `./log`, with
default settings. Asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from lab.attach import client_of
from lab.cluster.base import BaseCluster
from lab.cluster.docker import DockerCluster
from lab.cluster.local import LocalCluster
from lab.observe.watch import Watcher
from lab.session import say, wait_for_leaders
from lolraft.client import RaftClient
from lolraft.runtime.loop import run
from tests.bench.stats import spread

SETTLE_S = 1.5  # The node that came back has heard too few heartbeats to suspect quickly.


async def measure(backend: str, tries: int) -> None:
    """Kill the leader again and again."""
    kind = DockerCluster if backend == "docker" else LocalCluster
    cluster: BaseCluster = kind.begin(nodes=3)
    watcher = Watcher(cluster)
    client: RaftClient | None = None
    try:
        await cluster.start(say)
        watcher.start()
        await wait_for_leaders(watcher, say)
        client = client_of(cluster)
        times_s = [await fail_over(cluster, watcher, client, n) for n in range(tries)]
        found = spread(times_s)
        assert found is not None, "there is one try at least"
        print(
            f"{backend}: SIGKILL to next write, median {found.median:.3f} s,"
            f" {found.low:.3f} to {found.high:.3f} s, {found.rounds} tries"
        )
    finally:
        await watcher.stop()
        if client is not None:
            await client.close()
        await cluster.close()


async def fail_over(
    cluster: BaseCluster, watcher: Watcher, client: RaftClient, number: int
) -> float:
    """Kill the leader, write, and bring it back; return the seconds between the first two."""
    await asyncio.sleep(SETTLE_S)
    await wait_for_leaders(watcher, lambda line: None)
    leader = watcher.view.shards[0].leader
    assert leader is not None, "it was led a moment ago"
    began_s = time.perf_counter()
    killing = asyncio.ensure_future(cluster.kill(leader))
    write = json.dumps({"op": "put", "key": "k", "value": str(number)}).encode()
    await asyncio.sleep(0.02)  # The signal is on its way, whatever the backend.
    await client.write(0, write, timeout_s=20.0)
    ended_s = time.perf_counter()
    await killing
    await cluster.restart(leader)
    return ended_s - began_s


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=("local", "docker"), default="local")
    parser.add_argument("--tries", type=int, default=10)
    arguments = parser.parse_args()
    run(measure(arguments.backend, arguments.tries))


if __name__ == "__main__":
    main()
