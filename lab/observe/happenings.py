"""What happens to the watcher: the events that `fold` turns into a `ClusterView`; recordable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lab.cluster.interface import NodeHandle
from lab.faults import Fault
from lab.observe.account import Account
from lab.observe.history import PhiHistory
from lab.observe.view import ClusterView, EventView, LogView, MessageView
from lab.workload.load import Verdict
from lab.workload.measure import Moment, Outage
from lolraft.rpc.pb import observe_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A node sent an update."""

    at_s: float
    node: str
    update: observe_pb2.Update


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchBroke:
    """The watch stream of a node ended; its last picture stays and grows old."""

    at_s: float
    node: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChanged:
    """Nodes or faults changed."""

    at_s: float
    nodes: tuple[NodeHandle, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsFetched:
    """The selected shard's logs, of the nodes that answered."""

    at_s: float
    shard_id: int
    logs: tuple[LogView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesSeen:
    """Messages of the selected shard were sent, or something became of them: the newest word."""

    at_s: float
    shard_id: int
    messages: tuple[MessageView, ...]  # In the order of sending.


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The lab itself has something for the timeline: what you did, and how it ended."""

    at_s: float
    event: EventView


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Time passed: ages grow, statuses may change."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """A recording begins in the middle of a run: all that was known by then."""

    at_s: float
    view: ClusterView
    phi: PhiHistory
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What clients saw since the last one, where a load runs or ran; no part of the picture."""

    at_s: float
    began_s: float  # Of this load: another one begins another time.
    verdict: Verdict
    moments: tuple[Moment, ...]  # Whole seconds only: they add up to the load's history.
    outages: tuple[Outage, ...]  # Those that reach up to `at_s` go on: the next one replaces them.


Happening: TypeAlias = (
    Reported
    | WatchBroke
    | ClusterChanged
    | LogsFetched
    | MessagesSeen
    | Noted
    | Ticked
    | Began
    | Measured
)
