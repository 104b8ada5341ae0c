"""One key under load: its history, judged piece by piece as it grows, so that it stays short."""

from __future__ import annotations

from lolraft.sim.history import PENDING, Operation
from lolraft.sim.linearizable import TooHard, describe, possible_ends

MOST_VISITS = 20_000
"""Of a piece: some tens of milliseconds, for which the screen may stand still."""

MOST_OPEN = 4
"""Writes of unknown outcome after which a key is left: each doubles how it may stand."""

State = tuple[str, frozenset[str]]  # The value, and which open writes have not taken effect.


class Register:
    """
    What clients were told of one key.

    Whenever nothing is under way, `judge` closes the piece since the last time: of all that is
    older, only the ways in which the key may stand are kept. That is exact, because whatever comes
    later begins after everything in the piece has ended, except writes of unknown outcome, which go
    on into the next piece.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.broken = ""  # Why no order explains the answers.
        self.lost = 0  # Acknowledged writes that are gone, where it is broken.
        self.too_hard = False  # The search was given up: nothing is known from here on.
        self.judged = 0  # Operations.
        self._piece: list[Operation] = []
        self._whole: list[Operation] = []  # For the sentence: a key is left after some tens.
        self._open: dict[str, Operation] = {}  # By value.
        self._states: frozenset[State] = frozenset({("", frozenset())})

    @property
    def unjudged_since_s(self) -> float | None:
        """Return when the oldest operation began that is not judged; None when all are."""
        return min((item.begin_s for item in self._piece), default=None)

    @property
    def is_worn(self) -> bool:
        """Return whether judging it on would be dear: too many outcomes are unknown."""
        return self.too_hard or len(self._open) >= MOST_OPEN

    def add(self, operation: Operation) -> None:
        """Take an operation that begins; its end and answer are filled in later."""
        self._piece.append(operation)
        self._whole.append(operation)

    def drop(self, operation: Operation) -> None:
        """Forget one that certainly did not happen, or a read that nobody answered."""
        self._piece = [item for item in self._piece if item is not operation]
        self._whole = [item for item in self._whole if item is not operation]

    def judge(self) -> None:
        """Close the piece; nothing may be under way."""
        piece, self._piece = self._piece, []
        if not piece or self.broken or self.too_hard:
            return
        ends: set[State] = set()
        try:
            for value, waiting in self._states:
                before = [self._open[name] for name in sorted(waiting)]
                ends |= possible_ends([*before, *piece], value, MOST_VISITS)
        except TooHard:
            self.too_hard = True
            return
        if not ends:
            self.broken = _sentence(self.name, self._whole)
            self.lost = lost_writes(self._whole)
            return
        self.judged += len(piece)
        self._states = frozenset(ends)
        self._open |= {item.value: item for item in piece if item.end_s == PENDING}
        self._open = {
            value: item
            for value, item in self._open.items()
            if any(value in waiting for _, waiting in ends)
        }

    def forget(self) -> None:
        """Keep only how it may stand: it is left, and read once more at the end."""
        self._whole = []


def lost_writes(operations: list[Operation]) -> int:
    """
    Count acknowledged writes that must be gone.

    Every put answers the value that it overwrote. So a write that was followed by another
    operation, and that no answer names, was lost, unless a write of unknown outcome hid it.
    """
    named = {item.answer for item in operations if item.answer is not None}
    hiding = sum(item.kind == "write" and item.end_s == PENDING for item in operations)
    last_s = max((item.begin_s for item in operations if item.end_s != PENDING), default=0.0)
    gone = sum(
        item.kind == "write" and item.end_s < last_s and item.value not in named
        for item in operations
    )
    return max(0, gone - hiding)


def _sentence(name: str, operations: list[Operation]) -> str:
    known = sum(item.end_s != PENDING for item in operations)
    return (
        f"key {name}: no order explains the answers to all {known} operations\n"
        f"{describe(operations)}"
    )
