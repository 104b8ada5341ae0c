"""Values to protobuf, for the wire between nodes; `translate_back` is the strict way home."""

from __future__ import annotations

import zlib
from typing import assert_never

from lolraft.multiraft.commands import Registration, WriteId
from lolraft.multiraft.frames import (
    Forward,
    ForwardReply,
    Frame,
    NodeHeartbeat,
    NodeHeartbeatAck,
    RequestKind,
)
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
from lolraft.raft.types import ShardId, SnapshotMeta
from lolraft.rpc.pb import peer_pb2 as pb
from lolraft.runtime.transport import SnapshotPiece

CODES: dict[Code, int] = {
    Code.OK: 0,
    Code.INVALID_ARGUMENT: 3,
    Code.DEADLINE_EXCEEDED: 4,
    Code.NOT_FOUND: 5,
    Code.RESOURCE_EXHAUSTED: 8,
    Code.FAILED_PRECONDITION: 9,
    Code.ABORTED: 10,
    Code.OUT_OF_RANGE: 11,
    Code.INTERNAL: 13,
    Code.UNAVAILABLE: 14,
}
"""The numbers that gRPC gives these names."""

KINDS: tuple[RequestKind, ...] = (
    RequestKind.WRITE,
    RequestKind.READ,
    RequestKind.ADD_SERVER,
    RequestKind.REMOVE_SERVER,
    RequestKind.TRANSFER,
    RequestKind.PROBE,
    RequestKind.CHANGE_MEMBERS,
    RequestKind.READ_INDEX,
    RequestKind.READ_LEASE,
)
"""`Forward.kind` on the wire is the position here; other kinds never leave their node."""

REFUSALS: tuple[Refusal, ...] = (Refusal.NONE, Refusal.OTHER, Refusal.BELIEVES, Refusal.REMOVED)
"""`TellVote.refusal` on the wire is the position here."""

_KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
_REFUSAL_NUMBERS = {refusal: number for number, refusal in enumerate(REFUSALS)}


def frame_bytes(frame: Frame) -> bytes:
    """Return *frame* as it travels."""
    return pb.PeerFrame(
        sender=frame.sender,
        incarnation=frame.incarnation,
        epoch=frame.epoch,
        messages=[_shard_message(shard_id, message) for shard_id, message in frame.messages],
        forwards=[_forward(forward) for forward in frame.forwards],
        replies=[_reply(reply) for reply in frame.replies],
    ).SerializeToString()


def heartbeat_bytes(heartbeat: NodeHeartbeat) -> bytes:
    """Return *heartbeat* as it travels."""
    claims = heartbeat.claims
    return pb.NodeHeartbeat(
        sender=heartbeat.sender,
        incarnation=heartbeat.incarnation,
        epoch=heartbeat.epoch,
        seq=heartbeat.seq,
        is_beat=heartbeat.is_beat,
        ledger_version=heartbeat.ledger_version,
        base_version=heartbeat.base_version,
        claim_shards=[claim.shard_id for claim in claims],
        claim_terms=[claim.term for claim in claims],
        claim_groups=[claim.group for claim in claims],
        withdrawn=heartbeat.withdrawn,
        disk_is_well=heartbeat.disk_is_well,
        priority=heartbeat.priority,
        objections_seen=heartbeat.objections_seen,
    ).SerializeToString()


def ack_bytes(ack: NodeHeartbeatAck) -> bytes:
    """Return *ack* as it travels."""
    objections = ack.objections or ()
    return pb.NodeHeartbeatAck(
        sender=ack.sender,
        incarnation=ack.incarnation,
        to_epoch=ack.to_epoch,
        seq=ack.seq,
        ledger_version=ack.ledger_version,
        own_epoch=ack.own_epoch,
        known_epoch=ack.known_epoch,
        pinned=ack.pinned,
        objections_version=ack.objections_version,
        has_objections=ack.objections is not None,
        objection_shards=[shard_id for shard_id, _ in objections],
        objection_terms=[term for _, term in objections],
        promised_s=ack.promised_s,
    ).SerializeToString()


def piece_bytes(piece: SnapshotPiece) -> bytes:
    """Return *piece* as it travels."""
    return pb.SnapshotPiece(
        envelope=None if piece.meta is None else _envelope(piece.meta),
        offset=piece.offset,
        data=piece.data,
        crc32=piece.crc32,
        last=piece.last,
        total_crc32=piece.total_crc32,
        sessions_bytes=piece.sessions_bytes,
    ).SerializeToString()


def envelope_crc32(envelope: pb.SnapshotEnvelope) -> int:
    """Return the checksum of the envelope's other fields, as `peer.proto` defines it."""
    bare = pb.SnapshotEnvelope()
    bare.CopyFrom(envelope)
    bare.ClearField("crc32")
    return zlib.crc32(bare.SerializeToString(deterministic=True))


def _envelope(meta: SnapshotMeta) -> pb.SnapshotEnvelope:
    envelope = pb.SnapshotEnvelope(
        clock_term=meta.clock.term,
        clock_index=meta.clock.index,
        configuration=meta.configuration.encode(),
        configuration_index=meta.configuration_index,
        sessions=meta.sessions,
    )
    envelope.crc32 = envelope_crc32(envelope)
    return envelope


def _shard_message(shard_id: ShardId, message: Message) -> pb.ShardMessage:
    match message:
        case AppendRequest():
            return _append(shard_id, message)
        case AppendResponse():
            return pb.ShardMessage(
                shard_id=shard_id,
                group=message.group,
                term=message.term,
                append_response=pb.AppendAnswer(
                    success=message.success,
                    match_index=message.match_index,
                    rejected_index=message.rejected_index,
                    conflict_term=message.conflict.term,
                    conflict_index=message.conflict.index,
                    commit_index=message.commit_index,
                    damage=message.damage,
                ),
            )
        case VoteRequest():
            return pb.ShardMessage(
                shard_id=shard_id,
                group=message.group,
                term=message.term,
                vote_request=pb.AskVote(
                    last_term=message.last_clock.term,
                    last_index=message.last_clock.index,
                    pre_vote=message.pre_vote,
                    force_vote=message.force_vote,
                    released=message.released,
                ),
            )
        case VoteResponse():
            return pb.ShardMessage(
                shard_id=shard_id,
                group=message.group,
                term=message.term,
                vote_response=pb.TellVote(
                    granted=message.granted,
                    pre_vote=message.pre_vote,
                    asked_term=message.asked_term,
                    refusal=_REFUSAL_NUMBERS[message.refusal],
                    leader_id=message.leader_id or "",
                    removed_at=message.removed_at,
                ),
            )
        case SnapshotOffer():
            return pb.ShardMessage(
                shard_id=shard_id,
                group=message.group,
                term=message.term,
                snapshot_offer=pb.OfferSnapshot(
                    clock_term=message.clock.term,
                    clock_index=message.clock.index,
                    ledger_epoch=message.ledger[0],
                    ledger_version=message.ledger[1],
                ),
            )
        case TimeoutNow():
            return pb.ShardMessage(
                shard_id=shard_id, group=message.group, term=message.term, timeout_now=True
            )
        case GroupMismatch():
            return pb.ShardMessage(shard_id=shard_id, group=message.group, group_mismatch=True)
        case _:
            assert_never(message)


def _append(shard_id: ShardId, message: AppendRequest) -> pb.ShardMessage:
    entries = message.entries
    return pb.ShardMessage(
        shard_id=shard_id,
        group=message.group,
        term=message.term,
        append_request=pb.Append(
            prev_term=message.prev_clock.term,
            prev_index=message.prev_clock.index,
            first=entries.first,
            terms=entries.terms,
            kinds=entries.kinds,
            payloads=entries.payloads,
            commit_index=message.commit_index,
            ledger_epoch=message.ledger[0],
            ledger_version=message.ledger[1],
            repairs=message.repairs,
        ),
    )


def _forward(forward: Forward) -> pb.Forward:
    wire = pb.Forward(
        number=forward.number,
        kind=_KIND_NUMBERS[forward.kind],
        shard_id=forward.shard_id,
        message=forward.message,
    )
    match forward.request_id:
        case WriteId(session=session, sequence=sequence, lowest=lowest):
            wire.session, wire.sequence, wire.lowest_unanswered = session, sequence, lowest
        case Registration(nonce=nonce):
            wire.registration = nonce
        case opaque:
            wire.request_id = opaque
    return wire


def _reply(reply: ForwardReply) -> pb.ForwardReply:
    return pb.ForwardReply(
        number=reply.number,
        to_epoch=reply.to_epoch,
        code=CODES[reply.code],
        message=reply.message,
        leader_id=reply.leader_id or "",
        group=reply.group,
        incarnation=reply.incarnation,
        index=reply.index,
    )
