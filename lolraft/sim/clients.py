"""Clients that write and read, insist or give up, and note what they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.commands import NONCE_BYTES, Registration, RequestId
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.unanswered import Session
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId, ShardId
from lolraft.sim.history import History, Operation

if TYPE_CHECKING:
    from lolraft.sim.world import World

GIVE_UP_S = 6.0
SIEGE_PACE_S = 1.0  # Between two operations of a client in a siege, at least.
PATIENT_S = float("inf")  # Waits for an answer, or for the death of whom it asked.
KEYS = 3
BOUNDS_S = (0.0, 0.05, 0.3, 1.0, 4.0)  # Of stale reads.
ANYWHERE = (RequestKind.READ_LOCAL, RequestKind.READ_STALE)  # Whoever is asked answers itself.
UNKNOWN = "outcome unknown"
NOT_EXECUTED = (
    Code.RESOURCE_EXHAUSTED,
    Code.NOT_FOUND,
    Code.INVALID_ARGUMENT,
    Code.OUT_OF_RANGE,
)


class Client:
    """
    One operation after another on one shard.

    A careful client gives each write an id and asks again until it knows the answer: an opaque id,
    or one of a session, as `RaftClient` has it, where the plan says that clients register. A hasty
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
        self._reads = world.clock.chance(f"reads of client {number}")
        self._pace = world.clock.chance(f"pace of client {number}")
        self._count = 0
        self._leader: NodeId | None = None
        self._current: Operation | None = None
        self._registers = world.plan.registers and manner != "hasty"
        self._pair = (shard_id, number // len(world.plan.shards) // 2)  # Shares a session.
        self._session: Session | None = None  # That of the write under way, ...
        self._sequence = 0  # ... and its number in it.
        self._nonce = b""  # Of the registration under way.
        self._sent = self._harmless = 0  # Tries of it; those that were certainly not executed.
        self._try_s = self._chance.choice((0.3, 1.0, 2.0, 5.0, PATIENT_S))
        self._pace_s = world.plan.pace_s
        self._next()

    def _next(self) -> None:
        self.is_busy = False
        self._current = None
        self._leave_session()
        if not self.world.is_over:
            delay_s = self._pace.expovariate(1 / self._pace_s)
            if self.world.clock.now_s >= self.world.siege_at_s:
                delay_s *= max(1.0, SIEGE_PACE_S / self._pace_s)
            self.world.clock.after(delay_s, self._begin)

    def _begin(self) -> None:
        if self.world.is_over:
            return
        until_siege_s = self.world.siege_at_s - self.world.clock.now_s
        if self._count >= self.world.plan.operations and until_siege_s > 0:
            if self.world.plan.siege_s:  # It has done enough before that.
                self.world.clock.after(until_siege_s, self._next)
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
        if kind == "read":
            operation.read = RequestKind(self._reads.choice(self.world.plan.reads))
            if operation.read is RequestKind.READ_STALE:
                operation.max_staleness_s = self._reads.choice(BOUNDS_S)
        operation.exactly_once = self.manner != "hasty"
        self.world.histories.setdefault(self.shard_id, History()).operations.append(operation)
        self.is_busy = True
        self._current = operation
        self._sent = self._harmless = 0
        self._nonce = self._chance.randbytes(NONCE_BYTES) if self._registers else b""
        self._try(operation)
        if self.manner == "eager":
            self._try(operation)

    def _request(self, operation: Operation) -> ClientRequest:
        request_id: RequestId = ""
        if operation.kind == "read":
            kind, message = operation.read, operation.key
        else:
            kind = RequestKind.WRITE
            message = f"{operation.name} {operation.key} {operation.value}"
            request_id = operation.name if operation.exactly_once else ""
            if self._registers:
                request_id = self._id_of_session()
                message = "" if isinstance(request_id, Registration) else message
        return ClientRequest(
            ticket=0,
            kind=kind,
            shard_id=self.shard_id,
            message=message.encode(),
            request_id=request_id,
            max_staleness_s=operation.max_staleness_s,
        )

    def _id_of_session(self) -> RequestId:
        """Return the write's id in the shard's session, or what registers one."""
        session = self._session or self.world.sessions.get(self._pair)
        if session is None:
            return Registration(self._nonce)
        if self._session is None:
            self._session, self._sequence = session, session.begin()
        self._sent += 1
        return session.write_id(self._sequence)

    def _leave_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end(self._sequence)

    def _expired(self, operation: Operation) -> None:
        """Write in a new session where nothing has happened, else leave the outcome open."""
        self.world.counts["session expired"] += 1
        if self.world.sessions.get(self._pair) is self._session:
            del self.world.sessions[self._pair]
        if self._sent > self._harmless:
            self.world.counts["outcome unknown"] += 1
            self._next()
            return
        self._leave_session()
        self._sent = self._harmless = 0
        self._nonce = self._chance.randbytes(NONCE_BYTES)
        self._try(operation)

    def _try(self, operation: Operation) -> None:
        if self._current is not operation:
            return
        names = self.world.names
        node_id = self._leader if self._chance.random() < 0.8 else None
        node = self.world.nodes[node_id or self._chance.choice(names)]
        if operation.read in ANYWHERE:
            node = self.world.nodes[self._reads.choice(names)]
        is_open = True

        request = self._request(operation)
        registers = isinstance(request.request_id, Registration)

        def answered(respond: Respond | None) -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                if registers and respond is not None and respond.code is Code.OK:
                    self._registered(operation, int(respond.message))
                else:
                    self._answered(operation, node.node_id, respond, registers)

        ticket = node.ask(request, answered)

        def late() -> None:
            if is_open:
                node.forget(ticket)
                answered(None)

        if self._try_s < PATIENT_S:
            self.world.clock.after(self._try_s, late)

    def _registered(self, operation: Operation, number: int) -> None:
        """Begin the write in the session that was registered for it, or in a newer one."""
        self.world.counts["registered"] += 1
        self.world.sessions.setdefault(self._pair, Session(number))
        if self._session is None:
            self._try(operation)

    def _answered(
        self, operation: Operation, asked: NodeId, respond: Respond | None, registers: bool
    ) -> None:
        if self._current is not operation:
            return
        if not registers and respond is not None and respond.code in NOT_EXECUTED:
            self._harmless += 1
            if respond.code is Code.OUT_OF_RANGE:
                self._expired(operation)
                return
        now_s = self.world.clock.now_s
        if respond is not None and respond.code is Code.OK:
            if operation.read not in ANYWHERE:
                self._leader = self._leader or asked
            operation.end_s, operation.answer = now_s, respond.message.decode()
            kind = operation.read.value if operation.kind == "read" else operation.kind
            self.world.counts[f"{kind} done"] += 1
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
