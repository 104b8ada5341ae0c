"""A plan is one line that can be run again."""

from __future__ import annotations

import pytest

from lolraft.sim.faults import Nemesis
from lolraft.sim.plan import KINDS, Plan


@pytest.mark.parametrize("seed", range(50))
def test_a_plan_is_read_as_it_was_written(seed: int) -> None:
    plan = Plan.of_seed(seed)
    assert Plan.of_spec(plan.spec()) == plan


def test_what_was_left_out_is_written_too() -> None:
    plan = Plan(seed=1, strikes=(3, 7), blows=(), asked=("c0.1",))
    assert Plan.of_spec(plan.spec()) == plan
    assert '"blows": []' in plan.spec()


@pytest.mark.parametrize("spec", ["", "17", "[]", "{}", '{"seed": 1, "no_such_field": 2}', "{"])
def test_what_is_no_plan_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"not a plan|Expecting"):
        Plan.of_spec(spec)


def test_the_worlds_of_seeds_are_mostly_of_three_to_seven_nodes_and_of_several_shards() -> None:
    plans = [Plan.of_seed(seed) for seed in range(400)]
    assert {plan.nodes for plan in plans} == set(range(1, 8))
    assert sum(plan.nodes >= 3 for plan in plans) > 300
    assert sum(len(plan.shards) > 1 for plan in plans) > 200


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fault_is_one_of_the_nemesis(kind: str) -> None:
    assert callable(getattr(Nemesis, f"_{kind}"))
