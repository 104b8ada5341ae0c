"""What the simulator asks of an app, and the registers that it judges by."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Protocol

from lolraft.errors import Rejected


class SimApp(Protocol):
    """A state machine without snapshots files; every `StateApp` has these methods."""

    def process_write(self, message: bytes, index: int) -> bytes:
        """Change the state by the command at *index*."""

    def process_read(self, message: bytes, index: int) -> bytes:
        """Answer from the state."""

    def dump(self) -> bytes:
        """Return the whole state."""

    def load(self, state: bytes) -> None:
        """Make the state what `dump` returned."""


class Registers:
    """
    Hold a value a key, a counter, and which writes were executed.

    A write is `id key value` and answers the value before it; `id + n` adds to the counter and
    answers the sum; `id ! text` is rejected. A read is a key, `+`, or `*` for how often each id was
    executed: an id that is executed twice shows at once.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.executed: dict[str, int] = {}
        self.sum = 0
        self.trail = b""  # A hash of every command so far, in order.

    def process_write(self, message: bytes, index: int) -> bytes:
        """Execute one command."""
        name, key, value = message.decode().split(" ")
        if key == "!":
            raise Rejected(value)
        self.trail = blake2b(self.trail + b"%d " % index + message, digest_size=16).digest()
        self.executed[name] = self.executed.get(name, 0) + 1
        if key == "+":
            self.sum += int(value)
            return b"%d" % self.sum
        before = self.values.get(key, "")
        self.values[key] = value
        return before.encode()

    def process_read(self, message: bytes, index: int) -> bytes:
        """Answer from the state."""
        if message == b"*":
            return json.dumps(self.executed).encode()
        if message == b"+":
            return b"%d" % self.sum
        return self.values.get(message.decode(), "").encode()

    def dump(self) -> bytes:
        """Return the state as JSON."""
        return json.dumps([self.values, self.executed, self.sum, self.trail.hex()]).encode()

    def load(self, state: bytes) -> None:
        """Read it back."""
        self.values, self.executed, self.sum, trail = json.loads(state)
        self.trail = bytes.fromhex(trail)
