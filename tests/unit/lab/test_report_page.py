"""Page and summary: well formed, whole in themselves, and safe from what they show."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType

import pytest

from lab.faults import Fault, FaultKind
from lab.observe.account import Span
from lab.observe.fold import MOST_EVENTS
from lab.observe.view import EventView
from lab.report import html, markdown, words
from lab.report.gather import FaultStory, LoadStory, NodeStory, Report, State
from lab.report.series import Track
from lab.report.write import from_recording, story_name, write, write_index
from lab.workload.load import Verdict
from lab.workload.measure import Moment
from tests.unit.lab.told import Run, run

BAD = "</title><script>alert(1)</script>\x1b[2J\x00|`_*\n# <b onclick='x' \"y\"&amp; \ud800"
VOID = ("meta", "img", "br")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(run(tmp_path_factory.mktemp("told") / "f.recording"))


class Reader(HTMLParser):
    """Read a page as a browser does, and see that what opens closes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def readers(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def hostile() -> Report:
    """Return a report every text of which tries to break out."""
    fault = Fault(number=1, kind=FaultKind.KILL, nodes=(BAD,), since_s=11.0, mechanism=BAD)
    broken = Verdict(broken=BAD, slowest=BAD, acknowledged=1, judged=1)
    return Report(
        title=BAD,
        backend=BAD,
        scenario=f"{BAD}: {BAD}",
        outcome=f"failed: {BAD}",
        began_s=10.0,
        ended_s=20.0,
        nodes=(
            NodeStory(name=BAD, node_id=BAD, version=BAD, detail=BAD,
                      states=(State(from_s=10.0, word="running"),)),
        ),
        statuses=MappingProxyType({BAD: 1}),
        safety="UNSAFE",
        safety_why=BAD,
        events=(EventView(at_s=12.0, node=BAD, kind=BAD, text=BAD),
                EventView(at_s=12.0, node=BAD, kind="elected", text=BAD)),
        faults=(FaultStory(span=Span(fault=fault), unavailable_s=1.0),),
        loads=(LoadStory(began_s=10.0, verdict=broken),),
        moments=Track(1.0, ((12.0, Moment(at_s=12, answered=3, failed=1, p50_s=0.1, p99_s=0.2)),)),
        phi=MappingProxyType({(BAD, BAD): Track(1.0, ((12.0, 3.0),))}),
        threshold=8.0,
    )  # fmt: skip


def test_a_page_is_well_formed_and_needs_nothing_else(told: Run) -> None:
    page = html.page(told.report, picture="<svg xmlns='http://www.w3.org/2000/svg'/>")
    reader = readers(page)
    tags = [tag for tag, _ in reader.seen]
    assert tags.count("svg") >= 3 + 3, "lanes, throughput, latency, and phi of each node"
    assert "script" not in tags
    assert "link" not in tags
    places = [value for _, given in reader.seen for key, value in given.items()
              if key in ("src", "href")]  # fmt: skip
    assert all(place is not None and place.startswith("data:") for place in places)
    assert "prefers-color-scheme: dark" in page
    assert "url(" not in page
    for said in ("kill", "SAFE", "linearizable so far", words.unavailable(told.report.faults[0])):
        assert said in reader.text
    shades = [given for tag, given in reader.seen if given.get("class") == "fault"]
    assert len(shades) == 2 * 6, "both faults behind each plot"


def test_plots_stay_within_their_frames(told: Run) -> None:
    kill = told.report.faults[0].span
    late = replace(told.report, began_s=kill.fault.since_s + 1.0)  # What was before is cut off.
    for report in (told.report, late):
        page = html.page(report)
        for drawn in re.findall(r'<path d="([^"]*)"', page):
            numbers = [float(one) for one in re.findall(r"-?\d+\.?\d*", drawn)]
            assert all(0 <= one <= 960 for one in numbers), drawn
        for tag, given in readers(page).seen:
            if tag == "rect":
                x, width = float(given["x"] or ""), float(given["width"] or "")
                assert 62 <= x <= x + width <= 948


def test_hostile_texts_stay_texts() -> None:
    page = html.page(hostile(), picture=f"<svg>{BAD.encode(errors='replace').decode()}</svg>")
    reader = readers(page)
    tags = {tag for tag, _ in reader.seen}
    assert not tags & {"script", "b onclick"}
    assert not any("onclick" in given for _, given in reader.seen)
    assert "alert(1)" in reader.text, "it is shown"
    assert "\x1b" not in page
    assert "\x00" not in page
    page.encode()


def test_hostile_texts_do_not_break_the_summary() -> None:
    text = markdown.summary(hostile())
    text.encode()
    assert "\x1b" not in text
    outside = re.sub(r"```text\n.*?\n```", "", text, flags=re.DOTALL)
    assert "`" not in outside.replace("\\`", "")
    for line in outside.splitlines():
        bare = re.sub(r"\\.", "", line)
        assert "<" not in bare, line
        assert not line.startswith("# <"), line
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    columns = {re.sub(r"\\.", "", row).count("|") for row in rows}
    assert columns == {3, 4, 8}, "no text adds a column"
    assert text.count("```") == 2


def test_the_summary_says_what_the_page_says(told: Run) -> None:
    text = markdown.summary(told.report, picture="screen.svg")
    for fault in told.report.faults:
        assert markdown.text(fault.span.fault) in text
        assert words.unavailable(fault) in text
    for said in ("SAFE", "linearizable so far", "answers/s", "p99", "phi of n1", "screen.svg"):
        assert said in text
    row = next(line for line in text.splitlines() if line.lstrip().startswith("phi of n"))
    assert row.count("▁") > 20, "calm is low: the scale reaches up to suspicion"
    bars = next(line for line in text.splitlines() if line.lstrip().startswith("answers/s"))
    assert len(set(bars)) > 5, bars


def test_many_events_are_left_to_the_page(told: Run) -> None:
    event = told.report.events[0]
    many = tuple(replace(event, at_s=float(n), text=f"event {n}.") for n in range(200))
    report = replace(told.report, events=many)
    text = markdown.summary(report)
    assert "event 199." in text
    assert "event 100." not in text
    assert "newest 60 of 200" in text
    assert "event 0." in html.page(report)


def test_a_page_stays_small(told: Run) -> None:
    """Nine nodes, everything full: what a browser and an issue tracker still take."""
    names = [f"n{number}" for number in range(1, 10)]
    track = Track(4.0, tuple((told.report.began_s + n / 20, n % 90 / 7) for n in range(400)))
    node = told.report.nodes[0]
    report = replace(
        told.report,
        nodes=tuple(replace(node, name=name) for name in names),
        events=(told.report.events[0],) * MOST_EVENTS,
        phi=MappingProxyType({(a, b): track for a in names for b in names if a != b}),
    )
    assert len(html.page(report)) < 2_000_000
    assert len(markdown.summary(report)) < 65_000, "what an issue can hold"


# --- files ---------------------------------------------------------------------------------------


def test_a_folder_has_page_summary_and_picture(told: Run, tmp_path: Path) -> None:
    page = write(told.report, tmp_path / "deep" / "er", picture="<svg/>")
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "report.html", "report.md", "screen.svg",
    ]  # fmt: skip
    assert "screen.svg" in (page.parent / "report.md").read_text()
    beside = from_recording(told.recording, None)
    assert beside == told.recording.parent / "f-report" / "report.html"
    assert beside.read_text() == html.page(told.report)


def test_an_index_leads_to_every_report(told: Run, tmp_path: Path) -> None:
    failed = replace(told.report, scenario=f"{BAD}: x", outcome="failed: line 3")
    page = write_index(tmp_path, [("a-sim", told.report), ("b-sim", failed)])
    reader = readers(page.read_text())
    links = [given["href"] for tag, given in reader.seen if tag == "a"]
    assert links == ["a-sim/report.html", "b-sim/report.html"]
    assert "1 of 2 scenarios passed" in reader.text
    assert "failed: line 3" in reader.text
    assert "b-sim/report.md" in (tmp_path / "index.md").read_text()


def test_a_story_is_named_by_run_and_time() -> None:
    assert story_name("local:lab3", "20261127-203641") == "story-local-lab3-20261127-203641"
    assert "/" not in story_name("connect:../../etc http://x", "now")
    assert ".." not in story_name("../..", "now")
