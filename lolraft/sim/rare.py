"""Rare events: what a run must have met before its silence says anything (DESIGN 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.node import Shard
from lolraft.raft.state import RaftState
from lolraft.raft.types import Index, NodeId, Role, ShardId
from lolraft.sim.app import SimApp
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

RARE = (
    "leader deposed with uncommitted entries",
    "leader deposed in a joint configuration",
    "leader died with uncommitted entries",
    "leader died in a joint configuration",
    "leader removed itself",
    "two leaders at once, in different terms",
    "election round without a winner",
    "transfer while the network is cut",
    "transfer while a server is added or removed",
    "joint configuration begun",
    "configuration overwritten with its entry",
    "entries of an earlier term committed by a later one",
    "snapshot installed in a joint configuration",
    "snapshot installed from who leads no more",
    "node died while it fetched a snapshot",
    "node died within a write",
    "majority dead at once",
    "all dead at once",
)
"""Counted here; `world.py`, the disks and the network count some more."""


class Glance(NamedTuple):
    """What is remembered of a replica."""

    leads: bool
    uncommitted: bool
    joint: bool
    configured_at: Index
    commit_index: Index
    source: NodeId | None  # Of the snapshot that it fetches.
    transfers: bool
    attempt: int


class RareEvents(Checker):
    """Compare every replica that was touched with how it was; judge nothing."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.counts: Counter[str] = Counter()
        self._known: dict[tuple[NodeId, ShardId], tuple[int, Glance]] = {}

    def after_turn(
        self, node: SimNode, changed: Sequence[Shard], effects: Sequence[Effect]
    ) -> None:
        """Look at the shards that were touched."""
        for shard in changed:
            state, mark = shard.state, (node.node_id, shard.shard_id)
            life, before = self._known.get(mark, (0, None))
            now = _glance(state)
            self._known[mark] = node.life, now
            if before is not None and life == node.life and now != before:
                for name in self._between(before, now, state):
                    self.counts[name] += 1

    def _between(self, before: Glance, now: Glance, state: RaftState) -> list[str]:
        cuts = self.world.network.weather.has_cuts
        begins_transfer = now.transfers and not before.transfers
        leadership = state.leadership
        deposed = before.leads and not now.leads
        old = state.log.term_at(before.commit_index + 1) if now.leads and before.leads else None
        advanced = now.commit_index > before.commit_index
        fetched = before.source is not None and now.source is None
        found = {
            "leader deposed with uncommitted entries": deposed and before.uncommitted,
            "leader deposed in a joint configuration": deposed and before.joint,
            "leader removed itself": deposed and state.node_id not in state.configuration.members,
            "election round without a winner": now.attempt > before.attempt,
            "transfer while the network is cut": begins_transfer and cuts,
            "transfer while a server is added or removed": begins_transfer
            and leadership is not None
            and leadership.change is not None,
            "joint configuration begun": now.joint and not before.joint,
            "configuration overwritten with its entry": now.configured_at < before.configured_at,
            "entries of an earlier term committed by a later one": advanced
            and old is not None
            and old < state.current_term,
            "snapshot installed from who leads no more": fetched
            and not self._leads(before.source, state.shard_id),
        }
        return [name for name, is_so in found.items() if is_so]

    def _leads(self, node_id: NodeId | None, shard_id: ShardId) -> bool:
        known = None if node_id is None else self._known.get((node_id, shard_id))
        return known is not None and known[1].leads

    def installed(self, node: SimNode, shard_id: ShardId, index: Index, app: SimApp) -> None:
        """Look at the configuration that it came into."""
        _, known = self._known.get((node.node_id, shard_id), (0, None))
        if known is not None and known.joint:
            self.counts["snapshot installed in a joint configuration"] += 1

    def died(self, node: SimNode) -> None:
        """Look at what its replicas were doing."""
        for shard_id in self.world.plan.shards:
            life, known = self._known.get((node.node_id, shard_id), (0, None))
            if known is None or life != node.life - 1:  # Its end has raised it.
                continue
            self._known[node.node_id, shard_id] = life, known._replace(leads=False)
            deeds = {
                "leader died with uncommitted entries": known.leads and known.uncommitted,
                "leader died in a joint configuration": known.leads and known.joint,
                "node died while it fetched a snapshot": known.source is not None,
            }
            self.counts.update(name for name, is_so in deeds.items() if is_so)
        nodes = self.world.nodes.values()
        dead = sum(other.machine is None for other in nodes)
        self.counts["all dead at once"] += dead == len(nodes)
        self.counts["majority dead at once"] += 2 * dead > len(nodes)

    def tick(self) -> None:
        """Look for leaders that do not know yet that they are none."""
        for shard_id in self.world.plan.shards:
            if sum(self._leads(name, shard_id) for name in self.world.names) > 1:
                self.counts["two leaders at once, in different terms"] += 1


def _glance(state: RaftState) -> Glance:
    leadership = state.leadership
    return Glance(
        leads=state.role is Role.LEADER,
        uncommitted=state.log.last_index > state.commit_index,
        joint=state.configuration.is_joint,
        configured_at=state.configuration_index,
        commit_index=state.commit_index,
        source=None if state.fetching is None else state.fetching.source,
        transfers=leadership is not None and leadership.transfer is not None,
        attempt=state.attempt,
    )
