"""The screens as text, beside their recordings: a person reads the difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.observe.view import ClusterView
from tests.lab import demo
from tests.lab.screen import running

RECORDED = Path(__file__).parent / "screens"


def _booting() -> ClusterView:
    """Three nodes that were started and have not reported."""
    view = demo.cluster(3, 1)
    nodes = tuple(
        replace(node, state="running", reported_at_s=None, following=0) for node in view.nodes
    )
    return ClusterView(title=view.title, now_s=view.now_s, nodes=nodes)


def _silent() -> ClusterView:
    """One node silent, one ended by itself: the shard has lost its majority."""
    view = demo.cluster(3, 1)
    first, second, third = view.nodes
    shard = replace(
        view.shards[0],
        status="no-quorum",
        leader=None,
        why="no leader 2.1 s · 1/3 voters live · r on n3 brings it back",
    )
    return replace(
        view,
        nodes=(
            first,
            replace(second, reported_at_s=demo.NOW_S - 4.2),
            replace(third, state="exited", detail="exit 1: disk full"),
        ),
        shards={0: shard},
        verdict="UNKNOWN",
        verdict_why="n2 is silent",
        faults=(),
    )


def _unsafe() -> ClusterView:
    why = "two leaders of s0000 in term 7: n1 and n2"
    return replace(demo.cluster(3, 1), verdict="UNSAFE", verdict_why=why)


SMALL, LARGE = (80, 24), (140, 45)
SCREENS: dict[str, tuple[ClusterView, tuple[int, int], tuple[str, ...]]] = {
    "main-80x24": (demo.cluster(), SMALL, ()),
    "main-140x45": (demo.cluster(), LARGE, ()),
    "one-shard-80x24": (demo.cluster(3, 1), SMALL, ()),
    "one-shard-140x45": (demo.cluster(3, 1), LARGE, ()),
    "nine-nodes-80x24": (demo.cluster(9, 512), SMALL, ()),
    "ten-thousand-140x45": (demo.cluster(9, 10_000), LARGE, ()),
    "flat-140x30": (demo.cluster(), (140, 30), ()),
    "tall-90x45": (demo.cluster(), (90, 45), ()),
    "shards-80x24": (demo.cluster(), SMALL, ("2",)),
    "shards-140x45": (demo.cluster(), LARGE, ("2",)),
    "shard-80x24": (demo.cluster(), SMALL, ("enter",)),
    "shard-140x45": (demo.cluster(), LARGE, ("enter",)),
    "node-80x24": (demo.cluster(), SMALL, ("shift+tab", "enter")),
    "node-140x45": (demo.cluster(), LARGE, ("shift+tab", "enter")),
    "timeline-80x24": (demo.cluster(), SMALL, ("3",)),
    "links-80x24": (demo.cluster(), SMALL, ("4",)),
    "links-140x45": (demo.cluster(), LARGE, ("4",)),
    "phi-80x24": (demo.cluster(), SMALL, ("5",)),
    "load-80x24": (demo.cluster(), SMALL, ("6",)),
    "load-140x45": (demo.cluster(), LARGE, ("6",)),
    "faults-80x24": (demo.cluster(), SMALL, ("7",)),
    "faults-140x45": (demo.cluster(), LARGE, ("7",)),
    "ladder-80x24": (demo.cluster(), SMALL, ("8",)),
    "ladder-140x45": (demo.cluster(), LARGE, ("8",)),
    "menu-140x45": (demo.cluster(), LARGE, ("f",)),
    "empty-80x24": (ClusterView(title="local:lab3", now_s=demo.NOW_S), SMALL, ()),
    "booting-80x24": (_booting(), SMALL, ()),
    "silent-80x24": (_silent(), SMALL, ()),
    "silent-140x45": (_silent(), LARGE, ()),
    "unsafe-80x24": (_unsafe(), SMALL, ()),
    "too-small-70x20": (demo.cluster(), (70, 20), ()),
    "help-80x24": (demo.cluster(), SMALL, ("question_mark",)),
    "quit-80x24": (demo.cluster(), SMALL, ("q",)),
}


@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_is_as_recorded(name: str, rewrite: bool) -> None:
    view, size, keys = SCREENS[name]
    path = RECORDED / f"{name}.txt"
    async with running(view, size) as lab:
        if name.startswith(("load", "faults")):
            lab.app.load = demo.FakeLoad()  # type: ignore[assignment]  # It only shows a view.
        await lab.press(*keys)
        seen = lab.text() + "\n"
    if rewrite or not path.exists():
        RECORDED.mkdir(exist_ok=True)
        path.write_text(seen)
        assert rewrite, f"{path.name} was not recorded before; read it, then run again"
    assert seen == path.read_text(), f"\n{seen}"


@pytest.mark.parametrize("name", SCREENS)
def test_a_recording_is_whole(name: str) -> None:
    """No line is longer than the screen, and none is missing."""
    width, height = SCREENS[name][1]
    lines = (RECORDED / f"{name}.txt").read_text().splitlines()
    assert len(lines) == height
    assert max(map(len, lines)) <= width


async def test_ascii_glyphs_leave_only_ascii_on_the_main_screen() -> None:
    async with running(demo.cluster(3, 1), SMALL, ascii_glyphs=True) as lab:
        assert lab.text().isascii(), {sign for sign in lab.text() if not sign.isascii()}
