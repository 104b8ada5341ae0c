"""`RaftClient`: finds the leader, batches what arrives together, retries without doing twice."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from lolraft.client_operators import Operators, failed
from lolraft.client_stream import CLOSED, READ, WRITE, Refused, Reply, SubmitChannel, answer_of
from lolraft.config import Tls, normalise_node_id
from lolraft.errors import ConfigError, RequestFailed
from lolraft.raft.types import NodeId, ShardId

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
TRY_S = 2.0
"""A node that has not answered for so long is left for another; the request may still happen."""

SHUN_S = 30.0
"""So long a leader that could not be reached is asked by way of the servers that we know."""

RETRIED = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}
ELSEWHERE = {"FAILED_PRECONDITION", "NOT_FOUND"}
"""
One server's word, not the group's: it was removed, never joined, or does not host the shard. A
leader's refusal names the leader, and is the group's.
"""

Answer = TypeVar("Answer")


class RaftClient(Operators):
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
        if not isinstance(message, bytes):
            if not isinstance(message, bytearray | memoryview):
                raise TypeError(f"a message is bytes, not {type(message).__name__}")
            message = bytes(message)
        try:
            request_id.encode()
        except UnicodeEncodeError as broken:
            raise RequestFailed("INVALID_ARGUMENT", f"a request id is text: {broken}") from broken

        async def attempt(node: SubmitChannel, within_s: float) -> bytes:
            reply = await node.submit(shard_id, kind, message, request_id, within_s)
            if reply.code == "OK":
                self._learn_leader(shard_id, reply.leader_id)
                return reply.message
            raise Refused(reply)

        once = kind == READ or bool(request_id)
        return await self._try(shard_id, attempt, timeout_s, changes=kind == WRITE, repeats=once)

    # --- trying ----------------------------------------------------------------------------------

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
        told: Reply | None = None  # The last reason, a leader's rather than of a broken line.
        while True:
            if self._closed:
                raise RequestFailed("CANCELLED", CLOSED.decode(), outcome_known=not open_outcome)
            left_s = until_s - time.monotonic()
            server = self._choose(shard_id, not_here)
            try:
                return await attempt(self._node(server), max(0.001, min(try_s, left_s)))
            except Refused as refused:
                reply = refused.reply
            if told is None or told.leader_id is None or reply.leader_id is not None:
                told = reply
            self._learn(shard_id, server, reply)
            open_outcome |= changes and reply.maybe_executed
            left_s = until_s - time.monotonic()
            if reply.code in ELSEWHERE and reply.leader_id is None and left_s > 0:
                not_here.add(server)
                if not not_here.issuperset(self._servers):
                    continue
            if (
                reply.code not in RETRIED
                or left_s <= pause_s
                or not (repeats or not reply.maybe_executed)
            ):
                raise failed(told, outcome_known=not open_outcome)
            if reply.leader_id is not None and reply.leader_id not in {server, *hinted}:
                hinted.add(reply.leader_id)  # At once, but two must not send us to and fro.
                continue
            hinted.clear()
            await asyncio.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _choose(self, shard_id: ShardId, not_here: set[NodeId]) -> NodeId:
        leader = self._leaders.get(shard_id)
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

    def _learn(self, shard_id: ShardId, asked: NodeId, reply: Reply) -> None:
        if reply.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED") and asked not in self._servers:
            self._shunned[asked] = time.monotonic() + SHUN_S
        if reply.leader_id is not None and reply.leader_id != asked:
            self._leaders[shard_id] = reply.leader_id
            return
        self._leaders.pop(shard_id, None)
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
