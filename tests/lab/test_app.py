"""What the screen does as a whole: resize, pages, filters, dialogs, palette, speed."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import MappingProxyType

import pytest

from lab.tui.app import LabApp
from lab.tui.picture import take
from lab.tui.ports import Leaving
from lab.tui.rate import GOOD, Rate
from lab.tui.themes import PALETTES
from lab.tui.widgets.panel import Panel
from tests.lab import demo
from tests.lab.fakes import WORDS, FakeClient, FakeCluster, FakeSource
from tests.lab.screen import running


async def test_it_lays_out_anew_for_every_size() -> None:
    async with running() as lab:
        for width, height, word in (
            (140, 45, "needs attention"),
            (60, 12, "is too small for the panels"),
            (100, 30, "worst of"),
            (20, 4, "raft lab"),
            (80, 24, "events"),
        ):
            await lab.pilot.resize_terminal(width, height)
            await lab.until(lambda word=word: word in lab.text())
            assert lab.text().count("\n") == height - 1


async def test_quit_asks_and_gives_the_answer_back() -> None:
    for keys, leaving in ((("e",), Leaving.END), (("l",), Leaving.KEEP)):
        async with running() as lab:
            await lab.press("q", *keys)
            assert lab.app.return_value is leaving
            assert lab.cluster.calls == [], "who ran the app closes the cluster"


async def test_what_others_started_is_not_ended() -> None:
    async with running(demo.cluster()) as lab:
        lab.cluster.backend = "connect"
        await lab.press("q")
        assert "end the cluster" not in lab.text()
        await lab.press("e")
        assert lab.app.is_running
        await lab.press("l")
        assert lab.app.return_value is Leaving.KEEP


@pytest.mark.parametrize("key", ["c", "escape"])
async def test_quit_can_be_cancelled(key: str) -> None:
    async with running() as lab:
        await lab.press("q", key)
        assert len(lab.app.screen_stack) == 1
        assert lab.app.is_running


async def test_pages_open_and_esc_goes_back() -> None:
    async with running() as lab:
        for key, word in (("2", "ordered by"), ("3", "timeline"), ("4", "from"), ("5", "beats")):
            await lab.press(key)
            await lab.until(lambda word=word: word in lab.text())
        await lab.press("escape")
        await lab.until(lambda: "worst of" in lab.text())


async def test_a_filter_keeps_what_passes_and_esc_clears_it() -> None:
    async with running() as lab:
        await lab.press("2", "slash", *"lagging", "enter")
        assert "5 pass" in lab.text()
        assert "✔ ok" not in lab.text()
        await lab.press("n", "n")
        assert lab.app.at_shard == 122, "from 17 to 61 to 122"
        await lab.press("N")
        assert lab.app.at_shard == 61
        await lab.press("escape")
        assert "pass" not in lab.text()


async def test_a_filter_that_nothing_passes_says_how_to_clear_it() -> None:
    async with running() as lab:
        await lab.press("2", "slash", *"term>99", "enter")
        assert "no shard passes /term>99 · esc clears the filter" in lab.text()


async def test_log_lines_have_a_filter_of_their_own() -> None:
    async with running(size=(140, 45)) as lab:
        lab.app.choose("node", "n3", open_it=True)
        await lab.press("tab", "tab")
        assert "over the threshold" in lab.text()
        await lab.press("slash", *"!warning", "enter")
        assert "no line passes /!warning" in lab.text()


async def test_typing_into_the_filter_presses_no_key() -> None:
    async with running() as lab:
        await lab.press("slash", *"Kxq")
        assert lab.cluster.calls == []
        assert len(lab.app.screen_stack) == 1
        assert lab.app.shards_filter.text == "Kxq"


async def test_esc_closes_the_filter_bar_and_drops_its_words() -> None:
    async with running() as lab:
        await lab.press("slash", *"lag", "escape", "2")
        assert not lab.app.shards_filter
        assert "ordered by" in lab.text(), "the keys are the panels' again"


async def test_entries_and_logs_share_one_cursor() -> None:
    async with running(size=(140, 45)) as lab:
        await lab.press("enter", "h", "h")
        assert lab.app.at_index == 1059
        assert "▌    1059" in lab.text()
        await lab.press("tab", "tab", "k")
        assert lab.app.at_index == 1058
        assert "index 1058" in lab.text()
        await lab.press("G")
        assert lab.app.at_index is None, "it follows the newest again"


async def test_hold_stops_the_picture_and_says_so() -> None:
    async with running() as lab:
        await lab.press("z")
        lab.show(demo.cluster(3, 1))
        await lab.pilot.pause()
        assert " HELD " in lab.text()
        assert "docker:lab5" in lab.text()
        await lab.press("z")
        await lab.until(lambda: "docker:lab3" in lab.text())


async def test_the_palette_shows_first_what_fits_and_does_it() -> None:
    async with running() as lab:
        await lab.press("colon")
        await lab.until(lambda: "Shard: write to s0017" in lab.text())
        await lab.press(*"cut n1")
        await lab.until(lambda: "Link: cut n1→n2" in lab.text())
        await lab.press("enter")
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [("cut", "n1", "n2")]


async def test_the_palette_goes_to_a_shard_by_number() -> None:
    async with running() as lab:
        await lab.press("ctrl+p")
        await lab.until(lambda: "Search" in lab.text())
        await lab.press(*"s0204")
        await lab.until(lambda: "Shard: go to s0204" in lab.text())
        await lab.press("enter")
        await lab.until(lambda: lab.app.at_shard == 204)
        assert lab.app.page == "shard"


async def test_help_lists_every_key_and_every_sign() -> None:
    async with running(size=(140, 200)) as lab:
        await lab.press("question_mark")
        text = lab.text()
        for word in ("kill n1", "transfer", "partition", "quit", "Signs", "snapshot, applied"):
            assert word in text


async def test_the_selected_shards_logs_are_asked_for_and_no_others() -> None:
    async with running() as lab:
        assert lab.source.selected == [(17, None, 80)]
        await lab.press("l")
        assert lab.source.selected[-1][0] == 20, "the next cell of three shards"


async def test_the_log_cursor_asks_for_older_entries() -> None:
    async with running() as lab:
        lab.app.choose("index", 700)
        await lab.pilot.pause()
        shard, first, count = lab.source.selected[-1]
        assert shard == 17
        assert first is not None
        assert first <= 700 < first + count


async def test_the_mouse_picks_nodes_shards_and_links() -> None:
    async with running(size=(140, 45)) as lab:
        await lab.pilot.click("#nodes", offset=(70, 2))
        assert lab.app.at_node == "n3"
        await lab.pilot.click("#map", offset=(6, 2))
        assert lab.app.at_shard == 30
        await lab.pilot.click("#links", offset=(19, 5))
        assert lab.app.at_link == ("n4", "n2")


async def test_a_click_in_the_footer_presses_the_key() -> None:
    async with running() as lab:
        footer = lab.text().splitlines()[-1]
        await lab.pilot.click("#footer", offset=(footer.index("0 heal"), 0))
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [("heal", None)]


async def test_the_selection_survives_a_refresh() -> None:
    async with running() as lab:
        await lab.press("l", "j")
        shard, node = lab.app.at_shard, lab.app.at_node
        view = lab.source.view
        lab.show(replace(view, now_s=view.now_s + 1, shards=MappingProxyType(dict(view.shards))))
        await lab.pilot.pause()
        assert (lab.app.at_shard, lab.app.at_node) == (shard, node)


async def test_one_panel_can_have_the_whole_screen() -> None:
    async with running() as lab:
        await lab.press("o")
        assert "needs attention" not in lab.text()
        assert "events" not in lab.text()
        assert "shards 512" in lab.text()
        await lab.press("o")
        assert "events" in lab.text()


async def test_copy_takes_what_is_under_the_cursor() -> None:
    async with running() as lab:
        await lab.press("y")
        assert lab.app.clipboard.startswith("s0017   1  ★ n1   term 7")


async def test_a_killed_node_and_a_silent_one_look_different() -> None:
    view = demo.cluster(5, 30)
    nodes = list(view.nodes)
    nodes[1] = replace(nodes[1], reported_at_s=demo.NOW_S - 4.2)
    async with running(replace(view, nodes=tuple(nodes)), size=(140, 45)) as lab:
        text = lab.text()
        assert "◌ silent 4.2 s" in text
        assert "✗ killed" in text
        assert "n2 no answer 4.2 s" in text


async def test_no_color_paints_every_page_in_greys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(size=(140, 45)) as lab:
        assert lab.app.no_color
        for key in ("2", "3", "4", "5", "1", "question_mark"):
            await lab.press(key)
        await lab.press("escape")
        strips = lab.app.screen._compositor.render_strips()
        for strip in strips:
            for segment in strip:
                color = segment.style and segment.style.color
                if color is not None and color.triplet is not None:
                    assert len(set(color.triplet)) == 1, f"{segment!r} is not grey"


@pytest.mark.parametrize("theme", PALETTES)
async def test_every_theme_paints(theme: str) -> None:
    async with running() as lab:
        before = lab.text()
        lab.app.theme = theme
        await lab.pilot.pause()
        assert lab.text() == before, "a theme changes colours, no words"


async def test_nothing_changed_paints_nothing() -> None:
    async with running(size=(140, 45)) as lab:
        painted: list[str] = []
        for panel in lab.app.query(Panel):
            panel._repaint = lambda _scene, name=panel.name: painted.append(name)  # type: ignore[method-assign]
        lab.show(replace(lab.source.view))
        assert painted == []
        view = lab.source.view
        first = replace(view.nodes[0], cpu=0.93)
        lab.show(replace(view, nodes=(first, *view.nodes[1:])))
        assert painted == ["nodes"]


async def test_ten_thousand_shards_answer_a_key_within_a_tenth_of_a_second() -> None:
    async with running(demo.cluster(3, 10_000), size=(140, 45)) as lab:
        took = []
        for key in ("l", "j", "2", "j", "O", "1", "l"):
            began = time.process_time()  # Others may use the machine meanwhile.
            await lab.pilot.press(key)
            took.append(time.process_time() - began)
        assert sorted(took)[len(took) // 2] < 0.1, took


async def test_ten_thousand_shards_with_a_changed_one_take_a_small_part_of_a_frame() -> None:
    view = demo.cluster(3, 10_000)
    async with running(view, size=(140, 45)) as lab:
        began = time.process_time()
        rounds = 8
        for turn in range(rounds):
            shards = dict(view.shards)
            shards[turn] = replace(shards[turn], status="electing", leader=None, why="electing")
            lab.show(replace(view, now_s=view.now_s + turn, shards=MappingProxyType(shards)))
            await lab.pilot.pause()
        each_s = (time.process_time() - began) / rounds
        assert each_s < 0.2, f"{each_s * 1000:.0f} ms a frame"


async def test_a_picture_of_the_screen_needs_no_web_font(tmp_path: Path) -> None:
    source = FakeSource(demo.cluster(3, 1))
    app = LabApp(source, FakeCluster(source.view), FakeClient(), WORDS)
    paths = await take(app, tmp_path / "lab", size=(100, 30), keys=["2"])
    svg = paths[0].read_text()
    assert "ordered by" in svg
    assert "@font-face" not in svg
    assert "url(http" not in svg
    assert "&#160;" not in svg
    assert 'xml:space="preserve"' in svg


async def test_a_picture_that_cannot_keep_up_says_so_and_comes_less_often() -> None:
    async with running(size=(140, 45)) as lab:
        seconds = iter(range(1_000_000))
        lab.app.rate = Rate(4, clock=seconds.__next__)  # Every tick is late.
        await lab.until(lambda: "LIVE 1 Hz (slow)" in lab.text())
        await lab.pilot.resize_terminal(80, 24)
        await lab.until(lambda: "● 1 Hz  " in lab.text().splitlines()[0])
        later = count(1_000_000, 0.25)
        lab.app.rate._clock = later.__next__
        for _ in range(3 * GOOD):
            lab.app.tick()
        await lab.until(lambda: "Hz" not in lab.text().splitlines()[0])
