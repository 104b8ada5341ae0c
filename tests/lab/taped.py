"""A story of a simulated cluster, and a source that tells it happening by happening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

from lab.apps import kv
from lab.observe.deck import Deck
from lab.observe.fold import fold
from lab.observe.happenings import Happening, Noted
from lab.observe.view import ClusterView, EventView
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lab.tui.app import LabApp
from tests.lab.fakes import WORDS, FakeClient, FakeCluster
from tests.lab.screen import Lab

EPOCH_S = 1_800_000_000.0
FIRST = ClusterView(title="sim:4", backend="sim", verdict="UNKNOWN")
BROKEN = EventView(at_s=0.0, node=None, kind="violation", text="n1 and n2 lead in term 3")


@lru_cache(maxsize=1)
def story() -> tuple[Happening, ...]:
    """Return what happens in half a minute in which a leader dies and comes back."""
    with ThreadPoolExecutor(1) as beside:  # The test's own event loop runs here.
        return tuple(beside.submit(lambda: asyncio.run(_live())).result())


async def _live() -> list[Happening]:
    happenings: list[Happening] = []
    cluster = SimCluster(seed=4, speed=None)
    cluster.time._epoch_s = EPOCH_S  # The same times on every day.
    watcher = SimWatcher(cluster, on_happening=happenings.append)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        watcher.select(0, None, 80)
        await cluster.client().write(0, kv.put("a", "1"), timeout_s=20.0)
        await cluster.sleep(6.0)
        leader = watcher.view.shards[0].leader
        assert leader is not None
        await cluster.kill(leader)
        watcher.note(
            EventView(at_s=0.0, node=leader, kind="you", text=f"you: kill {leader}", by_you=True)
        )
        await cluster.sleep(8.0)
        await cluster.restart(leader)
        await cluster.sleep(16.0)
    finally:
        await watcher.stop()
        await cluster.close()
    return happenings


class TapedSource:
    """A watcher that sees the next happenings of the story when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.view = FIRST
        self.deck = Deck(FIRST, folder=folder)
        self.views: list[ClusterView] = [FIRST]  # As they were live, by position.
        self._left = list(reversed(story()))

    def go_on(self, count: int | None = None) -> bool:
        """Let *count* happenings happen, or all; return whether one did."""
        done = 0
        while self._left and (count is None or done < count):
            self.take(self._left.pop())
            done += 1
        return bool(done)

    def take(self, happening: Happening) -> None:
        """Let something happen."""
        self.view = fold(self.view, happening)
        self.views.append(self.view)
        self.deck.take(happening, self.view)

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        """Do nothing: the story has the logs of one shard."""

    def note(self, event: EventView) -> None:
        """Let it be on the timeline."""
        self.take(Noted(at_s=self.view.now_s, event=event))

    def break_a_promise(self) -> None:
        """Let the simulator's checkers say that a promise is broken."""
        self.note(BROKEN)


class SteerableCluster(FakeCluster):
    """A cluster whose time stands still; a step lets one thing happen."""

    def __init__(self, source: TapedSource) -> None:
        super().__init__(source.view)
        self._source = source
        self.speed: float | None = 0.0
        self.steps = 0

    def set_speed(self, speed: float | None) -> None:
        """Let time pass at *speed*."""
        self.speed = speed

    def step(self) -> bool:
        """Let the next thing of the story happen."""
        self.steps += 1
        return self._source.go_on(1)


def files(folder: Path) -> list[Path]:
    """Return what is in *folder*."""
    return sorted(folder.iterdir())


@asynccontextmanager
async def taped(
    folder: Path,
    happened: int | None = None,
    size: tuple[int, int] = (80, 24),
    *,
    steerable: bool = False,
) -> AsyncIterator[tuple[Lab, TapedSource]]:
    """Run the app on a source of which so much has *happened*."""
    source = TapedSource(folder)
    source.go_on(happened)
    cluster = SteerableCluster(source) if steerable else FakeCluster(source.view)
    client = FakeClient()
    app = LabApp(source, cluster, client, WORDS, deck=source.deck)
    async with app.run_test(size=size) as pilot:
        lab = Lab(app, pilot, source, cluster, client)  # type: ignore[arg-type]  # Of the same shape.
        await lab.until(lambda: "raft lab" in lab.text())
        await pilot.pause()
        yield lab, source
