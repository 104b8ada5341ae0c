"""The payload of a COMMAND entry: whose request it is, then the app's message."""

from __future__ import annotations

import struct

LENGTH = struct.Struct("<H")
LONGEST_REQUEST_ID = 1024  # Bytes in UTF-8.


def encode(request_id: str, message: bytes) -> bytes:
    """
    Return the payload.

    Raises:
        ValueError: *request_id* is longer than `LONGEST_REQUEST_ID` bytes.
    """
    name = request_id.encode()
    if len(name) > LONGEST_REQUEST_ID:
        raise ValueError(f"a request id has at most {LONGEST_REQUEST_ID} bytes, not {len(name)}")
    return LENGTH.pack(len(name)) + name + message


def decode(payload: bytes) -> tuple[str, bytes]:
    """Return (request id, message) of what `encode` made."""
    (length,) = LENGTH.unpack_from(payload)
    start = LENGTH.size + length
    return payload[LENGTH.size : start].decode(), payload[start:]
