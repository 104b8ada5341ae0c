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

from lolraft.client_stream import (
    CLOSED,
    READ,
    READ_LEASE,
    READ_LOCAL,
    READ_STALE,
    WRITE,
    Refused,
    Reply,
    SubmitChannel,
    answer_of,
)
from lolraft.config import Tls, normalise_node_id
from lolraft.consistency import Consistency
from lolraft.errors import ConfigError, RequestFailed
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2, lolraft_pb2

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
TRY_S = 2.0
"""A node that has not answered for so long is left for another; the request may still happen."""

SHUN_S = 30.0
"""So long a leader that could not be reached is asked by way of the servers that we know."""

RETRIED = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}
ELSEWHERE = {"FAILED_PRECONDITION", "NOT_FOUND"}
"""One server's word, not the group's: it was removed, never joined, or does not host the shard."""

KINDS = {
    Consistency.LINEARIZABLE: READ,
    Consistency.LEASE: READ_LEASE,
    Consistency.LOCAL: READ_LOCAL,
    Consistency.STALE: READ_STALE,
}

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
        self._shunned: dict[NodeId, float] = {}  # Leaders that we were told of, and until when.
        self._closed = False
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
        """Close every connection; calls under way, and later ones, end with `RequestFailed`."""
        self._closed = True
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
        self,
        shard_id: ShardId,
        message: bytes,
        *,
        consistency: Consistency = Consistency.LINEARIZABLE,
        max_staleness_s: float | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """
        Ask the app, linearizably: the answer contains every write that was acknowledged before.

        *consistency* chooses who answers and what that promises, see `Consistency`. LOCAL and STALE
        reads go to one of the servers that this client was given, the same one while it answers.
        *max_staleness_s* goes with STALE, and only with it: how old the answer may be, in seconds,
        0 or more, as of the moment when the server took the read; what the read then waits for the
        app, and its way back, are not counted. `math.inf` takes any age.

        Raises:
            RequestFailed: see `write`; a read changes nothing. INVALID_ARGUMENT without a bound
                where one is needed, or with one where there is none.
        """
        bound_s = bound_of(consistency, max_staleness_s)
        return await self._submit(shard_id, KINDS[consistency], message, "", timeout_s, bound_s)

    async def _submit(
        self,
        shard_id: ShardId,
        kind: int,
        message: bytes,
        request_id: str,
        timeout_s: float | None,
        bound_s: float = 0.0,
    ) -> bytes:
        if not isinstance(message, bytes):
            if not isinstance(message, bytearray | memoryview):
                raise TypeError(f"a message is bytes, not {type(message).__name__}")
            message = bytes(message)
        try:
            request_id.encode()
        except UnicodeEncodeError as broken:
            raise RequestFailed("INVALID_ARGUMENT", f"a request id is text: {broken}") from broken

        async def attempt(node: SubmitChannel, within_s: float) -> bytes:
            reply = await node.submit(shard_id, kind, message, request_id, within_s, bound_s)
            if reply.code == "OK":
                self._learn_leader(shard_id, reply.leader_id)
                return reply.message
            raise Refused(reply)

        return await self._try(
            shard_id,
            attempt,
            timeout_s,
            changes=kind == WRITE,
            repeats=kind != WRITE or bool(request_id),
            anywhere=kind in (READ_LOCAL, READ_STALE),
        )

    # --- operators -------------------------------------------------------------------------------

    async def add_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Make *server_id* a voter; on an empty server with its own id, begin a group of one."""
        request = built(lolraft_pb2.AddServerRequest, shard_id=shard_id, server_id=server_id)
        await self._unary(shard_id, lambda node: node.raft.AddServer, request, timeout_s)

    async def remove_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Take *server_id* out of the group."""
        request = built(lolraft_pb2.RemoveServerRequest, shard_id=shard_id, server_id=server_id)
        await self._unary(shard_id, lambda node: node.raft.RemoveServer, request, timeout_s)

    async def transfer_leadership(
        self, shard_id: ShardId, target: str = "", *, timeout_s: float | None = None
    ) -> None:
        """Hand the leadership to *target*, or to the most caught-up voter."""
        request = built(client_pb2.TransferRequest, shard_id=shard_id, server_id=target)
        await self._unary(shard_id, lambda node: node.client.TransferLeadership, request, timeout_s)

    async def timeout_now(self, server_id: str, shard_id: ShardId) -> None:
        """Make one server start an election at once."""
        node = self._node(normalise_node_id(server_id))
        request = built(lolraft_pb2.TimeoutNow, shard_id=shard_id)
        try:
            await answer_of(node.raft.SendTimeoutNow(request, timeout=self.timeout_s))
        except Refused as refused:
            raise _failed(refused.reply, outcome_known=True) from refused

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
            raise _failed(refused.reply, outcome_known=True) from refused

    async def _unary(
        self,
        shard_id: ShardId,
        method: Callable[[SubmitChannel], Any],
        request: object,
        timeout_s: float | None,
    ) -> None:
        async def attempt(node: SubmitChannel, within_s: float) -> None:
            await answer_of(method(node)(request, timeout=within_s))

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
        anywhere: bool = False,
    ) -> Answer:
        # Here, before anything is queued: what cannot be sent would end the stream for all.
        if not 0 <= shard_id < 2**32:
            raise RequestFailed("INVALID_ARGUMENT", f"there is no shard {shard_id}")
        patience_s = self.timeout_s if timeout_s is None else timeout_s
        if not patience_s > 0:
            raise RequestFailed("INVALID_ARGUMENT", f"timeout_s is positive, not {patience_s}")
        until_s = time.monotonic() + patience_s
        pause_s = FIRST_PAUSE_S
        open_outcome = False
        not_here: set[NodeId] = set()
        hinted: set[NodeId] = set()
        while True:
            if self._closed:
                raise RequestFailed("CANCELLED", CLOSED.decode(), outcome_known=not open_outcome)
            left_s = until_s - time.monotonic()
            server = self._choose(None if anywhere else shard_id, not_here)
            try:
                return await attempt(self._node(server), max(0.001, min(try_s, left_s)))
            except Refused as refused:
                reply = refused.reply
            self._learn(shard_id, server, reply, anywhere)
            open_outcome |= changes and reply.maybe_executed
            left_s = until_s - time.monotonic()
            if reply.code in ELSEWHERE and left_s > 0:
                not_here.add(server)
                if not not_here.issuperset(self._servers):
                    continue
            if (
                reply.code not in RETRIED
                or left_s <= pause_s
                or not (repeats or not reply.maybe_executed)
            ):
                raise _failed(reply, outcome_known=not open_outcome)
            if reply.leader_id is not None and reply.leader_id not in hinted and not anywhere:
                hinted.add(reply.leader_id)  # At once, but two must not send us to and fro.
                continue
            hinted.clear()
            await asyncio.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _choose(self, shard_id: ShardId | None, not_here: set[NodeId]) -> NodeId:
        leader = None if shard_id is None else self._leaders.get(shard_id)
        if leader is not None:
            return leader
        start = self._next % len(self._servers)
        for server in self._servers[start:] + self._servers[:start]:
            if server not in not_here:
                return server
        return self._servers[start]

    def _learn_leader(self, shard_id: ShardId, leader_id: NodeId | None) -> None:
        """Go straight to who answered by way of another, unless it cannot be reached from here."""
        if leader_id is not None and self._shunned.get(leader_id, 0.0) <= time.monotonic():
            self._leaders[shard_id] = leader_id

    def _learn(self, shard_id: ShardId, asked: NodeId, reply: Reply, anywhere: bool) -> None:
        if reply.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED") and asked not in self._servers:
            self._shunned[asked] = time.monotonic() + SHUN_S
        if reply.leader_id is not None and reply.leader_id != asked:
            self._leaders[shard_id] = reply.leader_id
        else:
            self._leaders.pop(shard_id, None)
        if anywhere or reply.leader_id in (None, asked):
            self._next += 1

    def _node(self, server: NodeId) -> SubmitChannel:
        if self._closed:
            raise RequestFailed("CANCELLED", CLOSED.decode())
        node = self._nodes.get(server)
        if node is None:
            target = self._dial(server) if self._dial is not None else None
            node = SubmitChannel(server, self._tls, target)
            self._nodes[server] = node
        return node


def built(kind: Callable[..., Answer], **fields: object) -> Answer:
    """
    Return a request.

    Raises:
        RequestFailed: INVALID_ARGUMENT, a number or text does not fit into it.
    """
    try:
        return kind(**fields)
    except ValueError as broken:
        raise RequestFailed("INVALID_ARGUMENT", f"{fields}: {broken}") from broken


def bound_of(consistency: Consistency, max_staleness_s: float | None) -> float:
    """
    Return how old the answer to a read may be, in seconds; 0 where that is not the question.

    Raises:
        RequestFailed: INVALID_ARGUMENT, the two do not go together; the text says what would.
    """
    stale = consistency is Consistency.STALE
    if not stale and max_staleness_s is None:
        return 0.0
    if not stale:
        text = f"max_staleness_s goes with stale reads, not with {consistency.value} ones"
    elif max_staleness_s is None:
        text = "a stale read needs max_staleness_s: seconds, 0 or more, or math.inf for any age"
    elif not max_staleness_s >= 0:
        text = f"max_staleness_s is a number of seconds, 0 or more, not {max_staleness_s}"
    else:
        return float(max_staleness_s)
    raise RequestFailed("INVALID_ARGUMENT", text)


def _failed(reply: Reply, *, outcome_known: bool) -> RequestFailed:
    text = reply.message.decode(errors="replace")
    return RequestFailed(reply.code, text, outcome_known=outcome_known)
