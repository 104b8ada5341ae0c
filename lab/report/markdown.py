"""A report as Markdown, for an issue or a pull request: tables, and plots as rows of blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from lab.report import words
from lab.report.gather import Report
from lab.report.markup import clean
from lab.tui.widgets.timeline import words_of

SUMMARY = "report.md"  # In a folder of its own.
BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = 72  # Of a plot.
MOST_LINES = 60  # Of events; the page has them all.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&@])")


def summary(report: Report, *, picture: str = "") -> str:
    """Return the whole text; *picture* is the name of a file beside it."""
    name, _, shows = report.scenario.partition(": ")
    parts = [f"# {text(name or f'A run of the lab, {report.title}')}"]
    if shows:
        parts.append(text(shows))
    parts += [
        _facts(report),
        "\n".join(f"- {text(one)}" for one in report.lacks),
        "## Faults: expected and happened",
        _faults(report),
        "## Over time",
        _plots(report),
        "## Timeline",
        _events(report),
    ]
    if picture:
        parts.append(f"## The screen\n\n![the screen, as it was]({picture})")
    return "\n\n".join(filter(None, parts)) + "\n"


def index(told: Sequence[tuple[str, Report]]) -> str:
    """Return a table of reports that lie in folders of these names."""
    well = sum(words.is_well(report) for _, report in told)
    rows = []
    for folder, report in told:
        name = text(report.scenario.partition(":")[0] or folder)
        outcome = report.outcome or ("passed" if words.is_well(report) else "failed")
        took = words.length(report.ended_s - report.began_s)
        cells = (outcome, words.safety(report), words.worst_unavailable(report), took)
        rows.append(" | ".join((f"[{name}](<{folder}/{SUMMARY}>)", *map(text, cells))))
    head = "| scenario | outcome | promises | longest unavailability | took |\n" + "| --- " * 5
    lines = "\n".join(f"| {row} |" for row in rows)
    return f"# {well} of {len(told)} scenarios passed\n\n{head}|\n{lines}\n"


def text(value: object) -> str:
    """Return *value* so that Markdown shows it as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(clean(str(value)).split()))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table."""
    lines = [heads, ["---"] * len(heads), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _facts(report: Report) -> str:
    rows = [
        ("cluster", f"{report.title}, {words.count(len(report.nodes), 'node')}"),
        ("began", words.moment(report.began_s)),
        ("lasted", words.length(report.ended_s - report.began_s)),
        ("Raft's promises", words.safety(report)),
        ("longest unavailability", words.worst_unavailable(report)),
    ]
    if report.outcome:
        rows.insert(0, ("scenario", report.outcome))
    for story in report.loads:
        rows.append(("answers to clients", f"{words.load(story)}: {words.answers(story)}"))
    return table(("", ""), rows)


def _faults(report: Report) -> str:
    if not report.faults:
        return "There was no fault."
    heads = ("", "at", "fault", "lasted", "expected", "happened", "unavailable")
    rows = (
        (
            number,
            words.since(report, one.span.fault.since_s),
            one.span.fault,
            words.lasted(report, one),
            one.span.expected,
            one.span.happened,
            words.unavailable(one),
        )
        for number, one in enumerate(report.faults, 1)
    )
    return table(heads, rows)


def _plots(report: Report) -> str:
    """Return rows of blocks, each from nothing to its highest value, phi at least to suspicion."""
    moments, width_s = report.moments.points, report.moments.width_s
    rows: list[tuple[str, list[tuple[float, float]], float, Callable[[float], str]]] = []
    if moments:
        counts = [(at_s, one.answered / width_s) for at_s, one in moments]
        rows.append(("answers/s", counts, width_s, lambda most: f"{most:,.4g}/s"))
        rows.append(("p50", [(at_s, one.p50_s) for at_s, one in moments], width_s, words.length))
        rows.append(("p99", [(at_s, one.p99_s) for at_s, one in moments], width_s, words.length))
    for node in report.nodes:
        tracks = [track for (who, _), track in report.phi.items() if who == node.name]
        worst = [point for track in tracks for point in track.points]
        if worst:
            wide_s = max(track.width_s for track in tracks)
            rows.append((f"phi of {node.name}", worst, wide_s, lambda most: f"{most:.3g}"))
    if not rows:
        return "Nothing was measured."
    faults = [
        (story.span.fault.since_s, report.ended_s if story.span.until_s is None
         else story.span.until_s)
        for story in report.faults
    ]  # fmt: skip
    began_s, room_s = report.began_s, max(report.ended_s - report.began_s, 0.5)
    lines = [f"{'faults':>12} {_shaded(faults, began_s, room_s)}"]
    for name, points, wide_s, word in rows:
        most = max(value for _, value in points)
        top = max(most, report.threshold) if name.startswith("phi") else most
        drawn = _spark(points, wide_s, began_s, room_s, top)
        lines.append(f"{clean(name)[:12]:>12} {drawn}  up to {word(most)}")
    return "```text\n" + "\n".join(line.replace("```", "'''") for line in lines) + "\n```"


def _column(at_s: float, began_s: float, room_s: float) -> int:
    return max(0, min(COLUMNS - 1, int((at_s - began_s) / room_s * COLUMNS)))


def _spark(
    points: Iterable[tuple[float, float]], wide_s: float, began_s: float, room_s: float, most: float
) -> str:
    worst: list[float | None] = [None] * COLUMNS
    for at_s, value in points:
        last = _column(at_s + 0.99 * wide_s, began_s, room_s)
        for column in range(_column(at_s, began_s, room_s), last + 1):
            worst[column] = max(value, worst[column] or 0.0)
    return "".join(
        " " if value is None else BLOCKS[min(7, int(value / most * 8)) if most else 0]
        for value in worst
    )


def _shaded(faults: Iterable[tuple[float, float]], began_s: float, room_s: float) -> str:
    signs = ["·"] * COLUMNS
    for from_s, until_s in faults:
        first, last = (_column(at_s, began_s, room_s) for at_s in (from_s, until_s))
        signs[first : last + 1] = "▒" * (last + 1 - first)
    return "".join(signs)


def _events(report: Report) -> str:
    if not report.events:
        return "There was no event."
    left = len(report.events) - MOST_LINES
    note = f"The newest {MOST_LINES} of {len(report.events):,}; the page has the others.\n\n"
    rows = (
        (words.since(report, event.at_s), event.node or "", words_of(event))
        for event in report.events[-MOST_LINES:]
    )
    return (note if left > 0 else "") + table(("at", "node", "what happened"), rows)
