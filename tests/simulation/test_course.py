"""A world that is played in parts is the world that is played at once."""

from __future__ import annotations

from random import Random

import pytest

from lolraft.sim import Plan, Violation, World
from lolraft.sim.clock import Clock
from lolraft.sim.course import Course, Player, Stretch

SEEDS = (5, 7, 8, 10_020)  # With faults of all sorts; `11` grows, and waits for answers at first.


def whole(plan: Plan) -> World:
    world = World(plan)
    world.play()
    return world


@pytest.mark.parametrize("seed", [*SEEDS, 11])
def test_parts_and_single_actions_come_to_the_same(seed: int) -> None:
    plan = Plan.of_seed(seed)
    world, chance = World(plan), Random(seed)
    player = Player(world.clock, world.course())
    while not player.is_over:
        if chance.random() < 0.5:
            player.run(world.clock.now_s + chance.random() * 0.3)
        else:
            for _ in range(chance.randrange(30)):
                player.step()
    at_once = whole(plan)
    assert (world.digest, world.clock.now_s) == (at_once.digest, at_once.clock.now_s)


def test_a_step_is_one_action() -> None:
    world = World(Plan.of_seed(7))
    player = Player(world.clock, world.course())
    for count in range(1, 400):
        assert player.step()
        assert world.clock.steps == count


def test_a_course_that_is_over_does_nothing_more() -> None:
    world = World(Plan.of_seed(7))
    player = Player(world.clock, world.course())
    assert not player.is_over
    player.play()
    steps = world.clock.steps
    assert player.is_over
    assert not player.step()
    player.run(world.clock.now_s + 100)
    assert world.clock.steps == steps


def course(clock: Clock, told: list[tuple[str, float, bool]]) -> Course:
    """Stop early when something has been told, then wait in vain."""
    early = yield Stretch(2.0, lambda: bool(told))
    told.append(("first", clock.now_s, early))
    early = yield Stretch(3.0, lambda: False)
    told.append(("second", clock.now_s, early))


@pytest.mark.parametrize("pace_s", [0.1, 0.7, 10.0, None])
def test_a_stretch_ends_early_only_when_it_is_done(pace_s: float | None) -> None:
    clock, told = Clock(0), list[tuple[str, float, bool]]()
    clock.after(1.0, lambda: told.append(("action", clock.now_s, True)))
    clock.after(1.5, lambda: None)
    player = Player(clock, course(clock, told))
    while not player.is_over:
        if pace_s is None:
            player.step()
        else:
            player.run(clock.now_s + pace_s)
    assert told == [("action", 1.0, True), ("first", 1.0, True), ("second", 3.0, False)]


def test_a_broken_promise_comes_out_of_the_part_in_which_it_broke() -> None:
    world = World(Plan(seed=3))
    player = Player(world.clock, world.course())
    player.run(1.0)
    world.clock.after(0.5, world.violated, "a promise", "on purpose")
    player.run(1.4)
    with pytest.raises(Violation, match="on purpose"):
        player.run(2.0)
    assert world.clock.now_s == 1.5
