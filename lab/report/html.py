"""A report as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

from lab.report import plots, words
from lab.report.gather import FaultStory, NodeStory, Report
from lab.report.markup import Markup, element, joined
from lab.report.style import STYLE
from lab.tui.widgets.timeline import words_of

PAGE = "report.html"  # In a folder of its own.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
Cell = tuple[str, object]
"""A class for the cell, and what is in it."""


def page(report: Report, picture: str = "") -> str:
    """Return the whole page; *picture* is an SVG of the screen."""
    lacks = element("ul", *(element("li", one) for one in report.lacks), class_="lacks")
    return _document(
        f"{report.title}: {_name(report)}",
        _head(report),
        _tiles(report),
        lacks if report.lacks else "",
        _section("Faults: expected and happened", _faults(report)),
        _section("Timeline", _lanes(report)),
        _section("Throughput", _throughput(report)),
        _section("Latency", _latency(report)),
        _section("Phi", _phi(report)),
        _section("Load", _loads(report)),
        _section("Nodes", _nodes(report)),
        _section("Events", _events(report)),
        _section("The screen", _picture(picture)) if picture else "",
    )


def index(told: Sequence[tuple[str, Report]]) -> str:
    """Return a page that leads to the reports in folders of these names."""
    rows: list[list[Cell]] = []
    for folder, report in told:
        well = words.is_well(report)
        link = element("a", _name(report), href=f"{quote(folder)}/{PAGE}")
        verdict = ("well", "✓ passed") if well else ("harm", f"✗ {report.outcome or 'failed'}")
        load = words.load(report.loads[-1]) if report.loads else "no load"
        rows.append(
            [
                ("", link),
                verdict,
                ("", words.safety(report)),
                ("", load),
                ("number", words.worst_unavailable(report)),
                ("number", words.length(report.ended_s - report.began_s)),
            ]
        )
    well_ones = sum(words.is_well(report) for _, report in told)
    heads = ("scenario", "outcome", "promises", "answers", "longest unavailability", "took")
    return _document(
        "Scenarios of the lab",
        element("h1", f"{well_ones} of {len(told)} scenarios passed"),
        _table(heads, rows),
    )


def _document(title: str, *parts: object) -> str:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", STYLE),
    )
    footer = element("footer", "made by the lab of lolraft")
    body = element("body", element("main", *parts, footer))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _name(report: Report) -> str:
    return report.scenario.partition(":")[0] or "a run of the lab"


def _head(report: Report) -> Markup:
    name, _, shows = report.scenario.partition(": ")
    when = (
        f"{report.title} · {words.count(len(report.nodes), 'node')} ·"
        f" {words.count(sum(report.statuses.values()), 'shard')} ·"
        f" {words.moment(report.began_s)} · {words.length(report.ended_s - report.began_s)}"
    )
    return element(
        "header",
        element("h1", name or "A run of the lab"),
        element("p", shows) if shows else "",
        element("p", when, class_="dim"),
    )


def _tiles(report: Report) -> Markup:
    """Return what one wants to know first."""
    tiles: list[tuple[str, str, str]] = []
    if report.outcome:
        passed = report.outcome.startswith("passed")
        tiles.append(("scenario", report.outcome, "well" if passed else "harm"))
    mood = {"SAFE": "well", "UNSAFE": "harm"}.get(report.safety, "warn")
    tiles.append(("Raft's promises", words.safety(report), mood))
    for story in report.loads[-1:]:
        broken, unknown = story.verdict.broken, story.verdict.word == "UNKNOWN"
        mood = "harm" if broken else "warn" if unknown else "well"
        tiles.append(("answers to clients", words.load(story), mood))
    tiles.append(("longest unavailability", words.worst_unavailable(report), ""))
    tiles.append(("faults", f"{len(report.faults):,}", ""))
    signs = {"well": "✓ ", "harm": "✗ ", "warn": "? ", "": ""}
    return element(
        "div",
        *(
            element("div", element("b", name), element("span", signs[mood], text, class_=mood))
            for name, text, mood in tiles
        ),
        class_="tiles",
    )


def _section(title: str, *parts: object) -> Markup:
    return element("section", element("h2", title), *parts)


def _table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Markup:
    body = joined(
        *(
            element("tr", *(element("td", what, class_=kind or None) for kind, what in row))
            for row in rows
        )
    )
    head = element("tr", *(element("th", one) for one in heads))
    whole = element("table", element("thead", head), element("tbody", body))
    return element("div", whole, class_="wide")


def _nothing(text: str) -> Markup:
    return element("p", text, class_="dim")


def _faults(report: Report) -> Markup:
    if not report.faults:
        return _nothing("There was no fault.")

    def row(number: int, fault: FaultStory) -> list[Cell]:
        span = fault.span
        return [
            ("number", number),
            ("number", words.since(report, span.fault.since_s)),
            ("you", span.fault),
            ("number", words.lasted(report, fault)),
            ("", span.expected),
            ("", span.happened),
            ("number warn" if fault.unavailable_s else "number", words.unavailable(fault)),
        ]

    heads = ("", "at", "fault", "lasted", "expected", "happened", "unavailable")
    note = (
        "Unavailable is the longest time in which one shard answered no client, of those that began"
        " while the fault was in force; faults that overlap share it."
    )
    rows = (row(number, fault) for number, fault in enumerate(report.faults, 1))
    return joined(_table(heads, rows), _nothing(note))


def _figure(caption: object, *parts: object) -> Markup:
    return element("figure", *parts, element("figcaption", caption))


def _key(swatch: str, text: str) -> Markup:
    return element("span", element("i", class_=f"swatch {swatch}"), text, class_="key")


def _lanes(report: Report) -> Markup:
    if not report.nodes:
        return _nothing("No node was seen.")
    keys = ("running", "paused", "silent", "stopped", "killed")
    swatches = (_key(key, key) for key in keys)
    caption = joined(*swatches, "★ elected; numbers are those of the faults, shaded while in force")
    return _figure(caption, plots.lanes(report))


def _throughput(report: Report) -> Markup:
    if not report.moments.points:
        return _nothing("No load ran.")
    caption = joined(
        _key("answered", "answered"),
        _key("failed", "failed or unknown"),
        "operations a second",
    )
    return _figure(caption, plots.throughput(report))


def _latency(report: Report) -> Markup:
    if not any(one.answered for _, one in report.moments.points):
        return _nothing("Nothing was answered." if report.moments.points else "No load ran.")
    caption = joined(
        _key("p50", "p50"),
        _key("p99", "p99, dashed"),
        "from a client's request to its answer, retries included; the scale is logarithmic",
    )
    return _figure(caption, plots.latency(report))


def _phi(report: Report) -> Markup:
    senders = [node.name for node in report.nodes if any(node.name == one for one, _ in report.phi)]
    if not senders:
        return _nothing("No node heard another.")
    legend = joined(
        *(
            element("span", plots.swatch(place), node.name, class_="key")
            for place, node in enumerate(report.nodes)
        ),
        "is who suspects. A live peer is silent for as long as phi = k says once in 10ᵏ heartbeats;"
        f" suspected above {report.threshold:g}. What is higher than a plot is cut off.",
    )
    drawn = (
        element("figure", element("figcaption", f"suspicion of {name}"), plots.phi(report, name))
        for name in senders
    )
    return joined(element("p", legend, class_="legend"), *drawn)


def _loads(report: Report) -> Markup:
    if not report.loads:
        return _nothing("No load ran.")

    def cells() -> Iterable[list[Cell]]:
        for story in report.loads:
            verdict = story.verdict
            slowest = f"{words.length(verdict.slowest_s)} {verdict.slowest}"
            yield [
                ("number", words.since(report, story.began_s)),
                ("harm" if verdict.broken else "", words.load(story)),
                ("", words.answers(story)),
                ("", slowest),
            ]

    table = _table(("began", "verdict", "answers", "slowest"), cells())
    broken = [one.verdict.broken for one in report.loads if one.verdict.broken]
    return joined(table, *(element("pre", text) for text in broken))


def _nodes(report: Report) -> Markup:
    def cells(node: NodeStory) -> list[Cell]:
        last = node.states[-1].word if node.states else "?"
        changes = max(0, len(node.states) - 1)
        return [
            ("", node.name),
            ("", node.node_id),
            ("", node.version),
            ("", f"{last} {node.detail}".strip()),
            ("number", changes),
        ]

    statuses = ", ".join(f"{count:,} {word}" for word, count in sorted(report.statuses.items()))
    return joined(
        _table(("node", "id", "version", "at the end", "changes"), map(cells, report.nodes)),
        _nothing(f"Shards at the end: {statuses or 'none'}."),
    )


def _events(report: Report) -> Markup:
    if not report.events:
        return _nothing("There was no event.")
    mood: Callable[[str], str] = lambda kind: {  # noqa: E731
        "verdict": "strong",
        "violation": "harm",
        "suspect": "warn",
        "exited": "harm",
    }.get(kind, "")
    rows = (
        (
            ("number", words.since(report, event.at_s)),
            ("", event.node or ""),
            ("dim", event.kind),
            ("you" if event.by_you else mood(event.kind), words_of(event)),
        )
        for event in report.events
    )
    table = _table(("at", "node", "kind", "what happened"), rows)
    summary = element("summary", f"{len(report.events):,} lines")
    return element("details", summary, table, open="" if len(report.events) <= 60 else None)


def _picture(picture: str) -> Markup:
    """Return the screen as an image of its own: its styles must not meet those of the page."""
    data = base64.b64encode(picture.encode()).decode()
    return element("img", src=f"data:image/svg+xml;base64,{data}", alt="the screen, as it was")
