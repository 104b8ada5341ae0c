"""A client's sessions, one a shard: why a write that is sent twice is executed once (§6.3, S10)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial

from lolraft.errors import RequestFailed
from lolraft.multiraft.commands import NONCE_BYTES, WriteId
from lolraft.multiraft.unanswered import Session
from lolraft.raft.types import ShardId

EXPIRED = "OUT_OF_RANGE"
"""What a server answers to a write whose session it does not know (any more)."""

Send = Callable[[Callable[[], WriteId], float], Awaitable[bytes]]
"""Send a write until it is answered or so many seconds have passed, under the id at each try."""

Register = Callable[[ShardId, bytes, float], Awaitable[int]]
"""Register a session of a shard under a nonce, within so many seconds; return its number."""


class ClientSessions:
    """Register a session at a shard's first write, and another one when it has expired."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._sessions: dict[ShardId, Session] = {}
        self._opening: dict[ShardId, asyncio.Task[Session]] = {}

    async def write(self, shard_id: ShardId, patience_s: float, send: Send) -> bytes:
        """
        Send a write in the shard's session.

        A session expires while its client is idle. A write that was sent once, and was told so,
        has not been executed: it is sent again in a new session.

        Raises:
            RequestFailed: `outcome_known` is False where an earlier try may have been executed.
        """
        until_s = time.monotonic() + patience_s
        while True:
            session = self._sessions.get(shard_id)
            while session is None or session.is_full:
                session = await self._open(shard_id, until_s)
            sequence = session.begin()
            try:
                return await send(partial(session.write_id, sequence), until_s - time.monotonic())
            except RequestFailed as failed:
                if failed.code != EXPIRED:
                    raise
                if self._sessions.get(shard_id) is session:
                    del self._sessions[shard_id]
                if not failed.outcome_known or time.monotonic() >= until_s:
                    raise
            finally:
                session.end(sequence)

    async def _open(self, shard_id: ShardId, until_s: float) -> Session:
        """Return a new session; who asks meanwhile gets the same one."""
        while True:
            opening = self._opening.get(shard_id)
            joins = opening is not None
            within_s = max(0.001, until_s - time.monotonic())
            if opening is None:
                opening = asyncio.get_running_loop().create_task(self._begin(shard_id, within_s))
                self._opening[shard_id] = opening
                opening.add_done_callback(lambda ended: self._opened(shard_id, ended))
            try:
                async with asyncio.timeout(within_s):
                    return await asyncio.shield(opening)
            except TimeoutError:
                text = f"no session of shard {shard_id} was registered in time; nothing was written"
                raise RequestFailed("DEADLINE_EXCEEDED", text) from None
            except RequestFailed:
                if not joins or time.monotonic() >= until_s:  # Who began it had less patience.
                    raise

    def _opened(self, shard_id: ShardId, ended: asyncio.Task[Session]) -> None:
        del self._opening[shard_id]
        if not ended.cancelled():
            ended.exception()  # Seen: perhaps nobody waits for it any more.

    async def _begin(self, shard_id: ShardId, within_s: float) -> Session:
        nonce = secrets.token_bytes(NONCE_BYTES)
        session = self._sessions[shard_id] = Session(
            await self._register(shard_id, nonce, within_s)
        )
        return session

    async def close(self) -> None:
        """Wait for what is under way; the client, being closed, refuses to send it again."""
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
