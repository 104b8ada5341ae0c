"""Real processes, killed with SIGKILL: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.processes import Process, Processes


async def keep_writing(cluster: Processes, acknowledged: list[bytes], name: str) -> None:
    """Write without a pause; note what was acknowledged."""
    for n in range(1_000_000):
        line = f"{name}-{n}".encode()
        await cluster.write(line)
        acknowledged.append(line)


async def check(cluster: Processes, acknowledged: list[bytes]) -> None:
    """Every acknowledged line is there, once, whichever node is asked."""
    for node_id in cluster.ids:
        lines = (await cluster.read(node_id=node_id)).split(b"\n")
        assert len(set(lines)) == len(lines), "a write was executed twice"
        assert set(acknowledged) <= set(lines), "an acknowledged write is lost"


@pytest.mark.parametrize("victims", ["leader", "all"])
async def test_acknowledged_writes_survive_kill_9(tmp_path: Path, victims: str) -> None:
    async with Processes(tmp_path) as cluster:
        await cluster.write(b"first")
        await cluster.followed()
        acknowledged: list[bytes] = [b"first"]
        writers = [
            asyncio.ensure_future(keep_writing(cluster, acknowledged, f"w{n}")) for n in range(4)
        ]
        try:
            for _ in range(3):
                seen = len(acknowledged)
                async with asyncio.timeout(20):
                    while len(acknowledged) < seen + 40:
                        await asyncio.wait(writers, timeout=0.01)
                        assert not any(writer.done() for writer in writers)
                killed = [await cluster.leader()] if victims == "leader" else list(cluster.ids)
                await asyncio.gather(*(cluster.processes[name].kill() for name in killed))
                await asyncio.gather(*(cluster.processes[name].start() for name in killed))
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
        await check(cluster, acknowledged)


async def test_sigterm_ends_a_node_in_order_and_the_others_go_on(tmp_path: Path) -> None:
    async with Processes(tmp_path) as cluster:
        await cluster.write(b"a")
        await cluster.followed()
        leader = await cluster.leader()
        assert await cluster.processes[leader].signal(signal.SIGTERM) == 0
        assert await cluster.write(b"b") == b"2"


async def test_a_second_process_on_a_port_says_so_and_ends(tmp_path: Path) -> None:
    async with Processes(tmp_path, 1) as cluster:
        await cluster.write(b"a")
        (only,) = cluster.ids
        (tmp_path / "other").mkdir()
        second = Process(tmp_path / "other", only, ())
        await second.start()
        assert await second.ended() != 0
        assert "Stop the process that has the port" in second.said()
        assert "Traceback" not in second.said()


async def test_a_process_starts_without_a_terminal_and_says_where_it_listens(
    tmp_path: Path,
) -> None:
    async with Processes(tmp_path, 1) as cluster:
        await cluster.write(b"a")
        (only,) = cluster.ids
        assert only.removeprefix("http://") in cluster.processes[only].said(), sys.executable
