"""
Save as test: what was done in a run, as a scenario that `./log --scenario FILE` plays again.

The steps are the faults of the report with their times, and the loads. The end expects what held at
the end. It replays the story, not the schedule: messages, elections and delays come out anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.faults import FaultKind
from lab.observe.account import Span
from lab.report.gather import LoadStory, Report
from lab.scenarios.troubles import fault_words, is_disturbance, kind_word, where_words

FILE = "story.txt"  # In a story's folder.
NOT_THE_SCHEDULE = "It replays the story, not the schedule"
SAME_S = 0.3  # What ends so shortly before another thing begins was ended by it.
STILL_S = 2.0  # A load of which the last word is not older goes on.
_BEGINS = {
    FaultKind.KILL: "kill", FaultKind.STOP: "stop", FaultKind.PAUSE: "pause",
    FaultKind.CUT: "cut", FaultKind.CUT_BOTH: "cut", FaultKind.ISOLATE: "isolate",
    FaultKind.PARTITION: "split",
}  # fmt: skip
_DOWN = ("killed", "stopped", "exited")
_OF_NODE = (FaultKind.KILL, FaultKind.STOP)

Timed = tuple[float, str]
"""When, in the cluster's time, and the step."""


def why_not(report: Report) -> str:
    """Return why no scenario can be made of a run, or nothing."""
    if any(story.span.fault.by_chance for story in report.faults):
        return "its faults came from a seed: ./log --seed plays them again, exactly"
    if not report.nodes or not report.shards:
        return "no shard has reported yet"
    return ""


def scenario(report: Report, *, ends: bool = True) -> str:
    """
    Return the text of the scenario; `why_not` says when there is none.

    With *ends* it ends with what is to be expected, else where the story is now.
    """
    names = [node.name for node in report.nodes]
    first = [name for name in names if name not in dict(_joined(report))]
    took_s = report.ended_s - report.began_s
    lines = [
        f"title    Saved from {' '.join(report.title.split())}",
        f"shows    What was done to {len(first)} nodes in {took_s:.1f} s."
        f" {NOT_THE_SCHEDULE}: times of messages come out anew.",
        f"nodes    {len(first)}",
        f"shards   {_ranges(report.shards)}",
        "",
    ]
    for at_s, step in sorted(_steps(report), key=lambda timed: timed[0]):
        lines.append(f"at {max(0.0, at_s - report.began_s):.2f}s {step}")
    lines.append(f"at {took_s:.2f}s # This is how far the story went.")
    if ends:
        lines += _ends(report)
    return "\n".join(lines) + "\n"


# --- what was done -------------------------------------------------------------------------------


def _steps(report: Report) -> Iterator[Timed]:
    spans = [story.span for story in report.faults]
    loops = [span for span in spans if span.fault.kind is FaultKind.CRASH_LOOP]
    spans = [span for span in spans if not any(_by_loop(span, loop) for loop in loops)]
    for span in spans:
        led = _led_by(report, span, spans)
        if led:
            yield span.fault.since_s - 1e-6, f"lead {led}"
        yield span.fault.since_s, _begin(span)
    yield from _heals(spans)
    for span in spans:
        if span.until_s is not None:
            yield from _starts(span, spans)
    yield from _restarts(report, loops)
    for name, at_s in _joined(report):
        yield at_s, f"add as {name}"
    for load in report.loads:
        yield load.began_s, "load on"
        if not _goes_on(load, report):
            yield max(load.began_s, load.verdict.judged_until_s), "load off"


def _by_loop(span: Span, loop: Span) -> bool:
    """Return whether a kill was one of a crash loop's."""
    fault, within_s = span.fault, loop.until_s if loop.until_s is not None else float("inf")
    return (
        fault.kind in _OF_NODE
        and fault.nodes == loop.fault.nodes
        and loop.fault.since_s <= fault.since_s <= within_s
    )


def _begin(span: Span) -> str:
    fault = span.fault
    if is_disturbance(fault.kind):
        return f"disturb {fault_words(fault)}"
    return f"{_BEGINS[fault.kind]} {where_words(fault.kind, fault.nodes)}"


def _led_by(report: Report, span: Span, spans: Iterable[Span]) -> str:
    """
    Return who is to lead before a fault begins: who led the one shard then, if it is known.

    Only where all was well: leadership cannot be had at will in a cluster that is broken.
    """
    at_s = span.fault.since_s
    broken = any(
        one is not span
        and one.fault.since_s <= at_s
        and (one.until_s is None or at_s < one.until_s + STILL_S)
        for one in spans
    )
    if broken or len(report.shards) != 1:
        return ""
    won = [event for event in report.events if event.kind == "elected" and event.at_s <= at_s]
    return won[-1].node or "" if won else ""


def _heals(spans: Iterable[Span]) -> Iterator[Timed]:
    """Return the ends of what no start of a node ends."""
    for span in spans:
        fault = span.fault
        if fault.kind not in (*_OF_NODE, FaultKind.PAUSE) and span.until_s is not None:
            where = where_words(fault.kind, fault.nodes)
            yield span.until_s, f"heal {kind_word(fault.kind)} {where}"


def _starts(span: Span, spans: Iterable[Span]) -> Iterator[Timed]:
    """Return how a node came back; a pause also ends when its node is ended."""
    fault, until_s = span.fault, span.until_s
    assert until_s is not None, "it is over"
    if fault.kind in _OF_NODE:
        yield until_s, f"restart {fault.nodes[0]}"
    elif fault.kind is FaultKind.PAUSE:
        ended = any(
            other.fault.kind in _OF_NODE
            and other.fault.nodes == fault.nodes
            and abs(other.fault.since_s - until_s) <= SAME_S
            for other in spans
        )
        if not ended:
            yield until_s, f"resume {fault.nodes[0]}"


def _restarts(report: Report, loops: Iterable[Span]) -> Iterator[Timed]:
    """Return the starts of nodes that had ended by themselves: no fault's end tells of them."""
    looped = {loop.fault.nodes[0] for loop in loops}
    for node in report.nodes:
        for before, after in zip(node.states, node.states[1:], strict=False):
            if before.word == "exited" and after.word not in _DOWN and node.name not in looped:
                yield after.from_s, f"restart {node.name}"


def _joined(report: Report) -> list[tuple[str, float]]:
    """Return the nodes that were not there from the beginning, and when they came."""
    first_s = min((node.states[0].from_s for node in report.nodes if node.states), default=0.0)
    return [
        (node.name, node.states[0].from_s)
        for node in report.nodes
        if node.states and node.states[0].from_s > first_s + SAME_S
    ]


def _goes_on(load: LoadStory, report: Report) -> bool:
    last = load is report.loads[-1]
    return last and report.ended_s - load.verdict.judged_until_s < STILL_S


# --- what held -----------------------------------------------------------------------------------


def _ends(report: Report) -> Iterator[str]:
    """Return the expectations that held when the story was saved."""
    if report.loads and _goes_on(report.loads[-1], report):
        yield "load off"
    statuses = {status for status, count in report.statuses.items() if count}
    if statuses <= {"ok", "lagging"}:
        yield "expect all led within 20s"
    in_force = any(story.span.until_s is None for story in report.faults)
    running = all(node.states and node.states[-1].word == "running" for node in report.nodes)
    if statuses == {"ok"} and running and not in_force:
        yield "expect equal within 20s"
    if report.loads and not any(load.verdict.broken for load in report.loads):
        yield "expect linearizable"
    if report.safety == "SAFE":
        yield "expect safe within 20s"


def _ranges(shards: Iterable[int]) -> str:
    """Return `0-9,777`."""
    runs: list[list[int]] = []
    for shard_id in sorted(shards):
        if runs and shard_id == runs[-1][1] + 1:
            runs[-1][1] = shard_id
        else:
            runs.append([shard_id, shard_id])
    return ",".join(str(one) if one == last else f"{one}-{last}" for one, last in runs)
