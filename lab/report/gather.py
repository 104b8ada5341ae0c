"""
Gather a `Report` from what happens: live beside a run, or afterwards from its recording.

Both ways lead to the same value, because only happenings and their pictures are looked at. What is
kept is bounded, however long the run: series are thinned out, and of events the newest stay.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from lab.observe.account import MOST_SPANS, Account, Span
from lab.observe.fold import MOST_EVENTS, fold
from lab.observe.happenings import Began, ClusterChanged, Happening, Measured, Noted, Ticked
from lab.observe.history import BUCKET_S
from lab.observe.judge import reachable
from lab.observe.recording import read
from lab.observe.view import ClusterView, EventView, NodeView, Violation
from lab.report.series import Series, Track, join_moments
from lab.workload.load import Verdict
from lab.workload.measure import MOST_OUTAGES, Moment, Outage, unavailable_s

MOST_MOMENTS, MOST_PHIS = 600, 400  # Points of a plot.
PHI_S = 0.25  # A point of phi stands for so much at first: the time between two reports.
MOST_STATES, MOST_LOADS = 500, 20
HIGHEST_PHI = 99.0
SILENT = "silent"  # It should run, and does not report.


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one node was from a time on."""

    from_s: float
    word: str  # Of `NodeState`, or `SILENT`.


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStory:
    """One node over the run."""

    name: str
    node_id: str
    version: str
    detail: str
    states: tuple[State, ...]  # Oldest first.


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStory:
    """One fault, and how long clients had to wait because of it."""

    span: Span
    unavailable_s: float | None  # The longest that a shard was out; None: nobody asked.


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStory:
    """One load, and the verdict on all its answers."""

    began_s: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a report says, and nothing of how it looks."""

    title: str
    backend: str
    scenario: str = ""  # Its title and what it shows.
    outcome: str = ""  # Of a scenario: `passed`, or `failed: why`.
    began_s: float
    ended_s: float
    ends_early: bool = False  # The recording is not whole.
    nodes: tuple[NodeStory, ...] = ()
    shards: tuple[int, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # At the end.
    safety: str = "UNKNOWN"  # SAFE, UNSAFE, UNKNOWN
    safety_why: str = ""
    violation: Violation | None = None
    events: tuple[EventView, ...] = ()
    faults: tuple[FaultStory, ...] = ()
    loads: tuple[LoadStory, ...] = ()
    moments: Track[Moment] = field(default_factory=Track)
    phi: Mapping[tuple[str, str], Track[float]] = field(  # By (sender, receiver).
        default_factory=lambda: MappingProxyType({})
    )
    threshold: float = 0.0  # Of phi; 0: nobody reported one.

    @property
    def lacks(self) -> tuple[str, ...]:
        """Return what is not whole, in sentences."""
        said = []
        if self.ends_early:
            said.append("The recording ends early: its last block is damaged or was not written.")
        if len(self.events) >= MOST_EVENTS:
            said.append(f"Of the events only the newest {MOST_EVENTS:,} are here.")
        if len(self.faults) >= MOST_SPANS:
            said.append(f"Of the faults only the newest {MOST_SPANS:,} are here.")
        wide_s = max([self.moments.width_s, *(one.width_s for one in self.phi.values())])
        if wide_s > 1:
            said.append(
                f"Plots are thinned out: a point stands for up to {wide_s:g} s; counts are means a"
                " second, p50 is the mean of its seconds, p99 and phi are the worst."
            )
        return tuple(said)


class Gather:
    """Look at what happens; `report` tells what has come of it so far."""

    def __init__(self) -> None:
        self._view = ClusterView(verdict="UNKNOWN")
        self._began_s: float | None = None
        self._account = Account()
        self._states: dict[str, deque[State]] = {}
        self._phi: dict[tuple[str, str], Series[float]] = {}
        self._moments = Series(join_moments, MOST_MOMENTS)
        self._loads: deque[LoadStory] = deque(maxlen=MOST_LOADS)
        self._ended: deque[Outage] = deque(maxlen=MOST_OUTAGES)
        self._lasting: tuple[Outage, ...] = ()
        self._asked_s = 0.0  # Until when clients are known to have asked.
        self._scenario = self._outcome = ""
        self.ends_early = False

    def take(self, happening: Happening, view: ClusterView) -> None:
        """Take one happening, and the picture after it."""
        match happening:
            case Measured():
                self._measure(happening)
            case Noted(event=event):
                self._hear(event)
                self._look(view)
            case Began():
                self._begin(happening)
            case ClusterChanged() if view.faults == self._view.faults:
                pass  # A node is gone: what that means is told from the picture before.
            case Ticked() | ClusterChanged():
                self._look(view)
            case _:
                pass  # It is in the picture of the next tick.

    def report(self) -> Report:
        """Return the report so far."""
        view = self._view
        outages = (*self._ended, *self._lasting)
        return Report(
            title=view.title,
            backend=view.backend,
            scenario=self._scenario,
            outcome=self._outcome,
            began_s=view.now_s if self._began_s is None else self._began_s,
            ended_s=view.now_s,
            ends_early=self.ends_early,
            nodes=tuple(self._node(node) for node in view.nodes),
            shards=tuple(view.shards),
            statuses=MappingProxyType(Counter(one.status for one in view.shards.values())),
            safety=view.verdict,
            safety_why=view.verdict_why,
            violation=view.violation,
            events=view.events,
            faults=tuple(self._fault(span, outages) for span in self._account.spans),
            loads=tuple(self._loads),
            moments=self._moments.track,
            phi=MappingProxyType({pair: one.track for pair, one in sorted(self._phi.items())}),
            threshold=max((link.threshold for link in view.links.values()), default=0.0),
        )

    def _node(self, node: NodeView) -> NodeStory:
        return NodeStory(
            name=node.name,
            node_id=node.node_id,
            version=node.version,
            detail=node.detail,
            states=tuple(self._states.get(node.name, ())),
        )

    def _fault(self, span: Span, outages: tuple[Outage, ...]) -> FaultStory:
        until_s = self._view.now_s if span.until_s is None else span.until_s
        asked = any(load.began_s <= until_s for load in self._loads)
        asked = asked and self._asked_s > span.fault.since_s
        out_s = unavailable_s(outages, span.fault.since_s, until_s) if asked else None
        return FaultStory(span=span, unavailable_s=out_s)

    # --- looking ---------------------------------------------------------------------------------

    def _begin(self, begun: Began) -> None:
        """Take what was known when a recording began in the middle of a run."""
        self._account = begun.account
        for pair, known in begun.phi.tracks.items():
            for bucket, phi in known:
                self._phi_of(pair).add(bucket * BUCKET_S, phi)
        self._look(begun.view)

    def _phi_of(self, pair: tuple[str, str]) -> Series[float]:
        if pair not in self._phi:
            self._phi[pair] = Series(max, MOST_PHIS, PHI_S)
        return self._phi[pair]

    def _look(self, view: ClusterView) -> None:
        self._view = view
        if self._began_s is None:
            self._began_s = view.now_s
        self._account = self._account.after(view)
        heard = reachable(view.nodes, view.now_s)
        for node in view.nodes:
            word = SILENT if node.state == "running" and node.name not in heard else node.state
            known = self._states.setdefault(node.name, deque(maxlen=MOST_STATES))
            if not known or known[-1].word != word:
                known.append(State(from_s=view.now_s, word=word))
        for pair, link in view.links.items():
            # What a dead node believed is no news, and whom one never heard, one cannot miss.
            if link.receiver in heard and math.isfinite(link.last_heard_s):
                self._phi_of(pair).add(view.now_s, min(max(link.phi, 0.0), HIGHEST_PHI))

    def _hear(self, event: EventView) -> None:
        if event.kind == "scenario":
            self._scenario = event.text
        elif event.kind == "verdict" and event.text.startswith(("passed", "failed")):
            self._outcome = event.text

    def _measure(self, told: Measured) -> None:
        for moment in told.moments:
            self._moments.add(moment.at_s, moment)
        until_s = (told.verdict.judged_until_s, *(one.until_s for one in told.outages))
        self._asked_s = max(self._asked_s, *until_s)
        story = LoadStory(began_s=told.began_s, verdict=told.verdict)
        if self._loads and self._loads[-1].began_s == told.began_s:
            self._loads[-1] = story
        else:
            self._loads.append(story)
        # One that went on and is not told of again was never answered: the load was ended.
        self._ended.extend(
            one for one in self._lasting if not any(_goes_on(one, now) for now in told.outages)
        )
        self._ended.extend(one for one in told.outages if one.until_s < told.at_s)
        self._lasting = tuple(one for one in told.outages if one.until_s >= told.at_s)


def _goes_on(before: Outage, now: Outage) -> bool:
    return now.shard_id == before.shard_id and now.from_s <= before.until_s <= now.until_s


def of_recording(path: Path) -> Report:
    """
    Return the report on a recording.

    Raises:
        RecordingError: it is none, or of a newer version.
        OSError: it cannot be read.
    """
    recording = read(path)
    view = recording.first
    views = ((one, view := fold(view, one)) for one in recording.happenings)
    gather = gathered(views)
    gather.ends_early = recording.ends_early
    return gather.report()


def gathered(told: Iterable[tuple[Happening, ClusterView]]) -> Gather:
    """Return what can be said of happenings, each with the picture after it."""
    gather = Gather()
    for happening, view in told:
        gather.take(happening, view)
    return gather
