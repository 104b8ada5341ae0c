"""A recording on the screen: it begins at its end, is gone through, plays, and is not acted on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.cluster.replayed import PAST, ReplayedCluster
from lab.observe.happenings import Noted
from lab.observe.recording import Recorder, RecordingError
from lab.observe.replay import Replay, open_replay
from lab.observe.tape import view_digest
from lab.options import parse
from lab.tui import rewind
from lab.tui.app import LabApp
from tests.lab.screen import Lab
from tests.lab.taped import BROKEN, FIRST, TapedSource, story

RECORDED = Path(__file__).parent / "screens"


def recording(folder: Path, *, cut_bytes: int = 0, broken: bool = False) -> Path:
    """Write the story to a file, without its last *cut_bytes*."""
    path = folder / "f.recording"
    recorder = Recorder(path, FIRST)
    for happening in story():
        recorder.take(happening)
    if broken:
        recorder.take(Noted(at_s=story()[-1].at_s, event=BROKEN))
    recorder.close()
    if cut_bytes:
        path.write_bytes(path.read_bytes()[:-cut_bytes])
    return path


@asynccontextmanager
async def shown(replay: Replay, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Lab]:
    """Run the app as `./log --replay` does."""
    gone = ReplayedCluster(replay.tape.first.title)
    app = LabApp(replay, gone, gone, replay=replay)
    async with app.run_test(size=size) as pilot:
        lab = Lab(app, pilot, replay, gone, gone)  # type: ignore[arg-type]  # Of the same shape.
        await lab.until(lambda: "REPLAY" in lab.text())
        await pilot.pause()
        yield lab


def said(line: str) -> None:
    """Hear no progress."""


SCREENS: dict[str, tuple[int, tuple[str, ...]]] = {  # Bytes that the file lacks; keys.
    "end": (0, ()),
    "cut": (7, ()),
    "election": (0, ("less_than_sign",)),
    "load": (0, ("6",)),
    "ladder": (0, ("8",)),
}


@pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
async def test_a_replay_is_as_recorded(
    tmp_path: Path, size: tuple[int, int], name: str, rewrite: bool
) -> None:
    cut_bytes, keys = SCREENS[name]
    screen = RECORDED / f"replay-{name}-{size[0]}x{size[1]}.txt"
    async with shown(open_replay(recording(tmp_path, cut_bytes=cut_bytes), said), size) as lab:
        await lab.press(*keys)
        seen = lab.text() + "\n"
    if rewrite:
        screen.write_text(seen)
    assert seen == screen.read_text(), f"\n{seen}"
    assert ("Ends early at 00:00:30 (last block damaged)." in seen) == (name == "cut")


async def test_every_event_is_shown_as_it_was_live(tmp_path: Path) -> None:
    live = TapedSource(tmp_path)
    live.go_on()
    async with shown(open_replay(recording(tmp_path), said)) as lab:
        tape = lab.app.tape
        assert tape is not None
        assert tape.events == live.deck.tape.events
        for position in reversed(tape.events):
            await lab.press("comma")
            assert lab.app._at == position
            view = lab.app._shown[0]  # type: ignore[index]  # There is one.
            assert view_digest(view) == view_digest(live.views[position])
            assert lab.app._account == live.deck.tape.picture_at(position).account
        for position in (*tape.events[1:], tape.end):
            await lab.press("full_stop")
            assert lab.app._at == position
        assert "the end of the recording" in lab.toasts


@pytest.mark.parametrize("key", ["z", "space"])
async def test_it_plays_in_the_time_that_was_recorded(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(rewind, "monotonic", lambda: now[0])
    async with shown(open_replay(recording(tmp_path), said)) as lab:
        tape = lab.app.tape
        assert tape is not None
        lab.app.roll()
        assert lab.app._at == tape.end, "it does not play by itself"
        await lab.press(key)
        assert "→ REPLAY" in lab.text()
        begin_s = tape.time_at(lab.app._at)
        assert begin_s - tape.starts_s < 0.3, "from the beginning, when it stood at the end"
        for passed_s in (1.0, 7.5, 8.0):
            now[0] = 100.0 + passed_s
            lab.app.roll()
            shown_s = lab.app._shown[0].now_s - begin_s  # type: ignore[index]
            assert passed_s - 0.3 < shown_s <= passed_s
        await lab.press(key)
        held = lab.app._at
        now[0] += 5.0
        lab.app.roll()
        assert lab.app._at == held
        assert "‖ REPLAY" in lab.text()
        await lab.press(key)
        now[0] += 99.0
        lab.app.roll()
        await lab.pilot.pause()
        assert lab.app._at == tape.end
        assert "‖ REPLAY  end of" in lab.text()


async def test_it_stops_where_a_promise_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(rewind, "monotonic", lambda: now[0])
    async with shown(open_replay(recording(tmp_path, broken=True), said)) as lab:
        assert "UNSAFE" in lab.text()
        await lab.press("comma", "comma", "z")
        assert "UNSAFE" not in lab.text()
        now[0] += 60.0
        lab.app.roll()
        await lab.pilot.pause()
        assert "UNSAFE" in lab.text()
        assert lab.app.held


async def test_nothing_can_be_done_and_it_says_so(tmp_path: Path) -> None:
    async with shown(open_replay(recording(tmp_path), said)) as lab:
        for key in ("K", "x", "W", "L", "f", "0"):
            lab.app.clear_notifications()
            await lab.press(key)
            assert PAST in lab.toasts, key
            assert len(lab.app.screen_stack) == 1
        await lab.press("R")
        assert "This is a recording already" in lab.toasts
        await lab.press("q")
        assert not lab.app.is_running, "there is nothing to ask about"


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with pytest.raises(RecordingError, match="f cannot be read: No such file"):
        open_replay(path, said)
    path.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(RecordingError, match="f is no recording of this lab"):
        open_replay(path, said)
    path.write_bytes(b'lolraft-recording {"version": 4, "title": "", "backend": ""}\n')
    with pytest.raises(RecordingError, match="version 4; this lab reads up to 3"):
        open_replay(path, said)
    path.write_bytes(b'lolraft-recording {"version": 1, "title": "", "backend": ""}\nxxxx')
    with pytest.raises(RecordingError, match="nothing was recorded"):
        open_replay(path, said)


@pytest.mark.parametrize(
    "beside",
    [("--backend", "sim"), ("--connect", "a:1"), ("--scenario", "x"), ("--record", "g"),
     ("--headless",), ("--seed", "1"), ("--nodes", "5"), ("--new",), ("heal",)],
    ids=lambda beside: beside[0],
)  # fmt: skip
def test_what_asks_for_a_cluster_is_refused_beside_a_recording(
    beside: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--replay", "f", *beside])
    assert ended.value.code == 2
    assert f"leave out {beside[0]}" in capsys.readouterr().err
    assert parse(["--replay", "f", "--ascii"]).replay == Path("f")
