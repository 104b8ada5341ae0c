"""The clusters that rooms are played on, and the clients that are in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from lab.attach import client_of
from lab.cluster.interface import Cluster, ClusterError
from lab.rooms.planted import planted
from lab.rooms.room import Room
from lab.scenarios.run import cluster_for
from lab.sim.client import GONE, SimClient
from lab.sim.cluster import SimCluster
from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import ShardId

LEASE_READ_S = 1.0  # A reader that has no answer by then asks the next node.


@contextmanager
def world_of(
    room: Room,
    backend: str = "sim",
    seed: int | None = None,
    *,
    speed: float | None = None,
    starts_s: float | None = None,
) -> Iterator[Cluster]:
    """
    Give the cluster of *room*, not started yet; closing it is the caller's.

    Raises:
        ClusterError: the room's world is one that only the simulator has.
    """
    if room.world and backend != "sim":
        raise ClusterError(f"{room.name} is played in a world that only the simulator has")
    with planted() if room.world == "planted" else nullcontext():
        if not room.world:
            yield cluster_for(room.script, backend, seed, speed=speed, starts_s=starts_s)
            return
        if room.world == "leases":
            special: dict[str, Any] = {"more": {"lease_s": 0.9, "clock_drift": 0.1}}
        else:  # What the screen sees for itself is to ring, and soon; no message carries much.
            special = {"more": {"append_entries": 2}, "judged": False, "tick_s": 0.05}
        yield SimCluster(
            nodes=room.script.nodes,
            shards=room.script.shards,
            seed=seed,
            speed=speed,
            starts_s=starts_s,
            **special,
        )


def client_in(room: Room, cluster: Cluster) -> RaftClient | SimClient:
    """Return who asks: with leases a reader goes to any node, and takes its word."""
    if room.world == "leases" and isinstance(cluster, SimCluster):
        return LeaseReader(cluster)
    return client_of(cluster)


class LeaseReader(SimClient):
    """A client that reads by lease, at one node after the other (§6.4.1)."""

    async def read(
        self, shard_id: ShardId, message: bytes, *, timeout_s: float | None = None
    ) -> bytes:
        """
        Ask the next node; a leader with a lease answers from what it has, and asks nobody.

        Raises:
            RequestFailed: no node has answered.
        """
        answer = GONE
        for _ in self._names():
            self._next += 1
            names = self._names()
            node_id = names[self._next % len(names)]
            answer = await self._once(
                node_id, RequestKind.READ_LEASE, shard_id, message, "", LEASE_READ_S
            )
            if answer.code is Code.OK:
                return answer.message
        raise RequestFailed(answer.code.value, answer.message.decode(errors="replace"))
