"""Where a scenario is played: a cluster, its watcher and clients, and the names given so far."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from lab.cluster.interface import Cluster
from lab.observe.view import ClusterView, EventView, ShardView
from lab.scenarios.script import ScenarioError
from lab.workload.load import KeyValueClient, Load, Verdict
from lolraft.raft.types import ShardId

LOOK_S = 0.05  # Between two looks at the picture.
PATIENCE_S = 10.0


class Failed(Exception):
    """What was expected did not come; the text says what was there instead."""


class Watching(Protocol):
    """Who watches: the live watcher or the simulated one."""

    @property
    def view(self) -> ClusterView:
        """Return the newest picture."""

    def note(self, event: EventView) -> None:
        """Put a line on the timeline."""

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        """Fetch the logs of a shard from now on."""


class Asking(KeyValueClient, Protocol):
    """What steps ask of a client, real or simulated."""

    async def add_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Make a server a voter."""

    async def remove_server(
        self, shard_id: ShardId, server_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Take a server out."""

    async def transfer_leadership(
        self, shard_id: ShardId, target: str = "", *, timeout_s: float | None = None
    ) -> None:
        """Hand the leadership over."""

    async def timeout_now(self, server_id: str, shard_id: ShardId) -> None:
        """Make a server stand."""

    async def close(self) -> None:
        """Close."""


@dataclass
class Stage:
    """Everything that steps act on and expectations look at."""

    cluster: Cluster
    watching: Watching
    client: Asking
    client_at: Callable[[str], Asking]  # A client that knows one node only, by its id.
    once: Callable[[str, ShardId, bytes], Awaitable[str]]  # A write at one node, tried once.
    began_s: float = 0.0  # When the story began, in the cluster's time.
    named: dict[str, str] = field(default_factory=dict)  # What scenarios call nodes.
    marks: dict[str, int] = field(default_factory=dict)  # Numbers to compare with later.
    begun: list[asyncio.Future[str]] = field(default_factory=list)  # Writes nobody waits for.
    load: Load | None = None
    loaded: Load | None = None  # The last one, also when it is over.
    verdict: Verdict | None = None

    @property
    def view(self) -> ClusterView:
        """Return the newest picture."""
        return self.watching.view

    @property
    def shard(self) -> ShardView:
        """Return the first shard."""
        shard = next(iter(self.view.shards.values()), None)
        if shard is None:
            raise Failed("no node has reported a shard yet")
        return shard

    def node(self, word: str) -> str:
        """
        Return the name of a node: `n1`, `leader`, `follower`, `follower2`, or a name given.

        Raises:
            Failed: there is no leader now.
            ScenarioError: the word names nothing.
        """
        if word in self.named:
            return self.named[word]
        if word == "leader":
            if self.shard.leader is None:
                raise Failed("there is no leader now")
            return self.shard.leader
        names = [node.name for node in self.cluster.nodes()]
        if word.startswith("follower"):
            others = [
                name for name in names if name != self.shard.leader and name in self.shard.voters
            ]
            place = int(word.removeprefix("follower") or 1)
            if place > len(others):
                raise Failed(f"there are {len(others)} followers")
            return others[place - 1]
        if word not in names:
            known = ", ".join([*names, *self.named, "leader", "follower"])
            raise ScenarioError(f"no node is called {word!r}; there are {known}")
        return word

    def id_of(self, name: str) -> str:
        """Return the id of a node."""
        return next(node.node_id for node in self.cluster.nodes() if node.name == name)

    async def until(self, why_not: Callable[[], str], within_s: float = PATIENCE_S) -> None:
        """
        Wait until *why_not* says nothing any more.

        Raises:
            Failed: it still does after *within_s*, with what it says.
        """
        until_s = self.cluster.now_s() + within_s
        while why := why_not():
            if self.cluster.now_s() >= until_s:
                raise Failed(f"{why} (waited {within_s:g} s)")
            await self.cluster.sleep(LOOK_S)

    def say(self, text: str, kind: str = "story") -> None:
        """Put a line on the timeline."""
        event = EventView(at_s=self.cluster.now_s(), node=None, kind=kind, text=text)
        self.watching.note(event)

    async def end(self) -> None:
        """Wait for nothing that was begun."""
        if self.load is not None:
            await self.load.cancel()
        for task in self.begun:
            task.cancel()
        await asyncio.gather(*self.begun, return_exceptions=True)
