"""A lab without a screen: local processes, a watcher and a client, as `lab.session` joins them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from lab.apps import kv
from lab.attach import client_of
from lab.cluster import runs
from lab.cluster.interface import Cluster, NodeState
from lab.cluster.local import LocalCluster
from lab.observe.view import ClusterView, NodeView, ReplicaView, ShardView
from lab.observe.watch import Watcher
from lolraft.client import RaftClient
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

PATIENCE_S = 30.0
Log = tuple[tuple[int, int, bytes], ...]


class Lab:
    """A cluster, the picture of it, and a client."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.watcher = Watcher(cluster)
        self.client: RaftClient = client_of(cluster)
        self.watcher.start()

    async def close(self) -> None:
        await self.watcher.stop()
        await self.client.close()

    # --- the picture -----------------------------------------------------------------------------

    @property
    def view(self) -> ClusterView:
        return self.watcher.view

    @property
    def shard(self) -> ShardView:
        return self.view.shards[0]

    def node(self, name: str) -> NodeView:
        node = self.view.node(name)
        assert node is not None
        return node

    def replica(self, name: str) -> ReplicaView:
        return self.shard.replicas[name]

    def state(self, name: str) -> NodeState:
        return next(node.state for node in self.cluster.nodes() if node.name == name)

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.cluster.nodes()]

    def all_follow(self) -> bool:
        """Return whether every voter acknowledges the leader: all may vote from now on (S4)."""
        leader = self.shard.replicas.get(self.shard.leader or "")
        if leader is None:
            return False
        others = set(leader.voters) - {leader.node}
        return all(leader.match_index.get(name, 0) > 0 for name in others)

    def all_hear(self) -> bool:
        """Return whether every node has heard every other."""
        links, count = self.view.links, len(self.names)
        return len(links) == count * (count - 1) and all(link.phi < 8 for link in links.values())

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for *condition*; the picture is a value, nothing tells of its changes."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(
                f"never came true: {self.view.nodes}\n{self.view.shards}"
            ) from None

    async def leader(self, *, other_than: str = "") -> str:
        """Wait until a node leads by its own word that can be reached."""

        def led() -> bool:
            shard = self.view.shards.get(0)
            return shard is not None and shard.leader not in (None, other_than)

        await self.until(led)
        assert self.shard.leader is not None
        return self.shard.leader

    # --- the data --------------------------------------------------------------------------------

    async def put(self, key: str, value: str) -> None:
        await self.client.write(0, kv.put(key, value), timeout_s=PATIENCE_S)

    async def get(self, key: str) -> str | None:
        raw = await self.client.read(0, kv.get(key), timeout_s=PATIENCE_S)
        found = kv.decode_answer(raw)["value"]
        assert found is None or isinstance(found, str)
        return found

    async def log(self, name: str) -> Log:
        """Return what `Observe.Log` says of a node's whole log: term, kind and payload each."""
        address = next(node.watch_address for node in self.cluster.nodes() if node.name == name)
        found: list[tuple[int, int, bytes]] = []
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = observe_pb2_grpc.ObserveStub(channel)  # type: ignore[no-untyped-call]
            while True:
                request = observe_pb2.LogRequest(shard_id=0, first=len(found) + 1, count=1024)
                part = await stub.Log(request, timeout=5.0, wait_for_ready=True)
                found += zip(part.terms, part.kinds, part.payloads, strict=True)
                if not part.terms or len(found) >= part.last_index:
                    return tuple(found)

    async def logs_agree(self, *names: str) -> None:
        """Wait until the logs of these nodes, or of all, are equal."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                logs = {await self.log(name) for name in names or self.names}
                if len(logs) == 1:
                    return
                await asyncio.sleep(0.05)

    async def keep_writing(self, acknowledged: dict[str, str], prefix: str) -> None:
        """Write without an end; *acknowledged* holds what the cluster said yes to."""
        for number in range(1_000_000):
            key, value = f"{prefix}{number}", f"value {number}"
            await self.put(key, value)
            acknowledged[key] = value

    async def check(self, acknowledged: dict[str, str]) -> None:
        """Every acknowledged write is there."""
        found = await asyncio.gather(*(self.get(key) for key in acknowledged))
        lost = {key for key, value in zip(acknowledged, found, strict=True) if value is None}
        assert not lost, "acknowledged writes are lost"
        assert found == list(acknowledged.values())


@asynccontextmanager
async def local_lab(*, nodes: int = 3) -> AsyncIterator[Lab]:
    """Start local nodes, wait for a leader; end them and leave nothing."""
    cluster = LocalCluster.begin(nodes=nodes)
    try:
        await cluster.start(lambda line: None)
        lab = Lab(cluster)
        try:
            await lab.until(
                lambda: 0 in lab.view.shards and set(lab.shard.replicas) == set(lab.names)
            )
            await lab.leader()
            await lab.until(lab.all_follow)
            await lab.until(lab.all_hear)
            yield lab
        finally:
            await lab.close()
    finally:
        await cluster.close()
        assert left_over() == ([], [], []), "something was left behind"


def left_over() -> tuple[list[int], list[str], list[str]]:
    """Return what labs of this state directory left: processes, run files, data."""
    state = runs.state_directory()
    files = [path.name for path in (state / "runs").glob("*")]
    data = [path.name for path in (state / "data").glob("*")]
    return node_processes(state), files, data


def node_processes(state: Path) -> list[int]:
    """Return the processes whose data lie below *state*."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
            zombie = (place / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if os.fsencode(state) in command and not zombie:
            found.append(int(place.name))
    return found
