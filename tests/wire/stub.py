"""
A client of lolraft 0.10.2, made only from the table of its wire: no code of ours is imported.

The messages live in a descriptor pool of their own, so that the package name `lolraft` does not
clash with the code that is tested.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory

LANE = 777
UINT32, UINT64, BYTES, STRING = 13, 4, 12, 9
TABLE = {
    "WriteRequest": [("lane_id", 1, UINT32), ("message", 2, BYTES), ("request_id", 3, STRING)],
    "ReadRequest": [("lane_id", 1, UINT32), ("message", 2, BYTES)],
    "Response": [("message", 1, BYTES)],
    "AddServerRequest": [("lane_id", 1, UINT32), ("server_id", 2, STRING)],
    "RemoveServerRequest": [("lane_id", 1, UINT32), ("server_id", 2, STRING)],
    "GetSnapshotRequest": [("lane_id", 1, UINT32), ("index", 2, UINT64)],
    "SnapshotChunk": [("data", 1, BYTES)],
    "TimeoutNow": [("lane_id", 1, UINT32)],
    "KernRequest": [("lane_id", 1, UINT32), ("message", 2, BYTES)],
    "VoteRequest": [("lane_id", 1, UINT32), ("vote_term", 2, UINT64), ("candidate_id", 3, STRING)],
    "VoteResponse": [("vote_granted", 1, 8)],
    "Heartbeat": [("lane_id", 1, UINT32), ("leader_term", 2, UINT64), ("leader_id", 3, STRING)],
}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="table.proto", package="lolraft")
    file.syntax = "proto3"
    for name, fields in TABLE.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.add(name=field, number=number, type=kind, label=1)  # type: ignore[arg-type]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"lolraft.{name}"))
        for name in TABLE
    }


MESSAGES = _messages()


def fetch_add(count: int) -> bytes:
    """Return `FetchAdd` of *count* bytes, as bincode writes it."""
    return struct.pack("<IQ", 0, count) + bytes(count)


READ, MAKE_SNAPSHOT = struct.pack("<I", 0), struct.pack("<I", 1)


class Stub:
    """The calls that 0.10.2's users make, over one channel; each has a deadline of one second."""

    def __init__(self, address: str, timeout_s: float = 1.0) -> None:
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)])
        self.timeout_s = timeout_s

    def close(self) -> None:
        self.channel.close()

    def ask(  # A message of whatever class *answer* names.
        self, method: str, request: str, answer: str | None, **fields: object
    ) -> Any:  # noqa: ANN401
        """Make a unary call of `lolraft.Raft`."""
        call = self.channel.unary_unary(
            f"/lolraft.Raft/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=(MESSAGES[answer] if answer else empty_pb2.Empty).FromString,
        )
        message = MESSAGES[request](lane_id=LANE, **fields)
        return call(message, timeout=self.timeout_s, wait_for_ready=True)

    def ping(self) -> None:
        call = self.channel.unary_unary(
            "/testapp.Ping/Ping",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=empty_pb2.Empty.FromString,
        )
        call(empty_pb2.Empty(), timeout=self.timeout_s, wait_for_ready=True)

    def fetch_add(self, count: int, request_id: str) -> int:
        """Add to the counter; return its old value."""
        answer = self.ask(
            "Write", "WriteRequest", "Response", message=fetch_add(count), request_id=request_id
        )
        return value_of(answer.message)

    def read(self) -> int:
        return value_of(self.ask("Read", "ReadRequest", "Response", message=READ).message)

    def make_snapshot(self) -> int:
        answer = self.ask("Read", "ReadRequest", "Response", message=MAKE_SNAPSHOT)
        return value_of(answer.message)

    def add_server(self, server_id: str) -> None:
        self.ask("AddServer", "AddServerRequest", None, server_id=server_id)

    def remove_server(self, server_id: str) -> None:
        self.ask("RemoveServer", "RemoveServerRequest", None, server_id=server_id)

    def timeout_now(self) -> None:
        self.ask("SendTimeoutNow", "TimeoutNow", None)

    def get_snapshot(self, index: int) -> Iterator[bytes]:
        call = self.channel.unary_stream(
            "/lolraft.Raft/GetSnapshot",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES["SnapshotChunk"].FromString,
        )
        request = MESSAGES["GetSnapshotRequest"](lane_id=LANE, index=index)
        for chunk in call(request, timeout=self.timeout_s):
            yield chunk.data


def value_of(message: bytes) -> int:
    """Return the counter's answer: a little-endian u64, and nothing behind it."""
    (value,) = struct.unpack("<Q", message)
    return int(value)
