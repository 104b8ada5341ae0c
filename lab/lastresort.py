"""When the lab is told to end and cannot: a terminal that nobody reads holds its loop for ever."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

STUCK_S = 10.0
"""A loop that has not turned for so long after a signal is held by its screen, not by its work."""

ASK_S = 0.5


class LastResort:
    """
    After a signal, see to it that the process ends: in order, or by *clean_up* and at once.

    The screen is written by a thread from a bounded queue. Where the far side of the terminal
    takes nothing, the loop waits for that queue, and no `finally` is ever reached.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clean_up: Callable[[], object], stuck_s: float
    ) -> None:
        self._loop, self._clean_up, self._stuck_s = loop, clean_up, stuck_s
        self._ended = threading.Event()
        self._watching = False

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Begin to watch; called by Python itself, also while the loop is held."""
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, args=(number,), daemon=True).start()

    def end(self) -> None:
        """Watch no more: everything has ended in order."""
        self._ended.set()

    def _watch(self, number: int) -> None:
        while not self._ended.wait(ASK_S):
            turned = threading.Event()
            try:
                self._loop.call_soon_threadsafe(turned.set)
            except RuntimeError:  # It is closed.
                return
            if not turned.wait(self._stuck_s) and not self._ended.is_set():
                try:
                    self._clean_up()
                finally:
                    os._exit(128 + number)


def watch_signals(
    loop: asyncio.AbstractEventLoop,
    numbers: tuple[signal.Signals, ...],
    clean_up: Callable[[], object],
    stuck_s: float = STUCK_S,
) -> LastResort:
    """Return who watches from the first of these signals on; the loop handles them too."""
    resort = LastResort(loop, clean_up, stuck_s)
    for number in numbers:
        signal.signal(number, resort.on_signal)
    return resort
