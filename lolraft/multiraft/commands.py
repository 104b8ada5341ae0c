"""
The payload of a COMMAND entry: whose request it is, then the app's message.

Its first two bytes are the length of an opaque request id, which follows as UTF-8, or one of two
numbers that no length reaches: a write of a registered session, or the registration of one (S10).
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from typing import NamedTuple, TypeAlias

from lolraft.raft.types import Index

LENGTH = struct.Struct("<H")
LONGEST_REQUEST_ID = 1024  # Bytes in UTF-8.
ID_ROOM = LENGTH.size + LONGEST_REQUEST_ID
"""Bytes of an entry that are kept for the id: a message has so many less than an entry."""

MOST_UNANSWERED = 16_384
"""A session has fewer sequences than this from its lowest unanswered one on: it bounds the
answers that a replica keeps for it."""

NONCE_BYTES = 16
OF_SESSION, REGISTERS = 0xFFFF, 0xFFFE
WRITE = struct.Struct("<HQQQ")  # OF_SESSION, session, sequence, lowest unanswered.
IDS = struct.Struct("<QQQ")  # All of them but the first.
REGISTRATION = struct.Struct(f"<H{NONCE_BYTES}s")  # REGISTERS, nonce.
MOST = 2**62

new = tuple.__new__  # A named tuple's own constructor costs more than all else in `decode`.


class WriteId(NamedTuple):
    """Name one write of a registered session (§6.3); (session, sequence) is its identity."""

    session: Index  # Of the entry that registered it.
    sequence: int  # From 1.
    lowest: int  # The lowest sequence whose answer its client still waits for.


class Registration(NamedTuple):
    """Register a session; the same nonce again gives the same session while it lives."""

    nonce: bytes  # `NONCE_BYTES` random bytes.


RequestId: TypeAlias = str | WriteId | Registration
"""A string is opaque; an empty one means that nothing is remembered."""


def why_bad_id(request_id: RequestId) -> str | None:
    """Return what is wrong with an id that somebody sent, None when nothing is."""
    if type(request_id) is WriteId:
        return None if _is_good(*request_id) else _why_bad_write_id(request_id)
    if isinstance(request_id, str):
        if len(request_id) * 4 <= LONGEST_REQUEST_ID:
            return None
        long = len(request_id.encode()) > LONGEST_REQUEST_ID
        return f"a request id has at most {LONGEST_REQUEST_ID} bytes" if long else None
    right = isinstance(request_id, Registration) and len(request_id.nonce) == NONCE_BYTES
    return None if right else f"a registration carries {NONCE_BYTES} random bytes"


def _is_good(session: Index, sequence: int, lowest: int) -> bool:
    in_order = 0 < lowest <= sequence < MOST and 0 < session < MOST
    return in_order and sequence - lowest < MOST_UNANSWERED


def _why_bad_write_id(write_id: WriteId) -> str:
    if write_id.sequence - write_id.lowest >= MOST_UNANSWERED:
        return f"a session has fewer than {MOST_UNANSWERED} unanswered writes; register another one"
    return "a write of a session names it, its sequence, and the lowest that is unanswered"


def key_of(request_id: RequestId) -> Hashable:
    """Return what is equal for all copies of one request."""
    return request_id[:2] if type(request_id) is WriteId else request_id


def encode(request_id: RequestId, message: bytes) -> bytes:
    """
    Return the payload.

    Raises:
        ValueError: *request_id* is an opaque one longer than `LONGEST_REQUEST_ID` bytes.
    """
    if type(request_id) is WriteId:
        return WRITE.pack(OF_SESSION, *request_id) + message
    if isinstance(request_id, Registration):
        return REGISTRATION.pack(REGISTERS, request_id.nonce)
    name = str(request_id).encode()
    if len(name) > LONGEST_REQUEST_ID:
        raise ValueError(f"a request id has at most {LONGEST_REQUEST_ID} bytes, not {len(name)}")
    return LENGTH.pack(len(name)) + name + message


def message_start(payload: bytes) -> int:
    """Return where the app's message begins in what `encode` made."""
    (length,) = LENGTH.unpack_from(payload)
    if length == OF_SESSION:
        return WRITE.size
    return REGISTRATION.size if length == REGISTERS else LENGTH.size + int(length)


def decode(payload: bytes) -> tuple[RequestId, bytes]:
    """Return (request id, message) of what `encode` made."""
    (length,) = LENGTH.unpack_from(payload)
    if length == OF_SESSION:
        return new(WriteId, IDS.unpack_from(payload, LENGTH.size)), payload[WRITE.size :]
    if length == REGISTERS:
        return Registration(payload[LENGTH.size :]), b""
    start = LENGTH.size + length
    return payload[LENGTH.size : start].decode(), payload[start:]


def is_whole(payload: bytes) -> bool:
    """Return whether `decode` can read *payload*, which a peer sent."""
    if len(payload) < LENGTH.size:
        return False
    (length,) = LENGTH.unpack_from(payload)
    if length == OF_SESSION:
        return len(payload) >= WRITE.size and _is_good(*IDS.unpack_from(payload, LENGTH.size))
    if length == REGISTERS:
        return len(payload) == REGISTRATION.size
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
