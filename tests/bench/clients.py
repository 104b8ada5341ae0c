"""Clients of the systems, as workers use them."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc.aio

from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.rpc.pb import lolraft_pb2 as pb
from lolraft.rpc.pb import lolraft_pb2_grpc
from tests.bench import etcd_wire
from tests.bench.load import Client
from tests.bench.work import key_of, value_of

PATIENCE_S = 30.0
TRY_EVERY_S = 0.02
TRY_S = 5.0
QUICK_TO_DIAL = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
)


def expect_value(value: bytes | None) -> None:
    """Refuse an empty answer: a read that finds nothing is not the work that was asked for."""
    if not value:
        raise LookupError("the key was written and is not there")


class RaftClientLoad:
    """`RaftClient`."""

    def __init__(self, servers: Sequence[str], shards: int = 1) -> None:
        self._client = RaftClient(servers)
        self._shards = shards

    async def write(self, number: int) -> object:
        message = key_of(number) + value_of(number)
        return await self._client.write(number % self._shards, message)

    async def read(self, number: int) -> object:
        expect_value(await self._client.read(number % self._shards, key_of(number)))
        return None

    async def insist(self) -> float:
        while True:
            try:
                await self._client.write(0, key_of(0) + value_of(0), timeout_s=PATIENCE_S)
                return time.monotonic()
            except RequestFailed as failed:
                if failed.code == "DEADLINE_EXCEEDED":
                    raise

    async def touch(self, shards: Sequence[int]) -> float:
        """Write to each of the shards at once; return when the last one has accepted."""
        message = key_of(0) + value_of(0)
        writes = (self._client.write(shard, message, timeout_s=120.0) for shard in shards)
        await asyncio.gather(*writes)
        return time.monotonic()

    async def close(self) -> None:
        await self._client.close()


class Unary:
    """Plain calls on one channel a server; the first server is the leader."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._channels = [
            grpc.aio.insecure_channel(server.removeprefix("http://"), options=QUICK_TO_DIAL)
            for server in servers
        ]

    async def ask(self, channel: int, number: int, timeout_s: float | None = None) -> object:
        """Write by way of one server."""
        raise NotImplementedError

    async def insist(self) -> float:
        """Try at one server after another, also while earlier tries are unanswered."""
        turns = itertools.count()

        async def attempt() -> float:
            await self.ask(next(turns) % len(self._channels), 0, TRY_S)
            return time.monotonic()

        return await first_success(attempt)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


async def first_success(attempt: Callable[[], Awaitable[float]]) -> float:
    """
    Begin another attempt every 20 ms until one succeeds; return what it returned.

    Raises:
        TimeoutError: none did.
    """
    attempts: set[asyncio.Future[float]] = set()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                attempts.add(asyncio.ensure_future(attempt()))
                done, attempts = await asyncio.wait(attempts, timeout=TRY_EVERY_S)
                won = [one.result() for one in done if one.exception() is None]
                if won:
                    return min(won)
                if done:  # It was refused at once: not again before its time.
                    await asyncio.sleep(TRY_EVERY_S)
    finally:
        for one in attempts:
            one.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)


class PlainLoad(Unary):
    """`lolraft.Raft` as any language's client calls it."""

    def __init__(self, servers: Sequence[str]) -> None:
        super().__init__(servers)
        self._stubs = [lolraft_pb2_grpc.RaftStub(channel) for channel in self._channels]
        self._name = secrets.token_hex(8)
        self._count = itertools.count()

    async def ask(self, channel: int, number: int, timeout_s: float | None = None) -> object:
        request = pb.WriteRequest(
            shard_id=0,
            message=key_of(number) + value_of(number),
            request_id=f"{self._name}{next(self._count)}",
        )
        return await self._stubs[channel].Write(request, timeout=timeout_s)

    async def write(self, number: int) -> object:
        return await self.ask(0, number)

    async def read(self, number: int) -> object:
        request = pb.ReadRequest(shard_id=0, message=key_of(number))
        expect_value((await self._stubs[0].Read(request)).message)
        return None


class EtcdLoad(Unary):
    """etcd's own API, with as little Python as possible."""

    def __init__(self, servers: Sequence[str]) -> None:
        super().__init__(servers)
        self._puts: list[Any] = [channel.unary_unary(etcd_wire.PUT) for channel in self._channels]
        self._range: Any = self._channels[0].unary_unary(etcd_wire.RANGE)

    async def ask(self, channel: int, number: int, timeout_s: float | None = None) -> object:
        request = etcd_wire.put(key_of(number), value_of(number))
        return await self._puts[channel](request, timeout=timeout_s)

    async def write(self, number: int) -> object:
        return await self.ask(0, number)

    async def read(self, number: int) -> object:
        expect_value(etcd_wire.found(await self._range(etcd_wire.range_of(key_of(number)))))
        return None


KINDS: dict[str, Callable[..., Any]] = {
    "raft": RaftClientLoad,
    "plain": PlainLoad,
    "etcd": EtcdLoad,
}


def make_client(kind: str, servers: Sequence[str], **more: int) -> Client:
    """Return a client of the kind that a system names."""
    made: Client = KINDS[kind](servers, **more)
    return made
