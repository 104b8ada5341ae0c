"""`RaftClient`: finds the leader, batches what arrives together, retries without doing twice."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from lolraft.client_stream import Reply, SubmitChannel
from lolraft.config import Tls, normalise_node_id
from lolraft.errors import ConfigError, RequestFailed
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2, lolraft_pb2

WRITE, READ = 0, 1
LEADER_KEY = "lolraft-leader"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
TRY_S = 2.0
"""A node that has not answered for so long is left for another; the request may still happen."""

RETRIED = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}

Answer = TypeVar("Answer")


class RaftClient:
    """
    Write to and read from a cluster by the addresses of some of its servers.

    All methods belong to one event loop. Every call ends within *timeout_s*: with the app's
    answer, or with `RequestFailed`. A write is executed at most once, however often it had to be
    sent: it carries a request id.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        timeout_s: float = 10.0,
        tls: Tls | None = None,
        dial: Callable[[NodeId], str] | None = None,
    ) -> None:
        """
        Know some servers, as ids (`http://host:port`) or as host:port.

        *dial* says under which host:port a server is reached from here, where that is another
        than its id's: behind a published port, or on a second network.

        Raises:
            ConfigError: an address makes no sense, or there is none.
        """
        if not addresses:
            raise ConfigError("a client needs the address of one server at least")
        self.timeout_s = timeout_s
        self._servers: list[NodeId] = [normalise_node_id(address) for address in addresses]
        self._tls = tls
        self._dial = dial
        self._nodes: dict[NodeId, SubmitChannel] = {}
        self._leaders: dict[ShardId, NodeId] = {}
        self._next = random.randrange(len(self._servers))

    async def __aenter__(self) -> RaftClient:
        """Return the client; it dials when it is first asked for something."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close every connection; calls under way end with `RequestFailed`."""
        nodes, self._nodes = self._nodes, {}
        for node in nodes.values():
            await node.close()

    # --- the app ---------------------------------------------------------------------------------

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
            RequestFailed: ABORTED is the app's own refusal; where `outcome_known` is False, call
                again with the same *request_id* to learn what happened.
        """
        name = uuid.uuid4().hex if request_id is None else request_id
        return await self._submit(shard_id, WRITE, message, name, timeout_s)

    async def read(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """
        Ask the app, linearizably: the answer contains every write that was acknowledged before.

        Raises:
            RequestFailed: see `write`; a read changes nothing.
        """
        return await self._submit(shard_id, READ, message, "", timeout_s)

    async def _submit(
        self,
        shard_id: ShardId,
        kind: int,
        message: bytes,
        request_id: str,
        timeout_s: float | None,
    ) -> bytes:
        async def attempt(node: SubmitChannel, within_s: float) -> bytes:
            reply = await node.submit(shard_id, kind, message, request_id, within_s)
            if reply.code == "OK":
                return reply.message
            raise Refused(reply)

        once = kind == READ or bool(request_id)
        return await self._try(shard_id, attempt, timeout_s, changes=kind == WRITE, repeats=once)

    # --- operators -------------------------------------------------------------------------------

    async def add_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Make *server_id* a voter; on an empty server with its own id, begin a group of one."""
        request = lolraft_pb2.AddServerRequest(shard_id=shard_id, server_id=server_id)
        await self._unary(shard_id, lambda node: node.raft.AddServer, request, timeout_s)

    async def remove_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Take *server_id* out of the group."""
        request = lolraft_pb2.RemoveServerRequest(shard_id=shard_id, server_id=server_id)
        await self._unary(shard_id, lambda node: node.raft.RemoveServer, request, timeout_s)

    async def transfer_leadership(
        self, shard_id: ShardId, target: str = "", *, timeout_s: float | None = None
    ) -> None:
        """Hand the leadership to *target*, or to the most caught-up voter."""
        request = client_pb2.TransferRequest(shard_id=shard_id, server_id=target)
        await self._unary(shard_id, lambda node: node.client.TransferLeadership, request, timeout_s)

    async def timeout_now(self, server_id: str, shard_id: ShardId) -> None:
        """Make one server start an election at once."""
        node = self._node(normalise_node_id(server_id))
        request = lolraft_pb2.TimeoutNow(shard_id=shard_id)
        try:
            await node.raft.SendTimeoutNow(request, timeout=self.timeout_s)
        except grpc.aio.AioRpcError as error:
            raise _failed(reply_of(error), outcome_known=True) from error

    async def get_snapshot(
        self, server_id: str, shard_id: ShardId, index: int
    ) -> AsyncIterator[bytes]:
        """Yield the app's bytes of a snapshot that *server_id* holds."""
        node = self._node(normalise_node_id(server_id))
        request = lolraft_pb2.GetSnapshotRequest(shard_id=shard_id, index=index)
        try:
            async for chunk in node.raft.GetSnapshot(request, timeout=self.timeout_s):
                yield chunk.data
        except grpc.aio.AioRpcError as error:
            raise _failed(reply_of(error), outcome_known=True) from error

    async def _unary(
        self,
        shard_id: ShardId,
        method: Callable[[SubmitChannel], Any],
        request: object,
        timeout_s: float | None,
    ) -> None:
        async def attempt(node: SubmitChannel, within_s: float) -> None:
            try:
                await method(node)(request, timeout=within_s)
            except grpc.aio.AioRpcError as error:
                raise Refused(reply_of(error)) from error

        # A change of members is idempotent (C2), so all of these may be repeated.
        await self._try(shard_id, attempt, timeout_s, changes=True, repeats=True, try_s=60.0)

    # --- trying ----------------------------------------------------------------------------------

    async def _try(
        self,
        shard_id: ShardId,
        attempt: Callable[[SubmitChannel, float], Awaitable[Answer]],
        timeout_s: float | None,
        *,
        changes: bool,
        repeats: bool,
        try_s: float = TRY_S,
    ) -> Answer:
        until_s = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        pause_s = FIRST_PAUSE_S
        open_outcome = False
        while True:
            left_s = until_s - time.monotonic()
            server = self._choose(shard_id)
            try:
                return await attempt(self._node(server), max(0.001, min(try_s, left_s)))
            except Refused as refused:
                reply = refused.reply
            self._learn(shard_id, server, reply)
            open_outcome |= changes and reply.maybe_executed
            left_s = until_s - time.monotonic()
            if (
                reply.code not in RETRIED
                or left_s <= pause_s
                or not (repeats or not reply.maybe_executed)
            ):
                raise _failed(reply, outcome_known=not open_outcome)
            if reply.leader_id is None:
                await asyncio.sleep(pause_s * (0.5 + random.random()))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _choose(self, shard_id: ShardId) -> NodeId:
        return self._leaders.get(shard_id) or self._servers[self._next % len(self._servers)]

    def _learn(self, shard_id: ShardId, asked: NodeId, reply: Reply) -> None:
        if reply.leader_id is not None and reply.leader_id != asked:
            self._leaders[shard_id] = reply.leader_id
            return
        self._leaders.pop(shard_id, None)
        self._next += 1

    def _node(self, server: NodeId) -> SubmitChannel:
        node = self._nodes.get(server)
        if node is None:
            target = self._dial(server) if self._dial is not None else None
            node = SubmitChannel(server, self._tls, target)
            self._nodes[server] = node
        return node


class Refused(Exception):
    """One try ended without an answer of the app."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


def reply_of(error: grpc.aio.AioRpcError) -> Reply:
    """Return a status that ended a call as a reply."""
    metadata = dict(error.trailing_metadata() or ())
    leader = metadata.get(LEADER_KEY)
    return Reply(
        code=error.code().name,
        message=(error.details() or "").encode(),
        leader_id=NodeId(str(leader)) if leader else None,
    )


def _failed(reply: Reply, *, outcome_known: bool) -> RequestFailed:
    text = reply.message.decode(errors="replace")
    return RequestFailed(reply.code, text, outcome_known=outcome_known)
