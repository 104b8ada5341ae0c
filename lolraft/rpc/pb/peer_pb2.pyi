from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameReceipt(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: int
    def __init__(self, frames: _Optional[int] = ...) -> None: ...

class PeerFrame(_message.Message):
    __slots__ = ("sender", "incarnation", "epoch", "messages", "forwards", "replies")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    FORWARDS_FIELD_NUMBER: _ClassVar[int]
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    sender: str
    incarnation: int
    epoch: int
    messages: _containers.RepeatedCompositeFieldContainer[ShardMessage]
    forwards: _containers.RepeatedCompositeFieldContainer[Forward]
    replies: _containers.RepeatedCompositeFieldContainer[ForwardReply]
    def __init__(self, sender: _Optional[str] = ..., incarnation: _Optional[int] = ..., epoch: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[ShardMessage, _Mapping]]] = ..., forwards: _Optional[_Iterable[_Union[Forward, _Mapping]]] = ..., replies: _Optional[_Iterable[_Union[ForwardReply, _Mapping]]] = ...) -> None: ...

class ShardMessage(_message.Message):
    __slots__ = ("shard_id", "group", "term", "vote_request", "vote_response", "append_request", "append_response", "snapshot_offer", "timeout_now", "group_mismatch")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    VOTE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    VOTE_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    APPEND_REQUEST_FIELD_NUMBER: _ClassVar[int]
    APPEND_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_OFFER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_NOW_FIELD_NUMBER: _ClassVar[int]
    GROUP_MISMATCH_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    group: int
    term: int
    vote_request: AskVote
    vote_response: TellVote
    append_request: Append
    append_response: AppendAnswer
    snapshot_offer: OfferSnapshot
    timeout_now: bool
    group_mismatch: bool
    def __init__(self, shard_id: _Optional[int] = ..., group: _Optional[int] = ..., term: _Optional[int] = ..., vote_request: _Optional[_Union[AskVote, _Mapping]] = ..., vote_response: _Optional[_Union[TellVote, _Mapping]] = ..., append_request: _Optional[_Union[Append, _Mapping]] = ..., append_response: _Optional[_Union[AppendAnswer, _Mapping]] = ..., snapshot_offer: _Optional[_Union[OfferSnapshot, _Mapping]] = ..., timeout_now: _Optional[bool] = ..., group_mismatch: _Optional[bool] = ...) -> None: ...

class AskVote(_message.Message):
    __slots__ = ("last_term", "last_index", "pre_vote", "force_vote", "released")
    LAST_TERM_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    PRE_VOTE_FIELD_NUMBER: _ClassVar[int]
    FORCE_VOTE_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    last_term: int
    last_index: int
    pre_vote: bool
    force_vote: bool
    released: bool
    def __init__(self, last_term: _Optional[int] = ..., last_index: _Optional[int] = ..., pre_vote: _Optional[bool] = ..., force_vote: _Optional[bool] = ..., released: _Optional[bool] = ...) -> None: ...

class TellVote(_message.Message):
    __slots__ = ("granted", "pre_vote", "asked_term", "refusal", "leader_id", "removed_at")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    PRE_VOTE_FIELD_NUMBER: _ClassVar[int]
    ASKED_TERM_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    REMOVED_AT_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    pre_vote: bool
    asked_term: int
    refusal: int
    leader_id: str
    removed_at: int
    def __init__(self, granted: _Optional[bool] = ..., pre_vote: _Optional[bool] = ..., asked_term: _Optional[int] = ..., refusal: _Optional[int] = ..., leader_id: _Optional[str] = ..., removed_at: _Optional[int] = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("prev_term", "prev_index", "first", "terms", "kinds", "payloads", "commit_index", "ledger_epoch", "ledger_version", "repairs")
    PREV_TERM_FIELD_NUMBER: _ClassVar[int]
    PREV_INDEX_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    LEDGER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEDGER_VERSION_FIELD_NUMBER: _ClassVar[int]
    REPAIRS_FIELD_NUMBER: _ClassVar[int]
    prev_term: int
    prev_index: int
    first: int
    terms: _containers.RepeatedScalarFieldContainer[int]
    kinds: bytes
    payloads: _containers.RepeatedScalarFieldContainer[bytes]
    commit_index: int
    ledger_epoch: int
    ledger_version: int
    repairs: int
    def __init__(self, prev_term: _Optional[int] = ..., prev_index: _Optional[int] = ..., first: _Optional[int] = ..., terms: _Optional[_Iterable[int]] = ..., kinds: _Optional[bytes] = ..., payloads: _Optional[_Iterable[bytes]] = ..., commit_index: _Optional[int] = ..., ledger_epoch: _Optional[int] = ..., ledger_version: _Optional[int] = ..., repairs: _Optional[int] = ...) -> None: ...

class AppendAnswer(_message.Message):
    __slots__ = ("success", "match_index", "rejected_index", "conflict_term", "conflict_index", "commit_index", "damage")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    MATCH_INDEX_FIELD_NUMBER: _ClassVar[int]
    REJECTED_INDEX_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_TERM_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_INDEX_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    DAMAGE_FIELD_NUMBER: _ClassVar[int]
    success: bool
    match_index: int
    rejected_index: int
    conflict_term: int
    conflict_index: int
    commit_index: int
    damage: int
    def __init__(self, success: _Optional[bool] = ..., match_index: _Optional[int] = ..., rejected_index: _Optional[int] = ..., conflict_term: _Optional[int] = ..., conflict_index: _Optional[int] = ..., commit_index: _Optional[int] = ..., damage: _Optional[int] = ...) -> None: ...

class OfferSnapshot(_message.Message):
    __slots__ = ("clock_term", "clock_index", "ledger_epoch", "ledger_version")
    CLOCK_TERM_FIELD_NUMBER: _ClassVar[int]
    CLOCK_INDEX_FIELD_NUMBER: _ClassVar[int]
    LEDGER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEDGER_VERSION_FIELD_NUMBER: _ClassVar[int]
    clock_term: int
    clock_index: int
    ledger_epoch: int
    ledger_version: int
    def __init__(self, clock_term: _Optional[int] = ..., clock_index: _Optional[int] = ..., ledger_epoch: _Optional[int] = ..., ledger_version: _Optional[int] = ...) -> None: ...

class Forward(_message.Message):
    __slots__ = ("number", "kind", "shard_id", "message", "request_id", "session", "sequence", "lowest_unanswered", "registration")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LOWEST_UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: int
    shard_id: int
    message: bytes
    request_id: str
    session: int
    sequence: int
    lowest_unanswered: int
    registration: bytes
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[int] = ..., shard_id: _Optional[int] = ..., message: _Optional[bytes] = ..., request_id: _Optional[str] = ..., session: _Optional[int] = ..., sequence: _Optional[int] = ..., lowest_unanswered: _Optional[int] = ..., registration: _Optional[bytes] = ...) -> None: ...

class ForwardReply(_message.Message):
    __slots__ = ("number", "to_epoch", "code", "message", "leader_id", "group", "incarnation", "index")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TO_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    number: int
    to_epoch: int
    code: int
    message: bytes
    leader_id: str
    group: int
    incarnation: int
    index: int
    def __init__(self, number: _Optional[int] = ..., to_epoch: _Optional[int] = ..., code: _Optional[int] = ..., message: _Optional[bytes] = ..., leader_id: _Optional[str] = ..., group: _Optional[int] = ..., incarnation: _Optional[int] = ..., index: _Optional[int] = ...) -> None: ...

class NodeHeartbeat(_message.Message):
    __slots__ = ("sender", "incarnation", "epoch", "seq", "is_beat", "ledger_version", "base_version", "claim_shards", "claim_terms", "claim_groups", "withdrawn", "disk_is_well", "objections_seen", "priority")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    IS_BEAT_FIELD_NUMBER: _ClassVar[int]
    LEDGER_VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLAIM_SHARDS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TERMS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_GROUPS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    DISK_IS_WELL_FIELD_NUMBER: _ClassVar[int]
    OBJECTIONS_SEEN_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    sender: str
    incarnation: int
    epoch: int
    seq: int
    is_beat: bool
    ledger_version: int
    base_version: int
    claim_shards: _containers.RepeatedScalarFieldContainer[int]
    claim_terms: _containers.RepeatedScalarFieldContainer[int]
    claim_groups: _containers.RepeatedScalarFieldContainer[int]
    withdrawn: _containers.RepeatedScalarFieldContainer[int]
    disk_is_well: bool
    objections_seen: int
    priority: int
    def __init__(self, sender: _Optional[str] = ..., incarnation: _Optional[int] = ..., epoch: _Optional[int] = ..., seq: _Optional[int] = ..., is_beat: _Optional[bool] = ..., ledger_version: _Optional[int] = ..., base_version: _Optional[int] = ..., claim_shards: _Optional[_Iterable[int]] = ..., claim_terms: _Optional[_Iterable[int]] = ..., claim_groups: _Optional[_Iterable[int]] = ..., withdrawn: _Optional[_Iterable[int]] = ..., disk_is_well: _Optional[bool] = ..., objections_seen: _Optional[int] = ..., priority: _Optional[int] = ...) -> None: ...

class NodeHeartbeatAck(_message.Message):
    __slots__ = ("sender", "incarnation", "to_epoch", "seq", "ledger_version", "own_epoch", "known_epoch", "pinned", "objections_version", "has_objections", "objection_shards", "objection_terms", "promised_s")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    TO_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    LEDGER_VERSION_FIELD_NUMBER: _ClassVar[int]
    OWN_EPOCH_FIELD_NUMBER: _ClassVar[int]
    KNOWN_EPOCH_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    OBJECTIONS_VERSION_FIELD_NUMBER: _ClassVar[int]
    HAS_OBJECTIONS_FIELD_NUMBER: _ClassVar[int]
    OBJECTION_SHARDS_FIELD_NUMBER: _ClassVar[int]
    OBJECTION_TERMS_FIELD_NUMBER: _ClassVar[int]
    PROMISED_S_FIELD_NUMBER: _ClassVar[int]
    sender: str
    incarnation: int
    to_epoch: int
    seq: int
    ledger_version: int
    own_epoch: int
    known_epoch: int
    pinned: int
    objections_version: int
    has_objections: bool
    objection_shards: _containers.RepeatedScalarFieldContainer[int]
    objection_terms: _containers.RepeatedScalarFieldContainer[int]
    promised_s: float
    def __init__(self, sender: _Optional[str] = ..., incarnation: _Optional[int] = ..., to_epoch: _Optional[int] = ..., seq: _Optional[int] = ..., ledger_version: _Optional[int] = ..., own_epoch: _Optional[int] = ..., known_epoch: _Optional[int] = ..., pinned: _Optional[int] = ..., objections_version: _Optional[int] = ..., has_objections: _Optional[bool] = ..., objection_shards: _Optional[_Iterable[int]] = ..., objection_terms: _Optional[_Iterable[int]] = ..., promised_s: _Optional[float] = ...) -> None: ...

class FetchSnapshotRequest(_message.Message):
    __slots__ = ("shard_id", "group", "clock_term", "clock_index", "offset")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CLOCK_TERM_FIELD_NUMBER: _ClassVar[int]
    CLOCK_INDEX_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    group: int
    clock_term: int
    clock_index: int
    offset: int
    def __init__(self, shard_id: _Optional[int] = ..., group: _Optional[int] = ..., clock_term: _Optional[int] = ..., clock_index: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class SnapshotPiece(_message.Message):
    __slots__ = ("envelope", "offset", "data", "crc32", "last", "total_crc32", "sessions_bytes")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CRC32_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_BYTES_FIELD_NUMBER: _ClassVar[int]
    envelope: SnapshotEnvelope
    offset: int
    data: bytes
    crc32: int
    last: bool
    total_crc32: int
    sessions_bytes: int
    def __init__(self, envelope: _Optional[_Union[SnapshotEnvelope, _Mapping]] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., crc32: _Optional[int] = ..., last: _Optional[bool] = ..., total_crc32: _Optional[int] = ..., sessions_bytes: _Optional[int] = ...) -> None: ...

class SnapshotEnvelope(_message.Message):
    __slots__ = ("clock_term", "clock_index", "configuration", "configuration_index", "sessions", "crc32")
    CLOCK_TERM_FIELD_NUMBER: _ClassVar[int]
    CLOCK_INDEX_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_INDEX_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    clock_term: int
    clock_index: int
    configuration: bytes
    configuration_index: int
    sessions: bytes
    crc32: int
    def __init__(self, clock_term: _Optional[int] = ..., clock_index: _Optional[int] = ..., configuration: _Optional[bytes] = ..., configuration_index: _Optional[int] = ..., sessions: _Optional[bytes] = ..., crc32: _Optional[int] = ...) -> None: ...
