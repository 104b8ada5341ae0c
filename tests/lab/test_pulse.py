"""The node page: phi with every peer on one scale, CPU and disk over time."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from lab.observe.fold import MOST_HISTORY, fold
from lab.observe.happenings import Reported
from lab.observe.history import PhiHistory
from lab.tui.scene import Scene, summarise
from lab.tui.widgets.pulse import chart, scale_top
from lolraft.rpc.pb import observe_pb2
from tests.lab import demo
from tests.lab.screen import running

NODE = ("shift+tab", "enter")


def scene_with(*phis: float) -> Scene:
    view = demo.cluster(3, 1)
    last = int(view.now_s)
    track = tuple((last - len(phis) + 1 + place, phi) for place, phi in enumerate(phis))
    history = PhiHistory(MappingProxyType({("n1", "n2"): track}))
    return Scene(view=view, summary=summarise(view), phi=history, node="n1")


def drawn(scene: Scene, width: int, rows: int = 1) -> list[str]:
    return [line.plain for line in chart(scene, ("n1", "n2"), width, rows)]


def test_the_scale_is_the_same_for_all_and_holds_the_threshold() -> None:
    scene = scene_with(0.0, 5.0, 10.0, 99.0)
    assert scale_top(scene) == 10.0  # A quarter above the threshold of 8.
    assert drawn(scene, 4) == ["▁▄██"]
    assert drawn(scene, 4, rows=2) == ["  ██", "▁███"]


def test_what_nobody_saw_is_blank_and_not_zero() -> None:
    assert drawn(scene_with(5.0), 3) == ["  ▄"]


async def test_every_peer_is_there_in_both_directions() -> None:
    async with running(size=(140, 45)) as lab:
        await lab.press(*NODE)
        text = lab.text()
        assert "φ with every peer · one scale, 0 to 10" in text
        for peer in ("n2", "n3", "n4", "n5"):
            assert f"n1 by {peer}" in text
            assert f"{peer} by n1" in text
        assert "fsync  0.9 ms" in text


@pytest.mark.parametrize("size", [(80, 24), (90, 45), (120, 30), (140, 45)])
async def test_cpu_disk_and_phi_are_there_at_every_size(size: tuple[int, int]) -> None:
    async with running(size=size) as lab:
        await lab.press(*NODE)
        assert "φ of n1, by · 0 to 10" in lab.text()
        assert "cpu" in lab.text()
        assert "fsync 0.9 ms" in lab.text()
        bars = [line for line in lab.text().splitlines() if "fsync" in line and "█" in line]
        assert bars, lab.text()


async def test_a_node_that_is_alone_says_so() -> None:
    view = demo.cluster(3, 1)
    alone = replace(view, nodes=view.nodes[:1], links=MappingProxyType({}))
    async with running(alone, (140, 45)) as lab:
        await lab.press(*NODE)
        assert "one node has no peers: a adds another" in lab.text()


def test_the_last_minute_of_fsyncs_is_kept_in_order() -> None:
    view = replace(demo.cluster(3, 1), nodes=(replace(demo.node("n1"), fsync_history=()),))
    for turn in range(MOST_HISTORY + 5):
        facts = observe_pb2.NodeFacts(node_id="http://n1:50000", fsync_s=turn / 1e3)
        update = observe_pb2.Update(node=facts)
        view = fold(view, Reported(at_s=view.now_s + 0.25, node="n1", update=update))
    known = view.nodes[0].fsync_history
    assert len(known) == MOST_HISTORY
    assert known == tuple(turn / 1e3 for turn in range(5, MOST_HISTORY + 5))
