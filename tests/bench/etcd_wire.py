"""
The little of etcd's protobuf that the benchmark needs, as bytes.

From etcd's `rpc.proto` and `kv.proto`: PutRequest{key=1, value=2}; RangeRequest{key=1}, which is
linearizable unless it says otherwise; RangeResponse{kvs=2}, KeyValue{value=5};
StatusResponse{header=1, leader=4}, ResponseHeader{member_id=2}. By hand, so that the client costs
as little as it can: it runs beside the servers.
"""

from __future__ import annotations

from collections.abc import Iterator

PUT = "/etcdserverpb.KV/Put"
RANGE = "/etcdserverpb.KV/Range"
STATUS = "/etcdserverpb.Maintenance/Status"

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value


def put(key: bytes, value: bytes) -> bytes:
    """Return a PutRequest."""
    return _field(1, key) + _field(2, value)


def range_of(key: bytes) -> bytes:
    """Return a linearizable RangeRequest of one key."""
    return _field(1, key)


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Walk the fields of a message: number and value."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            size, at = _read_varint(message, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"no field is of kind {kind}")
        if at + size > len(message):
            raise ValueError("the message ends within a field")
        yield tag >> 3, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("the message ends within a number")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def found(response: bytes) -> bytes | None:
    """Return the value in a RangeResponse of one key; None where there is no such key."""
    for number, pair in fields(response):
        if number == 2 and isinstance(pair, bytes):
            return next((v for n, v in fields(pair) if n == 5 and isinstance(v, bytes)), b"")
    return None


def leads(status: bytes) -> bool:
    """Return whether the member that gave this StatusResponse leads."""
    facts = dict(fields(status))
    header = facts.get(1, b"")
    member = dict(fields(header)).get(2) if isinstance(header, bytes) else None
    return member is not None and facts.get(4, 0) == member
