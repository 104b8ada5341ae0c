"""
Measure a write of one client, and a failover, with real processes on loopback and SQLite FULL.

    python -m tests.bench.latency [--writes 500] [--failovers 10]

Prints medians in milliseconds; asserts nothing, since a loaded machine is not a mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from lolraft.runtime.loop import run
from tests.integration.processes import Processes

SETTLE_S = 1.5


def show(what: str, times_s: list[float]) -> None:
    """Print one line of milliseconds."""
    ordered = sorted(times_s)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    print(
        f"{what:28} median {statistics.median(ordered) * 1e3:8.2f} ms"
        f"   p99 {p99 * 1e3:8.2f} ms   max {ordered[-1] * 1e3:8.2f} ms   n {len(ordered)}"
    )


async def measure(writes: int, failovers: int) -> None:
    """Run a cluster of three for both measurements."""
    with tempfile.TemporaryDirectory(prefix="lolraft-bench-") as directory:
        async with Processes(Path(directory)) as cluster:
            for n in range(50):
                await cluster.write(b"warm %d" % n)
            times_s: dict[str, list[float]] = {"write at the leader": []}
            leader = await cluster.leader()
            cluster.ids = (leader, *(name for name in cluster.ids if name != leader))
            for n in range(writes):
                started_s = time.perf_counter()
                await cluster.write(b"%d" % n)
                times_s["write at the leader"].append(time.perf_counter() - started_s)
            times_s["read at the leader"] = []
            for _ in range(writes):
                started_s = time.perf_counter()
                await cluster.read_through(b"count", leader)
                times_s["read at the leader"].append(time.perf_counter() - started_s)
            times_s["read at a follower"] = []
            for _ in range(writes):
                started_s = time.perf_counter()
                await cluster.read_through(b"count", cluster.ids[1])
                times_s["read at a follower"].append(time.perf_counter() - started_s)
            times_s["SIGKILL to next write"] = []
            for n in range(failovers):
                # The node that came back has heard too few heartbeats to suspect quickly.
                await asyncio.sleep(SETTLE_S)
                leader = await cluster.leader()
                await cluster.processes[leader].kill()
                started_s = time.perf_counter()
                await cluster.write(b"after %d" % n)
                times_s["SIGKILL to next write"].append(time.perf_counter() - started_s)
                await cluster.processes[leader].start()
                await cluster.read(b"count", node_id=leader)  # It is back and has caught up.
            for what, measured in times_s.items():
                if measured:
                    show(what, measured)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=500)
    parser.add_argument("--failovers", type=int, default=10)
    arguments = parser.parse_args()
    run(measure(arguments.writes, arguments.failovers))


if __name__ == "__main__":
    main()
