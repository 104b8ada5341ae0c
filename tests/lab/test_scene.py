"""What is worked out from a view: conditions, troubles, majorities, phi over time, filters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.observe.history import KEPT, PhiHistory
from lab.tui.filters import Filter
from lab.tui.keys import transfer_target
from lab.tui.scene import Scene, condition_of, summarise, suspect_link
from tests.lab import demo


@pytest.mark.parametrize(
    ("state", "age_s", "phi", "word"),
    [
        ("running", 0.1, 0.3, "up"),
        ("running", 0.1, 2.0, "slow"),
        ("running", 4.2, 0.3, "silent"),
        ("running", None, 0.0, "booting"),
        ("paused", 4.2, 9.0, "paused"),
        ("killed", 0.1, 0.3, "killed"),
        ("exited", 0.1, 0.3, "exited"),
    ],
)
def test_what_was_done_comes_before_what_is_guessed(
    state: str, age_s: float | None, phi: float, word: str
) -> None:
    seen = None if age_s is None else demo.NOW_S - age_s
    node = replace(demo.node("n1"), state=state, reported_at_s=seen)
    condition = condition_of(node, demo.NOW_S, phi, 8.0)
    assert condition.word == word
    assert condition.reporting == (word in ("up", "slow"))


def test_phi_of_a_node_is_what_most_of_its_live_peers_believe() -> None:
    """One cut link must not make a healthy node look suspected."""
    view = demo.cluster()
    links = dict(view.links)
    links["n1", "n2"] = replace(links["n1", "n2"], phi=17.0)
    summary = summarise(replace(view, links=links))
    assert summary.phis["n1"] < 1


def test_troubles_come_worst_first_and_what_you_did_is_no_surprise() -> None:
    view = demo.cluster()
    silent = replace(view.nodes[1], reported_at_s=demo.NOW_S - 3)
    summary = summarise(replace(view, nodes=(view.nodes[0], silent, *view.nodes[2:])))
    names = [trouble.name for trouble in summary.troubles]
    assert names[:5] == ["n2", "s0296", "s0424", "s0081", "s0276"]
    assert "n3" not in names, "paused by you"


def test_the_walk_over_all_shards_is_made_once_for_the_same_shards() -> None:
    view = demo.cluster()
    first = summarise(view)
    later = replace(view, now_s=view.now_s + 1)
    assert summarise(later, (view, first)).leads is first.leads
    assert summarise(replace(later, shards=dict(view.shards)), (view, first)).leads == first.leads


def test_leadership_goes_to_a_live_voter() -> None:
    view = demo.cluster()
    scene = Scene(view=view, summary=summarise(view), phi=PhiHistory(), shard_id=17)
    assert transfer_target(scene) == "n2"
    assert transfer_target(replace(scene, node="n4")) == "n4"
    assert transfer_target(replace(scene, node="n5")) == "n2", "n5 is dead"
    assert transfer_target(replace(scene, node="n1")) == "n2", "n1 leads already"


def test_the_gravest_pair_is_charted_until_one_is_picked() -> None:
    view = demo.cluster()
    scene = Scene(view=view, summary=summarise(view), phi=PhiHistory(), link=("n1", "n2"))
    gravest = suspect_link(scene)
    assert gravest is not None
    assert gravest.sender == "n5"
    picked = suspect_link(replace(scene, picked=True))
    assert picked is view.links["n1", "n2"]


def test_phi_is_kept_by_the_second_and_the_worst_of_it() -> None:
    view = demo.cluster(3, 1)
    history = PhiHistory()
    for step in range(8):
        link = replace(view.links["n1", "n2"], phi=float(step % 4))
        later = replace(view, now_s=100 + step * 0.5, links={("n1", "n2"): link})
        history = history.after(later)
    assert history.bars(("n1", "n2"), 103.6, 5) == [None, 1.0, 3.0, 1.0, 3.0]
    for step in range(300):
        history = history.after(replace(view, now_s=200.0 + step))
    assert len(history.tracks["n1", "n2"]) == KEPT


def test_an_infinite_phi_is_a_high_bar() -> None:
    view = demo.cluster(3, 1)
    link = replace(view.links["n1", "n2"], phi=float("inf"))
    history = PhiHistory().after(replace(view, links={("n1", "n2"): link}))
    assert history.bars(("n1", "n2"), view.now_s, 1) == [99.0]


def test_the_same_picture_adds_nothing_to_the_history() -> None:
    view = demo.cluster(3, 1)
    history = PhiHistory().after(view)
    assert history.after(view) is history


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True), ("lagging", True), ("!lagging", False), ("ok", False), ("term>7", False),
        ("term>=7", True), ("term=7", True), ("lag>0", False), ("n2", True), ("n22", False),
        ("!n1", True), ("s0003", True), ("shard<4", True), ("behind", True), ("lagging n2", True),
        ("lagging n1", False), ("!", True), ("term>", True), ("term", True), ("n4", False),
    ],
)  # fmt: skip
def test_filters_of_shards(text: str, passes: bool) -> None:
    shard = demo.shard(3, ["n1", "n2"], "n2", status="lagging", why="n1 is 212 entries behind")
    assert Filter(text).shard(shard, "s0003") is passes


def test_filters_of_lines_look_at_level_node_and_text() -> None:
    lines = demo.log_lines(["n1", "n2", "n3"])
    assert {line.level for line in lines if Filter("error").line(line)} == {"ERROR"}
    assert {line.node for line in lines if Filter("n2 !debug").line(line)} == {"n2"}
    assert not [line for line in lines if Filter("fsync !group").line(line)]
