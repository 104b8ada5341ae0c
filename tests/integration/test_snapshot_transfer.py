"""Snapshots between real nodes: bounded memory, resumed, checked, for several at once (§5)."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lolraft.multiraft.effects import Tell
from lolraft.raft.types import Clock, NodeId, ShardId
from lolraft.runtime import fetch
from lolraft.runtime.transport import SnapshotPiece, TransportError
from tests.integration.cluster import Cluster, Diary

MIB = 1024 * 1024
CHUNK_BYTES = 100_000
SNAPSHOT_BYTES = 640 * CHUNK_BYTES
BOUND_BYTES = 16 * MIB
"""What both nodes, which share this process, may hold of it at once: pieces, and what gRPC has."""


class Endless(Diary):
    """A diary whose snapshots have a long tail that is made while it is read, and never kept."""

    served = taken = most = 0
    hold: asyncio.Event | None = None

    def open_snapshot(self, index: int) -> Iterator[bytes]:
        yield b"".join(super().open_snapshot(index)) + b"\0"
        for number in range(SNAPSHOT_BYTES // CHUNK_BYTES):
            Endless.served += CHUNK_BYTES
            Endless.most = max(Endless.most, Endless.served - Endless.taken)
            yield b"%05d" % number * (CHUNK_BYTES // 5)

    async def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> None:
        async def body() -> AsyncIterator[bytes]:
            head = b""
            async for chunk in chunks:
                start, end, _ = chunk.partition(b"\0")
                if not head:
                    assert end, "the first piece has all of the diary"
                    head = start
                    yield head
                Endless.taken += len(chunk)
                if Endless.taken > SNAPSHOT_BYTES // 2 and Endless.hold is not None:
                    await Endless.hold.wait()

        await super().save_snapshot(index, body())


def endless(shard_id: ShardId, directory: Path) -> Endless:
    return Endless(directory)


class Source:
    """Stand where a node's pieces leave: count the offsets that are asked for, and break things."""

    def __init__(self, cluster: Cluster, node_id: NodeId) -> None:
        driver = cluster.nodes[node_id].driver
        self._serve = driver.serve_snapshot
        self.offsets: list[int] = []
        self.plans: deque[str] = deque()  # Of the next streams: break, corrupt.
        self.open = self.most_open = 0
        self.together = 1
        self.all_open = asyncio.Event()
        driver.serve_snapshot = self.serve  # type: ignore[method-assign]

    async def serve(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        self.offsets.append(offset)
        plan = self.plans.popleft() if self.plans else ""
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        if self.open >= self.together:
            self.all_open.set()
        count = 0
        try:
            async for piece in self._serve(shard_id, clock, group, offset):
                if count == 1:
                    await self.all_open.wait()
                if plan == "corrupt" and count == 2:
                    piece = replace(piece, data=bytes(len(piece.data)))
                yield piece
                count += 1
                if plan == "break" and count == 3:
                    raise TransportError("the stream breaks")
        finally:
            self.open -= 1


async def with_a_snapshot(cluster: Cluster) -> tuple[NodeId, bytes]:
    """Let the only node have a snapshot that no log reaches behind; return it and the state."""
    (node,) = cluster.ids
    for number in range(20):
        await cluster.write(b"line %d" % number)
    await cluster.read(b"snapshot")
    await cluster.until(lambda: cluster.shard(node).snapshot_index > 1)
    await cluster.write(b"after it")
    return node, await cluster.read()


async def join(cluster: Cluster, leader: NodeId) -> NodeId:
    joined = cluster.new_id()
    await cluster.start(joined)
    await cluster.add(joined, to=leader)
    return joined


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RETRY_S", 0.01)
    Endless.served = Endless.taken = Endless.most = 0
    Endless.hold = None


async def test_a_snapshot_larger_than_the_bound_is_never_in_memory(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1, app=endless) as cluster:
        leader, expected = await with_a_snapshot(cluster)
        tracemalloc.start()
        try:
            joined = await join(cluster, leader)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert await cluster.read(node_id=joined) == expected
        assert Endless.taken >= SNAPSHOT_BYTES
        assert Endless.most < BOUND_BYTES
        assert peak_bytes < BOUND_BYTES


async def test_a_reader_that_stands_still_does_not_fill_the_memory(tmp_path: Path) -> None:
    """The writer's half waits too: what is on its way stays bounded however long that takes."""
    async with Cluster(tmp_path, 1, app=endless) as cluster:
        leader, expected = await with_a_snapshot(cluster)
        Endless.hold = asyncio.Event()
        joined = cluster.new_id()
        await cluster.start(joined)
        adding = asyncio.create_task(cluster.add(joined, to=leader))
        await cluster.until(lambda: Endless.taken > SNAPSHOT_BYTES // 2)
        served, quiet = 0, 0
        while quiet < 10:  # Until nothing more is read for a while, which must come.
            await asyncio.sleep(0.01)
            quiet = quiet + 1 if Endless.served == served else 0
            served = Endless.served
        assert served < SNAPSHOT_BYTES
        assert Endless.most < BOUND_BYTES
        assert await cluster.write(b"the loop goes on")
        Endless.hold.set()
        await adding
        assert await cluster.read(node_id=joined) == expected + b"\nthe loop goes on"


async def test_a_broken_stream_is_taken_up_where_it_broke(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1, app=endless) as cluster:
        leader, expected = await with_a_snapshot(cluster)
        source = Source(cluster, leader)
        source.plans.extend(("break", "break"))
        joined = await join(cluster, leader)
        assert await cluster.read(node_id=joined) == expected
        assert source.offsets == [0, 3 * fetch.PIECE_BYTES, 6 * fetch.PIECE_BYTES]
        assert Endless.taken < SNAPSHOT_BYTES + MIB, "nothing was taken twice"


async def test_one_corrupted_piece_is_noticed_and_nothing_of_it_installed(tmp_path: Path) -> None:
    async with Cluster(tmp_path, 1, app=endless) as cluster:
        leader, expected = await with_a_snapshot(cluster)
        source = Source(cluster, leader)
        source.plans.append("corrupt")
        joined = cluster.new_id()
        node = await cluster.start(joined)
        told: list[Tell] = []
        node.driver.subscribe(told.append)
        await cluster.add(joined, to=leader)
        assert await cluster.read(node_id=joined) == expected
        (lost,) = [tell for tell in told if tell.kind == "snapshot_lost"]
        assert "checksum" in lost.text
        assert source.offsets == [0, 0], "all of it again: who knows what else is wrong"


def are_dead(cluster: Cluster, leader: NodeId, names: list[NodeId]) -> bool:
    """Return whether the leader's detector has given up on all of these."""
    report = cluster.nodes[leader].driver.machine.report(time.monotonic())
    return all(peer.phi > peer.threshold for peer in report.peers if peer.peer in names)


async def test_several_followers_fetch_at_once(tmp_path: Path) -> None:
    async with Cluster(tmp_path, app=endless) as cluster:
        leader = await cluster.leader()
        await cluster.write(b"before")
        joined = [cluster.new_id() for _ in range(2)]
        for name in joined:
            await cluster.start(name)
            await cluster.add(name, to=leader)
        await cluster.settled()
        for name in joined:
            await cluster.crash(name)
        await cluster.until(lambda: are_dead(cluster, leader, joined))  # No tail is kept for them.
        await cluster.write(b"while they are away")
        await cluster.read(b"snapshot", node_id=leader)
        await cluster.until(lambda: cluster.shard(leader).snapshot_index > 1)
        await cluster.write(b"after it")
        expected = await cluster.read()
        source = Source(cluster, leader)
        source.together = 2  # Neither gets its second piece before both have begun.
        await asyncio.gather(*map(cluster.start, joined))
        await cluster.settled()
        for name in joined:
            assert await cluster.read(node_id=name) == expected
        assert source.most_open == 2
