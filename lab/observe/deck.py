"""The tape of a run, and the file that it is written to: on a wish, or because a promise broke."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.observe.happenings import Happening
from lab.observe.recording import Recorder
from lab.observe.tape import Tape
from lab.observe.view import ClusterView


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a file has so far."""

    path: Path
    length_s: float
    size_bytes: int


class Deck:
    """
    Tape what happens; record it to a file while that is wished.

    A file begins with all that the tape remembers: who records after the fact is not too late. When
    a promise is seen to break, the tape is written to a file of its own, once.
    """

    def __init__(self, first: ClusterView, *, folder: Path | None = None) -> None:
        """Begin a tape; files of which nobody has named a place go to *folder* (`.`)."""
        self.tape = Tape(first)
        self.saved: Path | None = None  # Of the violation.
        self.broken = ""  # Why the last file could not be written, or not to its end.
        self._folder = Path() if folder is None else folder
        self._recorder: Recorder | None = None
        self._from_s = 0.0  # When that file begins, in the cluster's time.
        self._is_unsafe = False
        self.mark: Callable[[], object] | None = None  # Gives what leads back to a moment,
        self.marks: dict[int, object] = {}  # which is kept by position.

    def take(self, happening: Happening, view: ClusterView) -> None:
        """Add what happened; *view* is the picture after it. A full disk stops only the file."""
        line = self.tape.take(happening, view)
        self._from_s = self._from_s or self.tape.starts_s
        if self.mark is not None:
            self.marks[self.tape.end] = self.mark()
            while next(iter(self.marks)) < self.tape.start:
                del self.marks[next(iter(self.marks))]
        if self._recorder is not None:
            try:
                self._recorder.take(happening, line)
            except OSError as error:
                self._give_up(error)
        if view.violation is not None and not self._is_unsafe:
            self._is_unsafe = True
            self._save()

    def _save(self) -> None:
        try:
            if self._recorder is not None:
                self._recorder.flush()
                self.saved = self._recorder.path
            else:
                path = self.new_path("violation-")
                self.tape.write(path).close()
                self.saved = path
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.broken = f"the recording cannot be written: {error}"
        self._recorder = None

    @property
    def recorded(self) -> Recorded | None:
        """Return what is being recorded, or None."""
        if self._recorder is None:
            return None
        length_s = self.tape.newest.view.now_s - self._from_s
        return Recorded(self._recorder.path, length_s, self._recorder.size_bytes)

    def new_path(self, word: str = "") -> Path:
        """Return a file that is not there yet, named after the run and the time."""
        title = re.sub(r"[^A-Za-z0-9.-]+", "-", self.tape.first.title).strip("-.") or "lab"
        stem = f"{title}-{word}{time.strftime('%Y%m%d-%H%M%S')}"
        path = self._folder / f"{stem}.recording"
        again = 1
        while path.exists():
            again += 1
            path = self._folder / f"{stem}-{again}.recording"
        return path

    def record(self, path: Path | None = None) -> Path:
        """
        Record to *path*, or to a new file, with what the tape remembers, until `stop`.

        Raises:
            OSError: the file cannot be written.
        """
        self.stop()
        path = self.new_path() if path is None else path
        self._recorder = self.tape.write(path)
        self._from_s = self.tape.starts_s
        return path

    def go_back(self, position: int) -> Recorded | None:
        """
        Forget what happened after *position*.

        A file ends with the future in it, and another begins; the former is returned.

        Raises:
            OSError: the last of it, or the new one, cannot be written.
        """
        ended = None
        try:
            ended = self.stop()
        finally:
            self.tape.cut(position)
            self.marks = {at: mark for at, mark in self.marks.items() if at <= position}
            self._is_unsafe = self.tape.newest.view.violation is not None
        if ended is not None:
            self.record()
        return ended

    def stop(self) -> Recorded | None:
        """
        End the file; return what is in it.

        Raises:
            OSError: the last of it cannot be written.
        """
        if self._recorder is None:
            return None
        try:
            self._recorder.close()
            return self.recorded
        finally:
            self._recorder = None
