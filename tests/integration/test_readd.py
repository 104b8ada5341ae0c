"""Servers that were removed come back; a client that knows their address goes on."""

from __future__ import annotations

from pathlib import Path

from lolraft.client import RaftClient
from tests.integration.processes import Processes


async def test_a_removed_server_is_added_again_and_clients_never_notice(tmp_path: Path) -> None:
    async with Processes(tmp_path) as cluster, RaftClient(cluster.ids) as client:
        expected = [b"first"]
        await client.write(0, b"first")
        for turn in range(2):
            leader = await cluster.leader()
            follower = next(name for name in cluster.ids if name != leader)
            for removed in (follower, leader):
                await client.remove_server(0, removed)
                for n in range(3):  # One of these asks the removed server first.
                    expected.append(b"%d-%d-%s" % (turn, n, removed.encode()))
                    await client.write(0, expected[-1])
                await client.add_server(0, removed)
                assert await cluster.read(node_id=removed) == b"\n".join(expected)
