"""What the screen shows, as frozen values: `fold` (fold.py) makes them, widgets only read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lab.faults import Fault

AGE = "{age}"
"""Stands in a sentence for how long something is so: ages grow, and the sentence stays."""


def with_age(sentence: str, age_s: float) -> str:
    """Return *sentence* with the age where it says `AGE`: `no leader 2.1 s`."""
    return sentence.replace(AGE, f"{max(0.0, age_s):.1f} s") if AGE in sentence else sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """What `receiver` believes of `sender`: the phi matrix is the link matrix (LAB part 3)."""

    sender: str  # Names: n1, n2, ...
    receiver: str
    phi: float
    threshold: float
    mean_s: float
    deviation_s: float
    last_heard_s: float  # At the time of the report; infinity when never.
    round_trip_s: float
    connected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node: what it last said of itself, how old that is, and what was done to it."""

    name: str
    node_id: str
    state: str  # `NodeState.value`: running, paused, stopped, killed, exited
    detail: str = ""
    reported_at_s: float | None = None  # Arrival of this life's last report; None: not yet.
    told_s: float = 0.0  # Its own clock at the last event that it told.
    epoch: int = 0
    incarnation: int = 0
    version: str = ""
    app: str = ""
    uptime_s: float = 0.0
    cpu: float = 0.0  # Of one core.
    cpu_history: tuple[float, ...] = ()  # Oldest first, at most 60.
    rss_bytes: int = 0
    fsync_s: float = 0.0
    queue_bytes: int = 0
    disk_is_well: bool = True
    commits: int = 0
    commits_per_s: float = 0.0
    leading: int = 0  # Shards it leads, by its own word.
    following: int = 0
    fsync_history: tuple[float, ...] = ()  # Seconds, oldest first, at most 60.


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """One replica of one shard, as its node last said."""

    node: str
    role: str  # follower, pre-candidate, candidate, leader, learner, silent, stopped
    term: int
    leader: str | None  # A name where known, else the id.
    voted_for: str | None
    commit_index: int
    applied_index: int
    last_index: int
    last_term: int
    snapshot_index: int
    voters: tuple[str, ...]
    outgoing: tuple[str, ...]
    learners: tuple[str, ...]
    match_index: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardView:
    """One shard over all nodes."""

    shard_id: int
    status: str  # ok, lagging, electing, no-leader, no-quorum, empty
    why: str  # One sentence, empty when ok: `no leader {age} · 2/5 voters live`, see `why_at`.
    leader: str | None  # By the newest term that a reachable node claims to lead.
    term: int
    commit_index: int  # The highest reported.
    replicas: Mapping[str, ReplicaView]  # By node name.
    voters: tuple[str, ...]
    since_s: float  # Wall clock since when `status` holds.

    def why_at(self, now_s: float) -> str:
        """Return `why` with the age that it has at *now_s*."""
        return with_age(self.why, now_s - self.since_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One line of the timeline."""

    at_s: float  # Wall clock.
    node: str | None
    kind: str  # elected, stepped_down, election, suspect, trusted, fault, heal, you, reload, ...
    text: str
    shard_id: int | None = None
    term: int = 0
    by_you: bool = False
    count: int = 1  # Like events of one moment are one line.


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLineView:
    """One line that a node logged."""

    at_s: float
    node: str
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry of one replica's log."""

    index: int
    term: int
    kind: str  # barrier, command, configuration
    text: str  # `put user:42 38 B`
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """A window of one replica's log, fetched while its shard is selected."""

    node: str
    base_index: int  # The log starts after it.
    base_term: int
    commit_index: int
    applied_index: int
    last_index: int
    entries: tuple[EntryView, ...]
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One Raft message of the selected shard: known only where every message is (`sim`)."""

    number: int  # Rising in the order of sending.
    sent_s: float  # Wall clock.
    sender: str  # A name.
    receiver: str
    kind: str  # pre-vote, vote, append, probe, ack, snapshot, stand, stranger
    text: str  # What it says.
    fate: str  # `lolraft.sim.wiretap.Fate`: flying, held, arrived, frozen, lost
    at_s: float | None = None  # When that was known; None while it flies.
    why: str = ""  # It was lost, or how it came.


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was seen to break."""

    rule: str  # The promise, with its section.
    shard_id: int | None
    nodes: tuple[str, ...]
    text: str  # A sentence that names the shard and the nodes.
    at_s: float  # Wall clock.


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The value of the hash chain over committed entries at one index, and who said so first."""

    node: str
    digest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What was once reported of one shard, so that later reports cannot contradict it unseen."""

    group: int = 0
    leaders: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))  # By term.
    marks: Mapping[int, Mark] = field(default_factory=lambda: MappingProxyType({}))  # By index.


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """Everything on the screen at one moment."""

    title: str = ""  # docker:lab3
    backend: str = ""
    now_s: float = 0.0  # Wall clock of this picture.
    nodes: tuple[NodeView, ...] = ()
    links: Mapping[tuple[str, str], LinkView] = field(default_factory=lambda: MappingProxyType({}))
    shards: Mapping[int, ShardView] = field(default_factory=lambda: MappingProxyType({}))
    faults: tuple[Fault, ...] = ()
    events: tuple[EventView, ...] = ()  # Oldest first, at most 2,000.
    log_lines: tuple[LogLineView, ...] = ()  # Oldest first, at most 5,000.
    logs: Mapping[str, LogView] = field(default_factory=lambda: MappingProxyType({}))  # By node.
    logs_shard: int | None = None  # The shard that `logs` belong to.
    verdict: str = "SAFE"  # SAFE, UNSAFE, UNKNOWN
    verdict_why: str = ""
    violation: Violation | None = None  # The first that was seen; it makes the verdict UNSAFE.
    promises: Mapping[int, Promises] = field(default_factory=lambda: MappingProxyType({}))
    messages: tuple[MessageView, ...] = ()  # In the order of sending, at most 400.
    messages_shard: int | None = None  # The shard that `messages` belong to.

    def node(self, name: str) -> NodeView | None:
        """Return the node called *name*."""
        return next((node for node in self.nodes if node.name == name), None)
