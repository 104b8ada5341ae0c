"""The counter of lolraft 0.10.2's test application, byte for byte (bincode 1.3)."""

from __future__ import annotations

import struct
from pathlib import Path

import grpc.aio

from lab.apps.ping import add_ping
from lolraft.errors import Rejected
from lolraft.state_app import StateApp

TAG = struct.Struct("<I")
NUMBER = struct.Struct("<Q")
FETCH_ADD = 0
READ, MAKE_SNAPSHOT = 0, 1
WRAP = 2**64


class CounterApp(StateApp):
    """
    Count bytes: `FetchAdd { bytes }` adds their number and answers the old value.

    Reads are `Read` and `MakeSnapshot`; both answer the value. The snapshot's body is the value as
    a u64.
    """

    def __init__(self, directory: Path) -> None:
        """Start at 0; snapshots lie in *directory*."""
        super().__init__(directory)
        self.value = 0

    @classmethod
    def add_services(cls, server: grpc.aio.Server) -> None:
        """Serve `testapp.Ping` on the node's port."""
        add_ping(server)

    def process_write(self, message: bytes, index: int) -> bytes:
        """Add, and answer the value before."""
        before = self.value
        self.value = (self.value + parse_fetch_add(message)) % WRAP
        return NUMBER.pack(before)

    def process_read(self, message: bytes, index: int) -> bytes:
        """Answer the value; make a snapshot first when asked to."""
        if len(message) != TAG.size or TAG.unpack(message)[0] not in (READ, MAKE_SNAPSHOT):
            raise Rejected("a read of the counter is four bytes: tag 0 (read) or 1 (snapshot)")
        if TAG.unpack(message)[0] == MAKE_SNAPSHOT:
            self.take_snapshot(index)
        return NUMBER.pack(self.value)

    def dump(self) -> bytes:
        """Return the value as a u64."""
        return NUMBER.pack(self.value)

    def load(self, state: bytes) -> None:
        """Take the value from a u64."""
        (self.value,) = NUMBER.unpack(state)


def parse_fetch_add(message: bytes) -> int:
    """
    Return how many bytes a `FetchAdd` carries.

    Raises:
        Rejected: *message* is none.
    """
    header = TAG.size + NUMBER.size
    if len(message) >= header and TAG.unpack_from(message)[0] == FETCH_ADD:
        (length,) = NUMBER.unpack_from(message, TAG.size)
        if len(message) == header + length:
            return int(length)
    raise Rejected("a write to the counter is FetchAdd: u32 0, u64 n, then n bytes")


def fetch_add(payload: bytes) -> bytes:
    """Return the command that adds the length of *payload*."""
    return TAG.pack(FETCH_ADD) + NUMBER.pack(len(payload)) + payload


def read() -> bytes:
    """Return the read of the value."""
    return TAG.pack(READ)


def make_snapshot() -> bytes:
    """Return the read that makes a snapshot."""
    return TAG.pack(MAKE_SNAPSHOT)


def describe(message: bytes) -> str:
    """Return one short line about a command."""
    try:
        return f"add {parse_fetch_add(message)}"
    except Rejected:
        return f"garbage {len(message)} B"
