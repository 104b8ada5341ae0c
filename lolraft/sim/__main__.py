"""
Run seeds: `python -m lolraft.sim [SEED] [--seconds 60] [--nodes N] [--shards N] [--workers N]`.

Without a SEED new ones run until the time is over; with one it runs alone, and tells its story.
The exit status is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections import Counter

from lolraft.sim.plan import AMBUSHES, KINDS, Plan
from lolraft.sim.swarm import outcome_of, outcomes

RARE = (
    "elected", "stepped_down", "election", "joint", "removed", "truncated", "installed",
    "snapshot", "held up", "broken", "stuck", "lost", "doubled", "overtaken", "suspect", "stalled",
    "outcome unknown", "given up", "write done", "add done", "read done", "history too hard",
)  # fmt: skip


def run_many(options: argparse.Namespace) -> int:
    """Run new seeds for a while; return how many broke a promise."""
    first = secrets.randbelow(10**9) if options.first is None else options.first
    began_s = shown_s = time.monotonic()
    count, broken, virtual_s = 0, [], 0.0
    coverage: Counter[str] = Counter()
    many = outcomes(
        first, began_s + options.seconds, options.workers, options.nodes, options.shards
    )
    for outcome in many:
        count += 1
        virtual_s += outcome.virtual_s
        coverage += outcome.coverage
        if outcome.broken:
            broken.append(outcome.seed)
            print(f"seed {outcome.seed}: {outcome.broken}", flush=True)
            print(f"again: python -m lolraft.sim {outcome.seed}\n", flush=True)
        if time.monotonic() - shown_s > 5:
            shown_s = time.monotonic()
            print(_rate(count, virtual_s, shown_s - began_s), file=sys.stderr, flush=True)
    print(_rate(count, virtual_s, time.monotonic() - began_s))
    _show("faults", coverage, KINDS)
    _show("ambushes", coverage, [f"ambush {name}" for name in AMBUSHES])
    _show("events", coverage, RARE)
    print(f"{len(broken)} of {count} seeds from {first} on broke a promise {broken or ''}")
    return len(broken)


def _rate(count: int, virtual_s: float, wall_s: float) -> str:
    return (
        f"{count} seeds, {count / wall_s:.1f} a second, {virtual_s / 3600:.2f} simulated hours,"
        f" {virtual_s / 3600 / (wall_s / 60):.2f} hours a minute"
    )


def _show(title: str, coverage: Counter[str], names: tuple[str, ...] | list[str]) -> None:
    print(f"{title}: " + "  ".join(f"{name} {coverage[name]}" for name in names))


def replay(options: argparse.Namespace) -> int:
    """Run one seed and tell its story; return 1 when it broke a promise."""
    plan = Plan.of_seed(options.seed, nodes=options.nodes, shards=options.shards)
    print(plan)
    outcome = outcome_of(plan)
    if outcome.broken:
        print(outcome.broken)
    print(f"seed {plan.seed}: digest {outcome.digest} after {outcome.virtual_s:.3f} s")
    print("BROKEN" if outcome.broken else "every promise was kept")
    return 1 if outcome.broken else 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m lolraft.sim", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="replay this one")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run new seeds")
    parser.add_argument("--nodes", type=int, help="members of every group (default: by the seed)")
    parser.add_argument("--shards", type=int, help="shards of every world (default: by the seed)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", type=int, help="the first seed (default: random)")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options)
    return 1 if run_many(options) else 0


if __name__ == "__main__":
    raise SystemExit(main())
