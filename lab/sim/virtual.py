"""Virtual time that an event loop can wait on: held, slower, faster, or one event at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lab.cluster.interface import ClusterError
from lolraft.sim.clock import Action, Clock
from lolraft.sim.course import Player

FRAME_S = 0.02  # Of real time, between two advances.
MOST_S = 0.5  # Of virtual time in one advance: the screen must not wait for it.
QUANTUM_S = 0.01  # Of virtual time in one advance, as fast as possible.
LOOK_S = 0.25  # Of real time, between two ticks at most: slow time is to be seen moving.
AT_ONCE = 200  # Actions, before the screen gets a turn.
SETTLING = 4  # Turns of the event loop in which what woke up says what it wants next.

Answer = TypeVar("Answer")


class VirtualTime:
    """
    Advance a simulated world beside an event loop.

    `speed` is virtual seconds per second; 0 holds the world, None lets it run as fast as it can.
    Whoever waits with `sleep` waits in virtual time. *on_tick* is called every *tick_s* of it. With
    a *player* time passes as the world's course wants, and comes to an end with it. The world
    begins at *starts_s*, in seconds since 1970, or now: two runs of one seed can be equal.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        speed: float | None,
        tick_s: float,
        on_tick: Callable[[], None],
        on_failure: Callable[[Exception], None],
        player: Player | None = None,
        on_over: Callable[[], None] = lambda: None,
        after: Callable[[float, Action], None] | None = None,
        epoch_s: float | None = None,
    ) -> None:
        """
        Stand still until `start`.

        *after* is how who waits is woken in the world, *epoch_s* what wall clocks show at its zero.
        """
        self.speed = speed
        self.is_over = False  # The course has come to its end, and no promise was broken.
        self._clock = clock
        self._player = player
        self._on_over = on_over
        self._tick_s = tick_s
        self._on_tick = on_tick
        self._on_failure = on_failure
        self._after = after or clock.after
        self._epoch_s = time.time() - clock.now_s if epoch_s is None else epoch_s
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.failure: str | None = None  # A promise was broken: time stands still for good.

    @property
    def wall_s(self) -> float:
        """Return virtual time as seconds since 1970, as reports of real nodes carry it."""
        return self._epoch_s + self._clock.now_s

    @property
    def epoch_s(self) -> float:
        """Return what wall clocks show when the world's clock is at zero."""
        return self._epoch_s

    def start(self) -> None:
        """Let time pass from now on."""
        self.set_ticking()
        self.run()

    def set_ticking(self) -> None:
        """Let the world's clock tick."""
        self._clock.after(self._tick_s, self._tick)

    def run(self) -> None:
        """Let time pass by itself, in a world that ticks."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Let no more time pass."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sleep(self, delay_s: float) -> None:
        """
        Wait for *delay_s* seconds of virtual time.

        Raises:
            ClusterError: time stands still for good.
        """
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._after(delay_s, lambda: None if woken.done() else woken.set_result(None))
        await self.wait(woken)

    async def wait(self, future: asyncio.Future[Answer]) -> Answer:
        """
        Wait for what something in the world will set.

        Raises:
            ClusterError: time stands still for good, so it never will.
        """
        if self.failure is not None:
            raise ClusterError(f"the world has ended: {self.failure}")
        self._waiting[id(future)] = future
        try:
            return await future
        finally:
            del self._waiting[id(future)]

    def give_up(self, why: str) -> None:
        """Wake all who wait: what they wait for will never come."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ClusterError(why))

    def step(self) -> bool:
        """Do the next thing that happens anywhere in the world; time is held by the caller."""
        return not self.stands and self._guarded((self._player or self._clock).step)

    async def run_to(self, done: Callable[[], bool], within_s: float) -> bool:
        """Do one thing after another until *done*, or until *within_s* seconds have passed."""
        until_s = self._clock.now_s + within_s
        actions = 0
        while not done() and self._clock.now_s < until_s and self.step():
            actions += 1
            if actions % AT_ONCE == 0:
                await asyncio.sleep(0)
        return done()

    @property
    def stands(self) -> bool:
        """Return whether time stands still for good."""
        return self.is_over or self.failure is not None

    def _tick(self) -> None:
        self._clock.after(self._tick_s, self._tick)
        self._on_tick()

    def _guarded(self, action: Callable[[], bool]) -> bool:
        try:
            did = action()
        except Exception as broken:  # A checker's `Violation`, or our own mistake: both are shown.
            self.failure = str(broken).partition("\n")[0]
            self.give_up(f"the world has ended: {self.failure}")
            self._on_failure(broken)
            return False
        if self._player is not None and self._player.is_over:
            self.is_over = True
            self._on_over()
        return did

    async def _run(self) -> None:
        at_s = looked_s = time.monotonic()
        while not self.stands:
            if self.speed is None:
                self._advance(QUANTUM_S)
                for _ in range(SETTLING):
                    await asyncio.sleep(0)
                continue
            await asyncio.sleep(FRAME_S)
            passed_s, at_s = time.monotonic() - at_s, time.monotonic()
            if not self.speed:  # It may have changed meanwhile.
                continue
            self._advance(min(passed_s * self.speed, MOST_S))
            if self.speed < 1 and at_s - looked_s >= LOOK_S:
                looked_s = at_s
                self._on_tick()

    def _advance(self, by_s: float) -> None:
        until_s = self._clock.now_s + by_s
        self._guarded(lambda: self._pass(until_s))

    def _pass(self, until_s: float) -> bool:
        if self._player is not None:
            self._player.run(until_s)
        else:
            self._clock.run(until_s)
        return True
