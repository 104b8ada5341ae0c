"""Nodes that are not this lab's to touch: what is done to a process is refused."""

from __future__ import annotations

from typing import NoReturn

from lab.cluster.base import BaseCluster
from lab.cluster.interface import ClusterError, NodeHandle
from lab.faults import FaultKind


class UntouchableCluster(BaseCluster):
    """Refuse all that needs a hand on a node's process, by the words of `why_not`."""

    def _refuse(self) -> NoReturn:
        raise ClusterError(self.why_not(FaultKind.KILL) or "")

    async def kill(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    async def stop(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    async def pause(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    async def resume(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    async def restart(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    async def add_node(self) -> NodeHandle:
        """Refuse."""
        self._refuse()
