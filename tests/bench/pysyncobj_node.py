"""
One node of PySyncObj, and callers within it: `... pysyncobj_node OWN OTHER,OTHER JOURNAL [single]`.

PySyncObj has no client: who writes is a node. So this process answers like `worker`, and its
callers are those of a program that has embedded the library. `single` sends each command at once.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf, replicated

from lolraft.runtime.loop import run
from tests.bench.clients import first_success
from tests.bench.load import Client
from tests.bench.work import key_of, value_of
from tests.bench.worker import Worker, serve


class Store(SyncObj):
    """Keys and values."""

    def __init__(self, own: str, others: list[str], conf: SyncObjConf) -> None:
        super().__init__(own, others, conf)
        self.values: dict[bytes, bytes] = {}

    @replicated
    def put(self, key: bytes, value: bytes) -> None:
        self.values[key] = value


class InProcess:
    """Callers of the library in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, number: int) -> object:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()

        def tell(_: object, reason: int) -> None:  # In PySyncObj's thread.
            loop.call_soon_threadsafe(settle, reason)

        def settle(reason: int) -> None:
            if not ended.done():
                ended.set_result(reason)

        self._store.put(key_of(number), value_of(number), callback=tell)
        reason = await ended
        if reason != FAIL_REASON.SUCCESS:
            raise RuntimeError(f"PySyncObj says no: {reason}")
        return None

    async def read(self, number: int) -> object:
        raise NotImplementedError("its reads are local")

    async def insist(self) -> float:
        async def attempt() -> float:
            await self.write(0)
            return time.monotonic()

        return await first_success(attempt)

    async def close(self) -> None:
        """Do nothing: the node lives on."""


class Node(Worker):
    """A worker that is a node, too."""

    def __init__(self, store: Store) -> None:
        def make() -> Client:
            return InProcess(store)

        super().__init__(make)
        self._store = store

    async def leads(self) -> bool:
        """Return whether this node leads."""
        return bool(self._store._isLeader())

    async def knows_leader(self) -> bool:
        """Return whether this node is ready and has a leader."""
        return bool(self._store.isReady()) and self._store._getLeader() is not None


async def main(own: str, others: str, journal: str, how: str = "batched") -> None:
    """Be a node until nobody asks any more."""
    conf = SyncObjConf(
        journalFile=journal,
        fullDumpFile=str(Path(journal).with_suffix(".dump")),
        appendEntriesUseBatch=how != "single",
    )
    await serve(Node(Store(own, others.split(","), conf)))


if __name__ == "__main__":
    run(main(*sys.argv[1:]))
