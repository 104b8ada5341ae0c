"""Write lines to a pipe whose reader may be slow, or gone, without waiting for it."""

from __future__ import annotations

import asyncio
import os
import queue
import select
import threading
from collections.abc import Callable
from contextlib import suppress

MOST_LINES = 10_000  # That wait to be written; what comes on top is dropped, and counted.
LAST_S = 2.0  # For the last lines: a reader that takes longer does not get them.
LOOK_S = 0.1


class Pipe:
    """
    Lines on their way to a file descriptor, written by a thread of its own.

    The event loop has a cluster to look after: it must not stand still because `less` does.
    """

    def __init__(self, fd: int, tell_dropped: Callable[[int], str]) -> None:
        """Begin; *tell_dropped* makes the line that says how many lines are missing."""
        self._fd = fd
        self._tell_dropped = tell_dropped
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_LINES)
        self._dropped = 0
        self.is_broken = False  # The reader is gone.
        self._thread = threading.Thread(target=self._run, name="pipe", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Let *line* be written soon."""
        try:
            if self._dropped:
                self._lines.put_nowait(self._tell_dropped(self._dropped))
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for a while."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=LAST_S)
        self._thread.join(LAST_S)

    async def until(self, is_over: Callable[[], bool]) -> None:
        """Wait until *is_over*, or until nobody reads any more."""
        watched = select.poll()
        watched.register(self._fd, 0)  # Asked for nothing, it tells of errors: the reader left.
        while not is_over() and not self.is_broken:
            if any(events & select.POLLERR for _, events in watched.poll(0)):
                self.is_broken = True
            await asyncio.sleep(LOOK_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            data = f"{line}\n".encode(errors="replace")
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                self.is_broken = True
                return
