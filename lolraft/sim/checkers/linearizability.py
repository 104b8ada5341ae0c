"""Writes and reads of all clients look like those of one copy (§6.3, §6.4)."""

from __future__ import annotations

from lolraft.sim.checkers.checker import Checker
from lolraft.sim.linearizable import TooHard, why_not_linearizable


class Linearizability(Checker):
    """Judge the history of each key when all is over."""

    promise = "linearizability (§6.4)"

    def at_rest(self) -> None:
        """Search an order that explains every answer."""
        for shard_id, history in sorted(self.world.histories.items()):
            for key, operations in sorted(history.by_key().items()):
                try:
                    why = why_not_linearizable(operations, "0" if key == "+" else "")
                except TooHard:
                    self.world.counts["history too hard"] += 1
                    continue
                if why is not None:
                    self.broken(f"shard {shard_id}, {why}")
