"""
Run seeds of the simulator (`./dev sim`).

Without a SEED new ones run until the time is over. With one it runs alone and tells its story; the
same SEED gives the same trace, byte for byte. `--minimize` looks for a smaller world that breaks
the same promise, and prints it as a plan: one line that `--plan` runs again, itself or from a file.
The exit status is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

from lolraft.sim.checkers import ALL
from lolraft.sim.chronicle import Chronicle, tale
from lolraft.sim.coverage import Coverage
from lolraft.sim.minimize import MOST_RUNS, Minimizer
from lolraft.sim.plan import Plan
from lolraft.sim.story import describe
from lolraft.sim.swarm import outcomes
from lolraft.sim.violation import Violation
from lolraft.sim.world import World


def run_many(options: argparse.Namespace) -> int:
    """Run new seeds for a while; return how many broke a promise."""
    first = secrets.randbelow(10**9) if options.first is None else options.first
    began_s = shown_s = time.monotonic()
    coverage = Coverage()
    many = outcomes(
        first, began_s + options.seconds, options.workers, options.nodes, options.shards
    )
    for outcome in many:
        coverage.add(outcome)
        if outcome.broken:
            print(f"seed {outcome.plan.seed}: {outcome.broken}", flush=True)
            print(f"smaller: ./dev sim {outcome.plan.seed} --minimize\n", flush=True)
        if time.monotonic() - shown_s > 5:
            shown_s = time.monotonic()
            print(coverage.rate(shown_s - began_s), file=sys.stderr, flush=True)
    print(coverage.tables())
    print(f"\n{coverage.rate(time.monotonic() - began_s)}; the first seed was {first}")
    for seed in coverage.broken:
        print(f"a promise was broken by seed {seed}")
    return len(coverage.broken)


def replay(plan: Plan, *, trace: bool) -> int:
    """Run one world and tell its story; return 1 when it broke a promise."""
    world, broken = World(plan, checkers=(*ALL, Chronicle), thorough=trace), ""
    if trace:
        world.story.keep_all_turns()
    try:
        world.play()
    except Violation as violation:
        broken = str(violation)
    print(world.story.text() if trace else tale(world))
    if broken:
        print(f"\n{describe(world)}\n\nBROKEN: {broken}")
    print(f"\nseed {plan.seed}: digest {world.digest} after {world.clock.now_s:.3f} s")
    print(f"again: ./dev sim --plan '{plan.spec()}'")
    print("a promise was broken" if broken else "every promise was kept")
    return 1 if broken else 0


def minimize(plan: Plan, most_runs: int) -> int:
    """Look for a smaller world that breaks the same promise, and tell its story; return 1."""
    minimizer = Minimizer(
        plan, lambda text: print(text, file=sys.stderr, flush=True), most_runs=most_runs
    )
    print(f"breaks: {minimizer.promise}; {minimizer.size()}", file=sys.stderr, flush=True)
    return replay(minimizer.minimize(), trace=False)


def plan_of(options: argparse.Namespace) -> Plan:
    """
    Return the plan of the seed, or the one that is given.

    Raises:
        ValueError: it is not a plan.
    """
    if options.plan is None:
        return Plan.of_seed(options.seed, nodes=options.nodes, shards=options.shards)
    text: str = options.plan
    return Plan.of_spec(text if text.lstrip().startswith("{") else Path(text).read_text())


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="./dev sim", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("seed", type=int, nargs="?", help="replay this one")
    parser.add_argument("--plan", help="replay this one: a line of JSON, or a file with it")
    parser.add_argument(
        "--minimize", action="store_true", help="look for a smaller world that fails"
    )
    parser.add_argument("--runs", type=int, default=MOST_RUNS, help="of --minimize, at most")
    parser.add_argument("--trace", action="store_true", help="print every event and effect")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run new seeds")
    parser.add_argument("--nodes", type=int, help="members of every group (default: by the seed)")
    parser.add_argument("--shards", type=int, help="shards of every world (default: by the seed)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", type=int, help="the first seed (default: random)")
    options = parser.parse_args()
    if options.seed is None and options.plan is None:
        return 1 if run_many(options) else 0
    try:
        plan = plan_of(options)
        if options.minimize:
            return minimize(plan, options.runs)
    except (OSError, ValueError) as wrong:
        print(f"./dev sim: {wrong}", file=sys.stderr)
        return 2
    return replay(plan, trace=options.trace)


if __name__ == "__main__":
    raise SystemExit(main())
