"""Rooms: every solution wins, doing nothing does not, means are counted, the bug is caught."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest

from lab.attach import taped
from lab.chronicle import Chronicle
from lab.observe.safety import SAME_PREFIX
from lab.observe.view import EventView
from lab.rooms import headless, session
from lab.rooms.app import RoomApp
from lab.rooms.headless import solve
from lab.rooms.planted import advance_commit_by_counting, planted
from lab.rooms.room import Room, load, parse, rooms
from lab.rooms.trial import Trial
from lab.rooms.worlds import client_in, world_of
from lab.scenarios.run import stage_of
from lab.scenarios.script import ScenarioError, Step
from lab.session import wait_for_leaders
from lab.tui.ports import Leaving
from lolraft.errors import ConfigError
from lolraft.raft import replication
from tests.lab.screen import Driven

NAMES = [room.name for room in rooms()]
HEAD = "title a test\nshows something\ntask do it\nhint none\n"


def steps(text: str) -> tuple[Step, ...]:
    lines = [line.split() for line in text.splitlines()]
    return tuple(Step(number=1, verb=verb, words=tuple(words)) for verb, *words in lines)


@pytest.mark.parametrize("name", NAMES)
async def test_its_solution_wins(name: str) -> None:
    standing = await solve(load(name))
    assert standing.won, standing


@pytest.mark.parametrize("name", NAMES)
async def test_who_does_nothing_does_not_win(name: str) -> None:
    standing = await solve(load(name), steps=steps("wait 15s"))
    assert not standing.won
    assert not standing.lost
    assert any(why for _, why in standing.goals)


def test_they_can_be_read() -> None:
    assert len(NAMES) == 10
    for room in rooms():
        assert re.search(r"\(§\d[\d.]*\)\.$", room.script.shows), room.name
        assert len(room.task) <= 148, f"{room.name}: two lines at 80 columns"
        assert len(room.script.title) <= 40, room.name
        assert load(str(room.number)) == load(room.name) == room


# --- what is allowed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "played", "why"),
    [
        ("gently", "kill leader\nwait 5s", "no fault is allowed"),
        ("one_way", "isolate leader\nwait 5s", "isolate is not allowed here"),
        ("stop_five", "kill n1\nkill n2\nkill n3\nwait 5s", "fault 3, and only 2 are allowed"),
        ("gently", "restart leader\nwait 5s", "that was fault 1"),
        ("split_vote", "split n1 n2 | n3 n4\nheal\nisolate n1\nwait 3s", "that was fault 2"),
    ],
)
async def test_other_means_lose(name: str, played: str, why: str) -> None:
    standing = await solve(load(name), steps=steps(played))
    assert not standing.won
    assert why in standing.lost


async def test_two_kills_do_not_stop_five() -> None:
    standing = await solve(load("stop_five"), steps=steps("kill n1\nkill n2\nwait 5s"))
    assert (standing.won, standing.lost, standing.used) == (False, "", 2)


async def test_the_storm_is_not_the_players_and_has_to_be_over() -> None:
    room = made("faults 0\n", "setup\nwrite a=1\nstorm\nisolate n1\nwait 20s", "leader")
    standing = await solve(room)
    assert (standing.won, standing.used) == (True, 0)
    part = await solve_until(room, 5.0)
    assert "the storm goes on" in part


async def solve_until(room: Room, seconds: float) -> str:
    """Play nothing for a while, and return how it stands before the storm is over."""
    async with playing(room, speed=None) as (trial, app, _):
        await app.cluster.sleep(seconds)
        return str(trial.standing)


# --- the planted bug -----------------------------------------------------------------------------


async def test_what_the_screen_sees_for_itself_catches_the_planted_bug() -> None:
    async with playing(load("planted_bug"), speed=None) as (trial, app, _):
        await trial.play(trial.room.solution, lambda line: None)
        broken = app.source.view.violation
        assert broken is not None
        assert broken.rule == SAME_PREFIX
        assert app.cluster.violation is None, "none of the simulator's checkers looks on"


async def test_the_right_build_does_not_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.rooms.worlds.planted", nullcontext)
    standing = await solve(load("planted_bug"))
    assert standing.goals == (("unsafe", "every promise is kept"),)


def test_the_wrong_rule_is_there_only_in_the_room() -> None:
    right = replication.advance_commit
    with planted():
        assert replication.advance_commit is advance_commit_by_counting
    assert replication.advance_commit is right


async def test_leases_within_their_drift_give_no_stale_read() -> None:
    standing = await solve(load("stale_read"), steps=steps("isolate leader\nwait 12s"))
    assert not standing.won


# --- reading -------------------------------------------------------------------------------------


def made(head: str, more: str, goal: str) -> Room:
    return parse("made up", f"{HEAD}{head}\n{more}\ngoal\n{goal}\nsolution\nwait 0.1s\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("title x\nshows y\ngoal\nleader", "task, hint, solution"),
        (HEAD + "world of dreams\ngoal\nleader\nsolution\nwait 1s", "no world 'of dreams'"),
        (HEAD + "faults few\ngoal\nleader\nsolution\nwait 1s", "faults is a number"),
        (HEAD + "kinds cut, love\ngoal\nleader\nsolution\nwait 1s", "love"),
        (HEAD + "kill n1\ngoal\nleader\nsolution\nwait 1s", "line 5 belongs to none"),
    ],
)
def test_a_room_that_is_not_whole_is_said(text: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        parse("made up", text)


async def test_a_goal_that_no_picture_shows_is_said() -> None:
    with pytest.raises(ScenarioError, match="seen on no picture"):
        await solve(made("", "", "read a = 1"))


@pytest.mark.parametrize(
    ("goal", "won"),
    [
        ("leader for 1s", True),
        ("no leader for 30s", False),
        ("once no leader", True),
        ("earlier term committed", False),
        ("all up for 30s", False),
    ],
)
async def test_for_and_once(goal: str, won: bool) -> None:
    room = made("", "", goal)
    played = steps("transfer follower\nwait 2s\nkill leader\nwait 5s")
    standing = await solve(room, steps=played)
    assert standing.won is won, standing


def test_the_exit_status_says_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert headless.tell_rooms("gently", "sim", 2) == headless.PASSED
    assert "won" in capsys.readouterr().out
    assert headless.tell_rooms("nothing", "sim", None) == headless.BROKEN
    assert "./log play lists them" in capsys.readouterr().err
    assert headless.tell_rooms("stale_read", "local", None) == headless.BROKEN
    assert "only the simulator has" in capsys.readouterr().err
    bad = made("", "", "no leader")
    monkeypatch.setattr(headless, "rooms", lambda: (bad, load("gently")))
    assert headless.tell_rooms("all", "sim", None) == headless.FAILED
    assert "1 of 2 won" in capsys.readouterr().out


# --- on the screen -------------------------------------------------------------------------------


@asynccontextmanager
async def playing(
    room: Room, *, speed: float | None = 1.0
) -> AsyncIterator[tuple[Trial, RoomApp, Chronicle]]:
    """Begin a room as `./log play` does, with no terminal."""
    chronicle = Chronicle()
    with (
        world_of(room, "sim", 1, speed=speed) as cluster,
        taped(cluster, None, chronicle) as (watcher, deck),
    ):
        await cluster.start(lambda line: None)
        watcher.start()
        await wait_for_leaders(watcher, lambda line: None)
        client = client_in(room, cluster)
        trial = Trial(room, stage_of(cluster, watcher, client))
        chronicle.listeners.append(trial.hear)
        try:
            await session.prepare(trial)
            assert not trial.trouble, trial.trouble
            yield trial, RoomApp(trial, watcher, cluster, client, deck=deck), chronicle
        finally:
            await trial.end()
            await watcher.stop()
            await cluster.close()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm saves a recording in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_room_is_won_with_keys(size: tuple[int, int]) -> None:
    async with (
        playing(load("stop_five"), speed=8.0) as (trial, app, _),
        app.run_test(size=size) as pilot,
    ):
        lab = Driven(app, pilot)
        await lab.until(lambda: "room 2 Stop a cluster of five" in lab.text())
        assert "With two faults at most" in lab.text()
        assert "2 faults at most · used 0" in lab.text()
        assert "NOT YET" in lab.text()
        await lab.press("H")
        await lab.until(lambda: any("After two kills" in n.message for n in app._notifications))
        await lab.press("P", "enter")
        await lab.until(lambda: "used 1" in lab.text())
        await lab.until(lambda: app.scene().shard.leader in ("n1", "n2", "n3", "n4", "n5"))
        side = app.cluster.faults()[0].nodes[1].split()
        app.choose("node", side[0])
        await lab.press("K")
        await lab.until(lambda: "used 2" in lab.text())
        await lab.until(lambda: trial.standing.won)
        await lab.until(lambda: "WON" in lab.text())
        assert "you did it" in lab.text()
        assert "Five bear any two" in lab.text()


async def test_the_alarm_rings_on_the_screen() -> None:
    """With the keys of the room's hint: slow, r n1, i in time, r n5."""
    async with playing(load("planted_bug"), speed=None) as (trial, app, _):
        app.cluster.set_speed(0.5)
        async with app.run_test(size=(140, 45)) as pilot:
            lab = Driven(app, pilot)
            await lab.until(lambda: "any fault" in lab.text())
            app.choose("node", "n1")
            await lab.press("r")
            await lab.until(lambda: app.source.view.shards[0].replicas["n1"].commit_index == 6)
            await lab.press("i")
            await lab.until(lambda: app.source.view.shards[0].replicas["n1"].role == "follower")
            app.choose("node", "n5")
            await lab.press("r")
            await lab.until(lambda: "UNSAFE" in lab.text())
            await lab.until(lambda: "WON" in lab.text())
            assert re.search(r"n1 and n\d have committed other entries up to 6", lab.text())
            assert trial.standing.won


async def test_a_lost_room_says_so_and_escape_leaves() -> None:
    async with playing(load("gently")) as (_, app, _), app.run_test(size=(80, 24)) as pilot:
        lab = Driven(app, pilot)
        await lab.until(lambda: "NOT YET" in lab.text())
        await lab.press("K")
        await lab.until(lambda: "LOST" in lab.text())
        assert "that was fault 1, and no fault is allowed" in lab.text()
        await lab.press("4", "escape")
        assert app.page == "cluster"
        assert app.is_running
        await lab.press("escape")
        assert app.return_value is Leaving.END


async def test_the_hint_line_follows_what_is_said() -> None:
    async with playing(load("gently")) as (_, app, _), app.run_test(size=(140, 45)) as pilot:
        lab = Driven(app, pilot)
        for words in ("the first thing", "the second thing"):
            app.source.note(EventView(at_s=0.0, node=None, kind="story", text=words))
            app.tick()
            await lab.until(lambda words=words: words in lab.text().splitlines()[-2])


async def test_q_leaves_at_once() -> None:
    async with playing(load("gently")) as (_, app, _), app.run_test(size=(80, 24)) as pilot:
        lab = Driven(app, pilot)
        await lab.until(lambda: "NOT YET" in lab.text())
        await lab.press("q")
        assert app.return_value is Leaving.END


def test_play_offers_the_rooms_and_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.enter(None, "sim", None, print) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in NAMES)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert session.enter(None, "sim", None, print, ask=lambda question: "") == 0
    with pytest.raises(ScenarioError, match="no room '11'"):
        session.enter(None, "sim", None, print, ask=lambda question: "11")
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    with pytest.raises(ConfigError, match="terminal"):
        session.enter("2", "sim", None, print)


async def test_a_room_that_cannot_be_made_ready_says_why() -> None:
    room = made("", "setup\nexpect no leader within 0.2s", "leader")
    chronicle = Chronicle()
    with world_of(room) as cluster, taped(cluster, None, chronicle) as (watcher, _):
        await cluster.start(lambda line: None)
        watcher.start()
        await wait_for_leaders(watcher, lambda line: None)
        trial = Trial(room, stage_of(cluster, watcher, client_in(room, cluster)))
        await asyncio.wait_for(session.prepare(trial), 10.0)
        await watcher.stop()
        await cluster.close()
    assert "the room could not be made ready" in trial.trouble
