"""Many seeds on many cores."""

from __future__ import annotations

import gc
import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from lolraft.sim.plan import Plan
from lolraft.sim.violation import Violation
from lolraft.sim.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one seed."""

    plan: Plan
    virtual_s: float
    coverage: Counter[str]
    digest: str
    promise: str = ""  # Which one was broken; empty when all were kept.
    broken: str = ""  # How, and the story.
    cpu_s: float = 0.0
    did: dict[str, list[Any]] = field(default_factory=dict)  # Strikes, blows, operations.


def outcome_of(plan: Plan) -> Outcome:
    """Run one world to its end, whatever that is."""
    world, promise, broken, began_s = World(plan), "", "", time.process_time()
    try:
        world.run()
    except Violation as violation:
        promise, broken = violation.promise, str(violation)
    except Exception as failure:  # A mistake of ours, in the product or in the simulator.
        promise = f"nothing raises: {type(failure).__name__}"
        broken = f"{promise}\n{traceback.format_exc()}"
    return Outcome(
        plan,
        world.clock.now_s,
        world.coverage(),
        world.digest,
        promise,
        broken,
        time.process_time() - began_s,
        world.did,
    )


def _begin_worker() -> None:
    # Worlds are thrown away as a whole: looking for rubbish in between only costs time.
    gc.freeze()
    gc.disable()


def _in_worker(plan: Plan) -> Outcome:
    outcome = outcome_of(plan)
    gc.collect()
    return outcome


def outcomes(
    first: int,
    until_s: float,
    workers: int,
    nodes: int | None = None,
    shards: int | None = None,
) -> Iterator[Outcome]:
    """Run seeds from *first* on until *until_s* (`time.monotonic`); yield each as it ends."""
    spawn = multiprocessing.get_context("spawn")

    def plan(seed: int) -> Plan:
        return Plan.of_seed(seed, nodes=nodes, shards=shards)

    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_begin_worker) as pool:
        seed = first + 2 * workers
        waiting = {pool.submit(_in_worker, plan(number)) for number in range(first, seed)}
        while waiting:
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for job in ended:
                yield job.result()
                if time.monotonic() < until_s:
                    waiting.add(pool.submit(_in_worker, plan(seed)))
                    seed += 1
