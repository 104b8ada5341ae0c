"""Clients that write and read without a pause, and a record of what they asked and were told."""

from __future__ import annotations

import asyncio
import time
from random import Random

from lab.apps import kv
from lab.attach import client_of
from lab.cluster.interface import Cluster
from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.raft.types import ShardId
from lolraft.sim.history import History, Operation

KEYS = 4  # A window; few, so that clients meet.
THINK_S = 0.01  # A client waits so long on average, so that the nodes get the processor too.


class Workload:
    """
    Concurrent clients on the keys of the current window.

    The keys change with the window, so that the history of each stays short enough to be judged
    whole; at the end `conclude` adds what every node holds under all of them.
    """

    def __init__(self, cluster: Cluster, shards: tuple[ShardId, ...], seed: int) -> None:
        self.histories = {shard_id: History() for shard_id in shards}
        self.window = 0
        self.acknowledged = 0
        self.unknown = 0
        self._cluster = cluster
        self._seed = seed
        self._clients: list[RaftClient] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._values = 0

    def start(self, clients: int) -> None:
        """Begin; each client has connections of its own."""
        for number in range(clients):
            client = client_of(self._cluster)
            self._clients.append(client)
            self._tasks.append(asyncio.ensure_future(self._go_on(number, client)))

    async def stop(self) -> None:
        """
        End the clients, each between two of its operations, and close what they hold.

        Raises whatever ended a client before.
        """
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients:
            await client.close()
        for end in ended:
            if isinstance(end, Exception):
                raise end

    async def _go_on(self, number: int, client: RaftClient) -> None:
        chance = Random(f"{self._seed} client {number}")
        while True:
            shard_id = chance.choice(list(self.histories))
            key = f"{self.window}-{chance.randrange(KEYS)}"
            if chance.random() < 0.5:
                await self.put(client, number, shard_id, key)
            else:
                await self.get(client, number, shard_id, key)
            await asyncio.sleep(chance.expovariate(1 / THINK_S))

    async def put(
        self, client: RaftClient, number: int, shard_id: ShardId, key: str, timeout_s: float = 10.0
    ) -> bool:
        """Write a value that nobody wrote before; return whether it was acknowledged."""
        self._values += 1
        value = f"v{self._values}"
        operation = Operation(number, key, "write", value, time.monotonic(), name=value)
        operations = self.histories[shard_id].operations
        operations.append(operation)
        try:
            raw = await client.write(shard_id, kv.put(key, value), timeout_s=timeout_s)
        except RequestFailed as failed:
            if failed.outcome_known:
                operations.remove(operation)
            self.unknown += not failed.outcome_known
            return False
        operation.end_s, operation.answer = time.monotonic(), kv.decode_answer(raw)["was"] or ""
        self.acknowledged += 1
        return True

    async def get(self, client: RaftClient, number: int, shard_id: ShardId, key: str) -> None:
        """Read; without an answer, there is nothing to judge."""
        begin_s = time.monotonic()
        try:
            raw = await client.read(shard_id, kv.get(key))
        except RequestFailed:
            return
        value = kv.decode_answer(raw)["value"] or ""
        self._note_read(number, shard_id, key, value, begin_s)

    def conclude(self, shard_id: ShardId, state: dict[str, str], number: int) -> None:
        """Take what a node holds, after all clients have ended, as reads of every key."""
        begin_s = time.monotonic()
        for key in self.histories[shard_id].by_key():
            self._note_read(number, shard_id, key, state.get(key, ""), begin_s)

    def _note_read(
        self, number: int, shard_id: ShardId, key: str, value: str, begin_s: float
    ) -> None:
        read = Operation(number, key, "read", "", begin_s, time.monotonic(), answer=value)
        self.histories[shard_id].operations.append(read)
