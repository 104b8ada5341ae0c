"""`./log --reload`: which changes count, and how nodes are restarted after one."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab import reload
from lab.attach import taped
from lab.cluster.interface import NodeState
from lab.faults import FaultKind, Rhythm
from lab.observe.recording import read
from lab.observe.tape import Tape, view_digest
from lab.observe.view import EventView
from lab.options import parse
from lab.reload import Reloader, backend_of, changes, is_source, reloading
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lab.tui.paint import Look
from lab.tui.widgets.timeline import sign_of
from lolraft.errors import ConfigError
from tests.lab import demo
from tests.lab.screen import running

SAVED = ("raft/machine.py",)


class Nodes(SimCluster):
    """Simulated nodes; those whose name is in `broken` end with that line when they start."""

    def __init__(self, nodes: int = 3) -> None:
        super().__init__(nodes=nodes, seed=7, speed=None)
        self.broken: dict[str, str] = {}
        self.killed_then: set[str] = set()
        self.restarted: list[str] = []
        self.out: list[int] = []  # How many nodes did not run when each was restarted.
        self.on_restart: Callable[[str], None] = lambda name: None

    async def restart(self, name: str) -> None:
        self.restarted.append(name)
        self.on_restart(name)
        self.out.append(sum(node.state is not NodeState.RUNNING for node in self.nodes()))
        if name in self.broken:
            if self._handle(name).state is NodeState.RUNNING:
                await self.stop(name)
            self._set_state(name, NodeState.EXITED, self.broken[name])
        else:
            await super().restart(name)
        if name in self.killed_then:
            await self.kill(name)


class Bench:
    """Nodes, a reloader, and its changes, which the test makes."""

    def __init__(self, cluster: Nodes, watcher: SimWatcher) -> None:
        self.cluster, self.watcher = cluster, watcher
        self.saved: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        self.reloader = Reloader(cluster, watcher, self._changes())

    async def _changes(self) -> AsyncIterator[tuple[str, ...]]:
        while True:
            yield await self.saved.get()

    @property
    def events(self) -> list[EventView]:
        return [one for one in self.watcher.view.events if one.kind in ("reload", "failed")]

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events]

    async def until(self, condition: Callable[[], object]) -> None:
        until_s = self.cluster.now_s() + 100.0
        while not condition():
            assert self.cluster.now_s() < until_s, self.texts
            await self.cluster.sleep(0.1)

    async def until_said(self, text: str, times: int = 1) -> None:
        await self.until(lambda: sum(text in said for said in self.texts) >= times)


@asynccontextmanager
async def bench(record: Path | None = None) -> AsyncIterator[Bench]:
    cluster = Nodes()
    with taped(cluster, record) as (watcher, _):
        assert isinstance(watcher, SimWatcher)
        one = Bench(cluster, watcher)
        await cluster.start(lambda line: None)
        watcher.start()
        await one.until(lambda: reload.is_led(watcher.view, by_all=True))
        task = asyncio.ensure_future(one.reloader.run())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await watcher.stop()
            await cluster.close()


async def test_a_change_restarts_one_node_after_the_other() -> None:
    async with bench() as one:
        before = {node.name: node.epoch for node in one.watcher.view.nodes}
        back: list[bool] = []
        one.cluster.on_restart = lambda name: back.append(
            all(
                not reload.why_not_back(one.watcher.view, other, before[other])
                for other in one.cluster.restarted[:-1]
            )
        )
        one.saved.put_nowait(("raft/core.py", "raft/machine.py", "trace.py"))
        await one.until_said("n3 restarted")
        assert one.texts == [
            "reload: raft/core.py and 2 more changed",
            "n1 restarted by reload",
            "n2 restarted by reload",
            "n3 restarted by reload",
        ]
        assert [event.node for event in one.events] == [None, "n1", "n2", "n3"]
        assert back == [True, True, True], "those before it are, at each restart"
        assert one.cluster.out == [0, 0, 0]
        after = {node.name: node.epoch for node in one.watcher.view.nodes}
        assert after == {name: epoch + 1 for name, epoch in before.items()}
        assert reload.is_led(one.watcher.view)
        assert one.watcher.view.verdict == "SAFE"


async def test_a_node_is_back_when_it_reports_and_follows_and_all_shards_are_led() -> None:
    async with bench() as one:
        view = one.watcher.view
        epoch, shard = view.nodes[0].epoch, view.shards[0]
        assert reload.why_not_back(view, "n1", epoch - 1) == ""
        assert reload.why_not_back(view, "n1", epoch) == "it does not report", "its last life did"
        silent = replace(view.nodes[0], reported_at_s=None)
        unseen = replace(view, nodes=(silent, *view.nodes[1:]))
        assert reload.why_not_back(unseen, "n1", epoch - 1) == "it does not report"
        alone = {**shard.replicas, "n1": replace(shard.replicas["n1"], leader=None)}
        lost = replace(view, shards={0: replace(shard, replicas=alone)})
        assert reload.why_not_back(lost, "n1", epoch - 1) == "it hears of no leader"
        of_others = replace(shard, shard_id=1, voters=("n2", "n3"), leader=None)
        unled = replace(view, shards={0: shard, 1: of_others})
        assert reload.why_not_back(unled, "n1", epoch - 1) == "not every shard is led"


async def test_the_next_node_waits_until_the_one_before_follows_again() -> None:
    async with bench() as one:
        await one.cluster.isolate("n1")
        await one.until(lambda: one.watcher.view.shards[0].leader not in (None, "n1"))
        one.saved.put_nowait(SAVED)
        await one.until_said("reload stopped")
        assert one.texts[-1] == (
            "reload stopped at n1: it hears of no leader, after 20 s · the next change tries again"
        )
        assert one.cluster.restarted == ["n1"]


async def test_a_shard_without_a_leader_ends_the_round() -> None:
    async with bench() as one:
        leader = one.watcher.view.shards[0].leader
        others = [name for name in ("n1", "n2", "n3") if name != leader]
        for name in others:
            await one.cluster.pause(name)
        one.saved.put_nowait(SAVED)
        await one.until_said("reload stopped")
        assert one.texts[-1].startswith(f"reload stopped at {leader}: it hears of no leader")
        assert one.cluster.restarted == [leader]
        assert sorted(text for text in one.texts if "left alone" in text) == [
            f"reload: {name} is left alone: it is paused" for name in others if name < leader
        ]


async def test_changes_that_come_meanwhile_make_one_more_round() -> None:
    async with bench() as one:
        one.cluster.on_restart = lambda name: (
            one.saved.put_nowait(("app.py",)) if one.cluster.restarted == ["n1"] else None
        )
        one.saved.put_nowait(SAVED)
        await one.until_said("n3 restarted", times=2)
        assert one.cluster.restarted == ["n1", "n2", "n3"] * 2
        assert one.texts[4] == "reload: app.py changed"


async def test_a_node_that_does_not_come_up_stops_the_round_and_the_next_begins_with_it() -> None:
    async with bench() as one:
        one.cluster.broken["n2"] = "SyntaxError: '(' was never closed"
        one.saved.put_nowait(SAVED)
        await one.until_said("reload stopped")
        assert one.texts[-1] == (
            "reload stopped at n2: SyntaxError: '(' was never closed · the next change tries again"
        )
        assert (one.events[-1].kind, one.events[-1].node) == ("failed", "n2")
        assert one.cluster.restarted == ["n1", "n2"]
        one.cluster.broken.clear()
        one.saved.put_nowait(SAVED)
        await one.until_said("n3 restarted")
        assert one.cluster.restarted[2:] == ["n2", "n1", "n3"]
        assert one.cluster.out[2:] == [1, 0, 0]


async def test_what_the_user_broke_is_left_alone() -> None:
    async with bench() as one:
        await one.cluster.kill("n2")
        one.saved.put_nowait(SAVED)
        await one.until_said("n3 restarted")
        assert one.texts[2] == "reload: n2 is left alone: it is killed"
        assert one.cluster.restarted == ["n1", "n3"]
        await one.cluster.restart("n2")
        await one.cluster.disturb(FaultKind.CRASH_LOOP, ("n1",), Rhythm(period_s=1_000.0))
        one.saved.put_nowait(SAVED)
        await one.until_said("in a crash loop")


async def test_one_that_is_killed_while_it_is_waited_for_ends_the_round() -> None:
    async with bench() as one:
        one.cluster.killed_then.add("n1")
        one.saved.put_nowait(SAVED)
        await one.until_said("reload stopped at n1: it is killed now")
        assert one.cluster.restarted == ["n1"]


async def test_the_recording_of_a_round_replays_as_it_was_seen(tmp_path: Path) -> None:
    async with bench(tmp_path / "f") as one:
        one.cluster.broken["n3"] = "SyntaxError"
        one.saved.put_nowait(SAVED)
        await one.until_said("reload stopped")
        seen, events = view_digest(one.watcher.view), one.watcher.view.events
    found = read(tmp_path / "f")
    tape = Tape(found.first)
    digests = []
    for happening in found.happenings:
        tape.take(happening)
        digests.append(view_digest(tape.newest.view))
    assert seen in digests
    assert [one for one in events if one.kind == "reload"] == [
        one for one in tape.newest.view.events if one.kind == "reload"
    ]


async def test_leaving_in_the_middle_lets_a_restart_come_to_its_end() -> None:
    """A cluster that is left running has all its nodes."""
    stopped, may_start = asyncio.Event(), asyncio.Event()
    started: list[str] = []

    class Slow(Nodes):
        async def restart(self, name: str) -> None:
            stopped.set()
            await may_start.wait()
            started.append(name)

    cluster = Slow()
    await cluster.start(lambda line: None)
    one = Bench(cluster, SimWatcher(cluster))
    task = asyncio.ensure_future(one.reloader.run())
    one.saved.put_nowait(SAVED)
    await stopped.wait()
    task.cancel()
    await asyncio.sleep(0)
    may_start.set()
    await asyncio.gather(task, return_exceptions=True)
    assert started == ["n1"]
    await cluster.close()


def test_what_is_told_has_signs_of_its_own() -> None:
    look = Look()
    done = EventView(at_s=0.0, node="n1", kind="reload", text="n1 restarted by reload", by_you=True)
    assert sign_of(done, look)[0] == look.glyphs.reload == "↻"
    failed = EventView(at_s=0.0, node="n1", kind="failed", text="reload stopped at n1: ...")
    assert sign_of(failed, look) == (look.glyphs.no_leader, look.harm)


async def test_the_timeline_keeps_its_sign_when_the_others_hear_the_node_again() -> None:
    view = demo.cluster()
    heard = EventView(at_s=view.now_s - 4.9, node="n2", kind="trusted", text="n1 is heard by n2")
    done = replace(heard, at_s=view.now_s - 5.0, node="n1", kind="reload", text="n1 restarted")
    async with running(replace(view, faults=(), events=(done, heard)), size=(80, 24)) as lab:
        await lab.press("3")
        lane = next(line for line in lab.text().splitlines() if " 1  ──" in line)
        assert lane.count("↻") == 1
        assert "●" not in lane


# --- watching files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("raft/machine.py", True),
        ("node.py", True),
        ("raft/__pycache__/machine.py", False),
        ("raft/machine.pyc", False),
        ("rpc/pb/observe_pb2.py", False),
        ("tests/help.py", False),
        ("raft/test_machine.py", False),
        ("raft/.#machine.py", False),
        ("py.typed", False),
    ],
)
def test_only_sources_count(path: str, counts: bool) -> None:
    assert is_source(Path(path)) is counts


async def test_saves_of_one_moment_are_one_change_and_later_ones_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "QUIET_MS", 1_000)  # A loaded machine may be slow in between.
    place = tmp_path / "tests" / "lolraft"  # What stands above it does not matter.
    (place / "rpc" / "pb").mkdir(parents=True)
    found = changes(place)
    first = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0)
    for name in ("b.py", "notes.txt", "rpc/pb/x_pb2.py", "a.py"):
        (place / name).write_text("1")
        await asyncio.sleep(0.03)  # As a formatter is that runs at a save.
    async with asyncio.timeout(20):
        assert await first == ("a.py", "b.py")
    (place / "c.py").write_text("1")
    await asyncio.sleep(0.5)  # Nobody waits for a change now, and this one is not lost.
    (place / "d.py").write_text("1")
    async with asyncio.timeout(20):
        assert await anext(found) == ("c.py", "d.py")


async def test_a_context_restarts_only_when_it_is_wanted(tmp_path: Path) -> None:
    cluster = Nodes()
    await cluster.start(lambda line: None)
    watcher = SimWatcher(cluster)
    watcher.start()
    async with reloading(cluster, watcher, wanted=False, place=tmp_path):
        (tmp_path / "a.py").write_text("1")
    assert watcher.view.events == ()
    async with reloading(cluster, watcher, wanted=True, place=tmp_path), asyncio.timeout(20):
        (tmp_path / "b.py").write_text("1")
        while not cluster.restarted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [event.text for event in watcher.view.events if event.kind == "reload"][:2] == [
        f"reload: watching {tmp_path}",
        "reload: b.py changed",
    ]
    await cluster.close()


async def test_a_place_that_cannot_be_watched_is_said(tmp_path: Path) -> None:
    cluster = Nodes()
    watcher = SimWatcher(cluster)
    reloader = Reloader(cluster, watcher, changes(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError):
        await reloader.run()
    assert watcher.view.events[-1].text.startswith("reload ended: ")
    await cluster.close()


# --- the command line ----------------------------------------------------------------------------


def options(*arguments: str) -> argparse.Namespace:
    return parse(list(arguments))


def test_reload_takes_the_backend_that_can() -> None:
    assert backend_of(options()) == "auto"
    assert backend_of(options("--backend", "sim")) == "sim"
    assert backend_of(options("--reload")) == "local"
    assert backend_of(options("--reload", "--backend", "local")) == "local"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--backend", "docker"), "the code in their image"),
        (("--backend", "sim"), "are part of the lab"),
        (("--seed", "7"), "are part of the lab"),
        (("--connect", "a:1"), "restart them where they run"),
        (("--scenario", "leader_dies"), "leave out one"),
    ],
)
def test_other_backends_say_why_not(arguments: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        backend_of(options("--reload", *arguments))
