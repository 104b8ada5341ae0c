"""Who waits for which answer: a number and a callback, no task and no future a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lolraft.multiraft.effects import Respond
from lolraft.raft.effects import Code
from lolraft.raft.types import Ticket

MAX_WAITING = 100_000
"""Requests that may wait for an answer at once; more are refused (backpressure)."""

OnDone = Callable[[Respond], None]

logger = logging.getLogger(__name__)


class Tickets:
    """Give out tickets and end each of them once: answered, refused or forgotten."""

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._waiting: dict[Ticket, OnDone] = {}
        self._last: Ticket = 0
        self._closed: bytes | None = None

    def new(self, on_done: OnDone) -> tuple[Ticket, bool]:
        """Return a new ticket and whether it was admitted; else its refusal is on the way."""
        self._last += 1
        if self._closed is not None:
            refusal = (Code.UNAVAILABLE, self._closed)
        elif len(self._waiting) >= self._most:
            text = b"too many requests wait for an answer here: try again in a moment"
            refusal = (Code.RESOURCE_EXHAUSTED, text)
        else:
            self._waiting[self._last] = on_done
            return self._last, True
        respond = Respond(ticket=self._last, code=refusal[0], message=refusal[1])
        asyncio.get_running_loop().call_soon(on_done, respond)
        return self._last, False

    def end(self, respond: Respond) -> None:
        """Hand the answer to who waits, if anybody still does."""
        on_done = self._waiting.pop(respond.ticket, None)
        if on_done is None:
            return
        try:
            on_done(respond)
        except Exception:  # The asker's mistake must not stop the node.
            logger.exception("the callback of ticket %d failed", respond.ticket)

    def forget(self, ticket: Ticket) -> bool:
        """Drop *ticket*; return whether somebody waited."""
        return self._waiting.pop(ticket, None) is not None

    def close(self, reason: str) -> None:
        """Answer all with UNAVAILABLE and *reason*, and every later one too."""
        self._closed = reason.encode()
        for ticket in list(self._waiting):
            self.end(Respond(ticket=ticket, code=Code.UNAVAILABLE, message=self._closed))


def setter(future: asyncio.Future[Respond]) -> OnDone:
    """Return what sets *future*, unless its caller has gone in the moment of the answer."""

    def done(respond: Respond) -> None:
        if not future.done():
            future.set_result(respond)

    return done
