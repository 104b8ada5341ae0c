"""The cases: what is asked of every system, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.systems import etcd, ours, pysyncobj
from tests.bench.systems.base import System
from tests.bench.work import READ, WRITE

SYSTEMS = (ours.RAFT_CLIENT, ours.PLAIN, etcd.SYSTEM, pysyncobj.BATCHED, pysyncobj.SINGLE)
NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the work: so many callers, on so many clients, over so many shards."""

    operation: str = WRITE
    callers: int = 1
    clients: int = 1
    shards: int = 1
    plain: bool = False  # Plain calls are measured, too.

    @property
    def key(self) -> str:
        """Return the short name, by which cases are chosen."""
        over = f"x{self.clients}" if self.clients > 1 else ""
        shards = f"-shards-{self.shards}" if self.shards > 1 else ""
        return f"{self.operation}-{self.callers}{over}{shards}"

    @property
    def title(self) -> str:
        """Return the name in words."""
        callers = f"{self.callers:,} caller{'s' if self.callers > 1 else ''}"
        clients = f" over {self.clients} clients" if self.clients > 1 else ""
        shards = f", {self.shards:,} shards" if self.shards > 1 else ""
        return f"{self.operation}s, {callers}{clients}{shards}"

    def why_not(self, system: System) -> str:
        """Return why *system* has no part in this, empty where it has."""
        if self.operation in system.cannot:
            return system.cannot[self.operation]
        if self.shards > 1 and "shards" in system.cannot:
            return system.cannot["shards"]
        if self.clients > 1 and not system.client:
            return "has no clients: callers live in a node"
        if system is ours.PLAIN and not self.plain:
            return NOT_ASKED
        return ""


CASES = (
    Case(callers=1, plain=True),
    Case(callers=16, plain=True),
    Case(callers=64),
    Case(callers=256, plain=True),
    Case(callers=1_024),
    Case(callers=256, clients=16),
    Case(operation=READ, callers=1),
    Case(operation=READ, callers=16),
    Case(operation=READ, callers=64),
    Case(operation=READ, callers=256),
)
SHARD_CALLERS = 256
SPREAD_OVER = (1, 100, 1_000)
"""Shards of one cluster over which the callers spread their writes."""
