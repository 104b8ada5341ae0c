"""Run scenarios without a screen: `./log --scenario NAME --headless`; they pass or fail."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from lab.attach import client_of, is_led, watched
from lab.chronicle import Chronicle
from lab.cluster.docker import DockerCluster
from lab.cluster.interface import Cluster
from lab.cluster.local import LocalCluster
from lab.observe.watch import Watcher
from lab.scenarios.play import Outcome, play
from lab.scenarios.script import Script
from lab.scenarios.stage import Stage
from lab.sim.client import SimClient
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lab.workload.view import view_of
from lolraft.client import RaftClient
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import lolraft_pb2, lolraft_pb2_grpc

LED_S = 20.0
ONCE_S = 3.0  # A write that nobody waits for has this long.


def cluster_for(
    script: Script,
    backend: str,
    seed: int | None = None,
    *,
    speed: float | None = None,
    starts_s: float | None = None,
) -> Cluster:
    """
    Return a new cluster as the head of *script* wants it.

    *speed* and *starts_s* are of virtual time: how fast it passes, and when it begins.
    """
    more: list[str] = []
    if script.snapshot_entries is not None:
        more += ["--snapshot-entries", str(script.snapshot_entries)]
    if script.tail_entries is not None:
        more += ["--tail-entries", str(script.tail_entries)]
    if backend == "docker":
        return DockerCluster.begin(nodes=script.nodes, shards=script.shards, more=more)
    if backend == "local":
        return LocalCluster.begin(nodes=script.nodes, shards=script.shards, more=more)
    return SimCluster(
        nodes=script.nodes,
        shards=script.shards,
        seed=seed,
        speed=speed,
        snapshot_entries=script.snapshot_entries or 100_000,
        tail_entries=10_000 if script.tail_entries is None else script.tail_entries,
        starts_s=starts_s,
    )


def stage_of(
    cluster: Cluster, watcher: Watcher | SimWatcher, client: RaftClient | SimClient
) -> Stage:
    """Return a stage on a cluster that is watched; *client* stays the caller's."""

    async def once(name: str, shard_id: ShardId, message: bytes) -> str:
        handle = next(node for node in cluster.nodes() if node.name == name)
        if isinstance(cluster, SimCluster):
            return await cluster.client().once(handle.node_id, shard_id, message, ONCE_S)
        return await write_once(handle.watch_address, shard_id, message)

    return Stage(
        cluster=cluster,
        watching=watcher,
        client=client,
        client_at=lambda node_id: client_of(cluster, [NodeId(node_id)]),
        once=once,
    )


async def write_once(address: str, shard_id: ShardId, message: bytes) -> str:
    """Ask one node to write, once; return the name of the status."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = lolraft_pb2_grpc.RaftStub(channel)  # type: ignore[no-untyped-call]
        request = lolraft_pb2.WriteRequest(
            shard_id=shard_id, message=message, request_id=secrets.token_hex(8)
        )
        try:
            await stub.Write(request, timeout=ONCE_S)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def run(
    script: Script,
    backend: str,
    tell: Callable[[str], None],
    seed: int | None = None,
    record: Path | None = None,
    chronicle: Chronicle | None = None,
) -> Outcome:
    """
    Bring a cluster up, play *script* on it, and leave nothing, except for a recording.

    *chronicle* is told all that happens; who gave it may make a report of it.

    Raises:
        ClusterError: the backend cannot be had.
        ScenarioError: the scenario makes no sense.
    """
    cluster = cluster_for(script, backend, seed)
    told = Chronicle() if chronicle is None else chronicle
    with watched(cluster, record, told) as watcher:
        return await _play(script, cluster, watcher, tell, told)


async def _play(
    script: Script,
    cluster: Cluster,
    watcher: Watcher | SimWatcher,
    tell: Callable[[str], None],
    chronicle: Chronicle,
) -> Outcome:
    try:
        await cluster.start(tell)
        watcher.start()
        client = client_of(cluster)
        try:
            stage = stage_of(cluster, watcher, client)
            chronicle.load = lambda: view_of(stage.loaded, cluster.now_s())
            await stage.until(
                lambda: "" if is_led(watcher.view, by_all=True) else "not all is led and followed",
                LED_S,
            )
            return await play(script, stage, tell)
        finally:
            await client.close()
    finally:
        chronicle.finish()
        await watcher.stop()
        await cluster.close()
