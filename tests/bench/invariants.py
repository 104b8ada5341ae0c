"""
Measure what the invariants cost: CPU per write with them and without, in interleaved rounds.

    python -m tests.bench.invariants [--rounds 10] [--writes 3000]

Three nodes in one process, real gRPC and SQLite; CPU time, since a busy machine does not change it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from lolraft.client import RaftClient
from lolraft.raft import invariants
from lolraft.runtime.loop import run
from tests.integration.cluster import Cluster

CALLERS = 64


def unchecked(before: invariants.Glance, now: object) -> None:
    """Stand in for `invariants.check`."""


async def write_all(client: RaftClient, writes: int) -> float:
    """Write from many callers at once; return CPU microseconds per write."""

    async def caller(number: int) -> None:
        for n in range(number, writes, CALLERS):
            await client.write(0, b"%d" % n)

    began_s = time.process_time()
    await asyncio.gather(*map(caller, range(CALLERS)))
    return (time.process_time() - began_s) / writes * 1e6


async def measure(rounds: int, writes: int) -> None:
    """Alternate between both, and print the ratio."""
    checked = invariants.check
    with_us: list[float] = []
    without_us: list[float] = []
    with tempfile.TemporaryDirectory(prefix="lolraft-bench-") as directory:
        async with Cluster(Path(directory)) as cluster, RaftClient(cluster.ids) as client:
            await cluster.leader()
            await write_all(client, writes)  # Warm.
            try:
                for _ in range(rounds):
                    invariants.check = checked
                    with_us.append(await write_all(client, writes))
                    invariants.check = unchecked
                    without_us.append(await write_all(client, writes))
            finally:
                invariants.check = checked
    ratios = [a / b for a, b in zip(with_us, without_us, strict=True)]
    print(f"CPU of client and three nodes per write, {CALLERS} callers, medians of {rounds} rounds")
    print(f"with invariants     {statistics.median(with_us):7.1f} us")
    print(f"without             {statistics.median(without_us):7.1f} us")
    print(f"ratio               {statistics.median(ratios):7.3f}")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--writes", type=int, default=3000)
    arguments = parser.parse_args()
    run(measure(arguments.rounds, arguments.writes))


if __name__ == "__main__":
    main()
