"""One table makes bindings, footer, help and palette; each key does what its line says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from textual.widgets import Input

from lab.faults import FaultKind, LinkTrouble
from lab.tui.app import LabApp
from lab.tui.keys import KEYS, bindings, filled
from lab.tui.menu import MENU, Entry
from lolraft.errors import RequestFailed
from tests.lab import demo
from tests.lab.screen import Lab, running


def test_no_key_and_no_id_is_there_twice() -> None:
    names = Counter(name for key in KEYS for name in key.keys.split(","))
    ids = Counter(key.id for key in KEYS)
    assert [name for name, times in (names | ids).items() if times > 1] == []


def test_every_binding_has_an_action_and_an_id() -> None:
    for binding in bindings():
        assert binding.id
        name = binding.action.split("(")[0]
        assert hasattr(LabApp, f"action_{name}"), f"{binding.key} does {name}, which is not there"


def test_no_key_needs_ctrl() -> None:
    alone = [key.id for key in KEYS if all("ctrl" in name for name in key.keys.split(","))]
    assert alone == []


def test_every_brace_is_filled_without_a_scene() -> None:
    words = filled(None)
    for key in KEYS:
        for text in (key.label, key.says, key.title):
            assert "{" not in text.format(**words)


# What each key asks of the cluster; five nodes, n1 selected, link n1 → n2.
CALLS: list[tuple[tuple[str, ...], tuple[object, ...]]] = [
    (("s",), ("stop", "n1")),
    (("p",), ("pause", "n1")),
    (("r",), ("restart", "n1")),
    (("i",), ("isolate", "n1")),
    (("x",), ("cut", "n1", "n2")),
    (("X",), ("cut_both", "n1", "n2")),
    (("0",), ("heal", None)),
    (("P", "enter"), ("partition", (("n1", "n2"), ("n3", "n4", "n5")))),
    (("a",), ("add_node",)),
    (("A",), ("add_node",)),
]


@pytest.mark.parametrize(("keys", "call"), CALLS, ids=lambda value: " ".join(map(str, value)))
async def test_a_key_calls_the_cluster(keys: tuple[str, ...], call: tuple[object, ...]) -> None:
    async with running() as lab:
        await lab.press(*keys)
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [call]


async def _at(lab: Lab, name: str) -> None:
    lab.app.choose("node", name)
    await lab.pilot.pause()


async def test_toggles_take_back_what_was_done() -> None:
    async with running() as lab:
        await _at(lab, "n3")
        await lab.press("p")
        await _at(lab, "n5")
        await lab.press("s")
        lab.app.choose("link", ("n4", "n2"))
        await lab.press("x")
        await lab.until(lambda: len(lab.cluster.calls) == 3)
        assert lab.cluster.calls == [("resume", "n3"), ("restart", "n5"), ("heal", 1)]


async def test_pausing_a_dead_node_says_how_to_start_it() -> None:
    async with running() as lab:
        await _at(lab, "n5")
        await lab.press("p")
        assert "r starts it again" in lab.toasts
        assert lab.cluster.calls == []


async def test_a_kill_asks_only_when_it_takes_the_majority() -> None:
    calm = demo.cluster(5, 30)
    alive = tuple(replace(node, state="running", reported_at_s=demo.NOW_S) for node in calm.nodes)
    async with running(replace(calm, nodes=alive, faults=())) as lab:
        await lab.press("K")
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [("kill", "n1")]


async def test_a_kill_that_takes_the_majority_is_confirmed_first() -> None:
    async with running() as lab:
        await lab.press("K")
        assert "512 of 512 shards lose their majority" in lab.text()
        assert lab.cluster.calls == []
        await lab.press("c")
        assert lab.cluster.calls == []
        await lab.press("K", "K")
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [("kill", "n1")]


@pytest.mark.parametrize(
    ("kind", "nodes", "call"),
    [
        (FaultKind.KILL, ("n5",), ("restart", "n5")),
        (FaultKind.STOP, ("n5",), ("restart", "n5")),
        (FaultKind.PAUSE, ("n3",), ("resume", "n3")),
        (FaultKind.CUT, ("n4", "n2"), ("heal", 7)),
        (FaultKind.PARTITION, ("n1", "n2"), ("heal", 7)),
    ],
)
async def test_undo_takes_the_newest_fault_back(
    kind: FaultKind, nodes: tuple[str, ...], call: tuple[object, ...]
) -> None:
    async with running() as lab:
        newest = replace(lab.cluster.faults()[0], number=7, kind=kind, nodes=nodes)
        lab.cluster._faults = (newest, *lab.cluster._faults)
        await lab.press("u")
        await lab.until(lambda: lab.cluster.calls)
        assert lab.cluster.calls == [call]


async def test_undo_without_a_fault_says_so() -> None:
    async with running() as lab:
        lab.cluster._faults = ()
        await lab.press("u")
        assert "Nothing to undo" in lab.toasts


async def test_write_and_read_go_through_the_client() -> None:
    async with running() as lab:
        await lab.press("W", "enter", "e", "enter")
        await lab.until(lambda: len(lab.client.calls) == 2)
        assert lab.client.calls == [("write", 17, b"put hello world"), ("read", 17, b"get hello")]
        await lab.until(lambda: len(lab.source.notes) == 2)
        assert "you: write hello=world to s0017: ok" in lab.source.notes[0].text
        assert "world" in lab.toasts


async def test_transfer_goes_to_the_selected_node_else_to_the_most_caught_up() -> None:
    async with running() as lab:
        await lab.press("t")
        await _at(lab, "n4")
        await lab.press("t")
        await lab.until(lambda: len(lab.client.calls) == 2)
        assert [call[2] for call in lab.client.calls] == ["http://n2:50000", "http://n4:50000"]


async def test_a_member_is_removed_after_asking() -> None:
    async with running() as lab:
        await _at(lab, "n2")
        await lab.press("M")
        await lab.until(lambda: "n2 deletes its data of s0017" in lab.text())
        await lab.press("c", "M", "M")
        await lab.until(lambda: lab.client.calls)
        assert lab.client.calls == [("remove_server", 17, "http://n2:50000")]
        await lab.until(lambda: lab.source.notes)
        assert "you: remove n2 from s0017" in lab.source.notes[0].text


async def test_a_snapshot_is_asked_of_the_app() -> None:
    async with running() as lab:
        await lab.press("T")
        await lab.until(lambda: lab.source.notes)
        assert lab.client.calls == [("read", 17, b"snapshot")]
        assert "you: snapshot of s0017: world" in lab.source.notes[0].text


async def test_a_new_node_joins_the_selected_shard_or_all() -> None:
    async with running(demo.cluster(5, 40)) as lab:
        await lab.press("a")
        await lab.until(lambda: lab.client.calls)
        assert lab.client.calls == [("add_server", 17, "http://n9:50000")]
        await lab.press("A")
        await lab.until(lambda: len(lab.client.calls) == 41)
        assert [call[1] for call in lab.client.calls[1:]] == list(range(40))


async def test_a_failure_is_a_toast_and_an_event_with_what_to_do() -> None:
    async with running() as lab:
        lab.cluster.refusing = "n1 is not ours: start the lab without --connect to kill it"
        await lab.press("r")
        await lab.until(lambda: lab.source.notes)
        assert "restart n1 failed: n1 is not ours: start the lab" in lab.toasts
        assert lab.source.notes[0].kind == "failed"
        assert not lab.source.notes[0].by_you


async def test_a_refused_write_says_whether_it_may_still_happen() -> None:
    async with running() as lab:
        lab.client.failing = RequestFailed("UNAVAILABLE", "no leader now", outcome_known=False)
        await lab.press("W", "enter")
        await lab.until(lambda: lab.source.notes)
        assert "no leader now · it may still be executed" in lab.toasts


async def test_even_a_bug_of_a_backend_leaves_the_screen() -> None:
    async with running() as lab:
        lab.client.failing = ZeroDivisionError("oh")
        await lab.press("W", "enter")
        await lab.until(lambda: lab.source.notes)
        assert "ZeroDivisionError: oh" in lab.toasts
        assert "raft lab" in lab.text()


async def test_what_a_backend_cannot_do_is_said_before() -> None:
    async with running() as lab:
        lab.cluster.unable[FaultKind.PAUSE] = "an attached cluster cannot be paused"
        await lab.press("p")
        assert "cannot pause n1: an attached cluster cannot be paused" in lab.toasts
        assert lab.cluster.calls == []


@pytest.mark.parametrize("sides", ["n1 n2", "n1 | n1 n2", "n1 | n8", "|"])
async def test_a_partition_that_makes_no_sense_is_explained(sides: str) -> None:
    async with running() as lab:
        lab.app._part(sides, [f"n{number}" for number in range(1, 6)])
        await lab.pilot.pause()
        assert "partition: " in lab.toasts
        assert lab.cluster.calls == []


async def test_the_fault_menu_does_what_it_says_with_the_value_given() -> None:
    async with running() as lab:
        await lab.press("f")
        assert "lose some of" in lab.text()
        await lab.press("l")
        assert "percent" in lab.text()
        await lab.press("enter")
        call = lab.cluster.calls[-1]
        assert call[:2] == ("disturb", FaultKind.LOSS)
        assert call[3] == LinkTrouble(drop=0.3)


async def test_a_value_that_makes_no_sense_is_said_and_nothing_done() -> None:
    async with running() as lab:
        before = len(lab.cluster.calls)
        await lab.press("d", "x", "enter")
        assert "milliseconds, such as 100" in lab.toasts
        assert len(lab.cluster.calls) == before


async def test_the_menu_says_why_a_backend_cannot() -> None:
    async with running() as lab:
        lab.cluster.unable[FaultKind.BANDWIDTH] = "no such thing here"
        await lab.press("f")
        assert "cannot: no such thing here" in lab.text()


@pytest.mark.parametrize(
    "entry", [entry for entry in MENU if entry.make], ids=lambda one: one.label
)
def test_the_values_that_the_menu_offers_make_sense(entry: Entry) -> None:
    assert entry.make is not None
    entry.make(entry.value)


@pytest.mark.parametrize("entry", [one for one in MENU if one.asks], ids=lambda one: one.label)
def test_a_value_that_makes_no_sense_is_a_sentence(entry: Entry) -> None:
    assert entry.make is not None
    with pytest.raises(ValueError, match=r"such as|from"):
        entry.make("nonsense")


async def test_a_partition_says_what_it_will_do_while_its_sides_are_typed() -> None:
    calm = demo.cluster(5, 30)
    alive = tuple(replace(node, state="running", reported_at_s=demo.NOW_S) for node in calm.nodes)
    async with running(replace(calm, nodes=alive, faults=())) as lab:
        await lab.press("P")
        expected = lab.app.screen.query_one("#expected")
        assert "every majority stays" in lab.text()
        assert "no lost write" in lab.text()
        assert not expected.has_class("-harms")
        field = lab.app.screen.query_one(Input)
        field.value = "n1 n2 | n3 n4 | n5"
        await lab.pilot.pause()
        assert "30 of 30 shards lose their majority" in lab.text()
        assert expected.has_class("-harms")
        field.value = "n1 n2 | n9"
        await lab.pilot.pause()
        assert "No node n9; there are n1, n2, n3, n4, n5." in lab.text()
        assert not expected.has_class("-harms")
        assert lab.cluster.calls == []


async def test_a_key_that_acts_at_once_says_what_is_expected() -> None:
    async with running(demo.cluster(5, 30)) as lab:
        for key, title in (("i", "isolate n1"), ("X", "cut both n1 n2"), ("s", "stop n1")):
            await lab.press(key)
            assert f"{title}: expected: " in lab.toasts
        assert "lose their majority" in lab.toasts
        severities = {
            note.severity for note in lab.app._notifications if "expected" in note.message
        }
        assert severities == {"error"}


async def test_a_value_of_a_fault_is_foretold_while_it_is_typed() -> None:
    async with running(demo.cluster(5, 30)) as lab:
        await lab.press("d")
        assert "commits that need it wait as long; " in lab.text()
        assert "of 30 shards" in lab.text()
        lab.app.screen.query_one(Input).value = "much"
        await lab.pilot.pause()
        assert "milliseconds, such as 100" in lab.text()


async def test_the_hint_tells_of_the_cut_where_links_are_seen() -> None:
    async with running(demo.cluster(5, 30), (140, 45)) as lab:
        assert "without n1: 30 of 30 shards lose their majority" in lab.text()
        await lab.press("4")
        assert "cut n1→n2: 30 of 30 shards lose their majority" in lab.text()


async def test_the_menu_tells_what_a_key_does_to_a_node_that_is_out() -> None:
    async with running(size=(140, 45)) as lab:
        await _at(lab, "n3")
        await lab.press("f")
        assert "its peers miss it already: no election" in lab.text()
        assert "it goes on where it was" in lab.text()
        await lab.press("escape")
        await _at(lab, "n5")
        await lab.press("f")
        assert "it starts again on the same data" in lab.text()
        assert "takes back: pause n3 (freezer)" in lab.text()
