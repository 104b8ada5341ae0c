"""Every message of a shard and what became of it; and nobody notices that somebody looks."""

from __future__ import annotations

from collections import Counter

import pytest

from lolraft.raft.types import NodeId
from lolraft.sim import Plan, World
from lolraft.sim.weather import Rule
from lolraft.sim.wiretap import MOST_NEWS, Carried, Fate, Wiretap

A, B, C = (NodeId(f"http://n{number}:1") for number in (1, 2, 3))


def booted(seed: int = 5) -> tuple[World, Wiretap]:
    """Return a world whose one shard has a leader, and a tap on it."""
    world = World(Plan(seed=seed, shards=(0, 1)))
    tap = world.network.tap = Wiretap(world.clock, 0)
    world.boot()
    world.clock.run(4.0)
    return world, tap


def leader_of(world: World) -> NodeId:
    (name,) = (
        name
        for name, node in world.nodes.items()
        if node.machine is not None and node.machine.node.shards[0].state.role.value == "leader"
    )
    return name


def ends(news: list[Carried]) -> Counter[tuple[Fate, str]]:
    return Counter((one.fate, one.why) for one in news)


def test_all_of_a_quiet_boot_arrives_in_the_order_of_sending_and_of_one_shard_only() -> None:
    world, tap = booted()
    news = tap.news()
    assert {one.fate for one in news} == {Fate.ARRIVED}
    assert {one.item[0] for one in news} == {0}
    assert [one.number for one in news] == sorted(one.number for one in news)
    assert all(one.at_s is not None and one.at_s > one.sent_s for one in news)
    asked = [one for one in news if type(one.item[1]).__name__ == "VoteRequest"]
    assert asked, "somebody was elected"
    assert tap.news() == [], "nothing is told twice"
    assert world.clock.now_s == 4.0


def test_what_flies_is_told_when_it_leaves_and_when_it_arrives() -> None:
    world, tap = booted()
    tap.news()
    leader = leader_of(world)
    world.nodes[leader].crash()
    while not (news := tap.news()):
        assert world.clock.step()
    assert {one.fate for one in news} == {Fate.FLYING}
    number = news[0].number
    assert tap.find(number) is not None
    known: dict[int, Fate] = {}
    while known.get(number) is None:
        assert world.clock.step()
        known = {one.number: one.fate for one in tap.news()}
    assert known[number] is Fate.ARRIVED
    assert tap.find(number) is None


def test_a_fault_on_single_messages_loses_them_at_once() -> None:
    world, tap = booted()
    tap.news()
    leader = leader_of(world)
    world.network.put([(A, B), (B, A), (A, C), (C, A), (B, C), (C, B)], Rule(drop=1.0))
    world.nodes[leader].crash()
    world.clock.run(world.clock.now_s + 5.0)
    news = tap.news()
    assert news
    assert set(ends(news)) == {(Fate.LOST, "by a fault")}
    assert all(one.at_s == one.sent_s for one in news)


def test_a_broken_wire_holds_up_and_then_the_stream_breaks() -> None:
    world, tap = booted()
    leader = leader_of(world)
    tap.news()
    links = [(leader, other) for other in (A, B, C) if other != leader]
    world.network.put(links, Rule(cut=True))
    world.clock.run(world.clock.now_s + 0.5)
    held = ends(tap.news())
    world.clock.run(world.clock.now_s + 6.0)
    later = ends(tap.news())
    both = held + later
    assert both[Fate.HELD, ""] + both[Fate.LOST, "the stream broke"] > 0
    assert Fate.HELD not in {fate for fate, _ in later}, "a stream does not wait for ever"


def test_a_wire_mended_soon_lets_through_what_it_held() -> None:
    world, tap = booted()
    leader = leader_of(world)
    other = next(name for name in (A, B, C) if name != leader)
    world.nodes[leader].crash()
    world.clock.run(world.clock.now_s + 1.0)
    tap.news()
    number = world.network.put([(leader, other)], Rule(cut=True))
    world.nodes[leader].start()
    world.network.take(number)
    world.clock.run(world.clock.now_s + 5.0)
    assert {one.fate for one in tap.news()} == {Fate.ARRIVED}


def test_nobody_is_there_and_somebody_is_frozen() -> None:
    world, tap = booted()
    leader = leader_of(world)
    frozen = next(name for name in (A, B, C) if name != leader)
    tap.news()
    world.nodes[frozen].pause()
    world.nodes[leader].crash(silently=True)
    world.clock.run(world.clock.now_s + 6.0)
    news = tap.news()
    assert {one.fate for one in news if one.receiver == frozen} >= {Fate.FROZEN}
    assert not [one for one in news if one.receiver == frozen and one.fate is Fate.ARRIVED]
    assert not [one for one in news if one.receiver == leader and one.fate is Fate.ARRIVED]


def test_a_doubled_message_arrives_twice_and_is_one() -> None:
    world, tap = booted()
    tap.news()
    leader = leader_of(world)
    links = [(one, other) for one in (A, B, C) for other in (A, B, C) if one != other]
    world.network.put(links, Rule(duplicate=1.0))
    world.nodes[leader].crash()
    world.clock.run(world.clock.now_s + 5.0)
    news = tap.news()
    told = ends(news)
    assert told[Fate.ARRIVED, "twice"] > 0
    assert len({one.number for one in news}) == len(news)
    twice = next(one for one in news if one.why == "twice")
    assert twice.at_s is not None
    assert twice.at_s - twice.sent_s < 0.1, "it came when it first came"


@pytest.mark.parametrize("seed", [5, 11, 402])
def test_a_world_that_is_looked_at_is_the_same_world(seed: int) -> None:
    digests = []
    for shard in (None, 0):
        world = World(Plan(seed=seed, shards=(0, 1), chaos_s=6.0))
        if shard is not None:
            world.network.tap = Wiretap(world.clock, shard)
        world.run()
        digests.append(world.digest)
    assert digests[0] == digests[1]


def test_who_never_asks_costs_no_memory() -> None:
    world, tap = booted()
    for _ in range(MOST_NEWS):
        world.nodes[leader_of(world)].crash()
        world.clock.run(world.clock.now_s + 3.0)
        for node in world.nodes.values():
            if node.machine is None:
                node.start()
        world.clock.run(world.clock.now_s + 1.0)
        if len(tap._news) == MOST_NEWS:
            break
    assert len(tap._news) == MOST_NEWS
    assert len(tap._flights) < 20, "what has landed is not kept"
