"""What a cluster costs while nobody asks for anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lolraft.node import RaftNode
from tests.integration.cluster import Cluster

BEATS = 60


def count_messages(node: RaftNode, counter: Counter[str]) -> None:
    """Count what the node's driver gives to its transport."""
    transport: Any = node.driver.transport
    for name in ("send_frame", "send_heartbeat", "send_ack"):
        setattr(transport, name, partial(_counted, counter, name, getattr(transport, name)))


def _counted(
    counter: Counter[str], name: str, call: Callable[..., None], *arguments: object
) -> None:
    counter[name] += 1
    call(*arguments)


@pytest.mark.parametrize("shards", [1, 20])
async def test_idle_shards_cost_one_beat_a_pair_and_interval(tmp_path: Path, shards: int) -> None:
    async with Cluster(tmp_path, shards=tuple(range(shards))) as cluster:
        for shard_id in cluster.shards:
            await cluster.write(b"x", shard_id=shard_id)
        for shard_id in cluster.shards:
            await cluster.settled(shard_id)
        counter: Counter[str] = Counter()
        for node in cluster.nodes.values():
            count_messages(node, counter)
        # Last answers, and acks of the last claims, may be on their way.
        await cluster.until(lambda: counter["send_heartbeat"] >= BEATS)
        counter.clear()
        bytes_before = sum_of_bytes(cluster)
        started_s = time.monotonic()
        await cluster.until(lambda: counter["send_heartbeat"] >= BEATS)
        elapsed_s = time.monotonic() - started_s
        # Three nodes, two peers each, ten beats a second; a loaded machine is slower, not faster.
        assert elapsed_s > 0.8 * BEATS / 60
        assert counter["send_frame"] == 0
        pairs = 6  # Of each, one ack of a beat before the counting may be on its way.
        assert counter["send_ack"] <= counter["send_heartbeat"] + pairs
        # The claims are acknowledged: a beat holds none of them.
        assert (sum_of_bytes(cluster) - bytes_before) / BEATS < 300


def sum_of_bytes(cluster: Cluster) -> int:
    """Return what all nodes have sent to all others."""
    return sum(
        cluster.nodes[one].driver.transport.bytes_sent(other)
        for one in cluster.ids
        for other in cluster.ids
    )
