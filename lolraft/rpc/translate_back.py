"""Protobuf to values, strictly: what a peer sends is checked here, once, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtoMessage

from lolraft.config import normalise_node_id
from lolraft.errors import ConfigError, LolraftError
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
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    GroupMismatch,
    Message,
    SnapshotOffer,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Clock, Configuration, Entries, EntryKind, NodeId, SnapshotMeta
from lolraft.rpc.pb import peer_pb2 as pb
from lolraft.rpc.translate import CODES, KINDS, REFUSALS, envelope_crc32
from lolraft.runtime.transport import SnapshotPiece

Parsed = TypeVar("Parsed", bound=ProtoMessage)

_CODE_OF_NUMBER = {number: code for code, number in CODES.items()}
_KNOWN_KINDS = bytes(EntryKind)
_NAMES_A_SERVER = (RequestKind.ADD_SERVER, RequestKind.REMOVE_SERVER, RequestKind.TRANSFER)

MOST = 2**62
"""No term, index, epoch, sequence or version comes near; storage and wire end at 2**63."""


MOST_EPOCH = 2**31
"""No node is started so often; one that is told of a higher epoch of its own goes above it."""


class Malformed(LolraftError):
    """A peer sent what no peer of ours sends; the text says what."""


def frame(raw: bytes) -> Frame:
    """
    Read a frame.

    Raises:
        Malformed: it is not one.
    """
    wire = _parse(pb.PeerFrame, raw)
    sender = _node_id(wire.sender)
    _bounded(wire.epoch, most=MOST_EPOCH)
    return Frame(
        sender=sender,
        incarnation=wire.incarnation,
        epoch=wire.epoch,
        messages=tuple((one.shard_id, _message(sender, one)) for one in wire.messages),
        forwards=tuple(map(_forward, wire.forwards)),
        replies=tuple(map(_reply, wire.replies)),
    )


def heartbeat(raw: bytes) -> NodeHeartbeat:
    """
    Read a heartbeat.

    Raises:
        Malformed: it is not one.
    """
    wire = _parse(pb.NodeHeartbeat, raw)
    if not len(wire.claim_shards) == len(wire.claim_terms) == len(wire.claim_groups):
        raise Malformed("the columns of the claims differ in length")
    _bounded(wire.epoch, most=MOST_EPOCH)
    _bounded(wire.seq, wire.ledger_version, wire.base_version, *wire.claim_terms)
    columns = zip(wire.claim_shards, wire.claim_terms, wire.claim_groups, strict=True)
    return NodeHeartbeat(
        sender=_node_id(wire.sender),
        incarnation=wire.incarnation,
        epoch=wire.epoch,
        seq=wire.seq,
        is_beat=wire.is_beat,
        ledger_version=wire.ledger_version,
        base_version=wire.base_version,
        claims=tuple(Claim(shard_id=s, term=t, group=g) for s, t, g in columns),
        withdrawn=tuple(wire.withdrawn),
        disk_is_well=wire.disk_is_well,
        priority=wire.priority,
        objections_seen=wire.objections_seen,
    )


def ack(raw: bytes) -> NodeHeartbeatAck:
    """
    Read an answer to a heartbeat.

    Raises:
        Malformed: it is not one.
    """
    wire = _parse(pb.NodeHeartbeatAck, raw)
    if len(wire.objection_shards) != len(wire.objection_terms):
        raise Malformed("the columns of the objections differ in length")
    _bounded(wire.to_epoch, wire.own_epoch, wire.known_epoch, most=MOST_EPOCH)
    _bounded(wire.seq, wire.ledger_version, *wire.objection_terms)
    if not 0 <= wire.promised_s < math.inf:
        raise Malformed(f"nobody promises anything for {wire.promised_s} s")
    objections = tuple(zip(wire.objection_shards, wire.objection_terms, strict=True))
    return NodeHeartbeatAck(
        sender=_node_id(wire.sender),
        incarnation=wire.incarnation,
        to_epoch=wire.to_epoch,
        seq=wire.seq,
        ledger_version=wire.ledger_version,
        own_epoch=wire.own_epoch,
        known_epoch=wire.known_epoch,
        pinned=wire.pinned,
        objections_version=wire.objections_version,
        objections=objections if wire.has_objections else None,
        promised_s=wire.promised_s,
    )


def receipt(raw: bytes) -> int:
    """
    Read how many frames of this stream the peer has taken.

    Raises:
        Malformed: it is not a receipt.
    """
    return _parse(pb.FrameReceipt, raw).frames


def snapshot_request(raw: bytes) -> pb.FetchSnapshotRequest:
    """
    Read a request for a snapshot; it has only numbers, so the message is its own value.

    Raises:
        Malformed: it is not one.
    """
    return _parse(pb.FetchSnapshotRequest, raw)


def piece(raw: bytes) -> SnapshotPiece:
    """
    Read a piece of a snapshot; its data and sessions are checked where it is put together.

    Raises:
        Malformed: it is not one, or the envelope's checksum is wrong.
    """
    wire = _parse(pb.SnapshotPiece, raw)
    return SnapshotPiece(
        meta=_meta(wire.envelope) if wire.HasField("envelope") else None,
        offset=wire.offset,
        data=wire.data,
        crc32=wire.crc32,
        last=wire.last,
        total_crc32=wire.total_crc32,
        sessions_bytes=wire.sessions_bytes,
    )


def _meta(wire: pb.SnapshotEnvelope) -> SnapshotMeta:
    if wire.crc32 != envelope_crc32(wire):
        raise Malformed("the checksum of the snapshot's envelope is wrong")
    _bounded(wire.clock_term, wire.clock_index, wire.configuration_index)
    configuration = _configuration(wire.configuration)
    return SnapshotMeta(
        clock=Clock(wire.clock_term, wire.clock_index),
        configuration=configuration,
        configuration_index=wire.configuration_index,
        sessions=wire.sessions,
    )


def _parse(kind: type[Parsed], raw: bytes) -> Parsed:
    try:
        return kind.FromString(raw)
    except DecodeError as broken:
        raise Malformed(f"not a {kind.DESCRIPTOR.name}: {broken}") from broken


def _node_id(text: str) -> NodeId:
    try:
        node_id = normalise_node_id(text)
    except ConfigError as broken:
        raise Malformed(str(broken)) from broken
    if node_id != text:
        raise Malformed(f"{text!r} is not in its normal form {node_id!r}")
    return node_id


def _bounded(*numbers: int, most: int = MOST) -> None:
    if numbers and max(numbers) > most:
        raise Malformed(f"{max(numbers)} is beyond every term, index and version")


def _maybe_node_id(text: str) -> NodeId | None:
    return _node_id(text) if text else None


def _message(sender: NodeId, wire: pb.ShardMessage) -> Message:
    body = wire.WhichOneof("body")
    read = _BODIES.get(body or "")
    if read is None:
        raise Malformed(f"a message for shard {wire.shard_id} has no body that is known here")
    _bounded(wire.term)
    return read(sender, wire)


def _vote_request(sender: NodeId, wire: pb.ShardMessage) -> VoteRequest:
    body = wire.vote_request
    _bounded(body.last_term, body.last_index)
    return VoteRequest(
        sender=sender,
        group=wire.group,
        term=wire.term,
        last_clock=Clock(body.last_term, body.last_index),
        pre_vote=body.pre_vote,
        force_vote=body.force_vote,
        released=body.released,
    )


def _vote_response(sender: NodeId, wire: pb.ShardMessage) -> VoteResponse:
    body = wire.vote_response
    if body.refusal >= len(REFUSALS):
        raise Malformed(f"{body.refusal} is no reason to refuse a vote")
    _bounded(body.asked_term, body.removed_at)
    return VoteResponse(
        sender=sender,
        group=wire.group,
        term=wire.term,
        granted=body.granted,
        pre_vote=body.pre_vote,
        asked_term=body.asked_term,
        refusal=REFUSALS[body.refusal],
        leader_id=_maybe_node_id(body.leader_id),
        removed_at=body.removed_at,
    )


def _append_request(sender: NodeId, wire: pb.ShardMessage) -> AppendRequest:
    body = wire.append_request
    terms = tuple(body.terms)
    if not len(terms) == len(body.kinds) == len(body.payloads):
        raise Malformed("the columns of the entries differ in length")
    if body.kinds.translate(None, _KNOWN_KINDS):
        raise Malformed("an entry is of a kind that is unknown here")
    if terms and body.first != body.prev_index + 1:
        raise Malformed(f"entries from {body.first} do not follow entry {body.prev_index}")
    if terms and (body.prev_term, *terms) != tuple(sorted((body.prev_term, *terms))):
        raise Malformed("the terms of the entries go back")
    _bounded(body.prev_term, body.prev_index, body.commit_index, *terms[-1:])
    for kind, payload in zip(body.kinds, body.payloads, strict=True):
        _check_entry(kind, payload)
    return AppendRequest(
        sender=sender,
        group=wire.group,
        term=wire.term,
        prev_clock=Clock(body.prev_term, body.prev_index),
        entries=Entries(body.prev_index + 1, terms, body.kinds, tuple(body.payloads)),
        commit_index=body.commit_index,
        ledger=(body.ledger_epoch, body.ledger_version),
        repairs=body.repairs,
    )


def _check_entry(kind: int, payload: bytes) -> None:
    """Refuse now what nobody could apply later, when it is committed."""
    if kind == EntryKind.COMMAND:
        if not commands.is_whole(payload):
            raise Malformed("a command carries no request id")
    elif kind == EntryKind.CONFIGURATION:
        _configuration(payload)


def _configuration(payload: bytes) -> Configuration:
    try:
        configuration = Configuration.decode(payload)
    except ValueError as broken:
        raise Malformed(str(broken)) from broken
    for member in (*configuration.members, *(name for name, _ in configuration.incarnations)):
        _node_id(member)
    return configuration


def _append_response(sender: NodeId, wire: pb.ShardMessage) -> AppendResponse:
    body = wire.append_response
    _bounded(body.match_index, body.rejected_index, body.conflict_term, body.conflict_index)
    _bounded(body.commit_index)
    return AppendResponse(
        sender=sender,
        group=wire.group,
        term=wire.term,
        success=body.success,
        match_index=body.match_index,
        rejected_index=body.rejected_index,
        conflict=Clock(body.conflict_term, body.conflict_index),
        commit_index=body.commit_index,
        damage=body.damage,
    )


def _snapshot_offer(sender: NodeId, wire: pb.ShardMessage) -> SnapshotOffer:
    body = wire.snapshot_offer
    _bounded(body.clock_term, body.clock_index)
    return SnapshotOffer(
        sender=sender,
        group=wire.group,
        term=wire.term,
        clock=Clock(body.clock_term, body.clock_index),
        ledger=(body.ledger_epoch, body.ledger_version),
    )


def _timeout_now(sender: NodeId, wire: pb.ShardMessage) -> TimeoutNow:
    return TimeoutNow(sender=sender, group=wire.group, term=wire.term)


def _group_mismatch(sender: NodeId, wire: pb.ShardMessage) -> GroupMismatch:
    return GroupMismatch(sender=sender, group=wire.group)


_BODIES: dict[str, Callable[[NodeId, pb.ShardMessage], Message]] = {
    "vote_request": _vote_request,
    "vote_response": _vote_response,
    "append_request": _append_request,
    "append_response": _append_response,
    "snapshot_offer": _snapshot_offer,
    "timeout_now": _timeout_now,
    "group_mismatch": _group_mismatch,
}


def _forward(wire: pb.Forward) -> Forward:
    if wire.kind >= len(KINDS):
        raise Malformed(f"{wire.kind} is no kind of request")
    kind = KINDS[wire.kind]
    request_id = _request_id(wire)
    if kind in _NAMES_A_SERVER and (wire.message or kind is not RequestKind.TRANSFER):
        _node_id(wire.message.decode(errors="replace"))
    if kind is RequestKind.CHANGE_MEMBERS:
        try:
            Wish.decode(wire.message)
        except ValueError as broken:
            raise Malformed(str(broken)) from broken
    return Forward(
        number=wire.number,
        kind=kind,
        shard_id=wire.shard_id,
        message=wire.message,
        request_id=request_id,
    )


def _request_id(wire: pb.Forward) -> commands.RequestId:
    request_id: commands.RequestId = wire.request_id
    if wire.session:
        request_id = commands.WriteId(wire.session, wire.sequence, wire.lowest_unanswered)
    elif wire.registration:
        request_id = commands.Registration(wire.registration)
    bad = commands.why_bad_id(request_id)
    if bad is not None:
        raise Malformed(bad)
    return request_id


def _reply(wire: pb.ForwardReply) -> ForwardReply:
    code = _CODE_OF_NUMBER.get(wire.code)
    if code is None:
        raise Malformed(f"{wire.code} is no status code that is used here")
    _bounded(wire.index)
    return ForwardReply(
        number=wire.number,
        to_epoch=wire.to_epoch,
        code=code,
        message=wire.message,
        leader_id=_maybe_node_id(wire.leader_id),
        group=wire.group,
        incarnation=wire.incarnation,
        index=wire.index,
    )
