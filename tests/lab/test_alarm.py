"""A violation stops the show: a line across the top, and the picture is held."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lab.observe.view import Promises, Violation
from tests.lab import demo
from tests.lab.screen import running

BROKEN = Violation(
    rule="one leader a term (§3.2)",
    shard_id=0,
    nodes=("n1", "n3"),
    text="shard 0: n1 and n3 lead in one term (7)",
    at_s=demo.NOW_S,
)


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_violation_stands_across_the_top_and_holds_the_picture(
    size: tuple[int, int],
) -> None:
    good = demo.cluster(3, 1)
    bad = replace(good, verdict="UNSAFE", verdict_why=BROKEN.text, violation=BROKEN)
    async with running(good, size) as lab:
        assert "SAFE" in lab.text().splitlines()[0]
        lab.show(bad)
        await lab.until(lambda: "UNSAFE" in lab.text())
        top = lab.text().splitlines()[0]
        assert re.search(
            r"! UNSAFE  shard 0: n1 and n3 lead in one term \(7\)  \d\d:\d\d:\d\d", top
        )
        assert (BROKEN.rule in top) == (size[0] > 100)
        assert "HELD" in top
        lab.show(demo.cluster())
        await lab.pilot.pause()
        assert "UNSAFE" in lab.text(), "what follows does not cover it"
        await lab.press("z")
        await lab.until(lambda: "docker:lab5" in lab.text())
        lab.show(bad)
        await lab.press("z")
        assert "UNSAFE" in lab.text()


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_the_promises_stand_beside_what_was_expected(size: tuple[int, int]) -> None:
    view = replace(demo.cluster(), promises={17: Promises()})
    async with running(view, size) as lab:
        await lab.press("7")
        text = lab.text()
        for word in ("✔ election safety", "✔ leader append-only", "✔ state machine safety"):
            assert word in text
        assert "· log matching" in text
        assert "· leader completeness" in text
        assert "(· not judged)" in text
