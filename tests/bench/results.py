"""All that one run has measured, and the ratios in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.idle import Idle, Recovery
from tests.bench.ladder import Ladder
from tests.bench.outage import Outages
from tests.bench.rounds import Row
from tests.bench.stats import Spread, ratio
from tests.bench.systems import etcd

REFERENCE = etcd.SYSTEM.name


@dataclass(slots=True, kw_only=True)
class Results:
    """Measured values, by kind; what was not asked for is empty."""

    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    outages: list[Outages] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    ladders: list[Ladder] = field(default_factory=list)

    def row(self, case: str, system: str) -> Row | None:
        """Return one system's row of a case, by its key."""
        return next((r for r in self.rows if r.case.key == case and r.system == system), None)

    def case_keys(self) -> list[str]:
        """Return the keys of the cases in the order in which they were measured."""
        return list(dict.fromkeys(row.case.key for row in self.rows))

    def rate_ratio(self, case: str, system: str, to: str = REFERENCE) -> float | None:
        """Return how many times the rate of *to* a system has reached in a case."""
        one, other = self.row(case, system), self.row(case, to)
        return ratio(one.rate(), other.rate()) if one and other else None

    def spread_ratio(self, over: str, to: str, system: str) -> float | None:
        """Return how many times its own rate in case *to* a system has reached in case *over*."""
        one, other = self.row(over, system), self.row(to, system)
        return ratio(one.rate(), other.rate()) if one and other else None

    def latency_ratio(self, case: str, system: str, to: str = REFERENCE) -> float | None:
        """Return how many times the median latency of *to* a system has taken in a case."""
        one, other = self.row(case, system), self.row(case, to)
        return ratio(one.latency_ms(50), other.latency_ms(50)) if one and other else None

    def outage(self, system: str) -> Spread | None:
        """Return a system's failovers."""
        return next((found.spread() for found in self.outages if found.system == system), None)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON holds it: medians, and every round behind them."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "missing": self.missing,
            "cases": [self._row_to_json(row) for row in self.rows],
            "failover": [
                {"system": one.system, "times_s": one.times_s, "why": one.why}
                for one in self.outages
            ],
            "idle": _plain(self.idle),
            "recovery": _plain(self.recoveries),
            "open_loop": _plain(self.ladders),
        }

    def _row_to_json(self, row: Row) -> dict[str, Any]:
        return {
            "case": row.case.key,
            "system": row.system,
            "why_not": row.why,
            "rate": _spread(row.rate()),
            "ratio_to_etcd": self.rate_ratio(row.case.key, row.system),
            "p50_ms": _spread(row.latency_ms(50)),
            "p99_ms": _spread(row.latency_ms(99)),
            "server_cpu_us": _spread(row.server_us()),
            "client_cpu_us": _spread(row.client_us()),
            "client_core_share": _spread(row.client_share()),
            "client_processes": row.processes,
            "errors": row.errors,
            "error": row.error,
            "rounds": [one.to_json() for one in row.outcomes],
        }


def _spread(value: Spread | None) -> dict[str, Any] | None:
    return asdict(value) if value is not None else None


def _plain(values: Iterable[Idle] | Iterable[Recovery] | Iterable[Ladder]) -> list[dict[str, Any]]:
    return [asdict(value) for value in values]
