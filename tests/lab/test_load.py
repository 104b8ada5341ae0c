"""The load and the faults from the keyboard."""

from __future__ import annotations

from tests.lab import demo
from tests.lab.screen import running


async def test_the_load_is_started_adjusted_and_ended_by_keys() -> None:
    async with running() as lab:
        await lab.press("6")
        assert "L starts clients" in lab.text()
        await lab.press("plus", "right_square_bracket", "left_parenthesis")
        assert "100/s wanted · 50% reads · 2 keys" in lab.text()
        await lab.press("L")
        await lab.until(lambda: lab.client.calls)
        assert lab.app.load.is_running
        await lab.until(lambda: lab.app.load.view.verdict.broken)
        await lab.until(lambda: "NOT linearizable" in lab.text())
        assert "NOT lin" in lab.text().splitlines()[0], "the fake answers with no value at all"
        await lab.press("L")
        await lab.until(lambda: not lab.app.load.is_running)


async def test_the_loads_keys_do_nothing_where_it_is_not_seen() -> None:
    async with running() as lab:
        await lab.press("plus", "plus")
        assert lab.app.load.view.rate == 50


async def test_the_fault_under_the_cursor_is_undone() -> None:
    async with running() as lab:
        await lab.press("7")
        assert "expected" in lab.text()
        await lab.press("j", "j", "u")
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [("heal", 1)], "the cut, which is the oldest"


async def test_the_menu_says_before_which_majority_is_lost() -> None:
    async with running(demo.cluster(3, 1), (140, 45)) as lab:
        await lab.press("f")
        assert "majority" in lab.text()
