"""Say before: what a picture lets expect of every kind of fault, from who reaches whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

import pytest

from lab.faults import Fault, FaultKind
from lab.observe.detection import wait_s
from lab.observe.foresee import (
    Consequence,
    between_groups,
    consequence,
    crossing_s,
    struck,
)
from lab.observe.shards import Shards
from lab.observe.view import ClusterView
from lolraft.multiraft.phi import phi
from tests.lab import demo

KILL, CUT = FaultKind.KILL, FaultKind.CUT


def live(size: int = 3, shards: int = 12, *, without: Iterable[str] = ()) -> ClusterView:
    """Return a cluster of which all nodes run, but for some that are killed."""
    view = replace(demo.cluster(size, shards), faults=(), events=())
    gone = set(without)
    nodes = tuple(
        replace(node, state="killed" if node.name in gone else "running", reported_at_s=view.now_s)
        for node in view.nodes
    )
    return replace(view, nodes=nodes)


def led(view: ClusterView, leader: str) -> ClusterView:
    """Return the same with every shard led by *leader*."""
    shards = {
        number: demo.shard(number, [node.name for node in view.nodes], leader)
        for number in view.shards
    }
    return replace(view, shards=MappingProxyType(shards))


def test_each_shard_of_a_dead_leader_elects_and_the_sentence_says_why() -> None:
    view = live()
    leads = sum(shard.leader == "n1" for shard in view.shards.values())
    expected = consequence(view, KILL, ("n1",))
    assert (expected.elections, expected.leads, expected.without_quorum) == (leads, leads, 0)
    assert str(expected) == (
        f"{leads} elections in about 0.3 s, every majority stays, no write is lost"
    )
    assert expected.in_full == (
        f"n1 leads {leads} of 12 shards; 2 of 3 nodes stay, and with them every majority; "
        f"\u03c6 passes 8 in about 0.3 s; expect {leads} elections, no lost write"
    )
    goodbye = consequence(view, FaultKind.STOP, ("n1",))
    assert goodbye.detected_s == 0.0
    assert "nobody has to suspect it" in goodbye.in_full


def test_a_node_that_leads_nothing_is_missed_by_no_shard() -> None:
    expected = consequence(led(live(), "n1"), KILL, ("n2",))
    assert (expected.elections, expected.harms) == (0, False)
    assert "expect no election, no lost write" in expected.in_full


def test_a_second_death_of_three_takes_every_majority() -> None:
    expected = consequence(live(without=["n2"]), KILL, ("n1",))
    assert expected.without_quorum == expected.shards == 12
    assert expected.elections == 0  # Nobody could win one.
    assert str(expected) == "12 of 12 shards lose their majority: no leader, no writes"
    one = consequence(live(3, 1, without=["n2"]), KILL, ("n1",))
    assert str(one) == "the shard loses its majority: no leader, no writes"


def test_a_majority_is_lost_only_by_the_node_that_tips_it() -> None:
    view = demo.cluster(5, 30)  # n3 is paused, n5 is dead: three of five are left.
    assert consequence(view, KILL, ("n1",)).without_quorum == 30
    assert consequence(view, KILL, ("n5",)).without_quorum == 0


def test_while_joint_both_majorities_must_stay() -> None:
    view = led(live(5, 1), "n1")
    shard = view.shards[0]
    leading = replace(shard.replicas["n1"], outgoing=("n1", "n2"))
    joint = replace(shard, replicas=MappingProxyType({**shard.replicas, "n1": leading}))
    view = replace(view, shards=MappingProxyType({0: joint}))
    assert consequence(view, KILL, ("n2",)).harms
    assert not consequence(view, KILL, ("n3",)).harms


def parted(view: ClusterView, *groups: str) -> Consequence:
    links = between_groups(tuple(tuple(group.split()) for group in groups))
    return consequence(view, FaultKind.PARTITION, (), links)


def test_a_partition_elects_where_the_leader_is_on_the_weaker_side() -> None:
    view = led(live(5, 20), "n1")
    assert parted(view, "n1 n2", "n3 n4 n5").elections == 20
    assert parted(view, "n1 n2 n3", "n4 n5").elections == 0
    assert parted(view, "n1 n2", "n3 n4", "n5").without_quorum == 20
    assert parted(view, "n1", "n2").elections == 0  # n1 still reaches three others.
    assert "every majority stays" in parted(view, "n1 n2", "n3 n4 n5").in_full


def test_a_bridge_keeps_the_majority_of_its_own() -> None:
    """A node that is not named hears both sides: it reaches a majority, and so may lead."""
    bridge = parted(led(live(5, 20), "n1"), "n1 n2", "n3 n4")
    assert (bridge.elections, bridge.without_quorum) == (0, 0)  # n1, n2 and the bridge n5.
    assert parted(led(live(3, 10), "n1"), "n1", "n2").harms is False


def test_one_way_is_enough_to_lose_an_ack_but_not_a_majority_of_three() -> None:
    view = led(live(), "n1")
    assert consequence(view, CUT, (), [("n2", "n1")]).elections == 0
    short = led(live(without=["n3"]), "n1")
    for link in (("n1", "n2"), ("n2", "n1")):
        assert consequence(short, CUT, (), [link]).without_quorum == 12


def test_cuts_that_are_in_force_already_count() -> None:
    cut = Fault(
        number=1, kind=FaultKind.CUT_BOTH, nodes=("n1", "n3"), since_s=0.0, mechanism="x",
        links=(("n1", "n3"), ("n3", "n1")),
    )  # fmt: skip
    view = replace(led(live(), "n1"), faults=(cut,))
    assert consequence(view, CUT, (), [("n1", "n2")]).elections == 12  # n2 and n3 go on.
    assert consequence(view, KILL, ("n2",)).without_quorum == 12
    assert consequence(view, KILL, ("n1",)).elections == 12


def test_a_leader_that_has_lost_its_quorum_already_costs_no_other_election() -> None:
    links = between_groups((("n1",), ("n2", "n3")))
    alone = Fault(
        number=1, kind=FaultKind.ISOLATE, nodes=("n1",), since_s=0.0, mechanism="x", links=links
    )
    expected = consequence(replace(led(live(), "n1"), faults=(alone,)), KILL, ("n1",))
    assert (expected.elections, expected.without_quorum) == (0, 0)


def test_what_has_no_quorum_loses_none() -> None:
    view = live(without=["n2", "n3"])
    none = {number: replace(one, leader=None) for number, one in view.shards.items()}
    expected = consequence(replace(view, shards=MappingProxyType(none)), KILL, ("n1",))
    assert (expected.without_quorum, expected.elections) == (0, 0)


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.LOSS, FaultKind.BANDWIDTH])
def test_a_slow_link_is_waited_for_only_where_the_majority_needs_it(kind: FaultKind) -> None:
    expected = consequence(led(live(), "n1"), kind, (), [("n1", "n2")])
    assert expected.slowed == 0
    assert str(expected) == "no shard needs it for a majority"
    short = consequence(led(live(without=["n3"]), "n1"), kind, (), [("n1", "n2")])
    assert short.slowed == 12
    assert str(short) == "12 of 12 shards need it for a majority"
    assert not short.harms


def test_a_slow_disk_is_passed_by_a_majority_of_others_even_of_the_leader() -> None:
    slow = FaultKind.SLOW_DISK
    names = struck(slow, ("n1",))
    assert consequence(led(live(), "n1"), slow, names).slowed == 0  # Figure 10.2.
    assert consequence(led(live(without=["n3"]), "n1"), slow, names).slowed == 12
    assert consequence(led(live(without=["n3"]), "n2"), slow, names).slowed == 12


@pytest.mark.parametrize("kind", [FaultKind.DUPLICATE, FaultKind.REORDER])
def test_what_comes_twice_or_in_another_order_costs_no_majority(kind: FaultKind) -> None:
    expected = consequence(led(live(without=["n3"]), "n1"), kind, (), [("n1", "n2")])
    assert (expected.without_quorum, expected.elections, expected.slowed) == (0, None, None)


def test_what_cannot_be_told_beforehand_is_not_told() -> None:
    expected = consequence(live(), FaultKind.CLOCK, ())
    assert expected.elections is None
    assert str(expected) == "every majority stays"


def test_ten_thousand_shards_are_few_kinds() -> None:
    view = demo.cluster(9, 10_000)
    shards = Shards.of(view.shards)
    assert sum(shards.kinds.values()) == 10_000
    assert len(shards.kinds) <= 12


def test_kinds_that_came_along_are_those_of_all_shards() -> None:
    view = demo.cluster(5, 40)
    shards = Shards.of(view.shards)
    first, second = list(view.shards.values())[:2]
    led = replace(first, leader="n5", voters=("n3", "n4", "n5"))
    for news, gone in (({first.shard_id: led}, ()), ({}, (second.shard_id,))):
        shards = shards.after(news, gone)
        assert shards.kinds == Shards(dict(shards)).kinds
        assert shards.leads == Shards(dict(shards)).leads
    assert shards.kinds[("n3", "n4", "n5"), (), "n5"] == 1


def test_phi_crosses_later_where_beats_are_less_regular() -> None:
    times = []
    for deviation_s in (0.01, 0.05):
        links = {
            pair: replace(link, mean_s=0.1, deviation_s=deviation_s, threshold=12.0)
            for pair, link in live().links.items()
        }
        times.append(crossing_s(replace(live(), links=links), [("n1", "n2"), ("n1", "n3")]))
    assert times[0] is not None
    assert times[1] is not None
    assert 0.15 < times[0] < times[1] < 0.5
    assert crossing_s(live(), [("n1", "n9")]) is None


@pytest.mark.parametrize("threshold", [4.0, 8.0, 12.0])
def test_a_silence_of_the_wait_has_that_phi(threshold: float) -> None:
    assert phi(wait_s(0.1, 0.03, threshold), 0.1, 0.03) == pytest.approx(threshold, rel=1e-6)


def test_no_wait_is_shorter_than_two_beats_or_longer_than_a_second() -> None:
    assert wait_s(0.1, 0.001, 1.0) == pytest.approx(0.2)
    assert wait_s(0.1, 0.5, 12.0) == 1.0
