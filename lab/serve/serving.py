"""`./log --serve`: what is served, and to whom that is said."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lab.cluster.interface import Cluster, ClusterError
from lab.observe.view import EventView
from lab.serve.host import Host
from lab.serve.tab import command_of
from lab.serve.where import Where, listen, warning

if TYPE_CHECKING:
    from lab.serve.web import Web

MISSING = (
    "--serve needs textual-serve, which is not installed: "
    "./log --serve installs it, or: pip install 'lolraft[serve]'"
)


class Serving:
    """An address that is listened at; tabs come when something is served there."""

    def __init__(self, where: Where, looks: Sequence[str], progress: Callable[[str], None]) -> None:
        """
        Listen, before anything is started; tabs get the arguments *looks*.

        Raises:
            ClusterError: the address cannot be had, or a package is missing.
        """
        self._web = _web()
        self._looks, self._progress = looks, progress
        self._listening: socket.socket
        self._listening, self.where = listen(where)

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    async def share(self, cluster: Cluster, note: Callable[[EventView], None]) -> None:
        """Show *cluster* in every tab, until this task is cancelled."""
        host = Host(cluster, note)
        try:
            await host.start()
            self._progress("every tab is a lab of this one cluster")
            await self._serve(["--tab", str(host.path), *self._looks], cluster.title)
        finally:
            await host.close()

    async def worlds(self, arguments: Sequence[str]) -> None:
        """Give every tab a lab of its own, made by *arguments*, until this task is cancelled."""
        title = " ".join(arguments)
        self._progress(f"every tab is a lab of its own: {title}")
        await self._serve(["--tab=", *arguments, *self._looks], title)

    async def _serve(self, arguments: Sequence[str], title: str) -> None:
        self._progress(warning(self.where))
        self._progress(f"the lab is at http://{self.where} (ctrl-c ends it)")
        name = f"raft lab · {title}"
        web = self._web(command_of(arguments), name, self.where, self._progress)
        await web.run(self._listening)


def _web() -> type[Web]:
    """Return the server's class; its packages are an extra."""
    try:
        from lab.serve.web import Web
    except ModuleNotFoundError as missing:
        raise ClusterError(MISSING) from missing
    return Web
