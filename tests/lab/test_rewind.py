"""The keys of time over a live cluster: hold, back, on, now; what acts is refused meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.observe.happenings import Ticked
from lab.observe.recording import read
from lab.observe.tape import next_of, previous_of, view_digest
from lab.tui.keys import KEYS
from lab.tui.rewind import MOST_STEPS
from lab.tui.steering import TOUCHING
from tests.lab import demo
from tests.lab.screen import running
from tests.lab.taped import SteerableCluster, files, story, taped


def top(text: str) -> str:
    return text.splitlines()[0]


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_the_past_is_shown_as_it_was_live_and_says_that_it_is_past(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with taped(tmp_path, size=size) as (lab, source):
        tape = source.deck.tape
        assert "LIVE" in top(lab.text())
        await lab.press("z")
        assert f"‖ HELD  -00:00.0 · event {len(tape.events)}/{len(tape.events)}" in top(lab.text())
        for step in range(1, len(tape.events) + 1):
            await lab.press("comma")
            position = tape.events[-step]
            view = lab.app._shown[0]  # type: ignore[index]  # There is one.
            assert view_digest(view) == view_digest(source.views[position])
            assert lab.app._account == tape.picture_at(position).account
            assert lab.app._phi == tape.picture_at(position).phi
            number = len(tape.events) - step + 1
            assert f"event {number}/{len(tape.events)}" in top(lab.text())
            old = tape.newest.view.now_s - view.now_s
            assert f"-{int(old // 60):02}:{old % 60:04.1f}" in top(lab.text())
        await lab.press("comma")
        assert "No earlier event" in lab.toasts
        await lab.press("full_stop")
        assert f"event 2/{len(tape.events)}" in top(lab.text())
        await lab.press("z")
        await lab.until(lambda: "LIVE" in top(lab.text()))
        assert lab.app._shown[0] is source.view  # type: ignore[index]


async def test_elections_are_gone_through_by_their_own_keys(tmp_path: Path) -> None:
    async with taped(tmp_path) as (lab, source):
        tape = source.deck.tape
        assert len(tape.elections) == 2
        await lab.press("less_than_sign")
        assert "HELD" in top(lab.text()), "to go back is to hold"
        assert "★ n1 elected" in lab.text()
        assert lab.app._at == tape.elections[1]
        await lab.press("less_than_sign")
        assert lab.app._at == tape.elections[0]
        assert "leader n3 · term 1" in lab.text()
        await lab.press("less_than_sign")
        assert "No earlier election" in lab.toasts
        await lab.press("greater_than_sign")
        assert lab.app._at == tape.elections[1]
        assert "leader n1 · term 2" in lab.text()
        await lab.press("greater_than_sign")
        assert "No later election yet" in lab.toasts
        assert lab.app._at == tape.end


async def test_a_held_picture_stays_and_grows_old(tmp_path: Path) -> None:
    async with taped(tmp_path, 300) as (lab, source):
        await lab.press("z")
        held = lab.app._shown
        assert held is not None
        source.go_on()
        lab.app.tick()
        await lab.pilot.pause()
        assert lab.app._shown is held
        late = source.view.now_s - held[0].now_s
        assert late > 5
        assert f"-{int(late // 60):02}:{late % 60:04.1f}" in top(lab.text())
        event = len([place for place in source.deck.tape.events if place <= 300])
        assert f"event {event}/{len(source.deck.tape.events)}" in top(lab.text())


async def test_on_at_the_newest_says_that_this_is_now(tmp_path: Path) -> None:
    async with taped(tmp_path) as (lab, _source):
        await lab.press("full_stop")
        assert "This is now" in lab.toasts
        assert "LIVE" in top(lab.text())


ACTING = [key for key in KEYS if key.touches]


def test_every_key_that_acts_is_known_to_act() -> None:
    harmless = {"choose", "page", "hold", "to_event", "to_election", "record", "leave", "copy"}
    assert not TOUCHING & harmless
    assert {
        "kill", "stop", "pause", "restart", "isolate", "add_node", "cut", "cut_both", "partition",
        "disturb", "faults", "heal", "undo", "write", "read", "transfer", "load", "load_adjust",
        "message", "remove", "snapshot",
    } == TOUCHING  # fmt: skip


async def test_no_key_acts_on_a_past_picture(tmp_path: Path) -> None:
    async with taped(tmp_path) as (lab, _source):
        await lab.press("comma", "comma")
        for key in ACTING:
            lab.app.clear_notifications()
            await lab.press(key.keys.split(",")[0])
            assert "s old: z returns to now, where this key works" in lab.toasts, key.id
            assert len(lab.app.screen_stack) == 1, "it asks nothing either"
        assert lab.cluster.calls == []
        assert lab.client.calls == []
        assert not lab.app.load.is_running
        footer = lab.text().splitlines()[-1]
        assert "kill" not in footer
        assert "z now" in footer
        await lab.press("z", "r")
        await lab.until(lambda: lab.cluster.calls)


async def test_what_was_just_held_is_past_as_soon_as_the_cluster_goes_on(tmp_path: Path) -> None:
    async with taped(tmp_path, 200) as (lab, source):
        await lab.press("z")
        source.go_on(10)
        await lab.press("r")
        assert lab.cluster.calls == []
        assert "z returns to now" in lab.toasts


async def test_without_a_tape_there_is_no_past_and_it_says_so() -> None:
    async with running(demo.cluster(3, 1)) as lab:
        await lab.press("comma")
        assert "Nothing was taped" in lab.toasts
        await lab.press("R")
        assert "nothing can be recorded" in lab.toasts


async def test_the_past_has_no_load_and_asks_for_no_logs(tmp_path: Path) -> None:
    async with taped(tmp_path) as (lab, source):
        lab.app.load = demo.FakeLoad()  # type: ignore[assignment]  # It only shows a view.
        await lab.press("6")
        assert "writes acknowledged" in lab.text()
        asked: list[object] = []
        source.select = lambda *what: asked.append(what)  # type: ignore[method-assign,assignment]
        await lab.press("comma", "comma")
        assert "the load is not taped: z returns to now and to it" in lab.text()
        assert "lin" not in top(lab.text())
        lab.app.choose("index", 1)
        await lab.pilot.pause()
        assert asked == []
        await lab.press("z")
        assert "writes acknowledged" in lab.text()
        assert asked


# Time that stands still.


async def test_on_lets_a_world_that_stands_still_go_on_to_its_next_event(tmp_path: Path) -> None:
    async with taped(tmp_path, 140, steerable=True) as (lab, source):
        tape, cluster = source.deck.tape, lab.cluster
        assert isinstance(cluster, SteerableCluster)
        await lab.press("z", "comma", "comma")
        before = lab.app._at
        await lab.press("full_stop")
        assert cluster.steps == 0, "there is a later event on the tape"
        assert lab.app._at == next_of(tape.events, before)
        was = source.view.events
        await lab.press("full_stop")
        await lab.until(lambda: source.view.events != was)
        await lab.pilot.pause()
        assert cluster.steps > 1
        assert lab.app._at == tape.end == tape.events[-1]
        assert lab.app._shown[0] is source.view  # type: ignore[index]
        assert f"event {len(tape.events)}/{len(tape.events)}" in top(lab.text())


async def test_steps_in_search_of_an_event_have_an_end(tmp_path: Path) -> None:
    async with taped(tmp_path, steerable=True) as (lab, source):
        cluster = lab.cluster
        assert isinstance(cluster, SteerableCluster)
        source._left = [Ticked(at_s=source.view.now_s)] * (MOST_STEPS + 5)
        await lab.press("z", "full_stop")
        await lab.until(lambda: "1,000 steps, and no new event" in lab.toasts)
        assert cluster.steps == MOST_STEPS
        assert "HELD" in top(lab.text())


async def test_where_time_stands_what_you_do_is_seen_and_allowed(tmp_path: Path) -> None:
    async with taped(tmp_path, 120, steerable=True) as (lab, source):
        await lab.press("z")
        await lab.press("r")
        await lab.until(lambda: lab.cluster.calls)
        await lab.until(lambda: "you: restart n3" in lab.text())
        assert "HELD" in top(lab.text())
        await lab.press("comma", "p")
        assert "z returns to now" in lab.toasts
        assert len(lab.cluster.calls) == 1
        assert lab.app._at == previous_of(source.deck.tape.events, source.deck.tape.end)


# The file.


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_recording_is_begun_after_the_fact_and_ended(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with taped(tmp_path, 300, size) as (lab, source):
        await lab.press("R")
        (path,) = files(tmp_path)
        assert re.fullmatch(r"sim-4-\d{8}-\d{6}\.recording", path.name)
        length = f"00:{source.view.now_s - source.deck.tape.starts_s:02.0f}"
        assert re.search(rf"REC {length} \d+ kB", top(lab.text())), top(lab.text())
        source.go_on(100)
        await lab.press("R")
        assert "REC" not in top(lab.text())
        assert f"{path} · 00:" in lab.toasts
        source.go_on(50)
    found = read(path)
    assert found.happenings == story()[:400], "all from the start, until R was pressed again"
    assert not found.ends_early


async def test_a_violation_is_saved_once_and_told(tmp_path: Path) -> None:
    async with taped(tmp_path, 300) as (lab, source):
        assert files(tmp_path) == []
        source.break_a_promise()
        lab.app.tick()
        await lab.until(lambda: "UNSAFE" in top(lab.text()))
        assert "HELD" in top(lab.text())
        (path,) = files(tmp_path)
        assert "violation" in path.name
        await lab.until(lambda: f"the violation is recorded: {path}" in lab.toasts)
        assert view_digest(read(path).last()) == view_digest(source.view)
        await lab.press("z")
        source.go_on(100)
        source.break_a_promise()
        lab.app.tick()
        await lab.pilot.pause()
        assert files(tmp_path) == [path]
        assert lab.toasts.count("the violation is recorded") == 1
        await lab.press("comma", "comma", "z")
        assert not lab.app.held, "it is no news any more"


async def test_a_violation_goes_to_the_recording_that_runs(tmp_path: Path) -> None:
    async with taped(tmp_path, 300) as (lab, source):
        await lab.press("R")
        source.break_a_promise()
        lab.app.tick()
        (path,) = files(tmp_path)
        await lab.until(lambda: f"the violation is recorded: {path}" in lab.toasts)


async def test_a_folder_that_cannot_be_written_is_said_and_nothing_stops(tmp_path: Path) -> None:
    async with taped(tmp_path / "none", 300) as (lab, source):
        await lab.press("R")
        assert "no recording can be written here" in lab.toasts
        source.break_a_promise()
        lab.app.tick()
        await lab.until(lambda: "UNSAFE" in top(lab.text()))
        await lab.until(lambda: "the recording cannot be written" in lab.toasts)
        assert "the violation is recorded" not in lab.toasts
