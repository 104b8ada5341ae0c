"""Scenarios: how they are read, that all pass on simulated nodes, and that they can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.attach import client_of, is_led, watcher_of
from lab.observe.recording import read
from lab.report.gather import of_recording
from lab.scenarios import headless, script
from lab.scenarios.play import Outcome, play
from lab.scenarios.run import cluster_for, run, stage_of
from tests.kept import ARTIFACTS, run_kept

HEAD = "title a test\nshows something\n"


async def played(text: str, seed: int = 1) -> Outcome:
    return await run(script.parse("made up", HEAD + text), "sim", lambda line: None, seed)


@pytest.mark.parametrize("name", script.names())
async def test_it_passes_on_simulated_nodes(name: str) -> None:
    outcome = await run_kept(script.load(name), "sim", lambda line: None, seed=1)
    assert outcome.passed, outcome.failed_at


def test_there_are_those_that_people_ask_for() -> None:
    assert len(script.names()) >= 15
    for name in script.names():
        one = script.load(name)
        assert len(one.title) < 60
        assert one.shows.endswith(".")
        assert any(step.verb == "expect" for step in one.steps)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("expect follower is behind within 0.5s", "has all that is committed"),
        ("mark\nexpect term higher within 0.5s", "the term is 1"),
        ("expect voters n1 n2 within 0.5s", "voters"),
        ("expect no leader within 0.5s", "leads"),
        ("write a=1\nexpect read a = 2", "a is '1', not '2'"),
        ("begin a=1 at leader\nexpect refused", "it was acknowledged"),
        ("kill n1\nkill n2\nkill n3\nwrite a=1", "UNAVAILABLE"),
        ("kill n1\nkill n1", "does not run"),
        ("load on\nwait 1s\nmark\nkill leader\nwait 2s\nexpect pause at most 0.1s", "pause was"),
    ],
)
async def test_what_does_not_come_fails(text: str, why: str) -> None:
    outcome = await played(text)
    assert not outcome.passed
    assert why in outcome.failed_at


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dance n1", "no step begins with 'dance'"),
        ("kill n9", "no node is called 'n9'"),
        ("kill", "is not whole"),
        ("expect miracles", "nobody can tell whether 'miracles'"),
        ("expect linearizable", "there is no load"),
        ("wait long", "a time is written"),
    ],
)
async def test_what_makes_no_sense_is_said(text: str, why: str) -> None:
    with pytest.raises(script.ScenarioError, match=why):
        await played(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("title x\nkill n1", "shows"),
        ("title x\nshows y\n", "steps"),
        ("title x\nshows y\nnodes many\nkill n1", "nodes is a number"),
    ],
)
def test_a_head_that_is_not_whole_is_said(text: str, why: str) -> None:
    with pytest.raises(script.ScenarioError, match=why):
        script.parse("made up", text)


async def test_votes_that_are_not_counted_fail_a_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lolraft.raft.election.has_quorum", lambda configuration, have: True)
    text = "call leader old\nkill old\nwait 3s\nrestart old\nwait 3s\nexpect safe"
    outcomes = [await played("nodes 5\n" + text, seed) for seed in range(1, 6)]
    failed = [one.failed_at for one in outcomes if not one.passed]
    assert failed, "in some worlds only one stands at a time, in others two do"
    assert all("leads shard 0 in term" in why for why in failed)


def test_the_exit_status_says_it(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert headless.tell_scenarios("list", "sim", None) == headless.PASSED
    assert "leader_dies" in capsys.readouterr().out
    assert headless.tell_scenarios("leader_dies", "sim", 1) == headless.PASSED
    assert "passed" in capsys.readouterr().out
    path = tmp_path_factory.mktemp("scenario") / "bad.txt"
    path.write_text(HEAD + "expect no leader within 0.2s\n")
    assert headless.tell_scenarios(str(path), "sim", 1) == headless.FAILED
    assert "FAILED line 3" in capsys.readouterr().out
    assert headless.tell_scenarios("nothing", "sim", 1) == headless.BROKEN
    error: Callable[[], str] = lambda: capsys.readouterr().err  # noqa: E731
    assert "--scenario list names them" in error()


def test_only_what_fails_leaves_a_recording(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, bad = tmp_path / "kept", tmp_path / "bad.txt"
    assert headless.tell_scenarios("leader_dies", "sim", 1, kept) == headless.PASSED
    assert list(kept.iterdir()) == []
    bad.write_text(HEAD + "expect no leader within 0.2s\n")
    assert headless.tell_scenarios(str(bad), "sim", 1, kept) == headless.FAILED
    found = read(kept / "bad-sim.recording")
    assert f"recorded: {kept / 'bad-sim.recording'}" in capsys.readouterr().out
    assert not found.ends_early
    assert "failed" in found.last().events[-1].text
    bad.write_text(HEAD + "wait 0.1s\n")
    assert headless.tell_scenarios(str(bad), "sim", 1, bad) == headless.BROKEN


async def test_on_the_screen_what_is_begun_follows_at_once() -> None:
    """A second later the leader that was cut off has stepped down, and refuses."""
    text = "nodes 5\ncall leader old\nisolate old\nbegin a=1 at old\nwait 0.1s"
    story = script.parse("made up", HEAD + text)
    cluster = cluster_for(story, "sim", 1)
    watcher = watcher_of(cluster)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        client = client_of(cluster)
        stage = stage_of(cluster, watcher, client)
        await stage.until(lambda: "" if is_led(watcher.view, by_all=True) else "not led")
        last = stage.shard.replicas[stage.node("leader")].last_index
        assert (await play(story, stage, lambda line: None, pace_s=1.0)).passed
        assert stage.shard.replicas[stage.named["old"]].last_index == last + 1
    finally:
        await watcher.stop()
        await cluster.close()


# --- what they leave -----------------------------------------------------------------------------


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_only_one_that_fails_leaves_a_recording_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ARTIFACTS, str(tmp_path / "deep" / "kept"))
    good = script.parse("good", HEAD + "expect leader")
    bad = script.parse("bad", HEAD + "expect no leader within 0.5s")
    assert (await run_kept(good, "sim", lambda line: None, 1)).passed
    assert not (await run_kept(bad, "sim", lambda line: None, 1)).passed
    odd = script.parse("odd", HEAD + "dance n1")
    with pytest.raises(script.ScenarioError, match="dance"):
        await run_kept(odd, "sim", lambda line: None, 1)
    left = files_in(tmp_path)
    assert left == {
        f"deep/kept/{name}"
        for one in ("bad-sim", "odd-sim")
        for name in (f"{one}.recording", f"{one}/report.html", f"{one}/report.md")
    }
    report = of_recording(tmp_path / "deep" / "kept" / "bad-sim.recording")
    assert report.outcome.startswith("failed: line 3")
    assert "failed: line 3" in (tmp_path / "deep/kept/bad-sim/report.html").read_text()


def test_each_of_several_leaves_a_report_and_an_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "names", lambda: ("first_election", "split_vote"))
    assert headless.tell_scenarios("all", "sim", 1, report=tmp_path) == headless.PASSED
    index = (tmp_path / "index.html").read_text()
    for name in ("first_election", "split_vote"):
        assert (tmp_path / f"{name}-sim" / "report.md").is_file()
        assert f"{name}-sim/report.html" in index
    assert "2 of 2" in index
    assert str(tmp_path / "index.html") in capsys.readouterr().out


def test_one_leaves_its_report_where_it_was_told(tmp_path: Path) -> None:
    assert headless.tell_scenarios("split_vote", "sim", 1, report=tmp_path) == headless.PASSED
    assert "A split vote" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "index.html").exists()
