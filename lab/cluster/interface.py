"""One interface for every backend: what can be started, watched and broken."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lab.faults import Fault, FaultKind, Trouble
from lolraft.config import Tls
from lolraft.raft.types import NodeId


class NodeState(Enum):
    """Say what is known to be done to a node; silence is not in here, it is only inferred."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"  # SIGTERM: it ended in order.
    KILLED = "killed"  # SIGKILL.
    EXITED = "exited"  # It ended by itself; `detail` says how.


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHandle:
    """Name one node of a cluster."""

    name: str  # n1, n2, ...: short, stable, shown everywhere.
    node_id: NodeId  # What peers dial.
    watch_address: str  # host:port that the lab dials (the `ctl` network in Docker).
    state: NodeState
    detail: str = ""  # Why it exited, with its last log line.


class ClusterError(Exception):
    """Something could not be done to the cluster; the text says what to do next."""


class Cluster(ABC):
    """
    A set of nodes and the faults in force. All methods are called from one event loop.

    Node arguments are names (`n1`). Calls return when the thing has happened (the process is gone,
    the engine's event arrived, the rules are acknowledged), and raise `ClusterError` where it
    cannot be done.
    """

    backend: (
        str  # docker, local, sim, connect (attached: watching, writing and transport rules only)
    )
    title: str  # For the title bar: `docker:lab3`.
    tls: Tls | None = None  # How its nodes are dialled; None: in plain text.
    is_shared = False  # Whether another process has it: who leaves only looks away.
    hands_off: str | None = None
    """Why nothing may be done to it, only looked at; the sentence for who tries."""

    @property
    def ended(self) -> str | None:
        """Return why nothing happens here any more, or None while something may."""
        return None

    @abstractmethod
    def nodes(self) -> tuple[NodeHandle, ...]:
        """Return all nodes, in the order of their names."""

    @abstractmethod
    def faults(self) -> tuple[Fault, ...]:
        """Return what is in force now, oldest first."""

    @abstractmethod
    def why_not(self, kind: FaultKind) -> str | None:
        """Return why this backend cannot do *kind*, or None when it can."""

    @abstractmethod
    def now_s(self) -> float:
        """Return the time in which the cluster lives: seconds since 1970, or virtual ones."""

    @abstractmethod
    async def sleep(self, delay_s: float) -> None:
        """Wait in the time in which the cluster lives."""

    @abstractmethod
    def on_change(self, callback: Callable[[], None]) -> None:
        """Call *callback* whenever `nodes()` or `faults()` changed, by whoever."""

    @abstractmethod
    async def start(self, progress: Callable[[str], None]) -> None:
        """Bring the nodes up; *progress* gets a line for each thing that takes time."""

    @abstractmethod
    async def kill(self, name: str) -> None:
        """SIGKILL the node."""

    @abstractmethod
    async def stop(self, name: str) -> None:
        """SIGTERM the node and wait."""

    @abstractmethod
    async def pause(self, name: str) -> None:
        """Freeze all its threads."""

    @abstractmethod
    async def resume(self, name: str) -> None:
        """Let a paused node go on."""

    @abstractmethod
    async def restart(self, name: str) -> None:
        """Start a node that is not running again, on its data; a running one is stopped first."""

    @abstractmethod
    async def cut(self, sender: str, receiver: str) -> Fault:
        """Lose everything from *sender* to *receiver*, one way (a transport rule)."""

    @abstractmethod
    async def cut_both(self, one: str, other: str) -> Fault:
        """Lose everything between the two, both ways."""

    @abstractmethod
    async def isolate(self, name: str) -> Fault:
        """Cut the node off from all others, both ways; watching goes on."""

    @abstractmethod
    async def partition(self, groups: tuple[tuple[str, ...], ...]) -> Fault:
        """Cut both ways between nodes of different groups."""

    @abstractmethod
    async def disturb(self, kind: FaultKind, where: tuple[str, ...], trouble: Trouble) -> Fault:
        """
        Make a link (sender, receiver) or a node behave badly; `heal` ends it.

        *trouble* is a `LinkTrouble` or, for FLAP, a `Rhythm` where *kind* is about a link; a
        `DiskTrouble`, `ClockTrouble` or, for CRASH_LOOP, a `Rhythm` where it is about a node.
        """

    @abstractmethod
    async def heal(self, fault: Fault | None = None) -> None:
        """End one fault, or all of them; paused and dead nodes stay so."""

    @abstractmethod
    async def add_node(self) -> NodeHandle:
        """Start one more empty node on the same shards; making it a member is the client's part."""

    @abstractmethod
    async def close(self, *, leave_running: bool = False) -> None:
        """End the cluster and all faults, leaving nothing; or only let go of it, healed."""
