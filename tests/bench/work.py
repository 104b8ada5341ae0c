"""What is asked of a system, and what came of it; both travel to workers and back as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.bench.stats import Histogram

VALUE_BYTES = 64
KEYS = 1_000
KEY_BYTES = 8

WRITE, READ = "write", "read"


def key_of(number: int) -> bytes:
    """Return the key that the *number*-th operation is about."""
    return b"%08d" % (number % KEYS)


def value_of(number: int) -> bytes:
    """Return a value of 64 bytes."""
    return b"%064d" % number


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """
    One round of load.

    Callers ask again as soon as they are answered (closed loop). With a *rate*, in operations a
    second, there are no callers: operations begin when their time has come, whether or not the
    ones before them were answered (open loop).
    """

    operation: str = WRITE
    callers: int = 1
    rate: float | None = None
    warm_s: float = 0.3
    run_s: float = 1.2

    def share(self, part: int, parts: int) -> Work:
        """Return what one of several workers does of it."""
        callers = self.callers // parts + (part < self.callers % parts)
        return replace(self, callers=callers, rate=self.rate and self.rate / parts)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one round, or one worker's part of it, has come to."""

    counted: int = 0  # Operations that ended in the measured time.
    run_s: float = 0.0
    total: int = 0  # Those of the warming up too: CPU time is spread over them.
    errors: int = 0
    error: str = ""  # The first one's text.
    times: Histogram = field(default_factory=Histogram)
    server_cpu_s: float = 0.0
    client_cpu_s: float = 0.0
    wall_s: float = 0.0  # What the CPU times were measured over.
    client_is_server: bool = False

    @property
    def rate(self) -> float:
        """Return operations a second."""
        return self.counted / self.run_s if self.run_s else 0.0

    def per_operation_us(self, cpu_s: float) -> float | None:
        """Return microseconds of *cpu_s* for each operation."""
        return cpu_s / self.total * 1e6 if self.total else None

    def add(self, other: Outcome) -> None:
        """Take in what another worker did in the same time."""
        self.counted += other.counted
        self.total += other.total
        self.errors += other.errors
        self.error = self.error or other.error
        self.run_s = max(self.run_s, other.run_s)
        self.times.add(other.times)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON holds it."""
        facts = {name: getattr(self, name) for name in _PLAIN}
        return {**facts, "times": self.times.counts}

    @classmethod
    def of_json(cls, facts: dict[str, Any]) -> Outcome:
        """Return the outcome that `to_json` described."""
        return cls(**{**facts, "times": Histogram.of(facts["times"])})


_PLAIN = tuple(name for name in Outcome.__dataclass_fields__ if name != "times")


def work_to_json(work: Work) -> dict[str, Any]:
    """Return the work as JSON holds it."""
    return asdict(work)
