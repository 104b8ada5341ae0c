"""
`./dev endure`: kill the nodes of a real cluster again and again under load, and judge it.

    python -m tests.endurance [--rounds 200] [--backend local|docker] [--seed N]

Every acknowledged write is there in the end, on every node; the history of each key is
linearizable; and 5 s after each heal every shard takes writes. Local nodes are killed and frozen,
containers are cut off from one another too. Prints one line a round; exits with 1 where one of
those does not hold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from lab.cluster.docker import DockerCluster
from lab.cluster.interface import Cluster
from lab.cluster.local import LocalCluster
from lab.session import heal_orphans
from lolraft.config import parse_shards
from lolraft.runtime.loop import run
from tests.endurance.rounds import Endurance, Outcome

LED_S = 5.0


def main() -> int:
    """Run, and say what came out."""
    parser = argparse.ArgumentParser(prog="./dev endure", description="Endurance of a cluster.")
    parser.add_argument("--rounds", type=int, default=0, help="200 local ones, 30 with containers")
    parser.add_argument("--backend", choices=("local", "docker"), default="local")
    parser.add_argument("--shards", default="0-2")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    options = parser.parse_args()
    in_docker = options.backend == "docker"
    rounds = options.rounds or (30 if in_docker else 200)
    say(f"{rounds} rounds, seed {options.seed}")
    heal_orphans(say)
    kind: type[LocalCluster] | type[DockerCluster] = DockerCluster if in_docker else LocalCluster
    cluster: Cluster = kind.begin(nodes=3, shards=options.shards)
    shards = parse_shards(options.shards)
    endurance = Endurance(cluster, shards, seed=options.seed, patience_s=30.0)
    try:
        outcome = run(
            endurance.run(rounds, clients=options.clients, partitions=in_docker, report=say)
        )
    except AssertionError as broken:
        say(f"BROKEN: {broken}")
        return 1
    return show(outcome)


def show(outcome: Outcome) -> int:
    """Print the numbers; return 1 where a leader came too late."""
    times_s = sorted(item.served_s for item in outcome.rounds)
    say(
        f"{len(times_s)} rounds, {outcome.acknowledged} writes acknowledged, all there on all nodes"
    )
    say(f"{outcome.unknown} writes ended with an unknown outcome")
    say(f"{outcome.keys} keys with {outcome.operations} operations: each linearizable")
    say(
        f"every shard took a write again after {statistics.median(times_s):.2f} s (median),"
        f" {times_s[-1]:.2f} s (longest)"
    )
    late = [item for item in outcome.rounds if item.served_s > LED_S]
    for item in late:
        say(f"LATE, more than {LED_S:g} s: {item}")
    return 1 if late else 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
