"""
`./log --plain` and `--json`: what happens, a line each, for pipes and for eyes without a screen.

A plain line is time, node and text. A line of JSON is one object; who reads it passes over what it
does not know. Every object has

    v        version of this format, 1; it rises when a field changes its meaning or goes
    at       seconds since 1970, in the cluster's time
    is       what the object is, and so what else it has:

    start    title, backend
    event    a line of the timeline: node or null, kind, text, shard or null (of several), term,
             count (like events of one moment are one), by_you
    node     node, state (running paused stopped killed exited), detail, reports (or is silent)
    shard    shard, status (ok lagging electing no-leader no-quorum empty), leader or null, term,
             why
    shards   so many changed at once that they are not told one by one: changed, statuses (counts)
    fault    number, fault, kind, nodes, state (began ended)
    safety   verdict (SAFE UNSAFE UNKNOWN), why
    load     each second while one runs: answered, failed, p50_s, p99_s of the seconds since the
             last; word, acknowledged, read, unknown, refused, lost in all, longest_pause_s
    dropped  lines that were not written because the reader was too slow: lines
    end      why, status (of the process)
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from lab.faults import Fault
from lab.observe.fold import SAME_MOMENT_S
from lab.observe.happenings import ClusterChanged, Happening, Measured, Noted, Ticked
from lab.observe.judge import reachable
from lab.observe.view import ClusterView, EventView, ShardView
from lab.report.markup import clean
from lab.tui.scene import shard_name
from lab.tui.widgets.timeline import words_of

VERSION = 1
MOST_SHARDS = 20  # Changes at one look that are told one by one.

Say = Callable[[float, str | None, str, Mapping[str, Any]], None]
"""(at_s, node, text, what JSON says: `is` and its fields); no text: nothing for a reader."""


def plain(at_s: float, node: str | None, text: str) -> str:
    """Return a line for eyes."""
    whole = time.strftime("%H:%M:%S", time.localtime(at_s))
    line = f"{whole}.{int(at_s % 1 * 1000):03}  {node or '-':4}  {text}"
    return clean(" ".join(line.splitlines()))


def jsonic(at_s: float, fields: Mapping[str, Any]) -> str:
    """Return a line for programs."""
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in {"v": VERSION, "at": round(at_s, 6), **fields}.items()
    }
    return json.dumps(finite, allow_nan=False)


class Stream:
    """Compare each picture with the one before, and give lines to *write*."""

    def __init__(self, write: Callable[[str], None], *, as_json: bool) -> None:
        self._write, self._as_json = write, as_json
        self._before: ClusterView | None = None
        self._told: set[tuple[object, ...]] = set()
        self._events: tuple[EventView, ...] | None = None  # All of these are told.
        self._heard: frozenset[str] = frozenset()

    def take(self, happening: Happening, view: ClusterView) -> None:
        """Take one happening, and the picture after it."""
        match happening:
            case Measured():
                self._tell_load(happening)
            case Ticked() | Noted() | ClusterChanged():
                self._look(view)
            case _:
                pass  # It is in the picture of the next tick.

    def say(self, at_s: float, node: str | None, text: str, fields: Mapping[str, Any]) -> None:
        """Write one line."""
        if self._as_json:
            self._write(jsonic(at_s, fields))
        elif text:
            self._write(plain(at_s, node, text))

    def end(self, why: str, status: int) -> None:
        """Write the last line."""
        if self._before is not None:
            self._tell_events(self._before, all_of_them=True)
        at_s = self._before.now_s if self._before is not None else time.time()
        self.say(at_s, None, f"end: {why}", {"is": "end", "why": why, "status": status})

    @property
    def is_unsafe(self) -> bool:
        """Return whether a promise was seen to break."""
        return self._before is not None and self._before.verdict == "UNSAFE"

    # --- what is new -----------------------------------------------------------------------------

    def _look(self, view: ClusterView) -> None:
        before = self._before
        if before is None:
            before = ClusterView(title=view.title, backend=view.backend, verdict="")
            text = f"{view.backend} {view.title}"
            fields = {"is": "start", "title": view.title, "backend": view.backend}
            self.say(view.now_s, None, text, fields)
        self._tell_nodes(before, view)
        self._tell_faults(before, view)
        self._tell_events(view)
        if view.shards is not before.shards:
            self._tell_shards(before, view)
        if (view.verdict, view.verdict_why) != (before.verdict, before.verdict_why):
            why = f": {view.verdict_why}" if view.verdict_why else ""
            fields = {"is": "safety", "verdict": view.verdict, "why": view.verdict_why}
            self.say(view.now_s, None, f"{view.verdict}{why}", fields)
        self._before = view

    def _tell_nodes(self, before: ClusterView, view: ClusterView) -> None:
        heard = reachable(view.nodes, view.now_s)
        for node in view.nodes:
            known = before.node(node.name)
            reports = node.name in heard
            new_state = known is None or known.state != node.state
            if not new_state and reports == (node.name in self._heard):
                continue
            text = node.state if new_state else "reports" if reports else "is silent"
            text = f"{text} ({node.detail})" if new_state and node.detail else text
            fields: dict[str, Any] = {"is": "node", "node": node.name, "state": node.state}
            fields |= {"detail": node.detail, "reports": reports}
            self.say(view.now_s, node.name, f"{node.name} {text}", fields)
        self._heard = heard

    def _tell_faults(self, before: ClusterView, view: ClusterView) -> None:
        if before.faults is view.faults:
            return
        old, new = ({one.number: one for one in faults} for faults in (before.faults, view.faults))
        for state, faults in (
            ("ended", [one for number, one in old.items() if number not in new]),
            ("began", [one for number, one in new.items() if number not in old]),
        ):
            for fault in faults:
                at_s = fault.since_s if state == "began" else view.now_s
                node = fault.nodes[0] if len(fault.nodes) == 1 else None
                self.say(at_s, node, f"fault {state}: {fault}", _fault(fault, state))

    def _tell_events(self, view: ClusterView, *, all_of_them: bool = False) -> None:
        """Tell events that are new, and such of several shards when no more can join them."""
        if view.events is self._events:
            return
        keys: set[tuple[object, ...]] = set()
        waits = False
        for event in view.events:
            key = (event.at_s, event.node, event.kind, event.text)
            grows = event.shard_id is not None or event.count > 1
            young = view.now_s - event.at_s <= SAME_MOMENT_S and not all_of_them
            if key not in self._told and grows and young and len(view.shards) > 1:
                waits = True
                continue
            keys.add(key)
            if key not in self._told:
                self.say(event.at_s, event.node, words_of(event), _event(event))
        self._told = keys
        self._events = None if waits else view.events

    def _tell_shards(self, before: ClusterView, view: ClusterView) -> None:
        changed = [
            shard
            for number, shard in view.shards.items()
            if _glance(before.shards.get(number)) != _glance(shard)
        ]
        if len(changed) > MOST_SHARDS:
            statuses = Counter(shard.status for shard in view.shards.values())
            counts = ", ".join(f"{count:,} {word}" for word, count in sorted(statuses.items()))
            fields = {"is": "shards", "changed": len(changed), "statuses": dict(statuses)}
            self.say(view.now_s, None, f"{len(changed):,} shards changed: {counts}", fields)
            return
        for shard in changed:
            sentence = shard.why_at(view.now_s)
            why = f": {sentence}" if sentence else ""
            led = f"led by {shard.leader} in term {shard.term}" if shard.leader else "not led"
            text = f"{shard_name(shard.shard_id)} {shard.status}, {led}{why}"
            fields = {"is": "shard", "shard": shard.shard_id, "status": shard.status}
            fields |= {"leader": shard.leader, "term": shard.term, "why": sentence}
            self.say(view.now_s, shard.leader, text, fields)

    def _tell_load(self, told: Measured) -> None:
        verdict = told.verdict
        fields = {
            "is": "load",
            "answered": sum(one.answered for one in told.moments),
            "failed": sum(one.failed for one in told.moments),
            "p50_s": told.moments[-1].p50_s if told.moments else None,
            "p99_s": max((one.p99_s for one in told.moments), default=None),
            "word": verdict.word,
            "acknowledged": verdict.acknowledged,
            "read": verdict.read,
            "unknown": verdict.unknown,
            "refused": verdict.refused,
            "lost": verdict.lost,
            "longest_pause_s": round(verdict.longest_pause_s, 6),
        }
        self.say(told.at_s, None, "", fields)


def _glance(shard: ShardView | None) -> tuple[object, ...] | None:
    return None if shard is None else (shard.status, shard.leader, shard.term)


def _fault(fault: Fault, state: str) -> dict[str, Any]:
    return {
        "is": "fault",
        "number": fault.number,
        "fault": str(fault),
        "kind": fault.kind.value,
        "nodes": fault.nodes,
        "state": state,
    }


def _event(event: EventView) -> dict[str, Any]:
    return {
        "is": "event",
        "node": event.node,
        "kind": event.kind,
        "text": event.text,
        "shard": event.shard_id,
        "term": event.term,
        "count": event.count,
        "by_you": event.by_you,
    }
