"""
Nodes that only report: `Observe` as real ones serve it, of as many shards as one likes.

    python -m tests.bench.reporters [--nodes 3] [--shards 10000] [--changing 200]

Prints their addresses, a line each, and reports until it is ended. So many shards a second get a
new entry, which every node reports.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

UPDATE_S = 0.25
TERM, GROUP = 3, 77
FIRST = 40  # Entries that every shard has at the start.


class Shards:
    """What all nodes report of all shards."""

    def __init__(self, ids: list[str], shards: int, changing: int) -> None:
        self.ids, self.changing = ids, changing
        self.last = [FIRST] * shards
        self.version = 0
        self.changed: list[tuple[int, int]] = []  # (version, shard)
        self._next = 0

    def leader(self, shard_id: int) -> str:
        """Return who leads a shard."""
        return self.ids[shard_id % len(self.ids)]

    async def grow(self) -> None:
        """Give some shards a new entry, a few at a time."""
        due = 0.0
        while True:
            await asyncio.sleep(UPDATE_S / 5)
            due += self.changing * UPDATE_S / 5
            self.version += 1
            while due >= 1:
                due -= 1
                self.last[self._next] += 1
                self.changed.append((self.version, self._next))
                self._next = (self._next + 7) % len(self.last)
            self.changed = self.changed[-4 * self.changing - 1 :]

    def facts(self, node: str, shard_id: int) -> observe_pb2.ShardFacts:
        """Return a replica as its node reports it."""
        last, leader = self.last[shard_id], self.leader(shard_id)
        leads = leader == node
        digest = hashlib.blake2b(b"%d %d" % (shard_id, last), digest_size=8).digest()
        return observe_pb2.ShardFacts(
            shard_id=shard_id,
            role="leader" if leads else "follower",
            term=TERM,
            leader_id=leader,
            voted_for=leader,
            commit_index=last,
            applied_index=last,
            last_index=last,
            last_term=TERM,
            snapshot_index=1,
            group=GROUP,
            voters=self.ids,
            match_index=dict.fromkeys(self.ids, last) if leads else {},
            mark_index=[last],
            mark_digest=[int.from_bytes(digest, "little")],
        )


class Reporter(observe_pb2_grpc.ObserveServicer):
    """One node: all of it first, then what has changed."""

    def __init__(self, node_id: str, known: Shards) -> None:
        self.node_id, self._known = node_id, known
        self._began_s = time.monotonic()

    async def Watch(  # noqa: N802
        self,
        request: observe_pb2.WatchRequest,
        context: Any,  # noqa: ANN401
    ) -> AsyncIterator[observe_pb2.Update]:
        """Report until the watcher goes."""
        known, seen, seq = self._known, 0, 0
        while True:
            seq += 1
            some = {shard for version, shard in known.changed if version > seen}
            seen = known.version
            shards = range(len(known.last)) if seq == 1 else sorted(some)
            yield observe_pb2.Update(
                seq=seq,
                full=seq == 1,
                wall_s=time.time(),
                node=self._node(seq),
                peers=[self._peer(peer, seq) for peer in known.ids if peer != self.node_id],
                shards=[known.facts(self.node_id, shard) for shard in shards],
            )
            await asyncio.sleep(UPDATE_S)

    def _node(self, seq: int) -> observe_pb2.NodeFacts:
        return observe_pb2.NodeFacts(
            node_id=self.node_id,
            incarnation=1,
            epoch=1,
            version="bench",
            uptime_s=time.monotonic() - self._began_s,
            cpu=0.02 + 0.001 * (seq % 7),
            rss_bytes=100_000_000,
            fsync_s=0.001,
            disk_is_well=True,
            app="kv",
            commits=sum(self._known.last),
        )

    def _peer(self, peer: str, seq: int) -> observe_pb2.PeerFacts:
        return observe_pb2.PeerFacts(
            peer=peer,
            phi=0.3 + 0.01 * (seq % 11),
            threshold=12.0,
            mean_s=0.1,
            deviation_s=0.02,
            last_heard_s=0.05,
            round_trip_s=0.001,
            connected=True,
            epoch=1,
        )

    async def Log(  # noqa: N802
        self,
        request: observe_pb2.LogRequest,
        context: Any,  # noqa: ANN401
    ) -> observe_pb2.LogRange:
        """Return the entries that are asked for; all of them are commands of 12 bytes."""
        last = self._known.last[request.shard_id]
        first = max(1, request.first)
        count = max(0, min(request.count, last - first + 1))
        return observe_pb2.LogRange(
            commit_index=last,
            applied_index=last,
            last_index=last,
            first=first,
            terms=[TERM] * count,
            kinds=bytes([1] * count),
            payloads=[b'{"op":"get"}'] * count,
            sizes=[12] * count,
        )


async def report(nodes: int, shards: int, changing: int) -> None:
    """Serve, and say where."""
    servers, ids = [grpc.aio.server() for _ in range(nodes)], []
    for server in servers:
        ids.append(f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    known = Shards(ids, shards, changing)
    for server, node_id in zip(servers, ids, strict=True):
        observe_pb2_grpc.add_ObserveServicer_to_server(Reporter(node_id, known), server)
        await server.start()
        print(node_id, flush=True)
    await known.grow()


def main() -> None:
    """Read the arguments and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--changing", type=int, default=0, help="shards that grow a second")
    arguments = parser.parse_args()
    asyncio.run(report(arguments.nodes, arguments.shards, arguments.changing))


if __name__ == "__main__":
    main()
