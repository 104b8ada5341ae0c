"""Five lamps: each is lit only where somebody judges it, and goes out when its rule breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.observe import safety
from lab.observe.lamps import PROPERTIES, Light, lamps
from lab.observe.view import ClusterView, Promises, Violation
from lolraft.sim import checkers

REPORTED = ("election safety", "leader append-only", "state machine safety")
VIEW = ClusterView(backend="local", promises={0: Promises()})


def lights(view: ClusterView) -> dict[str, Light]:
    return {lamp.name: lamp.light for lamp in lamps(view)}


def broken(rule: str, text: str = "shard 0: x") -> ClusterView:
    violation = Violation(rule=rule, shard_id=0, nodes=(), text=text, at_s=1.0)
    return replace(VIEW, violation=violation)


def test_reports_light_three_and_the_simulator_all() -> None:
    kept = {name for name, light in lights(VIEW).items() if light is Light.KEPT}
    assert kept == set(REPORTED)
    assert set(lights(replace(VIEW, backend="sim")).values()) == {Light.KEPT}


def test_nothing_is_lit_before_anything_was_reported() -> None:
    assert set(lights(ClusterView(backend="sim")).values()) == {Light.DARK}


@pytest.mark.parametrize("name", REPORTED)
def test_the_lamp_of_the_broken_rule_says_so_and_no_other(name: str) -> None:
    rule = PROPERTIES[name]
    assert rule is not None
    found = lights(broken(rule))
    assert [one for one, light in found.items() if light is Light.BROKEN] == [name]


def test_a_commit_that_goes_back_is_none_of_the_five() -> None:
    assert Light.BROKEN not in lights(broken(safety.COMMIT_STAYS)).values()


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_simulator_names_each_as_it_is_written_here(name: str) -> None:
    (promise,) = [one.promise for one in checkers.ALL if one.promise.startswith(name)]
    found = lights(replace(broken(safety.SIMULATOR, f"{promise}: x"), backend="sim"))
    assert [one for one, light in found.items() if light is Light.BROKEN] == [name]
