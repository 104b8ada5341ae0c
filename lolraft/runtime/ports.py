"""What the driver needs from the pure machine, as a protocol: unit tests put a small one in."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.events import Event
from lolraft.multiraft.records import NodeRecord, ShardRecord
from lolraft.multiraft.report import MachineReport
from lolraft.raft.types import NodeId, ShardId


class Machine(Protocol):
    """The node as a pure function of its past: events in, effects out."""

    def turn(self, now_s: float, events: list[Event]) -> list[Effect]:
        """Take what has arrived, then the deadlines that are due; return what to do, in order."""

    def next_deadline_s(self) -> float | None:
        """Return when a turn is due though nothing arrives; None when never."""

    def waits_for(self, peer_id: NodeId) -> bool:
        """Return whether a frame for *peer_id* waits for its stream."""

    def report(self, now_s: float, shards: Collection[ShardId] | None = None) -> MachineReport:
        """Return the whole picture, or with only some of the shards in it."""

    @property
    def log_slice(self) -> Callable[..., Any]:
        """Return a window of a shard's log; for watchers, passed through as it is."""

    @property
    def changed_since(self) -> Callable[..., Any]:
        """Return which shards changed after a version; for watchers, passed through as it is."""


MakeMachine = Callable[[NodeRecord, dict[ShardId, ShardRecord], float], Machine]
"""Build the machine from what the storage held and the time now, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFacts:
    """What the shell knows of itself and the pure machine cannot (DESIGN section 10)."""

    uptime_s: float
    cpu_s: float  # User and system time of the process since its start; a watcher takes the slope.
    rss_bytes: int
    fsync_s: float  # Mean of the last commits; 0 when there was none.
    queue_bytes: int  # Waiting for the disk or for an app.
    commits: int  # Commands applied since the start, over all shards.
    app: str
    pid: int
