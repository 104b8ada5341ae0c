"""Clients that write and read, insist or give up, and note what they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId, ShardId
from lolraft.sim.history import History, Operation

if TYPE_CHECKING:
    from lolraft.sim.world import World

GIVE_UP_S = 6.0
PATIENT_S = float("inf")  # Waits for an answer, or for the death of whom it asked.
KEYS = 3
UNKNOWN = "outcome unknown"


class Client:
    """
    One operation after another on one shard.

    A careful client gives each write a request id and asks again until it knows the answer. A hasty
    one asks once, without an id: a write whose answer is lost may have happened. An eager one asks
    two nodes at the same time with the same id.
    """

    def __init__(self, world: World, number: int, shard_id: ShardId, manner: str) -> None:
        self.world = world
        self.number = number
        self.shard_id = shard_id
        self.manner = manner  # careful, hasty, eager
        self.is_busy = False
        self._chance = world.clock.chance(f"client {number}")
        self._pace = world.clock.chance(f"pace of client {number}")
        self._count = 0
        self._leader: NodeId | None = None
        self._current: Operation | None = None
        self._try_s = self._chance.choice((0.3, 1.0, 2.0, 5.0, PATIENT_S))
        self._pace_s = world.plan.pace_s
        self._next()

    def _next(self) -> None:
        self.is_busy = False
        self._current = None
        if not self.world.is_over:
            delay_s = self._pace.expovariate(1 / self._pace_s)
            self.world.clock.after(delay_s, self._begin)

    def _begin(self) -> None:
        if self.world.is_over or self._count >= self.world.plan.operations:
            return
        self._count += 1
        # A source for each operation: one that is left out shifts no other.
        self._chance = self.world.clock.chance(f"client {self.number} {self._count}")
        asked = self.world.plan.asked
        if asked is not None and f"c{self.number}.{self._count}" not in asked:
            self._next()
            return
        self.world.did["asked"].append(f"c{self.number}.{self._count}")
        dice = self._chance.random()
        kind = "write" if dice < 0.45 else "add" if dice < 0.6 else "read"
        name = "" if kind == "read" else f"c{self.number}.{self._count}"
        is_counter = kind == "add" or (kind == "read" and self._chance.random() < 0.3)
        key = "+" if is_counter else f"k{self._chance.randrange(KEYS)}"
        value = {"write": name, "add": str(self._count), "read": ""}[kind]
        operation = Operation(self.number, key, kind, value, self.world.clock.now_s, name=name)
        operation.exactly_once = self.manner != "hasty"
        self.world.histories.setdefault(self.shard_id, History()).operations.append(operation)
        self.is_busy = True
        self._current = operation
        self._try(operation)
        if self.manner == "eager":
            self._try(operation)

    def _request(self, operation: Operation) -> ClientRequest:
        if operation.kind == "read":
            kind, message, request_id = RequestKind.READ, operation.key, ""
        else:
            kind = RequestKind.WRITE
            message = f"{operation.name} {operation.key} {operation.value}"
            request_id = operation.name if operation.exactly_once else ""
        return ClientRequest(
            ticket=0,
            kind=kind,
            shard_id=self.shard_id,
            message=message.encode(),
            request_id=request_id,
        )

    def _try(self, operation: Operation) -> None:
        if self._current is not operation:
            return
        names = self.world.names
        node_id = self._leader if self._chance.random() < 0.8 else None
        node = self.world.nodes[node_id or self._chance.choice(names)]
        is_open = True

        def answered(respond: Respond | None) -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                self._answered(operation, node.node_id, respond)

        ticket = node.ask(self._request(operation), answered)

        def late() -> None:
            if is_open:
                node.forget(ticket)
                answered(None)

        if self._try_s < PATIENT_S:
            self.world.clock.after(self._try_s, late)

    def _answered(self, operation: Operation, asked: NodeId, respond: Respond | None) -> None:
        if self._current is not operation:
            return
        now_s = self.world.clock.now_s
        if respond is not None and respond.code is Code.OK:
            self._leader = self._leader or asked
            operation.end_s, operation.answer = now_s, respond.message.decode()
            self.world.counts[f"{operation.kind} done"] += 1
            self._next()
            return
        self._leader = None
        if respond is not None and respond.leader_id in self.world.nodes:
            self._leader = respond.leader_id
        if not operation.exactly_once and operation.kind != "read" and not _is_sure(respond):
            self.world.counts["outcome unknown"] += 1
            self._next()
        elif now_s - operation.begin_s > GIVE_UP_S or self.world.is_over:
            self.world.counts["given up"] += 1
            self._next()
        else:
            delay_s = 0.01 + self._chance.random() * 0.15
            self.world.clock.after(delay_s, self._try, operation)


def _is_sure(respond: Respond | None) -> bool:
    """Return whether the request has certainly not been executed."""
    return respond is not None and UNKNOWN.encode() not in respond.message
