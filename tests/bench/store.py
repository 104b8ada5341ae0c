"""The app of the benchmark: keys and values of fixed size, like etcd's Put and Range of one key."""

from __future__ import annotations

from pathlib import Path

from lolraft.errors import Rejected
from lolraft.state_app import StateApp
from tests.bench.work import KEY_BYTES, VALUE_BYTES

RECORD = KEY_BYTES + VALUE_BYTES


class Store(StateApp):
    """A write is key and value, a read is a key; keys have 8 bytes, values 64."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.values: dict[bytes, bytes] = {}

    def process_write(self, message: bytes, index: int) -> bytes:
        if len(message) != RECORD:
            raise Rejected(f"a write is {KEY_BYTES} bytes of key and {VALUE_BYTES} of value")
        self.values[message[:KEY_BYTES]] = message[KEY_BYTES:]
        return b""

    def process_read(self, message: bytes, index: int) -> bytes:
        return self.values.get(message, b"")

    def dump(self) -> bytes:
        return b"".join(key + self.values[key] for key in sorted(self.values))

    def load(self, state: bytes) -> None:
        records = (state[at : at + RECORD] for at in range(0, len(state), RECORD))
        self.values = {record[:KEY_BYTES]: record[KEY_BYTES:] for record in records}
