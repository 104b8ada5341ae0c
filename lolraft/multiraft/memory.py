"""What a replica remembers of one request, and how that is written into a snapshot."""

from __future__ import annotations

import struct

from lolraft.raft.effects import Code
from lolraft.raft.types import Index

CODES = tuple(Code)
NEVER: Index = 2**64


class Damaged(ValueError):
    """The sessions of a snapshot cannot be read."""


class Row:
    """What one request did; `code` is None until the app has answered."""

    __slots__ = ("answer", "code", "index")

    def __init__(self, index: Index, code: Code | None = None, answer: bytes = b"") -> None:
        self.index = index
        self.code = code
        self.answer = answer


class Reader:
    """Take one thing after another from bytes that may be damaged."""

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._position = 0

    def take(self, size: int) -> bytes:
        """
        Return the next *size* bytes.

        Raises:
            Damaged: there are not so many.
        """
        end = self._position + size
        if end > len(self._blob):
            raise Damaged(f"it ends after {len(self._blob)} bytes, within a record")
        piece = self._blob[self._position : end]
        self._position = end
        return piece

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """Return the next numbers; raises as `take` does."""
        return form.unpack(self.take(form.size))

    def text(self, size: int) -> str:
        """
        Return the next *size* bytes as text.

        Raises:
            Damaged: they are none, or too few.
        """
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as broken:
            raise Damaged(f"an id is no text: {broken}") from broken

    def code(self, number: int) -> Code:
        """
        Return the code of a number.

        Raises:
            Damaged: there is none.
        """
        if number >= len(CODES):
            raise Damaged(f"{number} is no code")
        return CODES[number]

    @property
    def is_at_end(self) -> bool:
        """Return whether all has been taken."""
        return self._position == len(self._blob)
