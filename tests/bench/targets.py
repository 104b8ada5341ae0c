"""What must hold, as ratios within one run: said, with by how much it is missed; never asserted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.results import REFERENCE, Results
from tests.bench.rounds import hosting
from tests.bench.systems import ours

OURS, PLAIN = ours.RAFT_CLIENT.name, ours.PLAIN.name
MANY = 10_000
LONGEST_OUTAGE_S = 1.5


@dataclass(frozen=True, slots=True)
class Target:
    """A sentence, a bound, and what was measured; None where it was not."""

    text: str
    bound: float
    measured: float | None
    at_least: bool = True
    unit: str = "×"

    @property
    def verdict(self) -> str:
        """Return `held`, by how much it was missed, or that it was not measured."""
        if self.measured is None:
            return "not measured"
        held = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        if held:
            return "held"
        if self.bound <= 0 or self.measured <= 0:
            return "missed"
        by = self.bound / self.measured if self.at_least else self.measured / self.bound
        return f"missed by a factor of {by:.2f}"


def targets(results: Results) -> list[Target]:
    """Return every target with what this run says of it."""
    return [*_load(results), *_failover(results), *_shards(results)]


def _load(results: Results) -> Iterator[Target]:
    for key, text, bound in (
        ("write-256", "writes, 256 callers on one client", 7.0),
        ("write-1024", "writes, 1,024 callers on one client", 12.0),
        ("write-256x16", "writes, 256 callers over 16 clients", 5.0),
        ("read-256", "linearizable reads, 256 callers", 4.0),
    ):
        yield Target(f"{text}: of {REFERENCE}'s rate", bound, results.rate_ratio(key, OURS))
    for key, text, bound in (
        ("write-16", "writes by plain gRPC, 16 callers", 0.5),
        ("write-256", "writes by plain gRPC, 256 callers", 0.4),
    ):
        yield Target(f"{text}: of {REFERENCE}'s rate", bound, results.rate_ratio(key, PLAIN))
    for name, text, bound in ((OURS, "RaftClient", 1.25), (PLAIN, "plain gRPC", 1.5)):
        said = f"one caller, {text}: median latency of a write, of {REFERENCE}'s"
        measured = results.latency_ratio("write-1", name)
        yield Target(said, bound, measured, at_least=False)


def _failover(results: Results) -> Iterator[Target]:
    one, other = results.outage(OURS), results.outage(REFERENCE)
    measured = one.median / other.median if one and other else None
    text = f"failover: median, of {REFERENCE}'s"
    yield Target(text, 0.5, measured, at_least=False)
    text = f"failover: the longest of {one.rounds if one else 0}"
    yield Target(text, LONGEST_OUTAGE_S, one.high if one else None, at_least=False, unit=" s")


def _shards(results: Results) -> Iterator[Target]:
    name = hosting(1_000)
    spread = results.spread_ratio("write-256-shards-1000", "write-256", name)
    yield Target("writes over 1,000 shards, of those to one of them", 0.6, spread)
    many = [idle for idle in results.idle if idle.shards == MANY]
    for one_dead in (False, True):
        idle = next((one for one in many if one.one_dead == one_dead), None)
        state = "one node dead" if one_dead else "idle"
        text = f"{MANY:,} shards: {state}, above the empty node"
        cpu, memory = (idle.above_cpu, idle.above_mib) if idle else (None, None)
        yield Target(text, 3.0, cpu, at_least=False, unit=" % of a core")
        yield Target(text, 120.0, memory, at_least=False, unit=" MiB")
    back = next((r for r in results.recoveries if r.shards == MANY), None)
    text = f"{MANY:,} shards: writes everywhere after"
    after_death_s = back.after_death_s if back else None
    after_restart_s = back.after_restart_s if back else None
    yield Target(f"{text} a death", 3.0, after_death_s, at_least=False, unit=" s")
    yield Target(f"{text} a restart", 10.0, after_restart_s, at_least=False, unit=" s")
