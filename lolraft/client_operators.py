"""What operators ask of a cluster: other members, another leader, the bytes of a snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

import grpc
import grpc.aio

from lolraft.client_stream import Refused, Reply, SubmitChannel, answer_of
from lolraft.config import normalise_node_id
from lolraft.errors import RequestFailed
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2, lolraft_pb2

Request = TypeVar("Request")


class Operators(ABC):
    """
    The operators' half of `RaftClient`, which finds the leader and retries.

    A change of members answers when it is committed, which takes as long as the new servers need
    to catch up: give *timeout_s* accordingly. All are idempotent: what is so already is OK, and
    who asks for a change that is under way waits for its end.

    Raises, each of them:
        RequestFailed: FAILED_PRECONDITION, another change is under way, a server does not host
            the shard or belongs to another group, or no voter would be left; UNAVAILABLE, a new
            server cannot be reached or made no progress for 10 s, and nothing was changed.
    """

    timeout_s: float

    async def add_server(
        self,
        shard_id: ShardId,
        server_id: str,
        *,
        as_learner: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        """
        Make *server_id* a voter when it has caught up; a learner of the group is promoted.

        With *as_learner* it stays a learner (§4.2.1): it receives every entry and does not vote; a
        voter that is added so stops voting. On an empty server, its own id begins a group of one.
        """
        if as_learner:
            await self._change(shard_id, timeout_s, learners=[server_id])
            return
        request = built(lolraft_pb2.AddServerRequest, shard_id=shard_id, server_id=server_id)
        await self._unary(shard_id, lambda node: node.raft.AddServer, request, timeout_s)

    async def remove_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Take *server_id* out of the group; it deletes its data of the shard."""
        request = built(lolraft_pb2.RemoveServerRequest, shard_id=shard_id, server_id=server_id)
        await self._unary(shard_id, lambda node: node.raft.RemoveServer, request, timeout_s)

    async def replace_server(
        self, shard_id: ShardId, old_id: str, new_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Let *new_id* vote in the place of *old_id*, in one change; the old one may be dead."""
        await self._change(shard_id, timeout_s, voters=[new_id], removed=[old_id])

    async def change_members(
        self,
        shard_id: ShardId,
        voters: Iterable[str],
        learners: Iterable[str] = (),
        *,
        timeout_s: float | None = None,
    ) -> None:
        """Make exactly these the members, in one change (§4.3); whoever is not named leaves."""
        names = {"voters": list(voters), "learners": list(learners)}
        await self._change(shard_id, timeout_s, others_leave=True, **names)

    async def _change(
        self, shard_id: ShardId, timeout_s: float | None, **wish: bool | list[str]
    ) -> None:
        request = built(client_pb2.ChangeMembersRequest, shard_id=shard_id, **wish)
        await self._unary(shard_id, lambda node: node.client.ChangeMembers, request, timeout_s)

    async def transfer_leadership(
        self, shard_id: ShardId, target: str = "", *, timeout_s: float | None = None
    ) -> None:
        """Hand the leadership to *target*, or to the best: high in priority and caught up."""
        request = built(client_pb2.TransferRequest, shard_id=shard_id, server_id=target)
        await self._unary(shard_id, lambda node: node.client.TransferLeadership, request, timeout_s)

    async def timeout_now(self, server_id: str, shard_id: ShardId) -> None:
        """Make one server start an election at once."""
        node = self._node(normalise_node_id(server_id))
        request = built(lolraft_pb2.TimeoutNow, shard_id=shard_id)
        try:
            await answer_of(node.raft.SendTimeoutNow(request, timeout=self.timeout_s))
        except Refused as refused:
            raise failed(refused.reply, outcome_known=True) from refused

    async def get_snapshot(
        self, server_id: str, shard_id: ShardId, index: int
    ) -> AsyncIterator[bytes]:
        """Yield the app's bytes of a snapshot that *server_id* holds."""
        node = self._node(normalise_node_id(server_id))
        request = built(lolraft_pb2.GetSnapshotRequest, shard_id=shard_id, index=index)
        try:
            call = node.raft.GetSnapshot(request, timeout=self.timeout_s)
            while (chunk := await answer_of(call.read())) is not grpc.aio.EOF:
                yield chunk.data
        except Refused as refused:
            raise failed(refused.reply, outcome_known=True) from refused

    @abstractmethod
    def _node(self, server: NodeId) -> SubmitChannel:
        """Return the connection to a server."""

    @abstractmethod
    async def _unary(
        self,
        shard_id: ShardId,
        method: Callable[[SubmitChannel], Any],
        request: object,
        timeout_s: float | None,
    ) -> None:
        """Ask one server after another until the leader has done it."""


def built(kind: Callable[..., Request], **fields: object) -> Request:
    """
    Return a request.

    Raises:
        RequestFailed: INVALID_ARGUMENT, a number or text does not fit into it.
    """
    try:
        return kind(**fields)
    except ValueError as broken:
        raise RequestFailed("INVALID_ARGUMENT", f"{fields}: {broken}") from broken


def failed(reply: Reply, *, outcome_known: bool) -> RequestFailed:
    """Return what a refused call raises."""
    text = reply.message.decode(errors="replace")
    return RequestFailed(reply.code, text, outcome_known=outcome_known)
