"""Whatever a peer sends is a value or `Malformed`, and costs no more than its size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from random import Random

from google.protobuf.message import Message
from hypothesis import example, given
from hypothesis import strategies as st

from lolraft.rpc import translate, translate_back
from lolraft.rpc.pb import peer_pb2 as pb
from lolraft.rpc.translate_back import Malformed
from tests.contract.test_transport_translate import acks, frames, heartbeats, pieces
from tests.fuzz.bend import bend, configuration, noise
from tests.fuzz.effort import effort

ONCE_MORE: dict[Callable[[bytes], object], Callable[..., bytes]] = {
    translate_back.frame: translate.frame_bytes,
    translate_back.heartbeat: translate.heartbeat_bytes,
    translate_back.ack: translate.ack_bytes,
    translate_back.piece: translate.piece_bytes,
    translate_back.receipt: lambda count: pb.FrameReceipt(frames=count).SerializeToString(),
    translate_back.snapshot_request: lambda wire: wire.SerializeToString(),
}
"""Every reader, and how what it returns is written."""

TIMES = 60
"""So much memory, in bytes, may be needed for a byte that came in ..."""

FLOOR_BYTES = 1_000_000
"""... beyond what any message needs."""


def read(raw: bytes) -> None:
    """Give *raw* to every reader: it refuses, or returns what survives another trip."""
    for reader, writer in ONCE_MORE.items():
        try:
            value = reader(raw)
        except Malformed:
            continue
        assert reader(writer(value)) == value


@effort(300)
@given(st.binary(max_size=200))
@example(b"\x0a\xff\xff\xff\xff\x7f")  # A length of 32 GiB.
@example(b"\x0b" * 5000)  # Groups without an end.
def test_any_bytes(raw: bytes) -> None:
    read(raw)


MESSAGES: dict[type[Message], st.SearchStrategy[bytes]] = {
    pb.PeerFrame: frames.map(translate.frame_bytes),
    pb.NodeHeartbeat: heartbeats.map(translate.heartbeat_bytes),
    pb.NodeHeartbeatAck: acks.map(translate.ack_bytes),
    pb.SnapshotPiece: pieces.map(translate.piece_bytes),
}


@effort(300)
@given(
    st.sampled_from(list(MESSAGES)).flatmap(lambda kind: MESSAGES[kind].map(kind.FromString)),
    st.integers(0, 2**64 - 1),
)
def test_bent_messages(message: Message, seed: int) -> None:
    chance = Random(seed)
    for _ in range(5):
        bent = type(message).FromString(message.SerializeToString())
        bend(bent, chance, chance.choice((1, 2, 4)))
        if isinstance(bent, pb.SnapshotPiece) and bent.HasField("envelope"):
            bent.envelope.crc32 = translate.envelope_crc32(bent.envelope)
        read(bent.SerializeToString())


@effort(300)
@given(st.integers(0, 2**64 - 1))
def test_bent_configurations(seed: int) -> None:
    payload = noise(Random(seed)) if seed % 5 == 0 else configuration(Random(seed))
    append = pb.Append(first=1, terms=[1], kinds=b"\2", payloads=[payload])
    message = pb.ShardMessage(shard_id=1, term=1, append_request=append)
    read(pb.PeerFrame(sender="http://a:1", messages=[message]).SerializeToString())
    envelope = pb.SnapshotEnvelope(clock_term=1, clock_index=2, configuration=payload)
    envelope.crc32 = translate.envelope_crc32(envelope)
    read(pb.SnapshotPiece(envelope=envelope).SerializeToString())


@effort(20)
@given(st.integers(0, 2**64 - 1))
def test_what_comes_costs_what_it_weighs(seed: int) -> None:
    chance = Random(seed)
    message = pb.PeerFrame(sender="http://a:1", epoch=1)
    for _ in range(300):
        bend(message, chance, 3)
    raw = message.SerializeToString()
    tracemalloc.start()
    try:
        read(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < FLOOR_BYTES + TIMES * len(raw)
