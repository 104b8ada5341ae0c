"""A cluster of which only a recording is left: nothing can be done to it any more."""

from __future__ import annotations

from collections.abc import Callable

from lab.cluster.untouchable import UntouchableCluster
from lab.faults import FaultKind
from lolraft.raft.types import ShardId

PAST = "this is a recording: nothing can be done to it; ./log shows a cluster that lives"


class ReplayedCluster(UntouchableCluster):
    """Stand where the screen expects a cluster and its client, and refuse."""

    hands_off = PAST

    def __init__(self, title: str) -> None:
        super().__init__("replay", title)

    def why_not(self, kind: FaultKind) -> str | None:
        """Return why not, whatever it is."""
        return PAST

    async def start(self, progress: Callable[[str], None]) -> None:
        """Do nothing: what is recorded has happened."""

    async def close(self, *, leave_running: bool = False) -> None:
        """Do nothing."""

    # As a client.

    async def write(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """Refuse."""
        self._refuse()

    async def read(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """Refuse."""
        self._refuse()

    async def add_server(self, shard_id: ShardId, server_id: str) -> None:
        """Refuse."""
        self._refuse()

    async def remove_server(self, shard_id: ShardId, server_id: str) -> None:
        """Refuse."""
        self._refuse()

    async def transfer_leadership(self, shard_id: ShardId, target: str) -> None:
        """Refuse."""
        self._refuse()
