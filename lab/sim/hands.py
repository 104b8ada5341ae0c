"""
Every hand that reaches into a simulated world from outside, written down.

A world is decided by its seed and by what was done to it and when, to the action. So the same seed
and the same deeds make the same world again, up to any moment: `replay` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lab.sim.world import LabWorld
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId, ShardId
from lolraft.sim.clock import Action
from lolraft.sim.single import bring, drop
from lolraft.sim.weather import Link, Rule
from lolraft.sim.wiretap import Wiretap

LATE = Respond(ticket=0, code=Code.DEADLINE_EXCEEDED, message=b"no answer came", leader_id=None)
MOST_DEEDS = 500_000  # Of which a world is made again; each takes some hundred bytes.
BREATH = 200  # Actions, before somebody else gets a turn.

Answer = Callable[[Respond | None], None]
"""Takes the answer; None when the node died with the request."""


class Moment(NamedTuple):
    """A point in a world's life."""

    steps: int  # Actions of the world's clock so far.
    now_s: float
    deeds: int
    digest: str  # Of the world.


class Deed(NamedTuple):
    """One thing that was done."""

    steps: int
    now_s: float
    name: str
    arguments: tuple[object, ...]


class Hands:
    """Do things to a world, and remember them."""

    def __init__(self, world: LabWorld) -> None:
        self.world = world
        self.deeds: list[Deed] = []
        self.is_full = False  # Too much was done: the world cannot be made again.
        self._put: dict[int, int] = {}  # Number of a fault to that of its rule in the weather.

    @property
    def rules(self) -> frozenset[int]:
        """Return the faults whose rules are in force on the network."""
        return frozenset(self._put)

    def moment(self) -> Moment:
        """Return where the world is now."""
        clock = self.world.clock
        return Moment(clock.steps, clock.now_s, len(self.deeds), self.world.digest)

    def _note(self, name: str, *arguments: object) -> None:
        clock = self.world.clock
        if len(self.deeds) < MOST_DEEDS:
            self.deeds.append(Deed(clock.steps, clock.now_s, name, arguments))
        else:
            self.is_full = True

    # --- deeds; each notes itself first ----------------------------------------------------------

    def crash(self, node_id: NodeId) -> None:
        """Let a node die at once."""
        self._note("crash", node_id)
        self.world.nodes[node_id].crash()

    def shut_down(self, node_id: NodeId) -> None:
        """Let a node end in order."""
        self._note("shut_down", node_id)
        self.world.nodes[node_id].shut_down()

    def pause(self, node_id: NodeId) -> None:
        """Freeze a node."""
        self._note("pause", node_id)
        self.world.nodes[node_id].pause()

    def resume(self, node_id: NodeId) -> None:
        """Let a frozen node go on."""
        self._note("resume", node_id)
        self.world.nodes[node_id].resume()

    def start(self, node_id: NodeId) -> None:
        """Boot a node."""
        self._note("start", node_id)
        self.world.nodes[node_id].start()

    def snapshot(self, node_id: NodeId, shard_id: ShardId) -> None:
        """Let an app make a snapshot."""
        self._note("snapshot", node_id, shard_id)
        self.world.nodes[node_id].queues[shard_id].make_snapshot()

    def put(self, fault: int, links: Sequence[Link], rule: Rule) -> None:
        """Put the rule of a fault in force on the network."""
        self._note("put", fault, links, rule)
        self._put[fault] = self.world.network.put(links, rule)

    def take(self, fault: int) -> None:
        """End the rule of a fault."""
        self._note("take", fault)
        self.world.network.take(self._put.pop(fault))

    def disk(self, node_id: NodeId, slow_s: float, fails: str | None) -> None:
        """Let a node's disk be slow, or fail."""
        disk = self.world.nodes[node_id].disk
        if (disk.slow_s, disk.fails) != (slow_s, fails):
            self._note("disk", node_id, slow_s, fails)
            disk.slow_s, disk.fails = slow_s, fails

    def skew(self, node_id: NodeId, rate: float, jump_s: float) -> None:
        """Let a node's clock run at another rate, or jump ahead."""
        self._note("skew", node_id, rate, jump_s)
        self.world.nodes[node_id].skew(rate=rate, jump_s=jump_s)

    def drop(self, number: int) -> None:
        """Lose the message of this number, which is under way."""
        self._note("drop", number)
        drop(self.world.network, number)

    def bring(self, number: int) -> None:
        """Let the message of this number, which is under way, arrive now."""
        self._note("bring", number)
        bring(self.world.network, number)

    def wait(self, delay_s: float, action: Action | None = None) -> None:
        """Let *action*, which only looks on, be done in *delay_s* seconds."""
        self._note("wait", delay_s)
        self.world.clock.after(delay_s, action or _nothing)

    def ask(
        self, node_id: NodeId, request: ClientRequest, within_s: float, answer: Answer | None = None
    ) -> None:
        """Ask a node; after *within_s* seconds the answer is `LATE`, and the request forgotten."""
        self._note("ask", node_id, request, within_s)
        node = self.world.nodes[node_id]
        asked = _Asked(answer)
        self.world.clock.after(within_s, asked.late, node.forget)
        asked.ticket = node.ask(request, asked.answered)

    def order(
        self, node_id: NodeId, shard_id: ShardId, within_s: float, answer: Answer | None = None
    ) -> None:
        """Let a node's replica stand for election."""
        self._note("order", node_id, shard_id, within_s)
        node = self.world.nodes[node_id]
        asked = _Asked(answer)
        self.world.clock.after(within_s, asked.late, node.forget)
        node.order(shard_id, asked.answered)


class _Asked:
    """A request under way: answered, or late and forgotten."""

    def __init__(self, answer: Answer | None) -> None:
        self.ticket = 0
        self._answer = answer
        self._is_done = False

    def answered(self, response: Respond | None) -> None:
        """Pass the answer on, once."""
        if not self._is_done:
            self._is_done = True
            if self._answer is not None:
                self._answer(response)

    def late(self, forget: Callable[[int], None]) -> None:
        """Forget the request, as a cancelled call does."""
        if not self._is_done:
            forget(self.ticket)
            self.answered(LATE)


def _nothing() -> None:
    """Do nothing: who waited is not there, but its place in the order of things is."""


def replay(hands: Hands, deeds: Sequence[Deed], until: Moment) -> Iterator[int]:
    """
    Let a new world, just booted, become what it was at *until*; yield how many actions were done.

    Raises:
        Violation: a promise breaks on the way, as it did then.
        ValueError: the world did not become the same.
    """
    world = hands.world
    world.network.tap = Wiretap(world.clock, None)  # Single messages may have been taken.
    for deed in deeds[: until.deeds]:
        yield from _catch_up(world, deed.steps, deed.now_s)
        getattr(hands, deed.name)(*deed.arguments)
    yield from _catch_up(world, until.steps, until.now_s)
    if hands.moment() != until:
        raise ValueError("the world did not become what it was")


def _catch_up(world: LabWorld, steps: int, now_s: float) -> Iterator[int]:
    clock = world.clock
    while clock.steps < steps and clock.step():
        if clock.steps % BREATH == 0:
            yield clock.steps
    clock.now_s = max(clock.now_s, now_s)
