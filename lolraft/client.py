"""`RaftClient`: finds the leader, batches what arrives together, retries without doing twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from lolraft.client_operators import Operators, built, failed
from lolraft.client_sessions import ClientSessions
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
from lolraft.multiraft.commands import WriteId
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.pb import client_pb2

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
TRY_S = 2.0
"""A node that has not answered for so long is left for another; the request may still happen."""

LEAST_TRY_S = 0.1
"""A try shorter than this says nothing of the server: what was heard before is the reason."""

SHUN_S = 30.0
"""So long a leader that could not be reached is asked by way of the servers that we know."""

RETRIED = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "DEADLINE_EXCEEDED"}
ELSEWHERE = {"FAILED_PRECONDITION", "NOT_FOUND"}
"""
One server's word, not the group's: it was removed, never joined, or does not host the shard. A
leader's refusal names the leader, and is the group's.
"""

KINDS = {
    Consistency.LINEARIZABLE: READ,
    Consistency.LEASE: READ_LEASE,
    Consistency.LOCAL: READ_LOCAL,
    Consistency.STALE: READ_STALE,
}

Answer = TypeVar("Answer")


class RaftClient(Operators):
    """
    Write to and read from a cluster by the addresses of some of its servers.

    All methods belong to one event loop. Every call ends within *timeout_s*: with the app's
    answer, or with `RequestFailed`. A write is executed at most once, however often it had to be
    sent: it belongs to a session that this client registered with the shard (§6.3).
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
        self._sessions = ClientSessions(self._register)
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
        await self._sessions.close()

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

        A *request_id* of your own lets another call, or another client, ask for the same write
        again, while the shard remembers it: for its next 100,000 entries, or 64 MiB of commands.

        Raises:
            RequestFailed: ABORTED is the app's own refusal; where `outcome_known` is False, call
                again with the same *request_id* to learn what happened. OUT_OF_RANGE: the session
                expired while an answer was waited for; the write will not be executed any more.
        """
        if request_id is not None:
            return await self._submit(shard_id, WRITE, message, request_id, timeout_s)
        patience_s = self._patience_s(shard_id, timeout_s)

        def send(write_id: Callable[[], WriteId], left_s: float) -> Awaitable[bytes]:
            return self._submit(shard_id, WRITE, message, write_id, max(0.001, left_s))

        return await self._sessions.write(shard_id, patience_s, send)

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
        request_id: str | Callable[[], WriteId],
        timeout_s: float | None,
        bound_s: float = 0.0,
    ) -> bytes:
        """Ask until there is an answer; every try carries the id, or what it is at that time."""
        if not isinstance(message, bytes):
            if not isinstance(message, bytearray | memoryview):
                raise TypeError(f"a message is bytes, not {type(message).__name__}")
            message = bytes(message)
        if isinstance(request_id, str):
            try:
                request_id.encode()
            except UnicodeEncodeError as broken:
                text = f"a request id is text: {broken}"
                raise RequestFailed("INVALID_ARGUMENT", text) from broken

        async def attempt(node: SubmitChannel, within_s: float) -> bytes:
            name = request_id if isinstance(request_id, str) else request_id()
            reply = await node.submit(shard_id, kind, message, name, within_s, bound_s)
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

    async def _register(self, shard_id: ShardId, nonce: bytes, within_s: float) -> int:
        request = built(client_pb2.RegisterClientRequest, shard_id=shard_id, nonce=nonce)

        async def attempt(node: SubmitChannel, try_s: float) -> int:
            try:
                reply = await answer_of(node.client.RegisterClient(request, timeout=try_s))
            except Refused as refused:
                raise Refused(refused.reply.of(node.server)) from None
            return int(reply.session)

        return await self._try(shard_id, attempt, within_s, changes=False, repeats=True)

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
        anywhere: bool = False,
    ) -> Answer:
        until_s = time.monotonic() + self._patience_s(shard_id, timeout_s)
        pause_s = FIRST_PAUSE_S
        open_outcome = False
        not_here: set[NodeId] = set()
        hinted: set[NodeId] = set()
        told: Reply | None = None  # The last reason, a leader's rather than of a broken line.
        while True:
            if self._closed:
                raise RequestFailed("CANCELLED", CLOSED.decode(), outcome_known=not open_outcome)
            left_s = until_s - time.monotonic()
            within_s = max(0.001, min(try_s, left_s))
            server = self._choose(None if anywhere else shard_id, not_here)
            try:
                return await attempt(self._node(server), within_s)
            except Refused as refused:
                reply = refused.reply
            is_word = reply.code != "DEADLINE_EXCEEDED" or within_s >= LEAST_TRY_S
            if is_word and (told is None or told.leader_id is None or reply.leader_id is not None):
                told = reply
            self._learn(shard_id, server, reply, anywhere)
            open_outcome |= changes and reply.maybe_executed
            left_s = until_s - time.monotonic()
            only_here = reply.code in ELSEWHERE and (anywhere or reply.leader_id is None)
            if only_here and left_s > 0:
                not_here.add(server)
                if not not_here.issuperset(self._servers):
                    continue
            wait_s = reply.retry_after_s + pause_s * (0.5 + random.random())
            if (
                reply.code not in RETRIED
                or left_s <= wait_s
                or not (repeats or not reply.maybe_executed)
            ):
                raise failed(told or reply, outcome_known=not open_outcome)
            hint = None if anywhere else reply.leader_id
            if hint is not None and hint not in {server, *hinted}:
                hinted.add(hint)  # At once, but two must not send us to and fro.
                continue
            hinted.clear()
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _patience_s(self, shard_id: ShardId, timeout_s: float | None) -> float:
        """Check what cannot be sent, before it is queued: it would end the stream for all."""
        if not 0 <= shard_id < 2**32:
            raise RequestFailed("INVALID_ARGUMENT", f"there is no shard {shard_id}")
        patience_s = self.timeout_s if timeout_s is None else timeout_s
        if not patience_s > 0:
            raise RequestFailed("INVALID_ARGUMENT", f"timeout_s is positive, not {patience_s}")
        return patience_s

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
            if not anywhere:
                return
        elif reply.code == "RESOURCE_EXHAUSTED" and not anywhere:
            return  # It leads, and will have room again: no other server has more.
        else:
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
