"""A simulated world as the lab wants it: key-value apps, and everything that nodes tell kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import count
from pathlib import Path

from lab.apps.counter import CounterApp
from lab.apps.kv import KeyValueApp
from lolraft.multiraft.effects import Tell
from lolraft.raft.types import Index, NodeId, ShardId
from lolraft.sim import Plan, World
from lolraft.sim.app import SimApp
from lolraft.sim.checkers import ALL
from lolraft.sim.checkers.objections import Objections
from lolraft.sim.node import SimNode

APPS: dict[str, Callable[[Path], SimApp]] = {"kv": KeyValueApp, "counter": CounterApp}

FEW_SHARDS = 64
DEAR = (Objections,)
"""Checkers that look at every shard after every turn: too slow for many of them."""


class LabWorld(World):
    """A world without chance's clients and faults: people, scripts and workloads bring theirs."""

    def __init__(
        self, plan: Plan, app: str, make_app: Callable[[], SimApp], *, judged: bool = True
    ) -> None:
        few = len(plan.shards) <= FEW_SHARDS
        checkers = ALL if few else [one for one in ALL if one not in DEAR]
        super().__init__(plan, make_app, checkers if judged else ())
        self.app_name = app
        self.numbers = count(1)  # Of requests, over all clients.
        self.told: defaultdict[NodeId, list[tuple[float, Tell]]] = defaultdict(list)
        self.commands: Counter[NodeId] = Counter()  # Applied since its start, by each node.
        self.elections = 0  # Won by anybody, so far.

    def tell(self, node: SimNode, tell: Tell) -> None:
        """Keep what a node tells, for its watcher."""
        self.told[node.node_id].append((self.clock.now_s, tell))
        self.elections += tell.kind == "elected"
        super().tell(node, tell)

    def started(self, node: SimNode) -> None:
        """Count from nothing."""
        self.commands[node.node_id] = 0
        super().started(node)

    def applied(
        self, node: SimNode, shard_id: ShardId, index: Index, message: bytes, app: SimApp
    ) -> None:
        """Count a command."""
        self.commands[node.node_id] += 1
        super().applied(node, shard_id, index, message, app)
