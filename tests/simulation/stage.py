"""A calm world that a test directs: nothing fails but what the story says."""

from __future__ import annotations

from collections.abc import Callable

from lolraft.multiraft.commands import RequestId
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.state import RaftState
from lolraft.raft.types import NodeId
from lolraft.sim import Plan, World
from lolraft.sim.groups import leader_of
from lolraft.sim.node import SimNode


class Stage:
    """Nodes, a leader, and somebody who asks."""

    def __init__(self, plan: Plan) -> None:
        self.world = World(plan)
        self.world.boot()
        self.until(lambda: all(self.leads(shard_id) for shard_id in plan.shards))
        self.run(0.5)  # Everybody has heard of it.

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.world.clock.run(self.world.clock.now_s + seconds)

    def until(self, test: Callable[[], object], within_s: float = 10.0) -> None:
        """Go on until *test* holds; fail when it does not in time."""
        clock = self.world.clock
        until_s = clock.now_s + within_s
        while not test():
            assert clock.now_s < until_s, f"not within {within_s:g} s"
            clock.run(clock.now_s + 0.02)

    def node(self, number: int) -> SimNode:
        return self.world.nodes[self.world.names[number - 1]]

    def leads(self, shard_id: int = 0) -> RaftState | None:
        return leader_of(self.world, shard_id)

    def leader(self, shard_id: int = 0) -> SimNode:
        state = self.leads(shard_id)
        assert state is not None, "there is a leader"
        return self.world.nodes[state.node_id]

    def followers(self, shard_id: int = 0) -> list[SimNode]:
        leader = self.leader(shard_id)
        return [node for node in self.world.nodes.values() if node is not leader]

    def state(self, node: SimNode, shard_id: int = 0) -> RaftState:
        assert node.machine is not None, "it runs"
        return node.machine.node.shards[shard_id].state

    def ask(
        self,
        node: SimNode,
        kind: RequestKind,
        text: str,
        request_id: RequestId = "",
        shard_id: int = 0,
        max_staleness_s: float = 0.0,
    ) -> list[Respond | None]:
        """Ask, and return where the answer will be."""
        answers: list[Respond | None] = []
        request = ClientRequest(
            ticket=0,
            kind=kind,
            shard_id=shard_id,
            message=text.encode(),
            request_id=request_id,
            max_staleness_s=max_staleness_s,
        )
        node.ask(request, answers.append)
        return answers

    def told(self, answers: list[Respond | None], within_s: float = 10.0) -> Respond:
        """Wait for an answer and return it."""
        self.until(lambda: answers, within_s)
        assert answers[0] is not None, "the node lives"
        return answers[0]

    def write(self, node: SimNode, name: str, shard_id: int = 0) -> None:
        """Write, and fail when that is not OK."""
        answers = self.ask(node, RequestKind.WRITE, f"{name} k {name}", name, shard_id)
        assert self.told(answers).code is Code.OK

    def write_at_once(self, node: SimNode, name: str) -> None:
        """Write, and stop the clock at the very moment of the answer."""
        answers = self.ask(node, RequestKind.WRITE, f"{name} k {name}", name)
        clock = self.world.clock
        assert clock.run(clock.now_s + 10.0, lambda: bool(answers))
        assert answers[0] is not None, "the node lives"
        assert answers[0].code is Code.OK

    def links(self, one: SimNode, other: SimNode) -> list[tuple[NodeId, NodeId]]:
        """Return both directions between two nodes."""
        return [(one.node_id, other.node_id), (other.node_id, one.node_id)]

    def world_links(self, node: SimNode) -> list[tuple[NodeId, NodeId]]:
        """Return both directions between a node and each of the others."""
        others = [other for other in self.world.nodes.values() if other is not node]
        return [link for other in others for link in self.links(node, other)]
