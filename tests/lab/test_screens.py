"""The screens as text, beside their recordings: a person reads the difference."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.screen import Screen

from lab import tui
from lab.observe.safety import ONE_LEADER
from lab.observe.view import ClusterView, EventView, Violation
from lab.tui.keys import KEYS
from tests.lab import demo
from tests.lab.screen import running
from tests.lab.taped import taped

RECORDED = Path(__file__).parent / "screens"


def _booting() -> ClusterView:
    """Three nodes that were started and have not reported."""
    view = demo.cluster(3, 1)
    nodes = tuple(
        replace(node, state="running", reported_at_s=None, leading=0, following=0)
        for node in view.nodes
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
    why = "shard 0: n1 and n2 lead in one term (7)"
    broken = Violation(
        rule=ONE_LEADER, shard_id=0, nodes=("n1", "n2"), text=why, at_s=demo.NOW_S - 0.2
    )
    return replace(demo.cluster(3, 1), verdict="UNSAFE", verdict_why=why, violation=broken)


def _played() -> ClusterView:
    """A scenario is played: its caption stands in the hint."""
    view = demo.cluster(3, 1)
    text = "The leader is cut off with one follower: it can commit nothing, and steps down."
    said = EventView(at_s=view.now_s - 0.5, node=None, kind="story", text=text)
    return replace(view, events=(*view.events, said), faults=())


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
BOTH: dict[str, tuple[ClusterView, tuple[str, ...]]] = {  # What has to be there at either size.
    "main": (demo.cluster(), ()),
    "one-shard": (demo.cluster(3, 1), ()),
    "nine-nodes": (demo.cluster(9, 512), ()),
    "ten-thousand": (demo.cluster(9, 10_000), ()),
    "booting": (_booting(), ()),
    "empty": (ClusterView(title="local:lab3", now_s=demo.NOW_S), ()),
    "silent": (_silent(), ()),
    "unsafe": (_unsafe(), ()),
    "scenario": (_played(), ()),
    "held": (demo.cluster(), ("z",)),
    "terms": (demo.cluster(), ("m",)),
    "shards": (demo.cluster(), ("2",)),
    "shards-filtered": (demo.cluster(), ("2", "slash", *"electing", "enter")),
    "filter": (demo.cluster(), ("slash", *"term>8")),
    "timeline": (demo.cluster(), ("3",)),
    "links": (demo.cluster(), ("4",)),
    "phi": (demo.cluster(), ("5",)),
    "load": (demo.cluster(), ("6",)),
    "faults": (demo.cluster(), ("7",)),
    "ladder": (demo.cluster(), ("8",)),
    "shard": (demo.cluster(), ("enter",)),
    "node": (demo.cluster(), ("shift+tab", "enter")),
    "help": (demo.cluster(), ("question_mark",)),
    "menu": (demo.cluster(), ("f",)),
    "value": (demo.cluster(), ("f", "b")),  # Which bandwidth?
    "partition": (demo.cluster(), ("P",)),
    "write": (demo.cluster(), ("W",)),
    "read": (demo.cluster(), ("e",)),
    "kill": (demo.cluster(), ("K",)),
    "why": (demo.cluster(), ("w",)),
    "remove": (demo.cluster(), ("M",)),
    "quit": (demo.cluster(), ("q",)),
    "palette": (demo.cluster(), ("colon", *"cut", "see:Link: cut")),
}
SCREENS |= {
    f"{name}-{width}x{height}": (view, (width, height), keys)
    for name, (view, keys) in BOTH.items()
    for width, height in (SMALL, LARGE)
}
PAGES = {"cluster": "main"}  # Of a page, the picture that is not called as it is.
DIALOGS = {
    "HelpScreen": ("help",),
    "Choose": ("menu", "kill", "remove", "quit"),
    "Ask": ("value", "partition", "write", "read"),
    "CommandPalette": ("palette",),
    "WhyScreen": ("why",),
}
DIALOG_OF = {name: kind for kind, names in DIALOGS.items() for name in names}


@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_is_as_recorded(name: str, rewrite: bool) -> None:
    view, size, keys = SCREENS[name]
    path = RECORDED / f"{name}.txt"
    async with running(view, size) as lab:
        if name.startswith(("load", "faults")):
            lab.app.load = demo.FakeLoad()  # type: ignore[assignment]  # It only shows a view.
        for key in keys:
            if key.startswith("see:"):
                await lab.until(lambda awaited=key[4:]: awaited in lab.text())
            else:
                await lab.press(key)
        seen = lab.text() + "\n"
        over = "MainScreen" if size < SMALL else DIALOG_OF.get(state_of(name), "MainScreen")
        assert type(lab.app.screen).__name__ == over
    if rewrite or not path.exists():
        RECORDED.mkdir(exist_ok=True)
        path.write_text(seen)
        assert rewrite, f"{path.name} was not recorded before; read it, then run again"
    assert seen == path.read_text(), f"\n{seen}"


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("state", ["stands", "past"])
async def test_a_screen_of_time_is_as_recorded(
    state: str, size: tuple[int, int], tmp_path: Path, rewrite: bool
) -> None:
    """Time stands in a simulated cluster; and the past of a live one."""
    path = RECORDED / f"time-{state}-{size[0]}x{size[1]}.txt"
    async with taped(tmp_path, 400, size, steerable=state == "stands") as (lab, source):
        await lab.press("z")
        if state == "past":
            source.go_on(20)
            await lab.press("less_than_sign")
        seen = lab.text() + "\n"
    if rewrite:
        path.write_text(seen)
    assert seen == path.read_text(), f"\n{seen}"


def state_of(name: str) -> str:
    """Return the name of a picture without its size."""
    return name.rpartition("-")[0]


def test_every_page_has_its_pictures_at_both_sizes() -> None:
    pages = {
        found[1] for key in KEYS if (found := re.fullmatch(r"page\('(\w+)'\)", key.action))
    } | {"shard", "node"}  # These are entered.
    missing = {page for page in pages if PAGES.get(page, page) not in BOTH}
    assert not missing, f"add {missing} to BOTH"


def test_every_dialog_has_its_pictures_at_both_sizes() -> None:
    for module in pkgutil.walk_packages(tui.__path__, f"{tui.__name__}."):
        importlib.import_module(module.name)
    kinds, classes = [Screen], set()
    while kinds:
        kinds += (found := kinds.pop().__subclasses__())
        classes |= {kind.__name__ for kind in found if kind.__module__.startswith(tui.__name__)}
    assert classes - {"MainScreen"} <= DIALOGS.keys(), "add its pictures to BOTH and DIALOGS"
    assert {name for names in DIALOGS.values() for name in names} <= BOTH.keys()


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
