"""The web server: textual-serve, which runs a process for every tab, with its doors closed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from lab.serve.where import LOCAL_NAMES, Where

LOGGERS = ("textual-serve", "aiohttp.server")
END_S = 5.0  # For a tab's process, when everything ends.


class Web(Server):
    """
    Serve *command*, a lab, to every tab that comes, at a socket that listens.

    textual-serve lets anybody in, also a page of another site that is open in the same browser:
    such a page could press keys here. So a tab has to come from a page of ours.
    """

    def __init__(self, command: str, title: str, where: Where, say: Callable[[str], None]) -> None:
        super().__init__(command, host=where.host, port=where.port, title=title)
        self._say = say
        self._where = where
        self._tabs: set[asyncio.Task[object]] = set()

    async def run(self, listening: socket.socket) -> None:
        """Serve until this task is cancelled; no tab is left then."""
        runner = web.AppRunner(
            await self._make_app(), shutdown_timeout=END_S, handle_signals=False, access_log=None
        )
        await runner.setup()
        sentences = _Sentences(self._say)
        for name in LOGGERS:
            logging.getLogger(name).addHandler(sentences)
        try:
            await web.SockSite(runner, listening).start()
            await asyncio.Event().wait()
        finally:
            for tab in self._tabs:
                tab.cancel()
            if self._tabs:
                await asyncio.wait(self._tabs, timeout=END_S)
            await runner.cleanup()
            for name in LOGGERS:
                logging.getLogger(name).removeHandler(sentences)

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: who runs this has said where it is."""

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """Return the page, which comes back to where it was asked for, by whatever name."""
        self._must_be_ours(request)
        # Nothing waits between these two lines: no other request comes between.
        self.public_url = f"{request.scheme}://{request.host}"
        page: web.StreamResponse = await super().handle_index(request)
        return page

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a tab."""
        self._must_be_ours(request)
        if not web.WebSocketResponse().can_prepare(request).ok:
            raise web.HTTPBadRequest(text="this is for websockets")
        task = asyncio.current_task()
        assert task is not None, "a task handles a request"
        self._tabs.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._tabs.discard(task)

    def _must_be_ours(self, request: web.Request) -> None:
        """
        Refuse what a page of another site asks for.

        Raises:
            HTTPForbidden: it does.
        """
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text=f"{origin} is another site")
        if self._where.is_loopback and not _names_a_machine(request.host):
            # Its name server may call any machine by its name, this one too.
            raise web.HTTPForbidden(text=f"this is {self._where}, not {request.host}")


class _Sentences(logging.Handler):
    """Say what goes wrong in a connection: who runs this has no use for a traceback."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        self._say(f"a tab: {record.getMessage()}")


def _names_a_machine(host: str) -> bool:
    """Return whether *host* is an address or `localhost`: no site has such a name."""
    with suppress(ValueError):
        name = urlsplit(f"//{host}").hostname or ""
        if name in LOCAL_NAMES:
            return True
        ip_address(name)
        return True
    return False
