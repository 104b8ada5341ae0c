"""What happens in one run, told to all who listen: a recording, a report, a stream of lines."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lab.observe.happenings import Happening, Ticked
from lab.observe.view import ClusterView
from lab.report.gather import Gather, gathered
from lab.workload.telling import Teller
from lab.workload.view import LoadView

if TYPE_CHECKING:
    from lab.scenarios.play import Outcome

Listener = Callable[[Happening, ClusterView], None]


class Chronicle:
    """
    Pass every happening on, and between them what the load measured, once a second.

    Whoever has a load sets `load`; whoever watches the cluster sets `view`. It is also where those
    parts of a session meet that begin after one another: scenario, screen, and the way back.
    """

    def __init__(self) -> None:
        self.gather = Gather()
        self.listeners: list[Listener] = [self.gather.take]
        self.load: Callable[[], LoadView] = LoadView
        self.view: Callable[[], ClusterView] = ClusterView
        self.playing: Future[Outcome] | None = None  # A scenario, on this cluster.
        self.stand_still: Callable[[], None] = lambda: None  # Set by the screen: holds time.
        self._teller = Teller()
        self._second = 0
        self._is_finished = False

    def take(self, happening: Happening) -> None:
        """Pass one happening on, with the picture after it."""
        if self._is_finished:
            return
        self._tell(happening)
        if isinstance(happening, Ticked) and int(happening.at_s) > self._second:
            self._second = int(happening.at_s)
            self._tell_load(happening.at_s)

    def go_back(self, told: Iterable[tuple[Happening, ClusterView]]) -> None:
        """Let only what is *told* have happened, and gather it anew."""
        former, self.gather = self.gather, gathered(told)
        self.listeners[self.listeners.index(former.take)] = self.gather.take
        self._second = int(self.view().now_s)
        self._teller = Teller()

    def finish(self) -> None:
        """Tell of the load as it is in the end; how the lab cleans up belongs to no story."""
        if not self._is_finished:
            self._tell_load(self.view().now_s, final=True)
        self._is_finished = True

    def _tell_load(self, at_s: float, *, final: bool = False) -> None:
        told = self._teller.news(self.load(), at_s, final=final)
        if told is not None:
            self._tell(told)

    def _tell(self, happening: Happening) -> None:
        view = self.view()
        for listener in self.listeners:
            listener(happening, view)
