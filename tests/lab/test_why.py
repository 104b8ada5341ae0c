"""`w`: each panel asks of what it shows; the answer is that of the picture on the screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.observe.view import EventView
from lab.observe.why import Question
from lab.tui.desk import PANELS
from lolraft.errors import RequestFailed
from tests.lab import demo
from tests.lab.screen import Lab, running
from tests.lab.taped import taped


async def _ask(lab: Lab, page: str, panel: str) -> str:
    await lab.press(page)
    lab.app.screen_stack[0].set_focus(lab.app.screen_stack[0].query_one(f"#{panel}"))
    await lab.press("w")
    text = lab.text()
    await lab.press("escape")
    assert "esc closes" not in lab.text()
    return text


@pytest.mark.parametrize(
    ("page", "panel", "words"),
    [
        ("1", "nodes", "why is n1 as it is?"),
        ("1", "map", "why does n1 lead s0017?"),
        ("1", "logs", "why is 1,054 of s0017 not committed?"),
        ("1", "links", "why does n2 think so of n1?"),
        ("1", "phi", "why does n4 think so of n5?"),
        ("1", "timeline", "why is n1 as it is?"),
        ("2", "table", "why does n1 lead s0017?"),
    ],
)
async def test_a_panel_asks_of_what_it_shows(page: str, panel: str, words: str) -> None:
    async with running(size=(140, 45)) as lab:
        assert words in await _ask(lab, page, panel)


async def test_the_list_of_troubles_asks_of_its_line() -> None:
    async with running(size=(140, 45)) as lab:
        text = await _ask(lab, "1", "attention")
        assert "why does nobody lead s0296?" in text
        assert "you killed n5 4.3 s ago (SIGKILL)" in text


async def test_an_event_asks_of_what_it_was_about() -> None:
    async with running(size=(140, 45)) as lab:
        await lab.press("3")
        events = lab.app.screen_stack[0].query_one("#events")
        lab.app.screen_stack[0].set_focus(events)
        told = EventView(
            at_s=demo.NOW_S, node="n1", kind="suspect", text="n3 suspected (φ 8.1) by n1"
        )
        lab.show(replace(lab.source.view, events=(*lab.source.view.events, told)))
        await lab.press("w")
        assert "why does n1 think so of n3?" in lab.text()


async def test_an_uncommitted_index_says_who_lacks_it() -> None:
    async with running(size=(140, 45)) as lab:
        text = await _ask(lab, "1", "logs")
        assert "you paused n3 2.0 s ago (freezer)" in text
        assert "you killed n5 4.3 s ago (SIGKILL)" in text


async def test_a_refused_write_is_what_an_event_of_it_asks_of() -> None:
    async with running(size=(140, 45)) as lab:
        lab.client.failing = RequestFailed("UNAVAILABLE", "no leader now", outcome_known=False)
        await lab.press("W", "enter")
        await lab.until(lambda: lab.source.notes)
        lab.app.tick()
        text = await _ask(lab, "3", "events")
        assert "why was s0017 refused?" in text
        assert "write hello=world to s0017: no leader now" in text


async def test_of_the_past_it_tells_what_was_known_then(tmp_path: Path) -> None:
    async with taped(tmp_path, size=(140, 45)) as (lab, source):
        tape = source.deck.tape
        await lab.press("less_than_sign", "less_than_sign", "2", "w")
        assert "no leader of a term before 1 was ever reported" in lab.text()
        await lab.press("w")
        await lab.press("greater_than_sign", "w")
        assert "was suspected by" in lab.text()
        assert "you killed" in lab.text()
        assert len(tape.elections) == 2


async def test_the_chain_is_plain_ascii_where_the_signs_are() -> None:
    async with running(size=(140, 45), ascii_glyphs=True) as lab:
        text = await _ask(lab, "1", "links")
        inside = text.split("why does")[1]
        assert "f 0.5 < 8" in inside


async def test_before_anything_was_reported_there_is_an_answer() -> None:
    empty = replace(demo.cluster(3, 1), nodes=(), shards={}, links={})
    async with running(empty) as lab:
        await lab.press("w")
        assert "nothing is selected that was ever reported" in lab.text()


async def test_every_panel_has_a_question() -> None:
    async with running() as lab:
        scene = lab.app.scene()
        assert scene is not None
        for name in PANELS:
            panel = lab.app.desk.panels[name]  # type: ignore[union-attr]  # It is mounted.
            assert isinstance(panel.question(scene), Question)
