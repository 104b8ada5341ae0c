"""
A failing world, made small: as few faults, operations, nodes and seconds as still fail.

Delta debugging (Zeller and Hildebrandt 2002) over what the world did: its strikes, blows and
operations each draw from a source of their own, so that one less leaves the others as they were.
A smaller world counts only where it breaks the same promise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from lolraft.sim.plan import Plan
from lolraft.sim.swarm import Outcome, outcome_of

MOST_RUNS = 400
SIMPLER: tuple[dict[str, Any], ...] = (
    {"leaves_dead": False}, {"grows": False}, {"spares": 0}, {"pieces": 1},
    {"manners": ("careful",)}, {"append_entries": 4096}, {"latency_s": 0.0005},
    {"snapshot_entries": 100_000, "tail_entries": 10_000}, {"ambushes": ()}, {"kinds": ()},
)  # fmt: skip

Item = TypeVar("Item")


class Minimizer:
    """Try smaller plans, one after another, and keep each that fails in the same way."""

    def __init__(
        self,
        plan: Plan,
        say: Callable[[str], None] = lambda text: None,
        run: Callable[[Plan], Outcome] = outcome_of,
        most_runs: int = MOST_RUNS,
    ) -> None:
        """
        Run *plan* once.

        Raises:
            ValueError: it breaks no promise.
        """
        self._say, self._run = say, run
        self.runs, self._most_runs = 1, most_runs
        self.outcome = run(plan)
        self.plan, self.promise = plan, self.outcome.promise
        if not self.promise:
            raise ValueError(f"seed {plan.seed} keeps every promise: there is nothing to minimize")

    def fails(self, **changes: object) -> bool:
        """Try the plan with *changes*; keep it when the same promise breaks."""
        smaller = replace(self.plan, **changes)  # type: ignore[arg-type]  # Fields by name.
        if smaller == self.plan or self.runs >= self._most_runs:
            return False
        self.runs += 1
        outcome = self._run(smaller)
        if outcome.promise != self.promise:
            return False
        self.plan, self.outcome = smaller, outcome
        return True

    def minimize(self) -> Plan:
        """Return the smallest plan that was found; the runs are bounded."""
        before = None
        while self.plan != before and self.runs < self._most_runs:
            before = self.plan
            self._shorten()
            for part in ("strikes", "blows", "asked"):
                self._thin_out(part)
            self._simplify()
            self._say(f"{self.runs} runs: {self.size()}")
        return self.plan

    def size(self) -> str:
        """Return what is left, in words."""
        plan, did = self.plan, self.outcome.did
        return (
            f"{len(did['strikes']) + len(did['blows'])} faults, {len(did['asked'])} operations,"
            f" {plan.nodes + plan.spares} nodes, {len(plan.shards)} shards,"
            f" {plan.chaos_s + plan.siege_s:.2f} s of chaos"
        )

    def _shorten(self) -> None:
        """Leave the siege out, or halve the chaos while that fails too, then cut off quarters."""
        self.fails(siege_s=0.0)
        for part in (0.5, 0.75, 0.9):
            while self.plan.siege_s > 0.1 and self.fails(siege_s=self.plan.siege_s * part):
                pass
            while self.plan.chaos_s > 0.1 and self.fails(chaos_s=self.plan.chaos_s * part):
                pass

    def _thin_out(self, part: str) -> None:
        def fails(some: Sequence[Any]) -> bool:
            return self.fails(**{part: tuple(some)})

        did: list[Any] = self.outcome.did[part]
        fails(did)  # From now on no others.
        thin(did, fails)

    def _simplify(self) -> None:
        for changes in SIMPLER:
            self.fails(**changes)
        while len(self.plan.shards) > 1 and (
            self.fails(shards=self.plan.shards[: len(self.plan.shards) // 2])
            or self.fails(shards=self.plan.shards[len(self.plan.shards) // 2 :])
        ):
            pass
        for field in ("spares", "nodes", "clients"):
            least = 0 if field == "spares" else 1
            while getattr(self.plan, field) > least and self.fails(
                **{field: getattr(self.plan, field) - 1}
            ):
                pass


def thin(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> Sequence[Item]:
    """
    Return few of *items* that still fail: none of those that are left can be taken out alone.

    *fails* says whether some of them, in their order, do; all of them are known to.
    """
    if not items or fails(()):
        return ()
    parts = 2
    while len(items) > 1:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = [*items[:start], *items[start + size :]]
            if rest and fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(items))
    return items
