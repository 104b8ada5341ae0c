"""A report is folded from what happens, live and from a recording; a page escapes what it shows."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType

import pytest

from lab.attach import watched
from lab.chronicle import Chronicle
from lab.faults import Fault, FaultKind
from lab.observe.account import MOST_SPANS, Span
from lab.observe.fold import MOST_EVENTS
from lab.observe.happenings import ClusterChanged, Happening, Measured, Ticked
from lab.observe.recording import MAGIC, RecordingError
from lab.observe.view import EventView
from lab.report import html, markdown, words
from lab.report.gather import FaultStory, LoadStory, NodeStory, Report, State, of_recording
from lab.report.series import Series, Track, join_moments
from lab.report.write import from_recording, story_name, write, write_index
from lab.sim.cluster import SimCluster
from lab.workload.beside import LoadBeside
from lab.workload.load import Verdict
from lab.workload.measure import Moment
from lab.workload.telling import Teller
from lab.workload.view import LoadView

BAD = "</title><script>alert(1)</script>\x1b[2J\x00|`_*\n# <b onclick='x' \"y\"&amp; \ud800"
VOID = ("meta", "img", "br")


@dataclass
class Run:
    """What a run left: its report, the recording, and who was killed."""

    report: Report
    recording: Path
    killed: str


async def run(recording: Path) -> Run:
    """Kill a leader under load, pause another node, and end while it is paused."""
    chronicle, cluster = Chronicle(), SimCluster(seed=5, shards="0-1", speed=None)
    with watched(cluster, recording, chronicle) as watcher:
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            load = LoadBeside(cluster.client(), now=cluster.now_s, sleep=cluster.sleep)
            chronicle.load = lambda: load.view
            await cluster.sleep(2.0)
            load.start((0, 1))
            await cluster.sleep(5.0)
            leader = watcher.view.shards[0].leader
            assert leader is not None
            await cluster.kill(leader)
            await cluster.sleep(4.0)
            await cluster.restart(leader)
            await cluster.sleep(3.0)
            await load.stop()
            await cluster.pause(next(name for name in ("n1", "n2", "n3") if name != leader))
            await cluster.sleep(4.0)
            chronicle.finish()
            report = chronicle.gather.report()
        finally:
            await watcher.stop()
            await cluster.close()
    return Run(report, recording, leader)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(run(tmp_path_factory.mktemp("told") / "f.recording"))


# --- gathering -----------------------------------------------------------------------------------


def test_a_report_has_what_happened(told: Run) -> None:
    report = told.report
    assert (report.backend, report.safety, len(report.nodes)) == ("sim", "SAFE", 3)
    assert 18 < report.ended_s - report.began_s < 30
    kill, pause = report.faults
    assert kill.span.fault.kind is FaultKind.KILL
    assert "election" in str(kill.span.expected)
    assert kill.span.elections >= 1
    assert kill.span.until_s is not None
    assert kill.unavailable_s is not None
    assert 0.2 < kill.unavailable_s < 4
    assert pause.span.until_s is None
    assert pause.unavailable_s is None, "nobody asked any more"
    assert report.loads[0].verdict.judged > 100
    assert report.loads[0].verdict.word == "linearizable so far"
    states = {node.name: [state.word for state in node.states] for node in report.nodes}
    assert states[told.killed] == ["running", "killed", "silent", "running"]
    assert sum(words_[-1] == "paused" for words_ in states.values()) == 1
    assert any(event.kind == "elected" for event in report.events)
    assert report.lacks == ()


def test_every_second_of_the_load_is_there_once(told: Run) -> None:
    verdict, moments = told.report.loads[0].verdict, told.report.moments
    assert sum(one.answered for _, one in moments.points) == verdict.acknowledged + verdict.read
    times = [at_s for at_s, _ in moments.points]
    assert times == sorted(set(times))
    assert max(one.p99_s for _, one in moments.points) > 0.2
    assert all(one.p50_s <= one.p99_s <= one.max_s for _, one in moments.points)


def test_phi_rises_above_the_threshold_of_whom_was_killed(told: Run) -> None:
    report = told.report
    assert report.threshold > 0
    assert len(report.phi) == 6
    highest = {pair: max(value for _, value in track.points) for pair, track in report.phi.items()}
    others = [name for name in ("n1", "n2", "n3") if name != told.killed]
    assert all(highest[told.killed, other] > report.threshold for other in others)


def test_a_recording_gives_the_report_that_was_made_live(told: Run) -> None:
    assert of_recording(told.recording) == told.report


def test_a_recording_that_is_cut_says_so(told: Run, tmp_path: Path) -> None:
    data = told.recording.read_bytes()
    (tmp_path / "cut").write_bytes(data[: len(data) * 2 // 3])
    report = of_recording(tmp_path / "cut")
    assert report.ends_early
    assert 0 < report.ended_s - report.began_s < told.report.ended_s - told.report.began_s
    assert "ends early" in html.page(report)
    assert "ends early" in markdown.summary(report)


def test_nothing_gives_an_empty_report(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(MAGIC + b'{"version": 1, "title": "t", "backend": "b"}\n')
    report = of_recording(tmp_path / "f")
    page, text = html.page(report), markdown.summary(report)
    for said in ("There was no fault", "There was no event"):
        assert said in page
        assert said in text
    (tmp_path / "g").write_bytes(b"nothing")
    with pytest.raises(RecordingError, match="no recording"):
        from_recording(tmp_path / "g", None)


def test_an_outage_that_nobody_ended_is_kept() -> None:
    """The load was given up while a shard did not answer: that is no reason to forget it."""
    chronicle = asyncio.run(_given_up())
    (kill, other) = chronicle.gather.report().faults
    assert kill.unavailable_s is not None
    assert other.unavailable_s is not None
    assert other.unavailable_s > 2.0


async def _given_up() -> Chronicle:
    chronicle, cluster = Chronicle(), SimCluster(seed=5, speed=None)
    with watched(cluster, None, chronicle) as watcher:
        await cluster.start(lambda line: None)
        watcher.start()
        load = LoadBeside(cluster.client(), now=cluster.now_s, sleep=cluster.sleep)
        chronicle.load = lambda: load.view
        await cluster.sleep(2.0)
        load.start((0,))
        await cluster.sleep(3.0)
        await cluster.kill("n1")
        await cluster.kill("n2")
        await cluster.sleep(4.0)
        await load.cancel()
        await cluster.sleep(3.0)
        chronicle.finish()
        await watcher.stop()
        await cluster.close()
    return chronicle


def seconds(*counts: int, began_s: float = 10.5) -> LoadView:
    moments = (Moment(at_s=10 + n, answered=count) for n, count in enumerate(counts))
    return LoadView(began_s=began_s, moments=tuple(moments))


def test_a_load_is_told_by_whole_seconds_and_the_last_as_it_is() -> None:
    teller = Teller()
    assert teller.news(LoadView(), 10.2) is None, "there is none yet"
    first = teller.news(seconds(3, 4), 11.2)
    second = teller.news(seconds(3, 9), 11.9)
    assert first is not None
    assert [one.answered for one in first.moments] == [3]
    assert second is None, "nothing is new"
    last = teller.news(seconds(3, 9, 5), 12.3, final=True)
    assert last is not None
    assert [one.answered for one in last.moments] == [9, 5]
    other = teller.news(seconds(7, began_s=10.9), 13.0)
    assert other is not None, "another load"
    assert [one.answered for one in other.moments] == [7]


def test_how_the_lab_cleans_up_is_not_told() -> None:
    chronicle, heard = Chronicle(), list[Happening]()
    chronicle.listeners.append(lambda happening, view: heard.append(happening))
    chronicle.load = lambda: seconds(3)
    chronicle.finish()
    chronicle.finish()
    chronicle.take(ClusterChanged(at_s=20.0, nodes=(), faults=()))
    chronicle.take(Ticked(at_s=21.0))
    assert [type(one) for one in heard] == [Measured]


def test_a_series_is_thinned_out_and_loses_no_peak() -> None:
    series = Series(max, 8)
    for at_s in range(100):
        series.add(at_s, 50.0 if at_s == 33 else at_s / 100)
    track = series.track
    assert 4 <= len(track.points) <= 8
    assert track.width_s == 16
    assert dict(track.points)[32.0] == 50.0
    assert [at_s for at_s, _ in track.points] == sorted(at_s for at_s, _ in track.points)


def test_joined_seconds_add_up() -> None:
    one = Moment(at_s=4, answered=30, failed=1, p50_s=0.1, p99_s=0.3, max_s=0.4)
    other = Moment(at_s=5, answered=10, failed=2, p50_s=0.5, p99_s=0.2, max_s=0.9)
    both = join_moments(one, other)
    assert both == Moment(at_s=4, answered=40, failed=3, p50_s=0.2, p99_s=0.3, max_s=0.9)
    none = Moment(at_s=6)
    assert join_moments(none, none) == none


def test_what_is_not_whole_is_said(told: Run) -> None:
    event = told.report.events[0]
    full = replace(
        told.report,
        events=(event,) * MOST_EVENTS,
        faults=told.report.faults[:1] * MOST_SPANS,
        moments=replace(told.report.moments, width_s=16.0),
        ends_early=True,
    )
    assert len(full.lacks) == 4
    page = html.page(full)
    for said in full.lacks:
        assert said in page
    assert "up to 16 s" in page


# --- pages ---------------------------------------------------------------------------------------


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
