"""What the client of a registered session remembers: which of its writes have no answer (§6.3)."""

from __future__ import annotations

from collections import deque

from lolraft.multiraft.commands import MOST_UNANSWERED, WriteId, new
from lolraft.raft.types import Index


class Session:
    """The client's side of one registered session: which sequences wait for an answer."""

    def __init__(self, number: Index) -> None:
        self.number = number
        self._last = 0
        self._unanswered: deque[int] = deque()  # In order; the first one has no answer.
        self._answered: set[int] = set()  # Of those.

    @property
    def lowest(self) -> int:
        """Return the lowest sequence without an answer, or the next one."""
        return self._unanswered[0] if self._unanswered else self._last + 1

    @property
    def is_full(self) -> bool:
        """Return whether one more write would lie too far above the lowest unanswered one."""
        return self._last + 1 - self.lowest >= MOST_UNANSWERED

    def begin(self) -> int:
        """Return the sequence of a new write."""
        self._last += 1
        self._unanswered.append(self._last)
        return self._last

    def write_id(self, sequence: int) -> WriteId:
        """Return under which id *sequence* is sent now; it has no answer yet."""
        return new(WriteId, (self.number, sequence, self.lowest))

    def end(self, sequence: int) -> None:
        """Say that nobody will ask about *sequence* again: it is answered, or given up."""
        self._answered.add(sequence)
        while self._unanswered and self._unanswered[0] in self._answered:
            self._answered.discard(self._unanswered.popleft())
