"""A recording as what the screen watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.observe.recording import RecordingError, begin_to_read
from lab.observe.tape import Tape
from lab.observe.view import ClusterView, EventView

TOLD_EVERY = 20_000  # Happenings: of a long recording, how far it is.


@dataclass(frozen=True, slots=True)
class Replay:
    """A `ViewSource` in which nothing new happens: its newest picture is the recording's end."""

    path: Path
    tape: Tape
    ends_early: bool  # The last block of the file is damaged.

    @property
    def view(self) -> ClusterView:
        """Return the picture at the end."""
        return self.tape.newest.view

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        """Do nothing: only what was fetched then is there."""

    def note(self, event: EventView) -> None:
        """Do nothing: what is recorded stays as it is."""


def open_replay(path: Path, progress: Callable[[str], None]) -> Replay:
    """
    Read a whole recording; all of it stays in reach.

    Raises:
        RecordingError: it is none, is of a newer version, has nothing in it, or cannot be read.
    """
    try:
        reading = begin_to_read(path)
    except OSError as broken:
        raise RecordingError(f"{path} cannot be read: {broken.strerror or broken}") from broken
    tape = Tape(reading.first, most_s=float("inf"), most_bytes=2**63)
    for line, happening in reading.happenings():
        tape.take(happening, line=line)
        if tape.end % TOLD_EVERY == 0:
            progress(f"reading {path}: {tape.end:,} happenings")
    if not tape.end:
        raise RecordingError(f"{path}: nothing was recorded, or its first block is damaged")
    return Replay(path, tape, reading.ends_early)
