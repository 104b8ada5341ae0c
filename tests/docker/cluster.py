"""A cluster of containers that a test watches, breaks, and leaves without a trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import docker

from lab.attach import client_of
from lab.cluster.docker import DockerCluster
from lab.cluster.docker_engine import RUN
from lab.observe.view import ReplicaView, ShardView
from lab.observe.watch import Watcher
from lolraft.client import RaftClient

PATIENCE_S = 30.0


class Lab:
    """A cluster with its watcher and its client."""

    def __init__(self, cluster: DockerCluster, watcher: Watcher, client: RaftClient) -> None:
        self.cluster = cluster
        self.watcher = watcher
        self.client = client
        self.acknowledged: list[str] = []

    @property
    def shard(self) -> ShardView:
        return self.watcher.view.shards[0]

    def replica(self, name: str) -> ReplicaView:
        return self.shard.replicas[name]

    def phi(self, sender: str, receiver: str) -> float:
        """Return the receiver's phi of the sender; 0 before it has reported any."""
        link = self.watcher.view.links.get((sender, receiver))
        return 0.0 if link is None else link.phi

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the picture says so."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110 - the watcher's picture is a value.
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never came true: {self.shard}") from None

    async def leader(self, *, other_than: str | None = None) -> str:
        await self.until(lambda: self.shard.leader not in (None, other_than))
        assert self.shard.leader is not None
        return self.shard.leader

    async def write(self, key: str) -> None:
        message = json.dumps({"op": "put", "key": key, "value": key}).encode()
        await self.client.write(0, message, timeout_s=PATIENCE_S)
        self.acknowledged.append(key)

    async def check(self) -> None:
        """Every acknowledged write is there, and all that run hold the same log."""
        for key in self.acknowledged:
            question = json.dumps({"op": "get", "key": key}).encode()
            answer = await self.client.read(0, question, timeout_s=PATIENCE_S)
            assert json.loads(answer) == {"value": key}
        await self.until(self._all_equal)

    def _all_equal(self) -> bool:
        members = self.shard.voters
        if not set(members) <= set(self.shard.replicas):
            return False  # Who has just been added has not reported yet.
        marks = {
            (item.last_index, item.commit_index, item.applied_index, item.last_term)
            for name in members
            for item in [self.replica(name)]
        }
        return len(marks) == 1 and all(self.replica(name).leader for name in members)


@asynccontextmanager
async def open_lab(cluster: DockerCluster | None = None) -> AsyncIterator[Lab]:
    """Start three containers, and remove them whatever happens."""
    cluster = cluster or DockerCluster.begin(nodes=3)
    watcher = Watcher(cluster)
    client: RaftClient | None = None
    try:
        await cluster.start(print)
        watcher.start()
        client = client_of(cluster)
        lab = Lab(cluster, watcher, client)
        await lab.until(lambda: 0 in watcher.view.shards)
        await lab.leader()
        await lab.until(lambda: all(item.leader for item in lab.shard.replicas.values()))
        yield lab
    finally:
        await watcher.stop()
        if client is not None:
            await client.close()
        await cluster.close()


def left_of(run: str) -> list[str]:
    """Return what of a run the engine still has."""
    engine = docker.from_env()
    by_label = {"label": f"{RUN}={run}"}
    try:
        found = [item.name for item in engine.containers.list(all=True, filters=by_label)]
        found += [item.name for item in engine.networks.list(filters=by_label)]
        found += [item.name for item in engine.volumes.list(filters=by_label)]
    finally:
        engine.close()
    return [str(name) for name in found]
