"""What clients asked and were told, with times."""

from __future__ import annotations

from dataclasses import dataclass, field

from lolraft.multiraft.frames import RequestKind

PENDING = float("inf")


@dataclass(slots=True)
class Operation:
    """
    One operation on one key.

    `end_s` is infinite while, or because, nobody knows its outcome: it may take effect at any time
    after it began, or never.
    """

    client: int
    key: str
    kind: str  # write: sets a register; add: adds to a counter; read: of either.
    value: str  # Written or added; empty for a read.
    begin_s: float
    end_s: float = PENDING
    answer: str | None = None  # The value before a write, after an addition, or the value read.
    name: str = ""  # The id of its command; empty for a read.
    read: RequestKind = RequestKind.READ  # How a read was asked for.
    max_staleness_s: float = 0.0  # Of a stale read.
    exactly_once: bool = True  # It carries a request id: it is asked again until it is answered.


@dataclass(slots=True)
class History:
    """All operations of one shard."""

    operations: list[Operation] = field(default_factory=list)

    def by_key(self) -> dict[str, list[Operation]]:
        """
        Return the operations that must look like those of one copy, by key.

        Reads without an answer constrain nothing, and stale ones are judged by their own bound.
        """
        found: dict[str, list[Operation]] = {}
        for operation in self.operations:
            stale = operation.read is RequestKind.READ_STALE
            if operation.kind != "read" or (operation.answer is not None and not stale):
                found.setdefault(operation.key, []).append(operation)
        return found
