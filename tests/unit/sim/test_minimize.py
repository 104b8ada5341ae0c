"""Delta debugging: few parts are left, and each of them is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from lolraft.sim.coverage import Coverage
from lolraft.sim.minimize import Minimizer, thin
from lolraft.sim.plan import KINDS, Plan
from lolraft.sim.rare import RARE
from lolraft.sim.swarm import Outcome


@pytest.mark.parametrize("needed", [(), (0,), (99,), (3, 50), (7, 8, 9), (0, 31, 64, 99)])
def test_what_is_needed_is_left(needed: tuple[int, ...]) -> None:
    tried = 0

    def fails(some: Sequence[int]) -> bool:
        nonlocal tried
        tried += 1
        return set(needed) <= set(some)

    assert tuple(thin(range(100), fails)) == needed
    assert tried < 150


def outcome(plan: Plan, promise: str) -> Outcome:
    def kept(names: Sequence[object], some: Sequence[object] | None) -> list[object]:
        return [name for name in names if some is None or name in some]

    did = {
        "strikes": kept(range(20), plan.strikes),
        "blows": kept(["vote n1 1", "vote n2 1"], plan.blows),
        "asked": kept([f"c0.{n}" for n in range(30)], plan.asked),
    }
    return Outcome(plan, 1.0, Counter(), "", promise, promise, 0.0, did)


def world(plan: Plan) -> Outcome:
    """Return what a world does that breaks by strike 5, blow `vote n2 1` and two operations."""
    did = outcome(plan, "").did
    breaks = (
        5 in did["strikes"]
        and "vote n2 1" in did["blows"]
        and {"c0.3", "c0.17"} <= {*did["asked"]}
        and plan.nodes >= 3
        and plan.chaos_s > 2.0
    )
    other = 7 in did["strikes"] and not breaks
    return outcome(plan, "linearizability" if breaks else "liveness" if other else "")


def test_a_plan_is_made_as_small_as_the_same_promise_breaks() -> None:
    plan = Plan(seed=1, nodes=7, spares=2, shards=(0, 1, 2, 3), clients=6, chaos_s=20.0)
    minimizer = Minimizer(plan, run=world)
    small = minimizer.minimize()
    assert small.strikes == (5,)
    assert small.blows == ("vote n2 1",)
    assert small.asked == ("c0.3", "c0.17")
    assert (small.nodes, small.spares, small.clients, len(small.shards)) == (3, 0, 1, 1)
    assert 2.0 < small.chaos_s < 3.0
    assert world(small).promise == minimizer.promise == "linearizability"


def test_the_runs_are_bounded() -> None:
    minimizer = Minimizer(Plan(seed=1), run=world, most_runs=10)
    minimizer.minimize()
    assert minimizer.runs == 10


def test_a_world_that_keeps_its_promises_is_not_minimized() -> None:
    with pytest.raises(ValueError, match="keeps every promise"):
        Minimizer(Plan(seed=1), run=lambda plan: outcome(plan, ""))


def test_what_never_happened_is_in_the_tables() -> None:
    coverage = Coverage()
    met = Counter({"crash": 1234, RARE[0]: 2})
    coverage.add(Outcome(Plan(seed=1), 3600.0, met, ""))
    text = coverage.tables()
    assert "1,234  crash" in text
    assert f"2  {RARE[0]}" in text
    assert "never  flap" in text
    assert all(kind.replace("_", " ") in text for kind in KINDS)
    assert all(f"never  {name}" in text for name in RARE[1:])
    assert "of 3 to 7 nodes: 1 worlds, 1.00 simulated hours" in text
