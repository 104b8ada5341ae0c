"""Our own cluster: `lolraft serve` three times, SQLite at `synchronous=FULL`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio

from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from tests.bench.children import BenchError, Child
from tests.bench.systems.base import LOOK_EVERY_S, NODES, Cluster, System, free_ports

DURABLE = "SQLite, a sync for each group commit"
RAFT_CLIENT = System(name="lolraft, RaftClient", client="raft", durable=DURABLE)
PLAIN = System(name="lolraft, plain gRPC", client="plain", durable=DURABLE, processes=(1, 2))
LOOK_S = 5.0
ALL_LED_S = 300.0


class LolraftCluster(Cluster):
    """Three nodes of ours, of some shards."""

    def __init__(self, place: Path, name: str = "lolraft", shards: int = 1) -> None:
        """Host shards 0 to *shards* - 1."""
        super().__init__(place, name)
        self.shards = shards
        self.ids = [f"http://127.0.0.1:{port}" for port in free_ports(NODES)]
        for number, node_id in enumerate(self.ids):
            command = [sys.executable, "-m", "lolraft", "serve", node_id]
            command += ["--data", str(self.place / f"n{number}")]
            command += ["--app", "tests.bench.store:Store", "--shards", f"0-{shards - 1}"]
            command += ["--members", ",".join(self.ids)]
            self.nodes.append(Child(command, self.place / f"n{number}.log"))

    async def leader(self) -> int | None:
        """Return who leads shard 0."""
        led = await self.led_shards()
        return next((number for number, shards in enumerate(led) if 0 in shards), None)

    async def servers(self) -> list[str]:
        """Return the ids, the leader of shard 0 first."""
        first = await self.led()
        return [self.ids[first], *(name for n, name in enumerate(self.ids) if n != first)]

    async def led_shards(self) -> list[set[int]]:
        """Return which shards each node says that it leads; a dead one leads none."""
        return list(await asyncio.gather(*map(self._led_by, range(NODES))))

    async def all_led(self) -> None:
        """
        Wait until every shard has a leader.

        Raises:
            BenchError: some have none after minutes.
        """
        until_s = time.monotonic() + ALL_LED_S
        while time.monotonic() < until_s:
            if len(set[int]().union(*await self.led_shards())) == self.shards:
                return
            await asyncio.sleep(LOOK_EVERY_S * 5)
        raise BenchError(f"some of {self.shards} shards have no leader after {ALL_LED_S:.0f} s")

    async def _led_by(self, number: int) -> set[int]:
        if not self.nodes[number].pid:
            return set()
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        address = self.ids[number].removeprefix("http://")
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            watch = observe_pb2_grpc.ObserveStub(channel).Watch(observe_pb2.WatchRequest())
            with suppress(grpc.aio.AioRpcError, TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    return _leading((await watch.read()).shards)
            watch.cancel()
        return set()


def _leading(shards: Sequence[observe_pb2.ShardFacts]) -> set[int]:
    return {shard.shard_id for shard in shards if shard.role == "leader"}
