"""Go on from a past picture: the world is made again up to then, and its future is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from lab.chronicle import Chronicle
from lab.cluster.interface import ClusterError
from lab.observe.deck import Deck, Recorded
from lab.sim.cluster import SimCluster
from lab.sim.hands import Hands, Moment, replay
from lab.sim.watch import SimWatcher
from lolraft.sim import Violation

TELL_S = 0.5  # Of real time, until it is told how long it takes.
TURN_S = 0.02  # Of real time, before the screen gets a turn.


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What came of a return."""

    steps: int  # Done again.
    took_s: float
    dropped_s: float  # Of the cluster's time, which has not happened now.
    recorded: Recorded | None  # A file that ended, with the dropped future in it.


class Past:
    """
    Lead a simulated cluster, its watcher, tape and report back to any moment on the tape.

    The world is made of its seed and of what was done to it, in the same order; that it comes out
    the same is proven by its digest. So it takes as long as those actions take: no shorter for a
    moment that is near.
    """

    def __init__(
        self, cluster: SimCluster, watcher: SimWatcher, deck: Deck, chronicle: Chronicle
    ) -> None:
        """Begin to keep what leads back: nothing that happens before can be returned to."""
        self._cluster, self._watcher = cluster, watcher
        self._deck, self._chronicle = deck, chronicle
        self._under_way = False
        deck.mark = lambda: cluster.hands.moment()

    def why_not(self, position: int) -> str:
        """Return why *position* cannot be returned to, or nothing."""
        if self._under_way:
            return "time is already going back"
        playing = self._chronicle.playing
        if playing is not None and not playing.done():
            return "a scenario goes on here, and cannot go back with the world: wait for its end"
        if self._cluster.hands.is_full:
            return "too much was done to this world to do all of it again"
        if position not in self._deck.marks:
            return "this picture is older than all that can be made again"
        return ""

    async def return_to(self, position: int, tell: Callable[[str], None]) -> Return:
        """
        Make the world again as it was at *position*, and forget what came later.

        *tell* gets a sentence when it takes long. Where it cannot be done nothing has changed.

        Raises:
            ClusterError: why it cannot be done.
        """
        reason = self.why_not(position)
        if reason:
            raise ClusterError(reason)
        self._under_way = True
        try:
            return await self._return_to(position, tell)
        finally:
            self._under_way = False

    async def _return_to(self, position: int, tell: Callable[[str], None]) -> Return:
        moment = self._deck.marks[position]
        assert isinstance(moment, Moment), "a simulated cluster's marks are moments"
        cluster, began_s = self._cluster, monotonic()
        hands, time = cluster.boot_again()
        await self._catch_up(hands, moment, tell)
        view = self._deck.tape.picture_at(position).view
        dropped_s = self._watcher.view.now_s - view.now_s
        await cluster.enter(hands, time, view)
        self._watcher.go_back(view)
        recorded = None
        with suppress(OSError):  # The deck's next file says so itself.
            recorded = self._deck.go_back(position)
        self._chronicle.go_back(self._deck.tape.happenings(position))
        cluster.tell_change()
        self._watcher.report()
        return Return(
            steps=moment.steps,
            took_s=monotonic() - began_s,
            dropped_s=dropped_s,
            recorded=recorded,
        )

    async def _catch_up(self, hands: Hands, moment: Moment, tell: Callable[[str], None]) -> None:
        began_s = turned_s = monotonic()
        told = False
        try:
            for steps in replay(hands, self._cluster.hands.deeds, moment):
                now_s = monotonic()
                if now_s - turned_s < TURN_S:
                    continue
                if not told and now_s - began_s > TELL_S:
                    told = True
                    left_s = (now_s - began_s) * (moment.steps / max(1, steps) - 1)
                    tell(f"{moment.steps:,} steps are done again: about {left_s:.0f} s more")
                await asyncio.sleep(0)
                turned_s = monotonic()
        except Violation as broken:
            words = str(broken).partition("\n")[0]
            raise ClusterError(f"a promise breaks on the way: {words}") from broken
        except ValueError as other:
            raise ClusterError(f"{other}: the present stays") from other
