"""A client of a simulated cluster: what `RaftClient` does, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Protocol

from lab.sim.hands import LATE, Hands
from lab.sim.virtual import VirtualTime
from lab.sim.world import LabWorld
from lolraft.errors import RequestFailed
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId, ShardId

TRY_S, PAUSE_S, PATIENCE_S = 2.0, 0.05, 10.0
AGAIN = (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED)
ELSEWHERE = (Code.FAILED_PRECONDITION, Code.NOT_FOUND)
GONE = Respond(ticket=0, code=Code.UNAVAILABLE, message=b"nobody is there", leader_id=None)


class Where(Protocol):
    """A simulated cluster: what it is made of is another one after a return to the past."""

    @property
    def hands(self) -> Hands:
        """Return what reaches into the world that is there now."""

    @property
    def time(self) -> VirtualTime:
        """Return how its time passes."""


class SimClient:
    """Ask one node after another until the answer is one, as a client of real nodes does."""

    def __init__(self, where: Where, ids: list[NodeId] | None = None) -> None:
        self._where = where
        self._ids = ids
        self._leaders: dict[ShardId, NodeId] = {}
        self._next = 0

    @property
    def _world(self) -> LabWorld:
        return self._where.hands.world

    async def write(
        self,
        shard_id: ShardId,
        message: bytes,
        *,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """
        Replicate and apply *message*, once; return the app's answer.

        Raises:
            RequestFailed: as `RaftClient.write`.
        """
        name = request_id or f"lab.{next(self._world.numbers)}"
        return await self._ask(RequestKind.WRITE, shard_id, message, name, timeout_s)

    async def read(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """
        Ask the app, linearizably.

        Raises:
            RequestFailed: as `RaftClient.read`.
        """
        return await self._ask(RequestKind.READ, shard_id, message, "", timeout_s)

    async def add_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Make *server_id* a voter."""
        await self._ask(RequestKind.ADD_SERVER, shard_id, server_id.encode(), "", timeout_s)

    async def remove_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Take *server_id* out of the group."""
        await self._ask(RequestKind.REMOVE_SERVER, shard_id, server_id.encode(), "", timeout_s)

    async def transfer_leadership(
        self, shard_id: ShardId, target: str = "", *, timeout_s: float | None = None
    ) -> None:
        """Hand the leadership to *target*, or to the most caught-up voter."""
        await self._ask(RequestKind.TRANSFER, shard_id, target.encode(), "", timeout_s)

    async def timeout_now(self, server_id: str, shard_id: ShardId) -> None:
        """Make one server start an election at once."""
        answer = await self._once(NodeId(server_id), None, shard_id, b"", "")
        if answer.code is not Code.OK:
            raise RequestFailed(answer.code.value, answer.message.decode(errors="replace"))

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def _ask(
        self,
        kind: RequestKind,
        shard_id: ShardId,
        message: bytes,
        request_id: str,
        timeout_s: float | None,
    ) -> bytes:
        until_s = self._world.clock.now_s + (PATIENCE_S if timeout_s is None else timeout_s)
        not_here: set[NodeId] = set()
        perhaps = False  # A try may have been executed though nobody said so.
        while True:
            node_id = self._choose(shard_id, not_here)
            within_s = min(TRY_S, until_s - self._world.clock.now_s)
            answer = await self._once(node_id, kind, shard_id, message, request_id, within_s)
            if answer.code in (Code.OK, Code.ABORTED):
                self._leaders[shard_id] = answer.leader_id or node_id
            if answer.code is Code.OK:
                return answer.message
            self._leaders.pop(shard_id, None)
            if answer.code in ELSEWHERE and kind in (RequestKind.WRITE, RequestKind.READ):
                not_here.add(node_id)
                if not not_here.issuperset(self._names()):
                    continue
            if answer.leader_id not in (None, node_id):
                self._leaders[shard_id] = answer.leader_id
            perhaps |= kind is RequestKind.WRITE and answer.code in (*AGAIN, LATE.code)
            left_s = until_s - self._world.clock.now_s
            if answer.code not in (*AGAIN, LATE.code) or left_s <= PAUSE_S:
                text = answer.message.decode(errors="replace")
                raise RequestFailed(answer.code.value, text, outcome_known=not perhaps)
            await self._where.time.sleep(PAUSE_S)

    def _names(self) -> list[NodeId]:
        running = [name for name, node in self._world.nodes.items() if node.machine is not None]
        return self._ids or running or list(self._world.nodes)

    def _choose(self, shard_id: ShardId, not_here: set[NodeId]) -> NodeId:
        leader = self._leaders.get(shard_id)
        if leader is not None:
            return leader
        names = [name for name in self._names() if name not in not_here] or self._names()
        self._next += 1
        return names[self._next % len(names)]

    async def once(
        self, node_id: NodeId, shard_id: ShardId, message: bytes, within_s: float
    ) -> str:
        """Ask one node to write, once; return the name of the status."""
        name = f"lab.{next(self._world.numbers)}"
        answer = await self._once(node_id, RequestKind.WRITE, shard_id, message, name, within_s)
        return answer.code.value

    async def _once(
        self,
        node_id: NodeId,
        kind: RequestKind | None,
        shard_id: ShardId,
        message: bytes,
        request_id: str,
        within_s: float = TRY_S,
    ) -> Respond:
        """Ask one node once; without a *kind*, to stand for election."""
        answered: asyncio.Future[Respond] = asyncio.get_running_loop().create_future()

        def tell(answer: Respond | None) -> None:
            if not answered.done():
                answered.set_result(GONE if answer is None else answer)

        hands, within_s = self._where.hands, max(0.0, within_s)
        if kind is None:
            hands.order(node_id, shard_id, within_s, tell)
        else:
            request = ClientRequest(
                ticket=0, kind=kind, shard_id=shard_id, message=message, request_id=request_id
            )
            hands.ask(node_id, request, within_s, tell)
        return await self._where.time.wait(answered)
