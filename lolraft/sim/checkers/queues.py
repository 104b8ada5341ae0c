"""Every queue has a bound, and at rest nothing is left in any (DESIGN 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import SENT_REMEMBERED
from lolraft.sim.checkers.checker import Checker

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode

MOST = 2_000
"""More of anything than a workload of a few clients can explain."""

MOST_BYTES = 4 * 1024 * 1024
SLACK_BYTES = 1024 * 1024


class Queues(Checker):
    """Look at what grows while something is wrong, and whether it is empty again afterwards."""

    promise = "queues are bounded (DESIGN 5)"

    def tick(self) -> None:
        """Look at the sizes."""
        for node in self.world.nodes.values():
            if node.machine is None:
                continue
            inner = node.machine.node
            for peer in inner.peers.values():
                outbox = peer.outbox
                if outbox.size_bytes > outbox.limit_bytes + SLACK_BYTES:
                    self.broken(f"{node.node_id}: {outbox.size_bytes} bytes for {peer.node_id}")
                if len(peer.sent) > SENT_REMEMBERED:
                    self.broken(f"{node.node_id} remembers {len(peer.sent)} heartbeats")
            for name, size in self._sizes(inner):
                if size > MOST and size > (MOST_BYTES if name.startswith("bytes") else MOST):
                    self.broken(f"{node.node_id}: {size} {name}")
            for shard in inner.shards.values():
                if shard.queued > inner.config.apply_entries:
                    self.broken(f"{node.node_id}: {shard.queued} commands wait for one app")
                if shard.pending > inner.config.limits.proposal_entries:
                    self.broken(f"{node.node_id}: {shard.pending} requests of one shard in flight")

    def _sizes(self, inner: Node) -> list[tuple[str, int]]:
        sizes = [
            ("requests", len(inner.requests)),
            ("forwarded requests", len(inner.forwarded)),
            ("probes", len(inner.probes)),
            ("saves that wait", len(inner.saves)),
            ("elections under way", len(inner.elections.standing)),
            ("requests in flight", inner.pending),
            ("bytes in flight", inner.pending_bytes),
            ("deadlines", len(inner.deadlines) - 10 * len(inner.shards)),
        ]
        for shard in inner.shards.values():
            sizes += [(f"{name} of shard {shard.shard_id}", n) for name, n in self._of(shard) if n]
        return sizes

    def _of(self, shard: Shard) -> list[tuple[str, int]]:
        leadership = shard.state.leadership
        reads = len(leadership.reads) + len(leadership.early_reads) if leadership else 0
        return [
            ("effects held back", len(shard.held)),
            ("proposals", len(shard.proposals)),
            ("ids in flight", len(shard.pending_ids)),
            ("requests in flight", shard.pending),
            ("bytes in flight", shard.pending_bytes),
            ("commands in the app's queue", shard.queued),
            ("bytes in the app's queue", shard.queued_bytes),
            ("reads behind the log", len(shard.reads_behind)),
            ("reads", len(shard.read_messages) + reads),
            ("read rounds", len(shard.confirms)),
            ("requests without a leader", len(shard.waiting)),
            ("applies under way", len(shard.jobs)),
        ]

    def at_rest(self) -> None:
        """Find nothing left."""
        for node in self.world.nodes.values():
            if node.is_running:
                self._at_rest(node)

    def _at_rest(self, node: SimNode) -> None:
        assert node.machine is not None, "it runs"
        for name, size in self._sizes(node.machine.node):
            if size > 0 and not name.startswith("deadlines"):
                self.broken(f"{node.node_id}: {size} {name} are left at rest")
