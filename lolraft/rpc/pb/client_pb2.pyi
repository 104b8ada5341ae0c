from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequests(_message.Message):
    __slots__ = ("numbers", "shard_ids", "kinds", "messages", "request_ids", "sessions", "sequences", "lowest_unanswered", "max_staleness_s")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SHARD_IDS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    LOWEST_UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    MAX_STALENESS_S_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    shard_ids: _containers.RepeatedScalarFieldContainer[int]
    kinds: bytes
    messages: _containers.RepeatedScalarFieldContainer[bytes]
    request_ids: _containers.RepeatedScalarFieldContainer[str]
    sessions: _containers.RepeatedScalarFieldContainer[int]
    sequences: _containers.RepeatedScalarFieldContainer[int]
    lowest_unanswered: _containers.RepeatedScalarFieldContainer[int]
    max_staleness_s: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, numbers: _Optional[_Iterable[int]] = ..., shard_ids: _Optional[_Iterable[int]] = ..., kinds: _Optional[bytes] = ..., messages: _Optional[_Iterable[bytes]] = ..., request_ids: _Optional[_Iterable[str]] = ..., sessions: _Optional[_Iterable[int]] = ..., sequences: _Optional[_Iterable[int]] = ..., lowest_unanswered: _Optional[_Iterable[int]] = ..., max_staleness_s: _Optional[_Iterable[float]] = ...) -> None: ...

class SubmitReplies(_message.Message):
    __slots__ = ("numbers", "codes", "messages", "leader_ids", "retry_after_ms")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    LEADER_IDS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    codes: bytes
    messages: _containers.RepeatedScalarFieldContainer[bytes]
    leader_ids: _containers.RepeatedScalarFieldContainer[str]
    retry_after_ms: int
    def __init__(self, numbers: _Optional[_Iterable[int]] = ..., codes: _Optional[bytes] = ..., messages: _Optional[_Iterable[bytes]] = ..., leader_ids: _Optional[_Iterable[str]] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class RegisterClientRequest(_message.Message):
    __slots__ = ("shard_id", "nonce")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    nonce: bytes
    def __init__(self, shard_id: _Optional[int] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class RegisterClientReply(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: int
    def __init__(self, session: _Optional[int] = ...) -> None: ...

class TransferRequest(_message.Message):
    __slots__ = ("shard_id", "server_id")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    server_id: str
    def __init__(self, shard_id: _Optional[int] = ..., server_id: _Optional[str] = ...) -> None: ...

class TransferReply(_message.Message):
    __slots__ = ("leader_id",)
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    leader_id: str
    def __init__(self, leader_id: _Optional[str] = ...) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ("shard_id",)
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    def __init__(self, shard_id: _Optional[int] = ...) -> None: ...

class BackupPiece(_message.Message):
    __slots__ = ("kind", "body", "crc32")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    kind: int
    body: bytes
    crc32: int
    def __init__(self, kind: _Optional[int] = ..., body: _Optional[bytes] = ..., crc32: _Optional[int] = ...) -> None: ...

class ChangeMembersRequest(_message.Message):
    __slots__ = ("shard_id", "voters", "learners", "removed", "others_leave")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    OTHERS_LEAVE_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    voters: _containers.RepeatedScalarFieldContainer[str]
    learners: _containers.RepeatedScalarFieldContainer[str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    others_leave: bool
    def __init__(self, shard_id: _Optional[int] = ..., voters: _Optional[_Iterable[str]] = ..., learners: _Optional[_Iterable[str]] = ..., removed: _Optional[_Iterable[str]] = ..., others_leave: _Optional[bool] = ...) -> None: ...

class ChangeMembersReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
