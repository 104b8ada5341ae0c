from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequests(_message.Message):
    __slots__ = ("numbers", "shard_ids", "kinds", "messages", "request_ids")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SHARD_IDS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    shard_ids: _containers.RepeatedScalarFieldContainer[int]
    kinds: bytes
    messages: _containers.RepeatedScalarFieldContainer[bytes]
    request_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, numbers: _Optional[_Iterable[int]] = ..., shard_ids: _Optional[_Iterable[int]] = ..., kinds: _Optional[bytes] = ..., messages: _Optional[_Iterable[bytes]] = ..., request_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SubmitReplies(_message.Message):
    __slots__ = ("numbers", "codes", "messages", "leader_ids")
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    LEADER_IDS_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    codes: bytes
    messages: _containers.RepeatedScalarFieldContainer[bytes]
    leader_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, numbers: _Optional[_Iterable[int]] = ..., codes: _Optional[bytes] = ..., messages: _Optional[_Iterable[bytes]] = ..., leader_ids: _Optional[_Iterable[str]] = ...) -> None: ...

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
