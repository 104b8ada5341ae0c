"""A report is folded from what happens, live and from a recording, to the same value."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from lab.attach import taped, watched
from lab.chronicle import Chronicle
from lab.faults import FaultKind
from lab.observe.account import MOST_SPANS
from lab.observe.fold import MOST_EVENTS
from lab.observe.happenings import ClusterChanged, Happening, Measured, Ticked
from lab.observe.recording import MAGIC, RecordingError
from lab.observe.tape import Tape
from lab.report import html, markdown
from lab.report.gather import of_recording
from lab.report.series import Series, join_moments
from lab.report.write import from_recording
from lab.sim.cluster import SimCluster
from lab.workload.beside import LoadBeside
from lab.workload.measure import Moment
from lab.workload.telling import Teller
from lab.workload.view import LoadView
from tests.unit.lab.told import Run, run


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(run(tmp_path_factory.mktemp("told") / "f.recording"))


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


async def test_a_recording_that_begins_in_the_middle_knows_what_was_before(
    tmp_path: Path,
) -> None:
    """Who records after the fact gets what the tape remembers, and its report tells of it."""
    chronicle, cluster = Chronicle(), SimCluster(seed=5, speed=None)
    with taped(cluster, None, chronicle) as (watcher, deck):
        deck.tape = Tape(watcher.view, most_s=5.0)
        await cluster.start(lambda line: None)
        watcher.start()
        await cluster.sleep(2.0)
        await cluster.kill("n1")
        await cluster.sleep(60.0)
        deck.record(tmp_path / "f")
        await cluster.sleep(2.0)
        live = chronicle.gather.report()
        await watcher.stop()
        await cluster.close()
    report = of_recording(tmp_path / "f")
    assert report.ended_s - report.began_s < live.ended_s - live.began_s - 20
    (before,), (whole,) = report.faults, live.faults
    assert before.span.expected == whole.span.expected
    assert before.span.elections == whole.span.elections
    earliest = min(at_s for track in report.phi.values() for at_s, _ in track.points)
    assert earliest < report.began_s


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
