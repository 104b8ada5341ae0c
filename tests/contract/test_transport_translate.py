"""What is translated to the wire and back is the same value; garbage is `Malformed` and no more."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolraft.multiraft import commands
from lolraft.multiraft.frames import (
    Claim,
    Forward,
    ForwardReply,
    Frame,
    NodeHeartbeat,
    NodeHeartbeatAck,
    RequestKind,
)
from lolraft.multiraft.wishes import Wish
from lolraft.raft.effects import Code
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    GroupMismatch,
    Message,
    Refusal,
    SnapshotOffer,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Clock, Configuration, Entries, EntryKind, NodeId, SnapshotMeta
from lolraft.rpc import translate, translate_back
from lolraft.rpc.pb import peer_pb2 as pb
from lolraft.rpc.translate_back import Malformed
from lolraft.runtime.transport import SnapshotPiece

SENDER = NodeId("http://node-0:50000")
ids = st.sampled_from([NodeId("http://a:1"), NodeId("https://b:65535"), NodeId("http://[::1]:2")])
maybe_ids = st.none() | ids
u64 = st.integers(0, 2**64 - 1)
numbers = st.integers(0, translate_back.MOST)
epochs = st.integers(0, translate_back.MOST_EPOCH)
u32 = st.integers(0, 2**32 - 1)
clocks = st.builds(Clock, numbers, numbers)
ledgers = st.tuples(u64, u64)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
sequences = st.integers(1, commands.MOST - 1)
request_ids: st.SearchStrategy[commands.RequestId] = st.one_of(
    words,
    st.builds(
        lambda session, sequence, back: commands.WriteId(
            session, sequence, max(1, sequence - back)
        ),
        sequences,
        sequences,
        st.integers(0, commands.MOST_UNANSWERED - 1),
    ),
    st.builds(
        commands.Registration,
        st.binary(min_size=commands.NONCE_BYTES, max_size=commands.NONCE_BYTES),
    ),
)
payloads = {
    EntryKind.BARRIER: st.binary(max_size=8),
    EntryKind.COMMAND: st.builds(commands.encode, request_ids, st.binary(max_size=8)),
    EntryKind.CONFIGURATION: st.builds(
        lambda voters: Configuration(voters=tuple(sorted(voters))).encode(), st.sets(ids)
    ),
}


@st.composite
def forwards(draw: st.DrawFn) -> Forward:
    kind = draw(st.sampled_from(translate.KINDS))
    message = draw(st.binary(max_size=9))
    if kind in (RequestKind.ADD_SERVER, RequestKind.REMOVE_SERVER, RequestKind.TRANSFER):
        message = draw(ids).encode()
    if kind is RequestKind.CHANGE_MEMBERS:
        names = sorted(draw(st.sets(ids, min_size=1, max_size=6)))
        parts = [names[at::3] for at in range(3)]
        message = Wish.of(*parts, others_leave=draw(st.booleans())).encode()
    if kind is RequestKind.TRANSFER:
        message = draw(st.sampled_from([b"", message]))
    return Forward(
        number=draw(u64),
        kind=kind,
        shard_id=draw(u32),
        message=message,
        request_id=draw(request_ids),
    )


@st.composite
def appends(draw: st.DrawFn) -> AppendRequest:
    count = draw(st.integers(0, 4))
    terms = sorted(draw(st.lists(numbers, min_size=count + 1, max_size=count + 1)))
    previous = draw(st.integers(0, 2**40))
    kinds = bytes(draw(st.sampled_from(EntryKind)) for _ in range(count))
    return AppendRequest(
        sender=SENDER,
        group=draw(u64),
        term=draw(numbers),
        prev_clock=Clock(terms[0], previous),
        entries=Entries(
            previous + 1,
            tuple(terms[1:]),
            kinds,
            tuple(draw(payloads[EntryKind(kind)]) for kind in kinds),
        ),
        commit_index=draw(numbers),
        ledger=draw(ledgers),
        repairs=draw(u64),
    )


messages: st.SearchStrategy[Message] = st.one_of(
    appends(),
    st.builds(
        AppendResponse,
        sender=st.just(SENDER),
        group=u64,
        term=numbers,
        success=st.booleans(),
        match_index=numbers,
        rejected_index=numbers,
        conflict=clocks,
        commit_index=numbers,
        damage=u64,
    ),
    st.builds(
        VoteRequest,
        sender=st.just(SENDER),
        group=u64,
        term=numbers,
        last_clock=clocks,
        pre_vote=st.booleans(),
        force_vote=st.booleans(),
        released=st.booleans(),
    ),
    st.builds(
        VoteResponse,
        sender=st.just(SENDER),
        group=u64,
        term=numbers,
        granted=st.booleans(),
        pre_vote=st.booleans(),
        asked_term=numbers,
        refusal=st.sampled_from(Refusal),
        leader_id=maybe_ids,
        removed_at=numbers,
    ),
    st.builds(
        SnapshotOffer, sender=st.just(SENDER), group=u64, term=numbers, clock=clocks, ledger=ledgers
    ),
    st.builds(TimeoutNow, sender=st.just(SENDER), group=u64, term=numbers),
    st.builds(GroupMismatch, sender=st.just(SENDER), group=u64),
)

frames = st.builds(
    Frame,
    sender=st.just(SENDER),
    incarnation=u64,
    epoch=epochs,
    messages=st.lists(st.tuples(u32, messages), max_size=3).map(tuple),
    forwards=st.lists(forwards(), max_size=2).map(tuple),
    replies=st.lists(
        st.builds(
            ForwardReply,
            number=u64,
            to_epoch=numbers,
            code=st.sampled_from(Code),
            message=st.binary(max_size=9),
            leader_id=maybe_ids,
            group=u64,
            incarnation=u64,
            index=numbers,
        ),
        max_size=2,
    ).map(tuple),
)

heartbeats = st.builds(
    NodeHeartbeat,
    sender=ids,
    incarnation=u64,
    epoch=epochs,
    seq=numbers,
    is_beat=st.booleans(),
    ledger_version=numbers,
    base_version=numbers,
    claims=st.lists(st.builds(Claim, shard_id=u32, term=numbers, group=u64), max_size=3).map(tuple),
    withdrawn=st.lists(u32, max_size=3).map(tuple),
    disk_is_well=st.booleans(),
    priority=st.integers(-(2**31), 2**31 - 1),
)

acks = st.builds(
    NodeHeartbeatAck,
    sender=ids,
    incarnation=u64,
    to_epoch=epochs,
    seq=numbers,
    ledger_version=numbers,
    own_epoch=epochs,
    known_epoch=epochs,
    pinned=u64,
    objections_version=u64,
    objections=st.none() | st.lists(st.tuples(u32, numbers), max_size=3).map(tuple),
    promised_s=st.floats(0, 1e9),
)

metas = st.builds(
    SnapshotMeta,
    clock=clocks,
    configuration=st.builds(
        Configuration,
        voters=st.lists(ids, max_size=2, unique=True).map(lambda names: tuple(sorted(names))),
        group_id=st.integers(0, 2**128 - 1),
    ),
    configuration_index=numbers,
    sessions=st.binary(max_size=9),
)

pieces = st.builds(
    SnapshotPiece,
    offset=u64,
    data=st.binary(max_size=9),
    crc32=u32,
    meta=st.none() | metas,
    last=st.booleans(),
    total_crc32=u32,
    sessions_bytes=u64,
)


@given(frames)
def test_frames(frame: Frame) -> None:
    assert translate_back.frame(translate.frame_bytes(frame)) == frame


@given(heartbeats)
def test_heartbeats(heartbeat: NodeHeartbeat) -> None:
    assert translate_back.heartbeat(translate.heartbeat_bytes(heartbeat)) == heartbeat


@given(acks)
def test_acks(ack: NodeHeartbeatAck) -> None:
    assert translate_back.ack(translate.ack_bytes(ack)) == ack


@given(pieces)
def test_pieces(piece: SnapshotPiece) -> None:
    assert translate_back.piece(translate.piece_bytes(piece)) == piece


READERS: list[Callable[[bytes], object]] = [
    translate_back.frame,
    translate_back.heartbeat,
    translate_back.ack,
    translate_back.receipt,
    translate_back.snapshot_request,
    translate_back.piece,
]


@given(frames.map(translate.frame_bytes) | st.binary(max_size=60), st.data())
def test_bent_bytes_are_malformed_or_another_value(raw: bytes, data: st.DataObject) -> None:
    bent = bytearray(raw)
    for _ in range(data.draw(st.integers(0, 3)) if bent else 0):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    for read in READERS:
        try:
            read(bytes(bent))
        except Malformed:
            continue


def test_an_envelope_with_a_bent_byte_is_found() -> None:
    meta = SnapshotMeta(
        clock=Clock(3, 4), configuration=Configuration(voters=(SENDER,)), configuration_index=1
    )
    piece = SnapshotPiece(offset=0, data=b"", crc32=0, meta=meta)
    wire = pb.SnapshotPiece.FromString(translate.piece_bytes(piece))
    wire.envelope.clock_index = 5
    with pytest.raises(Malformed, match="checksum"):
        translate_back.piece(wire.SerializeToString())


@pytest.mark.parametrize("promised_s", [-1.0, math.nan, math.inf])
def test_promises_of_no_length(promised_s: float) -> None:
    ack = pb.NodeHeartbeatAck(sender=SENDER, promised_s=promised_s)
    with pytest.raises(Malformed, match="promises"):
        translate_back.ack(ack.SerializeToString())
