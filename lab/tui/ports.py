"""What the screen needs from the rest of the lab, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from lab.observe.view import ClusterView, EventView
from lab.scenarios.script import Script
from lolraft.raft.types import ShardId


class ViewSource(Protocol):
    """Where pictures come from: the live watcher, a recording, or made-up data in a test."""

    @property
    def view(self) -> ClusterView:
        """Return the newest picture; the screen asks four times a second and compares."""

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        """
        Fetch the logs of *shard_id* from now on, *count* entries from *first_index*.

        None as *first_index* means the newest *count* entries; None as *shard_id* fetches nothing.
        """

    def note(self, event: EventView) -> None:
        """Put a line of the lab's own on the timeline: what you did, and how it ended."""


class Client(Protocol):
    """What the screen asks of `lolraft.client.RaftClient`; errors are `RequestFailed`."""

    async def write(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """
        Replicate and apply *message*; return the app's answer.

        Whoever implements this gives the request an id of its own: a retry must not write twice.
        """

    async def read(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """Ask the app, linearizably."""

    async def add_server(self, shard_id: ShardId, server_id: str) -> None:
        """Make *server_id* a voter of the shard."""

    async def remove_server(self, shard_id: ShardId, server_id: str) -> None:
        """Take *server_id* out of the shard; it deletes its data of it."""

    async def transfer_leadership(self, shard_id: ShardId, target: str) -> None:
        """Hand the shard's leadership to the server *target*."""


class Words(Protocol):
    """How keys and values are put to the app and its answers are read; `words.py` has the kv's."""

    def put(self, key: str, value: str) -> bytes:
        """Return the command that puts *value* under *key*."""

    def get(self, key: str) -> bytes:
        """Return the read of *key*."""

    def snapshot(self) -> bytes:
        """Return the read that makes a snapshot."""

    def tell(self, answer: bytes) -> str:
        """Return an answer in words."""


@dataclass(frozen=True, slots=True)
class Onward:
    """`LabApp.run()` may also return this: the story to open in the simulator next."""

    story: Script
    leaving: Leaving | None  # What to do with the cluster that was shown; None: there is none.


class Leaving(Enum):
    """What `LabApp.run()` returns: what to do with the cluster; None counts as END."""

    END = "end"
    KEEP = "keep"
