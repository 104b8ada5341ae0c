"""What happened lately, kept in bounded rings: turns for us, log lines for watchers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lolraft.multiraft.effects import Tell

TURNS = 64
TEXT_OF_ONE = 400
"""Characters of one event or effect in `Trace.text`: payloads can be large."""


class Trace:
    """
    Keep the last turns as they are, unformatted: a tuple and an append a turn, nothing else.

    It is turned into text only when an assertion failed.
    """

    def __init__(self, turns: int = TURNS) -> None:
        self._turns: deque[tuple[float, Sequence[object], Sequence[object]]] = deque(maxlen=turns)

    def record(self, now_s: float, events: Sequence[object], effects: Sequence[object]) -> None:
        """Remember one turn."""
        self._turns.append((now_s, events, effects))

    def text(self) -> str:
        """Return the turns, oldest first, one line for each event (`<`) and effect (`>`)."""
        lines = []
        for now_s, events, effects in self._turns:
            lines.append(f"turn at {now_s:.6f} s")
            lines += [f"  < {_short(event)}" for event in events]
            lines += [f"  > {_short(effect)}" for effect in effects]
        return "\n".join(lines)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= TEXT_OF_ONE else text[:TEXT_OF_ONE] + "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One line of the node's log."""

    wall_s: float  # Seconds since 1970.
    level: str
    text: str


class LogRing(logging.Handler):
    """Keep the last lines of the log, and tell whoever watches about each new one."""

    def __init__(self, lines: int = 1000) -> None:
        super().__init__()
        self._lines: deque[LogRecord] = deque(maxlen=lines)
        self._watchers: list[Callable[[LogRecord], None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line; see `logging.Handler`."""
        try:
            line = LogRecord(
                wall_s=record.created, level=record.levelname, text=self.format(record)
            )
        except Exception:  # What logging itself does with a line that cannot be formatted.
            self.handleError(record)
            return
        self._lines.append(line)
        for watcher in tuple(self._watchers):
            try:
                watcher(line)
            except Exception:
                self.handleError(record)

    def tail(self, count: int) -> tuple[LogRecord, ...]:
        """Return the last *count* lines, oldest first."""
        return tuple(self._lines)[-count:] if count > 0 else ()

    def subscribe(self, callback: Callable[[LogRecord], None]) -> Callable[[], None]:
        """
        Call *callback* with every new line, in whatever thread logs it; returns what ends that.
        """
        self._watchers.append(callback)

        def end() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return end


def tell_line(tell: Tell) -> str:
    """Return an event of the timeline as a line of the log."""
    where = "" if tell.shard_id is None else f" shard={tell.shard_id}"
    term = f" term={tell.term}" if tell.term else ""
    peer = "" if tell.peer is None else f" peer={tell.peer}"
    return f"{tell.kind}{where}{term}{peer} {tell.text}"
