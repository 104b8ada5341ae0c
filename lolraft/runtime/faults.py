"""Faults on purpose: one versioned rule set with a lease, and what it does to disk and clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.types import NodeId, ShardId
from lolraft.runtime.clock import boot_time_s
from lolraft.storage.interface import Storage, StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """What is sent from `sender` to `receiver` is treated so; empty means any node."""

    sender: str = ""
    receiver: str = ""
    shard_id: ShardId | None = None
    kind: str = ""  # append, vote, beat, snapshot, forward; empty means all.
    drop: float = 0.0  # Probability; 1 cuts.
    delay_s: float = 0.0
    jitter_s: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    bandwidth_bytes_s: float = 0.0  # 0: no limit.

    def matches(self, sender: str, receiver: str, kind: str, shard_id: ShardId | None) -> bool:
        """Return whether a message of this kind on this link falls under the rule."""
        return (
            self.sender in ("", sender)
            and self.receiver in ("", receiver)
            and self.kind in ("", kind)
            and (self.shard_id is None or self.shard_id == shard_id)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that is to go wrong at one node."""

    version: int = 0
    lease_s: float = 0.0
    links: tuple[LinkRule, ...] = ()
    sync_delay_s: float = 0.0
    fail_sync: bool = False
    full: bool = False
    clock_rate: float = 1.0
    clock_jump_s: float = 0.0


class FaultBox:
    """Hold the rules in force; they end by themselves when their lease is not renewed."""

    def __init__(self, node_id: NodeId, clock: Callable[[], float] = time.monotonic) -> None:
        self.node_id = node_id
        self._clock = clock
        self._rules = Rules()
        self._until_s = 0.0
        self.random = Random(node_id)  # Of its own, so that a fault shifts nobody else's dice.
        self._on_change: list[Callable[[], None]] = []

    @property
    def rules(self) -> Rules:
        """Return what is in force now."""
        if self._rules.version and self._clock() >= self._until_s:
            self._rules = Rules(version=self._rules.version)
        return self._rules

    @property
    def version_in_force(self) -> int:
        """Return the version of the rules in force, 0 when nothing is broken."""
        rules = self.rules
        idle = rules == Rules(version=rules.version, lease_s=rules.lease_s)
        return 0 if idle else rules.version

    @property
    def lease_left_s(self) -> float:
        """Return how long the rules last without being renewed."""
        return max(0.0, self._until_s - self._clock())

    def set(self, rules: Rules) -> bool:
        """Replace the rules; False when *rules* are older than those known."""
        if rules.version < self._rules.version:
            return False
        self._rules = rules
        self._until_s = self._clock() + rules.lease_s
        for callback in self._on_change:
            callback()
        return True

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call *callback* after every `set`."""
        self._on_change.append(callback)


class FaultyStorage(Storage):
    """Pass everything on to a real store, slowly or not at all where the rules say so."""

    def __init__(self, inner: Storage, box: FaultBox) -> None:
        self._inner = inner
        self._box = box

    def open(self, node_id: NodeId) -> NodeRecord:
        """Open the real store."""
        return self._inner.open(node_id)

    def load(self) -> dict[ShardId, ShardRecord]:
        """Load from the real store."""
        return self._inner.load()

    def commit(self, batch: Batch) -> None:
        """Commit, unless the rules make the disk slow, full or failing."""
        rules = self._box.rules
        if rules.sync_delay_s > 0:
            time.sleep(rules.sync_delay_s)  # In the disk thread, as a slow fsync would.
        if rules.full:
            raise StorageError("no space left on device (a fault that was asked for)")
        if rules.fail_sync:
            raise StorageError("fsync failed (a fault that was asked for)")
        self._inner.commit(batch)

    def close(self) -> None:
        """Close the real store."""
        self._inner.close()


class SkewedClock:
    """A monotonic clock that runs at another rate, or jumps ahead, where the rules say so."""

    def __init__(self, box: FaultBox, inner: Callable[[], float] = boot_time_s) -> None:
        self._box = box
        self._inner = inner
        self._last_s = inner()
        self._now_s = self._last_s
        self._jumped_s = 0.0  # Of the jump in force.

    def __call__(self) -> float:
        """Return the skewed time, in seconds; it never goes back."""
        rules = self._box.rules
        true_s = self._inner()
        self._now_s += (true_s - self._last_s) * max(0.0, rules.clock_rate)
        self._last_s = true_s
        self._now_s += max(0.0, rules.clock_jump_s - self._jumped_s)
        self._jumped_s = rules.clock_jump_s  # A renewal of the same rules jumps no further.
        return self._now_s
