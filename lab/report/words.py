"""What a report says in words; the page and the Markdown say the same."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from lab.report.gather import FaultStory, LoadStory, Report


def moment(at_s: float) -> str:
    """Return a point in time, which may be made up: `2026-11-27 20:36:41 UTC`."""
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at_s:g} s"


def since(report: Report, at_s: float) -> str:
    """Return a time as seconds since the report's beginning."""
    return f"{at_s - report.began_s:+,.2f} s"


def length(seconds: float) -> str:
    """Return a length of time, as exact as it is worth: `820 µs`, `12.3 ms`, `4.20 s`, `2:05`."""
    if not math.isfinite(seconds):
        return "for ever"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 100:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, thing: str) -> str:
    """Return a number of things: `1 shard`, `2,000 shards`."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def lasted(report: Report, fault: FaultStory) -> str:
    """Return how long a fault was in force."""
    until_s = fault.span.until_s
    if until_s is None:
        return f"{length(report.ended_s - fault.span.fault.since_s)}, to the end"
    return length(until_s - fault.span.fault.since_s)


def unavailable(fault: FaultStory) -> str:
    """Return how long clients had to wait because of a fault, at worst."""
    if fault.unavailable_s is None:
        return "nobody asked"
    if not fault.unavailable_s:
        return "no shard kept a client waiting"
    return length(fault.unavailable_s)


def safety(report: Report) -> str:
    """Return the verdict on Raft's promises, with its reason."""
    return f"{report.safety}: {report.safety_why}" if report.safety_why else report.safety


def load(story: LoadStory) -> str:
    """Return the verdict on the answers of a load."""
    verdict = story.verdict
    why = f" ({verdict.broken.splitlines()[0]})" if verdict.broken else ""
    return f"{verdict.word}{why}"


def answers(story: LoadStory) -> str:
    """Return what became of the operations of a load."""
    verdict = story.verdict
    return (
        f"{verdict.acknowledged:,} writes acknowledged, {verdict.lost:,} of them lost;"
        f" {verdict.read:,} reads; {verdict.unknown:,} unknown; {verdict.refused:,} refused;"
        f" {verdict.judged:,} judged"
    )


def worst_unavailable(report: Report) -> str:
    """Return the longest unavailability over all faults."""
    known = [one.unavailable_s for one in report.faults if one.unavailable_s is not None]
    if known:
        return length(max(known)) if max(known) else "none"
    return "nobody asked" if report.faults else "no fault"


def is_well(report: Report) -> bool:
    """Return whether nothing in the report says that something went wrong."""
    return (
        report.safety != "UNSAFE"
        and not report.outcome.startswith("failed")
        and not any(one.verdict.broken for one in report.loads)
    )
