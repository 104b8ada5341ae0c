"""
A process that makes load: `python -m tests.bench.worker`.

Takes one JSON object a line on standard input (`do`, its `number` and arguments) and answers each
with one on standard output. Several of them make a client that one core cannot hold up.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lolraft.runtime.loop import run
from tests.bench.children import LINE_BYTES
from tests.bench.clients import RaftClientLoad, make_client
from tests.bench.load import Client, apply_load
from tests.bench.work import Work

Handler = Callable[..., Awaitable[Any]]


class Worker:
    """What can be asked of a worker."""

    def __init__(self, make: Callable[..., Client] = make_client) -> None:
        self._make = make
        self._clients: list[Client] = []

    async def open(self, count: int, **about: Any) -> None:  # noqa: ANN401  # For `make`.
        """Make *count* clients instead of those before, and let each connect."""
        await self.close()
        self._clients = [self._make(**about) for _ in range(count)]
        await asyncio.gather(*(client.insist() for client in self._clients))

    async def fill(self, keys: int) -> None:
        """Write the keys that will be read."""
        await asyncio.gather(*(self._clients[0].write(number) for number in range(keys)))

    async def load(self, **work: Any) -> dict[str, Any]:  # noqa: ANN401  # A `Work`.
        """Do a round of work."""
        return (await apply_load(self._clients, Work(**work))).to_json()

    async def insist(self) -> float:
        """Write until it is accepted; return the time of CLOCK_MONOTONIC then."""
        return await self._clients[0].insist()

    async def touch(self, shards: Sequence[int]) -> float:
        """Write to each of the shards; return the time of CLOCK_MONOTONIC after the last."""
        client = self._clients[0]
        assert isinstance(client, RaftClientLoad), "only shards are touched"
        return await client.touch(shards)

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            await client.close()
        self._clients = []


async def serve(handlers: object) -> None:
    """Answer standard input until it ends, by methods of *handlers*."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asked = json.loads(line)
        handler: Handler = getattr(handlers, asked.pop("do"))
        number = asked.pop("number")
        try:
            answer = {"answer": await handler(**asked)}
        except Exception as broken:
            answer = {"error": f"{type(broken).__name__}: {broken}"}
        print(json.dumps({"number": number, **answer}), flush=True)


async def main() -> None:
    """Work until nobody asks any more."""
    worker = Worker()
    try:
        await serve(worker)
    finally:
        await worker.close()


if __name__ == "__main__":
    run(main())
