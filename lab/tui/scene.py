"""A `Scene` is all that a panel draws from: the view, what is selected, what was worked out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from types import MappingProxyType

from lab.faults import FaultKind
from lab.observe.account import Account
from lab.observe.deck import Recorded
from lab.observe.history import PhiHistory
from lab.observe.judge import SILENT_S
from lab.observe.shards import Shards
from lab.observe.view import (
    AGE,
    ClusterView,
    LinkView,
    NodeView,
    ReplicaView,
    ShardView,
    with_age,
)
from lab.observe.words import shard_name as shard_name
from lab.tui.filters import Filter
from lab.tui.paint import Look, span_s
from lab.workload.view import LoadView

DEFAULT_THRESHOLD = 12.0
MOST_TROUBLES = 400  # Kept of shards; the shards page has them all.
_WORST = {"no-quorum": 0, "no-leader": 1, "electing": 2, "lagging": 3, "empty": 4, "ok": 9}
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a node is: known, because it was done; or inferred, because it is silent."""

    word: str  # up, slow, paused, killed, stopped, exited, silent, ...
    sign: str  # The name of its glyph.
    tone: str  # The name of its ink.
    reporting: bool  # Its values are of now.
    age_s: float  # Of its last report; infinity when it never reported.


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One line of the needs-attention list."""

    rank: int  # 0 is worst.
    sign: str
    name: str
    text: str  # See `text_at`.
    shard_id: int | None = None
    node: str | None = None
    since_s: float = 0.0

    def text_at(self, now_s: float) -> str:
        """Return the text with the age that the trouble has at *now_s*."""
        return with_age(self.text, now_s - self.since_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is worked out once a picture, for all panels."""

    conditions: Mapping[str, Condition]
    phis: Mapping[str, float]  # Of each node, as most of its live peers see it.
    numbers: Mapping[str, int]  # Name -> place in the list, for colours.
    leads: Mapping[str, int]
    led: int
    troubles: tuple[Trouble, ...]  # The worst first; of many, only so many (`MOST_TROUBLES`).
    sick: int  # How many there are in all.
    up: int
    threshold: float
    commits_per_s: float
    cut_links: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on the tape a picture is."""

    is_past: bool  # Something has happened since.
    age_s: float  # How much older it is than the newest.
    at_s: float  # How long after the beginning of the tape it was.
    length_s: float  # Of the tape.
    event: int  # So many events had happened,
    events: int  # of these.
    replay: bool = False  # The tape is a file: there is no now.
    playing: bool = False
    ends_early: bool = False  # The end of the file is damaged.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the time of a simulated world passes."""

    speed: float | None = 1.0  # Virtual seconds per second while it is not held; None: all it can.
    ended: str = ""  # Why nothing happens any more.
    hands_off: bool = False  # It is only looked at.

    def __str__(self) -> str:
        """Return the speed: `×0.25`, `×1/64`."""
        if self.speed is None:
            return "as fast as it can"
        return f"×1/{1 / self.speed:g}" if 0 < self.speed < 0.25 else f"×{self.speed:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What stands over the panels in a room (`lab/rooms`): its task, and how it goes."""

    number: int
    title: str
    task: str
    shows: str  # Said when it is won.
    used: str  # What is allowed, and how much of it was used.
    word: str  # not yet, won, lost, getting ready
    lost: str = ""
    goals: tuple[tuple[str, str], ...] = ()  # Each, and why it is not so yet.


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of the screen; equal scenes paint equal lines."""

    view: ClusterView
    summary: Summary
    phi: PhiHistory
    look: Look = field(default_factory=Look)
    page: str = "cluster"
    narrow: bool = False  # No room for the phi chart: the log panel carries phi in one line.
    node: str | None = None
    shard_id: int | None = None
    link: tuple[str, str] | None = None
    picked: bool = False  # A node or link was picked by hand; else phi shows the gravest pair.
    index: int | None = None  # The log cursor; None follows the newest.
    held: bool = False
    place: Place | None = None  # None: the newest picture of a cluster that lives.
    recorded: Recorded | None = None  # The file that is being written.
    pace: Pace | None = None  # None: real time, which nobody steers.
    slow_hz: float | None = None  # Pictures a second, where there are fewer than wanted.
    order: str = "shard"
    descending: bool = False
    colouring: str = "leader"
    shards_filter: Filter = field(default_factory=Filter)
    lines_filter: Filter = field(default_factory=Filter)
    load: LoadView = field(default_factory=LoadView)
    fault: int | None = None  # The number of the one under the cursor of page 7.
    tried: float | None = None  # A threshold of phi that is only thought of, on page 5.
    account: Account = field(default_factory=Account)
    caption: Caption | None = None  # None: this is no room.

    @property
    def is_past(self) -> bool:
        """Return whether this is not how things are now."""
        return self.place is not None and self.place.is_past

    @property
    def shard(self) -> ShardView | None:
        """Return the selected shard."""
        return None if self.shard_id is None else self.view.shards.get(self.shard_id)

    @property
    def hands_off(self) -> bool:
        """Return whether this world is only looked at, so that no key for it need be named."""
        return self.pace is not None and self.pace.hands_off

    def condition(self, name: str) -> Condition:
        """Return how a node is; an unknown name is a node that left."""
        return self.summary.conditions.get(name) or GONE

    def number(self, name: str | None) -> int:
        """Return a node's place, for its colour and digit."""
        return self.summary.numbers.get(name or "", 0)

    def digit(self, name: str) -> str:
        """Return the one sign that stands for a node in the map."""
        tail = name[1:]
        if tail.isdigit() and 1 <= int(tail) <= len(_SIGNS):
            return _SIGNS[int(tail) - 1]
        return _SIGNS[self.number(name) % len(_SIGNS)]


GONE = Condition(word="gone", sign="dead", tone="dim", reporting=False, age_s=float("inf"))
_DONE = {
    "paused": ("paused", "warn"),
    "killed": ("dead", "harm"),
    "stopped": ("stopped", "dim"),
    "exited": ("dead", "harm"),
}


def condition_of(node: NodeView, now_s: float, phi: float, threshold: float) -> Condition:
    """Return how *node* is: what was done to it comes before what is guessed from its silence."""
    age_s = float("inf") if node.reported_at_s is None else max(0.0, now_s - node.reported_at_s)
    if node.state in _DONE:
        sign, tone = _DONE[node.state]
        return Condition(word=node.state, sign=sign, tone=tone, reporting=False, age_s=age_s)
    if node.reported_at_s is None:
        return Condition(word="booting", sign="silent", tone="dim", reporting=False, age_s=age_s)
    if age_s > SILENT_S:
        return Condition(word="silent", sign="silent", tone="warn", reporting=False, age_s=age_s)
    if not node.disk_is_well:
        return Condition(word="disk", sign="slow", tone="harm", reporting=True, age_s=age_s)
    if phi >= threshold:
        return Condition(word="suspect", sign="phi", tone="harm", reporting=True, age_s=age_s)
    if phi >= threshold / 4:
        return Condition(word="slow", sign="slow", tone="warn", reporting=True, age_s=age_s)
    return Condition(word="up", sign="up", tone="well", reporting=True, age_s=age_s)


def summarise(view: ClusterView, before: tuple[ClusterView, Summary] | None = None) -> Summary:
    """Work out what several panels need; the walk over all shards only when they changed."""
    threshold = max((link.threshold for link in view.links.values()), default=DEFAULT_THRESHOLD)
    running = {node.name for node in view.nodes if node.state == "running"}
    seen: dict[str, list[float]] = {}
    for link in view.links.values():
        if link.receiver in running:
            seen.setdefault(link.sender, []).append(link.phi)
    phis = {name: sorted(values)[(len(values) - 1) // 2] for name, values in seen.items()}
    conditions = {
        node.name: condition_of(node, view.now_s, phis.get(node.name, 0.0), threshold)
        for node in view.nodes
    }
    if before is not None and before[0].shards is view.shards:
        leads = before[1].leads
        sick = tuple(trouble for trouble in before[1].troubles if trouble.shard_id is not None)
        total = before[1].sick - (len(before[1].troubles) - len(sick))
    else:
        shards = Shards.of(view.shards)
        leads, sick, total = shards.leads, _sick_shards(shards), len(shards.sick)
    sick_nodes = _sick_nodes(view, conditions)
    return Summary(
        conditions=MappingProxyType(conditions),
        phis=MappingProxyType(phis),
        numbers=MappingProxyType({node.name: place for place, node in enumerate(view.nodes)}),
        leads=leads,
        led=sum(leads.values()),
        troubles=tuple(sorted([*sick_nodes, *sick], key=lambda trouble: trouble.rank)),
        sick=len(sick_nodes) + total,
        up=sum(condition.reporting for condition in conditions.values()),
        threshold=threshold,
        commits_per_s=_commit_rate(view, conditions),
        cut_links=frozenset(pair for item in view.faults if item.cuts for pair in item.links),
    )


def _commit_rate(view: ClusterView, conditions: Mapping[str, Condition]) -> float:
    """Return commits a second: a node counts those of its replicas, so the busiest one is taken."""
    live = (node.commits_per_s for node in view.nodes if conditions[node.name].reporting)
    return max(live, default=0.0)


def _sick_shards(shards: Shards) -> tuple[Trouble, ...]:
    signs = {"electing": "electing", "lagging": "lagging", "empty": "nothing"}
    sick = nsmallest(
        MOST_TROUBLES,
        shards.sick.values(),
        key=lambda shard: (_WORST.get(shard.status, 1), shard.since_s, shard.shard_id),
    )
    return tuple(
        Trouble(
            rank=_WORST.get(shard.status, 1),
            sign=signs.get(shard.status, "no_leader"),
            name=shard_name(shard.shard_id),
            text=shard.why or shard.status,
            shard_id=shard.shard_id,
            since_s=shard.since_s,
        )
        for shard in sick
    )


def _sick_nodes(view: ClusterView, conditions: Mapping[str, Condition]) -> list[Trouble]:
    """A node that ended by itself, is silent, or has a bad disk; what you did is no surprise."""
    troubles = []
    for node in view.nodes:
        condition = conditions[node.name]
        if condition.word == "exited":
            text = f"ended by itself · {node.detail or 'no last words'} · r starts it again"
        elif condition.word == "silent":
            text = f"no answer {span_s(condition.age_s)} · cut off from the lab, or frozen"
        elif condition.word == "suspect" and not _touched(view, node.name):
            text = "its peers no longer hear it, the lab does: the way between them is broken"
        elif condition.word == "disk":
            text = "its disk is late or failing: it acknowledges nothing"
        else:
            continue
        troubles.append(
            Trouble(rank=0, sign=condition.sign, name=node.name, text=text, node=node.name)
        )
    return troubles


def _touched(view: ClusterView, name: str) -> bool:
    """Say whether a fault of yours is on the node, so that what follows is no surprise."""
    return any(
        name in fault.nodes or any(name in pair for pair in fault.links) for fault in view.faults
    )


def tenths(scene: Scene, shards: Iterable[ShardView]) -> int:
    """Return what to depend on for the ages that *shards* show: the time, or 0 without ages."""
    return int(scene.view.now_s * 10) if any(AGE in shard.why for shard in shards) else 0


def lag(shard: ShardView, replica: ReplicaView) -> int:
    """Return by how many entries a replica's log is behind the leader's last entry."""
    leader = shard.replicas.get(shard.leader or "")
    newest = leader.last_index if leader else shard.commit_index
    return max(0, newest - replica.last_index)


def worst_lag(shard: ShardView) -> int:
    """Return the largest lag of the shard's replicas."""
    return max((lag(shard, replica) for replica in shard.replicas.values()), default=0)


def replica_sign(scene: Scene, replica: ReplicaView) -> str:
    """Return the glyph of a replica's role; of its node's condition, where that has no say now."""
    glyphs, condition = scene.look.glyphs, scene.condition(replica.node)
    if not condition.reporting:
        sign: str = getattr(glyphs, condition.sign)
        return sign
    roles = {
        "leader": glyphs.lead,
        "follower": glyphs.follow,
        "learner": glyphs.learner,
        "candidate": glyphs.candidate,
        "pre-candidate": glyphs.candidate,
        "silent": glyphs.nothing,
        "stopped": glyphs.stopped,
    }
    return roles.get(replica.role, glyphs.nothing)


def suspect_link(scene: Scene) -> LinkView | None:
    """Return the pair whose phi is charted: the selected link, else the node's gravest receiver."""
    chosen = scene.view.links.get(scene.link) if scene.link and scene.picked else None
    if chosen is not None:
        return chosen
    about = [
        link
        for link in scene.view.links.values()
        if scene.condition(link.receiver).reporting
        and (not scene.picked or scene.node == link.sender)
    ]
    return max(about, key=lambda link: (link.phi, link.sender, link.receiver), default=None)


def is_down(node: NodeView) -> bool:
    """Say whether the node's process is not there: killed, stopped or ended by itself."""
    return node.state in ("killed", "stopped", "exited")


NODE_FAULTS = frozenset({FaultKind.KILL, FaultKind.STOP, FaultKind.PAUSE})
