"""
What happened, kept so that any moment of it can be seen again.

Views are immutable, so every 256th picture is kept as it was, and those between are folded again.
Happenings are kept as a recording writes them, so that a tape becomes a file at once.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.observe.account import Account
from lab.observe.fold import fold
from lab.observe.happenings import Began, ClusterChanged, Happening, MessagesSeen, Ticked
from lab.observe.history import PhiHistory
from lab.observe.recording import Recorder, decode, encode, pack, unpack
from lab.observe.view import ClusterView

EVERY = 256  # Happenings between two pictures that are kept.
MOST_S = 600.0  # A tape remembers the last ten minutes,
MOST_BYTES = 256 * 1024 * 1024  # or less, when they take more than this.
SHARD_BYTES = 2_000  # Of a shard in a kept picture, when nothing in it is shared with another one.
NEWEST = 256  # Events that can be new after one happening.


@dataclass(frozen=True, slots=True)
class Picture:
    """A view, and what panels know of the views before it."""

    view: ClusterView
    phi: PhiHistory = field(default_factory=PhiHistory)
    account: Account = field(default_factory=Account)

    def after(self, happening: Happening, view: ClusterView | None = None) -> Picture:
        """
        Return the picture after *happening*; *view* is the fold of it, where it is known.

        Phi and the account look at what ticks and changes leave, four times a second or so: to
        look after every report would cost more and show no more.
        """
        if isinstance(happening, Began):
            return Picture(happening.view, happening.phi, happening.account)
        view = fold(self.view, happening) if view is None else view
        if isinstance(happening, Ticked | ClusterChanged):
            return Picture(view, self.phi.after(view), self.account.after(view))
        return Picture(view, self.phi, self.account)


def view_digest(view: ClusterView) -> str:
    """Return a short name of *view*: equal views, in the order of everything, have equal ones."""
    return hashlib.blake2b(repr(view).encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class _Block:
    """At most `EVERY` happenings after a picture that is kept."""

    position: int  # Of that picture.
    before: Picture
    lines: list[bytes] = field(default_factory=list)  # While it is not full,
    packed: bytes = b""  # and then.

    def close(self) -> None:
        self.packed, self.lines = pack(self.lines), []

    def all_lines(self) -> list[bytes]:
        """Return the lines, packed or not."""
        return (unpack(self.packed) or []) if self.packed else self.lines

    def cut(self, count: int) -> None:
        """Keep the first *count* lines, and be open for more."""
        self.lines, self.packed = self.all_lines()[:count], b""

    @property
    def weight(self) -> int:
        return len(self.packed) + SHARD_BYTES * len(self.before.view.shards)


class Tape:
    """
    The happenings of a run, by position: that of a picture is how many happenings made it.

    `start` and `end` are the positions of the oldest and of the newest picture that can be seen.
    """

    def __init__(
        self, first: ClusterView, *, most_s: float = MOST_S, most_bytes: int = MOST_BYTES
    ) -> None:
        """Begin with *first*; remember the last *most_s* seconds of the cluster's time, or less."""
        self.first = first
        self.newest = Picture(first)
        self.end = 0
        self.events: list[int] = []  # Positions at which something happened that matters.
        self.elections: list[int] = []  # Of them, those at which somebody was elected.
        self.rungs: list[int] = []  # Those of events, and those at which messages were seen.
        self._most_s, self._most_bytes = most_s, most_bytes
        self._blocks = [_Block(0, self.newest)]
        self._bytes = 0
        self._times: list[float] = [first.now_s]  # Of each position from `start` on.
        self._lines: list[bytes] = []  # Of the block that was looked at last:
        self._seen: dict[int, Picture] = {}  # its pictures: the first, and those of events,
        self._asked = 0  # and the one that was looked at last.

    @property
    def start(self) -> int:
        """Return the position of the oldest picture."""
        return self._blocks[0].position

    @property
    def starts_s(self) -> float:
        """Return when the tape begins, in the cluster's time; an empty picture has none."""
        return self._times[1] if self._times[0] == 0.0 and len(self._times) > 1 else self._times[0]

    def take(
        self, happening: Happening, view: ClusterView | None = None, line: bytes | None = None
    ) -> bytes:
        """
        Add what happened, and return it as a line of a recording.

        *view* is the picture after it and *line* that line, where they are known.
        """
        line = encode(happening) if line is None else line
        before = self.newest
        block = self._blocks[-1]
        if len(block.lines) == EVERY:
            block.close()
            self._bytes += block.weight
            block = _Block(self.end, before)
            self._blocks.append(block)
            self._forget()
        block.lines.append(line)
        self.newest = before.after(happening, view)
        self.end += 1
        self._times.append(self.newest.view.now_s)
        is_event = matters(before.view, self.newest.view)
        if is_event or isinstance(happening, MessagesSeen):
            self.rungs.append(self.end)
        if is_event:
            self.events.append(self.end)
            if _is_election(happening, before.view, self.newest.view):
                self.elections.append(self.end)
        return line

    def _forget(self) -> None:
        """Drop the oldest blocks, when they are too old or all of them too much."""
        before = self.start
        oldest_s = self.newest.view.now_s - self._most_s
        while len(self._blocks) > 2 and (
            self._bytes > self._most_bytes or self._blocks[1].before.view.now_s < oldest_s
        ):
            self._bytes -= self._blocks.pop(0).weight
        del self._times[: self.start - before]
        for places in (self.events, self.elections, self.rungs):
            del places[: bisect_right(places, self.start)]

    # --- pictures --------------------------------------------------------------------------------

    def picture_at(self, position: int) -> Picture:
        """Return the picture at *position*, or at the end that is nearer to it."""
        if position >= self.end:
            return self.newest
        position = max(position, self.start)
        place = bisect_right(self._blocks, position, key=lambda block: block.position) - 1
        block = self._blocks[place]
        if self._seen.get(block.position) is not block.before:
            self._seen = {block.position: block.before}
            self._lines = block.all_lines()
        at = max(known for known in self._seen if known <= position)
        picture = self._seen[at]
        events = set(
            self.events[bisect_left(self.events, at) : bisect_right(self.events, position)]
        )
        for line in self._lines[at - block.position : position - block.position]:
            picture = picture.after(decode(line))
            at += 1
            if at in events:
                self._seen[at] = picture
        if self._asked != block.position and self._asked not in self.events:
            self._seen.pop(self._asked, None)
        self._seen[position], self._asked = picture, position
        return picture

    def view_at(self, position: int) -> ClusterView:
        """Return the view at *position*."""
        return self.picture_at(position).view

    def position_at(self, at_s: float) -> int:
        """Return the position of the picture of a moment in the cluster's time."""
        return min(self.end, self.start + max(0, bisect_right(self._times, at_s) - 1))

    def time_at(self, position: int) -> float:
        """Return the time of a position."""
        return self._times[max(0, min(position, self.end) - self.start)]

    def is_now(self, position: int) -> bool:
        """Return whether no time has passed since *position*, and nothing that has a place."""
        return not self.rungs[bisect_right(self.rungs, position) :] and (
            self.time_at(position) >= self.newest.view.now_s
        )

    def number_of(self, position: int) -> int:
        """Return how many events there are up to *position*."""
        return bisect_right(self.events, position)

    def happenings(self, until: int) -> Iterator[tuple[Happening, ClusterView]]:
        """Return what is remembered of what happened up to position *until*, and each view."""
        begun = self._begun()
        picture = self._blocks[0].before
        if begun is not None:
            yield begun, picture.view
        at = self.start
        for block in self._blocks:
            for line in block.all_lines():
                if at >= until:
                    return
                happening = decode(line)
                picture = picture.after(happening)
                at += 1
                yield happening, picture.view

    def cut(self, position: int) -> None:
        """Forget all that happened after *position*."""
        picture = self.picture_at(position)
        place = bisect_right(self._blocks, position, key=lambda block: block.position) - 1
        block = self._blocks[place]
        block.cut(position - block.position)
        del self._blocks[place + 1 :]
        self._bytes = sum(older.weight for older in self._blocks[:-1])
        self.newest, self.end = picture, position
        del self._times[position - self.start + 1 :]
        for places in (self.events, self.elections, self.rungs):
            del places[bisect_right(places, position) :]
        self._seen, self._lines, self._asked = {}, [], 0

    # --- writing it down -------------------------------------------------------------------------

    def write(self, path: Path) -> Recorder:
        """
        Begin a file at *path* that has all of this in it already, and return who goes on with it.

        Raises:
            OSError: the file cannot be written.
        """
        recorder = Recorder(path, self.first, begun=self._begun())
        for block in self._blocks:
            if block.packed or block.lines:
                recorder.take_packed(block.packed or pack(block.lines))
        return recorder

    def _begun(self) -> Began | None:
        """Return what was known by the oldest picture, where something was before it."""
        if not self.start:
            return None
        oldest = self._blocks[0].before
        view, phi, account = oldest.view, oldest.phi, oldest.account
        return Began(at_s=view.now_s, view=view, phi=phi, account=account)


def next_of(places: list[int], position: int) -> int | None:
    """Return the first of *places* after *position*."""
    at = bisect_right(places, position)
    return places[at] if at < len(places) else None


def previous_of(places: list[int], position: int) -> int | None:
    """Return the last of *places* before *position*."""
    at = bisect_left(places, position)
    return places[at - 1] if at else None


def matters(before: ClusterView, after: ClusterView) -> bool:
    """Return whether an event, a fault, the state of a node or a violation is new in *after*."""
    return (
        (before.events is not after.events and before.events != after.events)
        or before.faults != after.faults
        or before.violation != after.violation
        or _states(before) != _states(after)
    )


def _states(view: ClusterView) -> list[tuple[str, str]]:
    return [(node.name, node.state) for node in view.nodes]


def _is_election(happening: Happening, before: ClusterView, after: ClusterView) -> bool:
    if isinstance(happening, Began):
        return False
    fresh = set(after.events[-NEWEST:]).difference(before.events[-NEWEST:])
    return any(event.kind == "elected" for event in fresh)
