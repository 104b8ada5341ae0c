"""
Measure how long writes pause while a fourth server catches up with 200,000 entries.

    python -m tests.bench.catch_up [--entries 200000] [--by entries|snapshot|both]

Fills a cluster of three local processes, then adds a fourth while clients write one after
another. Prints the longest time without an acknowledged write, before the fourth server comes and
while it catches up; asserts nothing, since a loaded machine is not a mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from lab.apps import kv
from lab.apps.kv import KeyValueApp
from lab.attach import client_of
from lab.cluster.local import LocalCluster
from lab.observe.watch import Watcher
from lab.session import wait_for_leaders
from lolraft.client import RaftClient
from lolraft.runtime.loop import run

ROOT = Path(__file__).parents[2]
VALUE = "x" * 100
KEYS = 50_000
AT_ONCE = 400
WRITERS = 4
BASELINE_S = 8.0
PATIENCE_S = 300.0


class WholeLogApp(KeyValueApp):
    """Make no snapshot of its own accord: the log stays whole, and a new server gets all of it."""

    def make_snapshot(self, index: int) -> None:  # type: ignore[override]  # Nothing to await.
        """Do nothing."""


class Beat:
    """Steady writers, and when they were told that it is done."""

    def __init__(self, client: RaftClient) -> None:
        self._client = client
        self._acknowledged_s: list[float] = []
        self._took_s: list[float] = []
        self._tasks = [asyncio.ensure_future(self._write(n)) for n in range(WRITERS)]

    async def _write(self, number: int) -> None:
        while True:
            began_s = time.perf_counter()
            await self._client.write(0, kv.put(f"steady {number}", VALUE), timeout_s=PATIENCE_S)
            now_s = time.perf_counter()
            self._acknowledged_s.append(now_s)
            self._took_s.append(now_s - began_s)
            await asyncio.sleep(0.005)

    def show(self, what: str) -> None:
        """Print what was seen since the last time, and begin anew."""
        times_s, took_s = self._acknowledged_s, sorted(self._took_s)
        self._acknowledged_s, self._took_s = times_s[-1:], []
        pauses_s = sorted(later - earlier for earlier, later in pairwise(times_s))
        over = sum(pause > 0.2 for pause in pauses_s)
        p99_s = took_s[len(took_s) * 99 // 100]
        print(
            f"{what:18} {len(took_s):6} writes   longest pause {pauses_s[-1] * 1e3:7.1f} ms"
            f"   over 200 ms: {over}   p99 of a write {p99_s * 1e3:6.1f} ms",
            flush=True,
        )

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def fill(client: RaftClient, entries: int) -> None:
    """Write *entries* entries, many at once."""
    numbers = iter(range(entries))

    async def some() -> None:
        for number in numbers:
            await client.write(0, kv.put(f"key {number % KEYS}", VALUE), timeout_s=PATIENCE_S)

    began_s = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    took_s = time.perf_counter() - began_s
    print(f"{entries} entries in {took_s:.1f} s, {entries / took_s:.0f} a second", flush=True)


def _reports(watcher: Watcher, name: str) -> bool:
    seen = watcher.view.node(name)
    return seen is not None and seen.reported_at_s is not None


async def measure(entries: int, app: str) -> None:
    """Fill a cluster, add a server, and watch the writers."""
    cluster = LocalCluster.begin(nodes=3, app=app)
    watcher = Watcher(cluster)
    try:
        await cluster.start(print)
        watcher.start()
        await wait_for_leaders(watcher, print)
        async with client_of(cluster) as client:
            await fill(client, entries)
            await asyncio.sleep(2.0)
            beat = Beat(client)
            await asyncio.sleep(BASELINE_S)
            beat.show("three servers")
            node = await cluster.add_node()
            async with asyncio.timeout(PATIENCE_S):
                while not _reports(watcher, node.name):  # noqa: ASYNC110  # A value tells nobody.
                    await asyncio.sleep(0.02)
            beat.show("the fourth starts")
            began_s = time.perf_counter()
            await client.add_server(0, node.node_id, timeout_s=PATIENCE_S)
            beat.show("it catches up")
            print(f"it votes after {time.perf_counter() - began_s:.1f} s")
            await asyncio.sleep(2.0)
            beat.show("four servers")
            await beat.stop()
    finally:
        await watcher.stop()
        await cluster.close()


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description="Pauses while a server catches up.")
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--by", choices=("entries", "snapshot", "both"), default="both")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)  # Nodes run elsewhere, and load the app from here.
    with tempfile.TemporaryDirectory(prefix="lolraft-bench-") as state:
        os.environ["XDG_STATE_HOME"] = state
        for by, app in (("entries", "tests.bench.catch_up:WholeLogApp"), ("snapshot", "kv")):
            if options.by in (by, "both"):
                print(f"catching up by {by}:")
                run(measure(options.entries, app))


if __name__ == "__main__":
    main()
