"""A run that is streamed instead of shown: its lines, how long it lasts, and its exit status."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence

from lab.chronicle import Chronicle
from lab.pipe import Pipe
from lab.scenarios.play import Outcome
from lab.stream import Stream, jsonic, plain

FAILED = 1


class Streaming:
    """Write what a chronicle is told to standard output."""

    def __init__(self, how: str, chronicle: Chronicle) -> None:
        """Begin; *how* is `plain` or `json`."""
        self._as_json = how == "json"
        self._pipe = Pipe(sys.stdout.fileno(), self._dropped)
        self._stream = Stream(self._pipe.write, as_json=self._as_json)
        self._why = ""
        chronicle.listeners.append(self._stream.take)

    async def run(self, playing: asyncio.Task[Outcome] | None, for_s: float | None) -> None:
        """
        Wait until the time is up, the scenario has ended, or nobody reads any more.

        Raises:
            ScenarioError: a step of the scenario makes no sense.
        """
        until_s = float("inf") if for_s is None else time.monotonic() + for_s

        def is_over() -> bool:
            if playing is not None and playing.done():
                self._why = "the scenario has ended"
            elif time.monotonic() >= until_s:
                self._why = "the time is up"
            return bool(self._why)

        await self._pipe.until(is_over)
        if playing is not None and playing.done():
            playing.result()

    def end(
        self,
        signals: Sequence[signal.Signals],
        playing: asyncio.Task[Outcome] | None,
        broken: BaseException | None,
    ) -> int:
        """Write the last lines, when everything has ended; return the exit status."""
        failed = broken is not None or self._stream.is_unsafe
        if playing is not None and not playing.cancelled() and playing.exception() is None:
            failed = failed or not playing.result().passed
        status = 128 + signals[0] if signals else FAILED * failed
        why = signals[0].name if signals else str(broken or "") or self._why or "nobody reads"
        self._stream.end(why, status)
        self._pipe.close()
        return status

    def _dropped(self, lines: int) -> str:
        at_s = time.time()
        if self._as_json:
            return jsonic(at_s, {"is": "dropped", "lines": lines})
        return plain(at_s, None, f"{lines:,} lines were dropped: the reader is too slow")
