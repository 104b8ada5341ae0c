"""The watcher over nodes that vanish, come back, hang, move, refuse and talk nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from lab.apps import kv
from lab.cluster.interface import ClusterError, NodeState
from lab.cluster.rules import RuleBoard, Rules
from lab.faults import CUT
from lab.observe import watch
from lab.observe.happenings import Happening, LogsFetched, Reported, WatchBroke
from lab.observe.view import NodeView
from lab.observe.watch import Watcher
from lolraft.config import Tls
from lolraft.raft.types import EntryKind
from lolraft.rpc.pb import observe_pb2
from tests.unit.lab.fake_node import FakeNode, FakeNodes

PATIENCE_S = 15.0


class Watching:
    """A watcher, and everything that happened to it."""

    def __init__(self, cluster: FakeNodes) -> None:
        self.happened: list[Happening] = []
        self.watcher = Watcher(cluster, on_happening=self.happened.append)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def node(self, name: str = "n1") -> NodeView:
        node = self.watcher.view.node(name)
        assert node is not None
        return node

    def count(self, kind: type[Happening]) -> int:
        return sum(isinstance(item, kind) for item in self.happened)


@asynccontextmanager
async def watching(cluster: FakeNodes) -> AsyncIterator[Watching]:
    seen = Watching(cluster)
    seen.watcher.start()
    try:
        yield seen
    finally:
        await seen.watcher.stop()


def command(*keys: str) -> observe_pb2.LogRange:
    payloads = [kv.put(key, "v") for key in keys]
    count = len(keys)
    return observe_pb2.LogRange(
        first=1,
        last_index=count,
        commit_index=count,
        terms=[1] * count,
        kinds=bytes([EntryKind.COMMAND]) * count,
        payloads=payloads,
        sizes=[len(payload) for payload in payloads],
    )


async def test_a_node_that_vanishes_grows_old_and_is_found_again() -> None:
    async with FakeNode() as node, watching(FakeNodes(node)) as seen:
        await seen.until(lambda: seen.node().epoch == 1)
        await node.stop()
        await seen.until(lambda: seen.count(WatchBroke))
        reported_at_s = seen.node().reported_at_s
        assert reported_at_s is not None
        await seen.until(lambda: seen.watcher.view.shards[0].status == "no-quorum")
        assert seen.node().reported_at_s == reported_at_s
        assert "n1" in seen.watcher.view.shards[0].replicas, "its last picture stays"
        node.epoch = 2
        await node.start()
        await seen.until(lambda: seen.node().epoch == 2)
        assert seen.watcher.view.shards[0].status == "ok"
        assert seen.watcher.view.verdict == "SAFE"


async def test_tls_files_that_are_gone_are_said_and_nodes_found_again_with_them(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "missing.pem"
    tls = Tls(certificate=missing, key=missing, ca=missing)
    async with FakeNode() as node:
        cluster = FakeNodes(node)
        cluster.tls = tls
        async with watching(cluster) as seen:
            seen.watcher.select(0, 1, 10)
            await seen.until(lambda: seen.count(WatchBroke) >= 2 and seen.count(LogsFetched))
            broke = next(item for item in seen.happened if isinstance(item, WatchBroke))
            assert broke.reason == f"cannot read {missing}: No such file or directory"
            board = RuleBoard(cluster.nodes, tls)
            with pytest.raises(ClusterError, match=f"n1: cannot read {missing}"):
                await board.set(Rules(links=(("n1", "n1", CUT),)))
            await board.close()
            cluster.tls = None
            await seen.until(lambda: seen.node().epoch == 1)


async def test_a_stream_that_ends_in_order_is_dialled_again_and_not_in_a_frenzy() -> None:
    loop = asyncio.get_running_loop()
    async with FakeNode() as node, watching(FakeNodes(node)) as seen:
        began_s = loop.time()
        for count in range(1, 5):
            await seen.until(lambda: node.watches >= count and seen.count(Reported) >= count)  # noqa: B023
            node.say(None)
        # Only too fast is wrong: a pause is never shorter than it was asked to be.
        assert loop.time() - began_s >= 3 * 0.9 * watch.AGAIN_S


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.PERMISSION_DENIED],
)
async def test_a_node_that_refuses_is_asked_again(code: grpc.StatusCode) -> None:
    async with FakeNode() as node:
        node.refusing = (code, "not now")
        async with watching(FakeNodes(node)) as seen:
            await seen.until(lambda: seen.count(WatchBroke) >= 2)
            broke = next(item for item in seen.happened if isinstance(item, WatchBroke))
            assert broke.reason == "not now"
            node.refusing = None
            await seen.until(lambda: seen.node().epoch == 1)


async def test_a_node_that_falls_silent_without_a_word_is_dialled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection can die without anybody telling: the stream stays open, and empty."""
    monkeypatch.setattr(watch, "SILENT_S", 0.3)
    async with FakeNode() as node, watching(FakeNodes(node)) as seen:
        await seen.until(lambda: node.watches >= 3)
        assert seen.count(WatchBroke) >= 2


async def test_a_node_that_moves_is_watched_at_its_new_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "SILENT_S", 0.3)
    async with FakeNode() as old, FakeNode() as new:
        new.epoch = 2
        cluster = FakeNodes(old)
        async with watching(cluster) as seen:
            await seen.until(lambda: seen.node().epoch == 1)
            cluster.fakes = [new]  # The old place is silent, and does not close.
            cluster.changed()
            await seen.until(lambda: seen.node().epoch == 2)
            assert seen.watcher.view.verdict == "SAFE"


async def test_a_dead_node_is_not_dialled_and_one_that_joins_is() -> None:
    async with FakeNode("n1") as one, FakeNode("n2") as two:
        cluster = FakeNodes(one)
        cluster.states[1] = NodeState.KILLED
        async with watching(cluster) as seen:
            cluster.fakes.append(two)
            cluster.changed()
            await seen.until(lambda: seen.node("n2").epoch == 1)
            assert one.watches == 0
            cluster.states.clear()
            cluster.changed()
            await seen.until(lambda: seen.node("n1").epoch == 1)


async def test_the_selected_shards_log_is_fetched_and_described() -> None:
    async with FakeNode() as node, watching(FakeNodes(node)) as seen:
        node.log = command("a", "b")
        seen.watcher.select(0, 1, 10)
        await seen.until(
            lambda: (
                "n1" in seen.watcher.view.logs
                and "put a" in seen.watcher.view.logs["n1"].entries[0].text
            )
        )
        entries = seen.watcher.view.logs["n1"].entries
        assert [(entry.index, entry.kind) for entry in entries] == [(1, "command"), (2, "command")]
        seen.watcher.select(None, None, 0)


def broken(change: str) -> observe_pb2.LogRange:
    """Return a log of two entries with something wrong about it."""
    log = command("a", "b")
    if change == "an unknown kind":
        log.kinds = bytes([EntryKind.COMMAND, 99])
    elif change == "fewer terms":
        del log.terms[1:]
    elif change == "fewer payloads":
        del log.payloads[:]
    elif change == "fewer sizes":
        del log.sizes[:]
    elif change == "no json":
        log.payloads[0] = b"\xff\x00{"
        log.sizes[0] = 3
    return log


@pytest.mark.parametrize(
    "change", ["an unknown kind", "fewer terms", "fewer payloads", "fewer sizes", "no json"]
)
async def test_a_log_that_makes_no_sense_does_not_end_the_fetching(change: str) -> None:
    async with FakeNode("n1") as one, FakeNode("n2") as two:
        one.log, two.log = broken(change), command("good")
        async with watching(FakeNodes(one, two)) as seen:
            seen.watcher.select(0, 1, 10)
            await seen.until(lambda: "n2" in seen.watcher.view.logs)
            one.log = command("mended")
            await seen.until(
                lambda: (
                    "n1" in seen.watcher.view.logs
                    and any(
                        "mended" in entry.text for entry in seen.watcher.view.logs["n1"].entries
                    )
                )
            )


async def test_stopping_ends_every_task() -> None:
    async with FakeNode() as node:
        before = asyncio.all_tasks()
        async with watching(FakeNodes(node)) as seen:
            await seen.until(lambda: seen.node().epoch == 1)
        left = {task for task in asyncio.all_tasks() - before if "watch" in repr(task.get_coro())}
        assert not left
