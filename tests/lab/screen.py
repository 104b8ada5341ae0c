"""Run the screen without a terminal, over fakes, and read it as text."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from textual.pilot import Pilot

from lab.observe.view import ClusterView
from lab.tui.app import LabApp
from lab.tui.memory import Memory
from lab.tui.ports import Leaving
from lab.tui.rate import Rate
from tests.lab import demo
from tests.lab.fakes import WORDS, FakeClient, FakeCluster, FakeSource

DEADLINE_S = 10.0


@dataclass
class Driven:
    """The app under test, its keyboard and its screen."""

    app: LabApp
    pilot: Pilot[Leaving]
    deadline_s: ClassVar[float] = DEADLINE_S

    async def press(self, *keys: str) -> None:
        """Press keys and let the screen settle."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for *condition*, but not for ever."""
        end = time.monotonic() + self.deadline_s
        while not condition():
            assert time.monotonic() < end, f"not within {self.deadline_s} s:\n{self.text()}"
            await self.pilot.pause()

    def text(self) -> str:
        """Return what is on the screen, without trailing spaces."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)


@dataclass
class Lab(Driven):
    """The app over fakes."""

    source: FakeSource
    cluster: FakeCluster
    client: FakeClient

    def show(self, view: ClusterView) -> None:
        """Let the source have *view*, and the screen look."""
        self.source.view = view
        self.app.tick()

    @property
    def toasts(self) -> str:
        """Return what was notified."""
        notes = self.app._notifications
        return "\n".join(f"{note.title}: {note.message}" for note in notes)


@asynccontextmanager
async def running(
    view: ClusterView | None = None,
    size: tuple[int, int] = (80, 24),
    *,
    ascii_glyphs: bool = False,
    memory: Memory | None = None,
) -> AsyncIterator[Lab]:
    """Run the app on *view* (the five nodes in trouble, unless told otherwise)."""
    view = demo.cluster() if view is None else view
    source, cluster, client = FakeSource(view), FakeCluster(view), FakeClient()
    app = LabApp(source, cluster, client, WORDS, ascii_glyphs=ascii_glyphs, memory=memory)
    app._phi = demo.history(view)
    app.rate = Rate(4, clock=count(step=0.25).__next__)  # A busy machine is not what is tested.
    async with app.run_test(size=size) as pilot:
        lab = Lab(app, pilot, source, cluster, client)
        await lab.until(lambda: "raft lab" in lab.text() or "UNSAFE" in lab.text())
        await pilot.pause()
        yield lab
