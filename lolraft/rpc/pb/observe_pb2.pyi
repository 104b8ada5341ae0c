from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchRequest(_message.Message):
    __slots__ = ("interval_s", "log_lines")
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    LOG_LINES_FIELD_NUMBER: _ClassVar[int]
    interval_s: float
    log_lines: int
    def __init__(self, interval_s: _Optional[float] = ..., log_lines: _Optional[int] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("seq", "full", "wall_s", "node", "peers", "shards", "gone_shards", "events", "log_lines")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    WALL_S_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    GONE_SHARDS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LOG_LINES_FIELD_NUMBER: _ClassVar[int]
    seq: int
    full: bool
    wall_s: float
    node: NodeFacts
    peers: _containers.RepeatedCompositeFieldContainer[PeerFacts]
    shards: _containers.RepeatedCompositeFieldContainer[ShardFacts]
    gone_shards: _containers.RepeatedScalarFieldContainer[int]
    events: _containers.RepeatedCompositeFieldContainer[NodeEvent]
    log_lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    def __init__(self, seq: _Optional[int] = ..., full: _Optional[bool] = ..., wall_s: _Optional[float] = ..., node: _Optional[_Union[NodeFacts, _Mapping]] = ..., peers: _Optional[_Iterable[_Union[PeerFacts, _Mapping]]] = ..., shards: _Optional[_Iterable[_Union[ShardFacts, _Mapping]]] = ..., gone_shards: _Optional[_Iterable[int]] = ..., events: _Optional[_Iterable[_Union[NodeEvent, _Mapping]]] = ..., log_lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ...) -> None: ...

class NodeFacts(_message.Message):
    __slots__ = ("node_id", "incarnation", "epoch", "version", "uptime_s", "cpu", "rss_bytes", "fsync_s", "queue_bytes", "disk_is_well", "fault_version", "app", "commits", "pid")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    FSYNC_S_FIELD_NUMBER: _ClassVar[int]
    QUEUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_IS_WELL_FIELD_NUMBER: _ClassVar[int]
    FAULT_VERSION_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    incarnation: int
    epoch: int
    version: str
    uptime_s: float
    cpu: float
    rss_bytes: int
    fsync_s: float
    queue_bytes: int
    disk_is_well: bool
    fault_version: int
    app: str
    commits: int
    pid: int
    def __init__(self, node_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., epoch: _Optional[int] = ..., version: _Optional[str] = ..., uptime_s: _Optional[float] = ..., cpu: _Optional[float] = ..., rss_bytes: _Optional[int] = ..., fsync_s: _Optional[float] = ..., queue_bytes: _Optional[int] = ..., disk_is_well: _Optional[bool] = ..., fault_version: _Optional[int] = ..., app: _Optional[str] = ..., commits: _Optional[int] = ..., pid: _Optional[int] = ...) -> None: ...

class PeerFacts(_message.Message):
    __slots__ = ("peer", "phi", "threshold", "mean_s", "deviation_s", "last_heard_s", "round_trip_s", "connected", "outbox_bytes", "epoch", "sent_bytes", "received_bytes")
    PEER_FIELD_NUMBER: _ClassVar[int]
    PHI_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MEAN_S_FIELD_NUMBER: _ClassVar[int]
    DEVIATION_S_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARD_S_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_S_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_BYTES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    peer: str
    phi: float
    threshold: float
    mean_s: float
    deviation_s: float
    last_heard_s: float
    round_trip_s: float
    connected: bool
    outbox_bytes: int
    epoch: int
    sent_bytes: int
    received_bytes: int
    def __init__(self, peer: _Optional[str] = ..., phi: _Optional[float] = ..., threshold: _Optional[float] = ..., mean_s: _Optional[float] = ..., deviation_s: _Optional[float] = ..., last_heard_s: _Optional[float] = ..., round_trip_s: _Optional[float] = ..., connected: _Optional[bool] = ..., outbox_bytes: _Optional[int] = ..., epoch: _Optional[int] = ..., sent_bytes: _Optional[int] = ..., received_bytes: _Optional[int] = ...) -> None: ...

class ShardFacts(_message.Message):
    __slots__ = ("shard_id", "role", "term", "leader_id", "voted_for", "commit_index", "applied_index", "last_index", "last_term", "snapshot_index", "group", "voters", "outgoing", "learners", "match_index", "mark_index", "mark_digest")
    class MatchIndexEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    VOTED_FOR_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_TERM_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_INDEX_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    OUTGOING_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_FIELD_NUMBER: _ClassVar[int]
    MATCH_INDEX_FIELD_NUMBER: _ClassVar[int]
    MARK_INDEX_FIELD_NUMBER: _ClassVar[int]
    MARK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    role: str
    term: int
    leader_id: str
    voted_for: str
    commit_index: int
    applied_index: int
    last_index: int
    last_term: int
    snapshot_index: int
    group: int
    voters: _containers.RepeatedScalarFieldContainer[str]
    outgoing: _containers.RepeatedScalarFieldContainer[str]
    learners: _containers.RepeatedScalarFieldContainer[str]
    match_index: _containers.ScalarMap[str, int]
    mark_index: _containers.RepeatedScalarFieldContainer[int]
    mark_digest: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, shard_id: _Optional[int] = ..., role: _Optional[str] = ..., term: _Optional[int] = ..., leader_id: _Optional[str] = ..., voted_for: _Optional[str] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., last_index: _Optional[int] = ..., last_term: _Optional[int] = ..., snapshot_index: _Optional[int] = ..., group: _Optional[int] = ..., voters: _Optional[_Iterable[str]] = ..., outgoing: _Optional[_Iterable[str]] = ..., learners: _Optional[_Iterable[str]] = ..., match_index: _Optional[_Mapping[str, int]] = ..., mark_index: _Optional[_Iterable[int]] = ..., mark_digest: _Optional[_Iterable[int]] = ...) -> None: ...

class NodeEvent(_message.Message):
    __slots__ = ("wall_s", "kind", "text", "shard_id", "term", "peer")
    WALL_S_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    wall_s: float
    kind: str
    text: str
    shard_id: int
    term: int
    peer: str
    def __init__(self, wall_s: _Optional[float] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ..., shard_id: _Optional[int] = ..., term: _Optional[int] = ..., peer: _Optional[str] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("wall_s", "level", "text")
    WALL_S_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    wall_s: float
    level: str
    text: str
    def __init__(self, wall_s: _Optional[float] = ..., level: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class LogRequest(_message.Message):
    __slots__ = ("shard_id", "first", "count", "payload_bytes")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    shard_id: int
    first: int
    count: int
    payload_bytes: int
    def __init__(self, shard_id: _Optional[int] = ..., first: _Optional[int] = ..., count: _Optional[int] = ..., payload_bytes: _Optional[int] = ...) -> None: ...

class LogRange(_message.Message):
    __slots__ = ("base_term", "base_index", "commit_index", "applied_index", "last_index", "first", "terms", "kinds", "payloads", "sizes")
    BASE_TERM_FIELD_NUMBER: _ClassVar[int]
    BASE_INDEX_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    base_term: int
    base_index: int
    commit_index: int
    applied_index: int
    last_index: int
    first: int
    terms: _containers.RepeatedScalarFieldContainer[int]
    kinds: bytes
    payloads: _containers.RepeatedScalarFieldContainer[bytes]
    sizes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, base_term: _Optional[int] = ..., base_index: _Optional[int] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., last_index: _Optional[int] = ..., first: _Optional[int] = ..., terms: _Optional[_Iterable[int]] = ..., kinds: _Optional[bytes] = ..., payloads: _Optional[_Iterable[bytes]] = ..., sizes: _Optional[_Iterable[int]] = ...) -> None: ...

class GetFaults(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FaultRules(_message.Message):
    __slots__ = ("version", "lease_s", "links", "storage", "clock")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    version: int
    lease_s: float
    links: _containers.RepeatedCompositeFieldContainer[LinkRule]
    storage: StorageRule
    clock: ClockRule
    def __init__(self, version: _Optional[int] = ..., lease_s: _Optional[float] = ..., links: _Optional[_Iterable[_Union[LinkRule, _Mapping]]] = ..., storage: _Optional[_Union[StorageRule, _Mapping]] = ..., clock: _Optional[_Union[ClockRule, _Mapping]] = ...) -> None: ...

class LinkRule(_message.Message):
    __slots__ = ("to", "shard_id", "kind", "drop", "delay_s", "jitter_s", "duplicate", "reorder", "bandwidth_bytes_s")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DROP_FIELD_NUMBER: _ClassVar[int]
    DELAY_S_FIELD_NUMBER: _ClassVar[int]
    JITTER_S_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REORDER_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_BYTES_S_FIELD_NUMBER: _ClassVar[int]
    to: str
    shard_id: int
    kind: str
    drop: float
    delay_s: float
    jitter_s: float
    duplicate: float
    reorder: float
    bandwidth_bytes_s: float
    def __init__(self, to: _Optional[str] = ..., shard_id: _Optional[int] = ..., kind: _Optional[str] = ..., drop: _Optional[float] = ..., delay_s: _Optional[float] = ..., jitter_s: _Optional[float] = ..., duplicate: _Optional[float] = ..., reorder: _Optional[float] = ..., bandwidth_bytes_s: _Optional[float] = ..., **kwargs) -> None: ...

class StorageRule(_message.Message):
    __slots__ = ("sync_delay_s", "fail_sync", "full")
    SYNC_DELAY_S_FIELD_NUMBER: _ClassVar[int]
    FAIL_SYNC_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    sync_delay_s: float
    fail_sync: bool
    full: bool
    def __init__(self, sync_delay_s: _Optional[float] = ..., fail_sync: _Optional[bool] = ..., full: _Optional[bool] = ...) -> None: ...

class ClockRule(_message.Message):
    __slots__ = ("rate", "jump_s")
    RATE_FIELD_NUMBER: _ClassVar[int]
    JUMP_S_FIELD_NUMBER: _ClassVar[int]
    rate: float
    jump_s: float
    def __init__(self, rate: _Optional[float] = ..., jump_s: _Optional[float] = ...) -> None: ...

class FaultState(_message.Message):
    __slots__ = ("version", "lease_left_s", "rules")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LEASE_LEFT_S_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    version: int
    lease_left_s: float
    rules: FaultRules
    def __init__(self, version: _Optional[int] = ..., lease_left_s: _Optional[float] = ..., rules: _Optional[_Union[FaultRules, _Mapping]] = ...) -> None: ...
