"""Page 5: `[` and `]` move a threshold that is only tried, and say what it would have found."""

from __future__ import annotations

import pytest

from tests.lab import demo
from tests.lab.screen import Lab, running
from tests.lab.taped import taped


def label(lab: Lab, number: str) -> list[int]:
    """Return the rows of the chart that have a threshold line of that *number*."""
    rows = lab.text().splitlines()
    return [place for place, row in enumerate(rows) if row.startswith(f"│{number:>4} ━")]


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_both_thresholds_are_drawn_and_judged(size: tuple[int, int]) -> None:
    async with running(demo.cluster(), size) as lab:
        await lab.press("5")
        assert "at 8 in force: detected in 0.27 s" in lab.text()
        assert "[ ] tries another threshold" in lab.text()
        (in_force,) = label(lab, "8")
        await lab.press(*["left_square_bracket"] * 3)
        assert "threshold 8 · tried 5" in lab.text()
        assert "at 8 in force: detected in 0.27 s" in lab.text()
        assert "at 5 tried:    detected in 0.23 s" in lab.text()
        assert label(lab, "5") > label(lab, "8") > [0]
        await lab.press(*["right_square_bracket"] * 7)
        assert "tried 12" in lab.text()
        assert label(lab, "12") < label(lab, "8")
        assert label(lab, "8") > [in_force]  # The scale holds both.
        await lab.press("escape")
        assert "tried" not in lab.text()
        assert lab.app.page == "phi"
        await lab.press("escape")
        assert lab.app.page == "cluster"


async def test_the_two_keys_turn_what_the_page_has() -> None:
    async with running() as lab:
        await lab.press("right_square_bracket")
        assert lab.app.tried is None
        assert lab.app.load.view.reads == 0.4
        await lab.press("6", "right_square_bracket", "right_square_bracket", "left_square_bracket")
        assert lab.app.load.view.reads == 0.5
        assert lab.app.tried is None


async def test_what_is_tried_is_not_drawn_beside_the_other_panels() -> None:
    async with running(size=(140, 45)) as lab:
        before = lab.text()
        await lab.press("5", "left_square_bracket", "1")
        assert lab.text() == before


async def test_of_the_past_only_what_was_seen_by_then_is_judged(tmp_path: object) -> None:
    async with taped(tmp_path) as (lab, source):  # type: ignore[arg-type]  # It is a folder.
        await lab.press("less_than_sign", "less_than_sign", "5")
        assert "nothing fell silent" in lab.text()
        lab.app.show_at(source.deck.tape.elections[-1] + 20)
        lab.app.redraw()
        await lab.pilot.pause()
        assert "at 12 in force: detected in" in lab.text()
