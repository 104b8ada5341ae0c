"""What is chosen on the screen is there the next time; the command line wins; keys of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lab.tui.app import LabApp
from lab.tui.commands import LabCommands
from lab.tui.memory import Memory
from lab.tui.paint import ASCII, UNICODE
from lab.tui.settings import Settings, read
from tests.lab import demo
from tests.lab.screen import running


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "config" / "lab.toml"


def put(place: Path, text: str) -> None:
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)


def put_file(directory: Path) -> None:
    """Let a file stand where the directory should be."""
    directory.write_text("no directory")


def take_away(directory: Path) -> None:
    directory.unlink()


def told(place: Path) -> str | None:
    """Return what is in the file, or None where there is none."""
    return place.read_text() if place.exists() else None


async def test_how_it_looked_is_how_it_looks_again(place: Path) -> None:
    async with running(memory=Memory(place)) as lab:
        await lab.press("m", "O", "O")
        lab.app.choose("order", "trouble")
        lab.app.theme = "lab-light"
        lab.app.switch_glyphs()
        await lab.until(lambda: read(place).settings.theme == "lab-light")
    wanted = Settings(
        theme="lab-light", ascii=True, colouring="term", order="trouble", descending=False
    )
    lab.app.memory = None
    assert read(place).settings == wanted
    async with running(memory=Memory(place)) as lab:
        app = lab.app
        assert (app.theme, app.glyphs, app.colouring) == ("lab-light", ASCII, "term")
        assert (app.order, app.descending) == ("trouble", False)
        assert lab.toasts == ""


async def test_what_changed_just_before_the_end_is_kept(place: Path) -> None:
    async with running(memory=Memory(place)) as lab:
        lab.app.order = "lag"
    assert read(place).settings.order == "lag"


async def test_who_only_looks_writes_nothing(place: Path) -> None:
    async with running(memory=Memory(place, ascii_glyphs=True, theme="lab-mono")):
        pass
    assert told(place) is None


async def test_the_command_line_wins_and_is_not_remembered(place: Path) -> None:
    put(place, 'theme = "lab-light"\nascii = true\n')
    memory = Memory(place, ascii_glyphs=False, theme="lab-mono")
    async with running(memory=memory) as lab:
        assert (lab.app.theme, lab.app.glyphs) == ("lab-mono", UNICODE)
        await lab.press("m")
        await lab.until(lambda: read(place).settings.colouring == "term")
    assert read(place).settings == Settings(theme="lab-light", ascii=True, colouring="term")


async def test_two_labs_do_not_undo_each_other(place: Path) -> None:
    async with running(memory=Memory(place)) as one:
        async with running(memory=Memory(place)) as other:
            other.app.theme = "lab-deuter"
        one.app.order = "commit"
    assert read(place).settings == Settings(theme="lab-deuter", order="commit")


async def test_a_broken_file_is_a_sentence_and_the_defaults(place: Path) -> None:
    put(place, "theme = [")
    async with running(memory=Memory(place)) as lab:
        assert lab.app.theme == "lab-dark"
        assert "is damaged" in lab.toasts
        lab.app.theme = "lab-mono"
    assert told(place) == "theme = ["


async def test_a_directory_that_cannot_be_written_is_a_sentence(place: Path) -> None:
    put_file(place.parent)
    async with running(memory=Memory(place)) as lab:
        assert "cannot be read" in lab.toasts
    take_away(place.parent)
    async with running(memory=Memory(place)) as lab:
        put_file(place.parent)
        lab.app.theme = "lab-mono"
        await lab.until(lambda: "nothing is remembered" in lab.toasts)
        lab.app.theme = "lab-dark"
        await lab.pilot.pause(0.6)
        assert lab.toasts.count("nothing is remembered") == 1, "it is said once"


async def test_the_speed_of_simulated_time_is_kept_but_a_scenario_has_its_own(place: Path) -> None:
    put(place, "speed = 4.0\n")
    for keeps, speed in ((True, 4.0), (False, 1.0)):
        cluster = SimCluster(nodes=3, shards="0", app="kv", seed=1)
        watcher = SimWatcher(cluster)
        await cluster.start(lambda line: None)
        app = LabApp(
            watcher, cluster, cluster.client(None), memory=Memory(place, keeps_speed=keeps)
        )
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(0.3)
            assert cluster.speed == speed
            await pilot.press("right_curly_bracket")
            await pilot.pause(0.3)
            assert cluster.speed == 2 * speed
        await watcher.stop()
        await cluster.close()
    assert read(place).settings.speed == 8.0


# Keys of one's own.

KEYS = 'keys = {kill = "Q", help = "f1,$", next_panel = "V", murder = "x", undo = "p"}\n'


async def test_a_key_of_ones_own_acts_and_is_named_wherever_keys_are(place: Path) -> None:
    put(place, KEYS)
    async with running(demo.cluster(), size=(140, 45), memory=Memory(place)) as lab:
        assert "nothing is called murder" in lab.toasts
        assert "undo: p is the key of pause already" in lab.toasts
        lines = lab.text().splitlines()
        assert "Q kill n1" in lines[-1]
        assert "f1 keys" in lines[-1]
        assert "press Q kills" in lab.text()
        await lab.press("K")
        assert lab.cluster.calls == []
        before = lab.app.focused_name
        await lab.press("tab")
        assert lab.app.focused_name == before, "the old key is free"
        await lab.press("V")
        assert lab.app.focused_name != before
        await lab.press("dollar_sign")
        await lab.until(lambda: "SIGKILL: no goodbye" in lab.text())
        assert re.search(r"Q +kill n1 +SIGKILL", lab.text())
        await lab.press("escape")
        titles = [
            says
            for title, says, _ in LabCommands(lab.app.screen)._commands()
            if title.startswith("Node: kill")
        ]
        assert titles[0].startswith("Q · ")
        lab.app.choose("node", "n4")
        await lab.press("Q")
        await lab.until(lambda: ("kill", "n4") in lab.cluster.calls or "kill n4?" in lab.text())
