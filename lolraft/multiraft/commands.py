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


def message_start(payload: bytes) -> int:
    """Return where the app's message begins in what `encode` made."""
    (length,) = LENGTH.unpack_from(payload)
    return LENGTH.size + int(length)


def decode(payload: bytes) -> tuple[str, bytes]:
    """Return (request id, message) of what `encode` made."""
    start = message_start(payload)
    return payload[LENGTH.size : start].decode(), payload[start:]


def is_whole(payload: bytes) -> bool:
    """Return whether `decode` can read *payload*, which a peer sent."""
    if len(payload) < LENGTH.size:
        return False
    (length,) = LENGTH.unpack_from(payload)
    name = payload[LENGTH.size : LENGTH.size + length]
    if len(name) < length or length > LONGEST_REQUEST_ID:
        return False
    if name.isascii():
        return True
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
