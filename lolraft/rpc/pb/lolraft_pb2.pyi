from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WriteRequest(_message.Message):
    __slots__ = ("shard_id", "message", "request_id")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    message: bytes
    request_id: str
    def __init__(self, shard_id: _Optional[int] = ..., message: _Optional[bytes] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("shard_id", "message")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    message: bytes
    def __init__(self, shard_id: _Optional[int] = ..., message: _Optional[bytes] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: bytes
    def __init__(self, message: _Optional[bytes] = ...) -> None: ...

class KernRequest(_message.Message):
    __slots__ = ("shard_id", "message")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    message: bytes
    def __init__(self, shard_id: _Optional[int] = ..., message: _Optional[bytes] = ...) -> None: ...

class Clock(_message.Message):
    __slots__ = ("term", "index")
    TERM_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    term: int
    index: int
    def __init__(self, term: _Optional[int] = ..., index: _Optional[int] = ...) -> None: ...

class VoteRequest(_message.Message):
    __slots__ = ("shard_id", "vote_term", "candidate_id", "candidate_clock", "force_vote", "pre_vote")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    VOTE_TERM_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_ID_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_CLOCK_FIELD_NUMBER: _ClassVar[int]
    FORCE_VOTE_FIELD_NUMBER: _ClassVar[int]
    PRE_VOTE_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    vote_term: int
    candidate_id: str
    candidate_clock: Clock
    force_vote: bool
    pre_vote: bool
    def __init__(self, shard_id: _Optional[int] = ..., vote_term: _Optional[int] = ..., candidate_id: _Optional[str] = ..., candidate_clock: _Optional[_Union[Clock, _Mapping]] = ..., force_vote: _Optional[bool] = ..., pre_vote: _Optional[bool] = ...) -> None: ...

class VoteResponse(_message.Message):
    __slots__ = ("vote_granted",)
    VOTE_GRANTED_FIELD_NUMBER: _ClassVar[int]
    vote_granted: bool
    def __init__(self, vote_granted: _Optional[bool] = ...) -> None: ...

class AddServerRequest(_message.Message):
    __slots__ = ("shard_id", "server_id")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    server_id: str
    def __init__(self, shard_id: _Optional[int] = ..., server_id: _Optional[str] = ...) -> None: ...

class RemoveServerRequest(_message.Message):
    __slots__ = ("shard_id", "server_id")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    server_id: str
    def __init__(self, shard_id: _Optional[int] = ..., server_id: _Optional[str] = ...) -> None: ...

class ReplicationStreamChunk(_message.Message):
    __slots__ = ("header", "entry")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    header: ReplicationStreamHeader
    entry: ReplicationStreamEntry
    def __init__(self, header: _Optional[_Union[ReplicationStreamHeader, _Mapping]] = ..., entry: _Optional[_Union[ReplicationStreamEntry, _Mapping]] = ...) -> None: ...

class ReplicationStreamHeader(_message.Message):
    __slots__ = ("shard_id", "sender_id", "prev_clock")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_ID_FIELD_NUMBER: _ClassVar[int]
    PREV_CLOCK_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    sender_id: str
    prev_clock: Clock
    def __init__(self, shard_id: _Optional[int] = ..., sender_id: _Optional[str] = ..., prev_clock: _Optional[_Union[Clock, _Mapping]] = ...) -> None: ...

class ReplicationStreamEntry(_message.Message):
    __slots__ = ("clock", "command")
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    clock: Clock
    command: bytes
    def __init__(self, clock: _Optional[_Union[Clock, _Mapping]] = ..., command: _Optional[bytes] = ...) -> None: ...

class ReplicationStreamResponse(_message.Message):
    __slots__ = ("n_inserted", "log_last_index")
    N_INSERTED_FIELD_NUMBER: _ClassVar[int]
    LOG_LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    n_inserted: int
    log_last_index: int
    def __init__(self, n_inserted: _Optional[int] = ..., log_last_index: _Optional[int] = ...) -> None: ...

class GetSnapshotRequest(_message.Message):
    __slots__ = ("shard_id", "index")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    index: int
    def __init__(self, shard_id: _Optional[int] = ..., index: _Optional[int] = ...) -> None: ...

class SnapshotChunk(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("shard_id", "leader_term", "leader_id", "leader_commit_index")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_TERM_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    leader_term: int
    leader_id: str
    leader_commit_index: int
    def __init__(self, shard_id: _Optional[int] = ..., leader_term: _Optional[int] = ..., leader_id: _Optional[str] = ..., leader_commit_index: _Optional[int] = ...) -> None: ...

class TimeoutNow(_message.Message):
    __slots__ = ("shard_id",)
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    def __init__(self, shard_id: _Optional[int] = ...) -> None: ...
