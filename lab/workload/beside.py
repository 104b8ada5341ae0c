"""A load beside a cluster: started, adjusted and stopped by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from lab.workload.load import KeyValueClient, Load, Verdict
from lab.workload.view import LoadView, view_of
from lolraft.raft.types import ShardId

RATES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
READS = (0.0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0)
KEYS = (1, 2, 5, 10, 20, 50, 100, 200)
CLIENTS = 24  # Enough for the highest rate where an answer takes some ten milliseconds.


class LoadBeside:
    """
    The one load of a session. What it measured stays to be seen after it has stopped.

    *now* and *sleep* belong to the cluster's time.
    """

    def __init__(
        self,
        client: KeyValueClient,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client, self._now, self._sleep = client, now, sleep
        self._rate, self._reads, self._keys = 50.0, 0.4, 5
        self._load: Load | None = None
        self._ending = False
        self._runs = 0

    @property
    def is_running(self) -> bool:
        """Return whether clients ask, or the last reads are under way."""
        return self._load is not None and (self._load.is_running or self._ending)

    @property
    def view(self) -> LoadView:
        """Return what there is to see now."""
        load = self._load
        return replace(
            view_of(load, self._now()),
            running=load is not None and load.is_running and not self._ending,
            ending=self._ending,
            rate=self._rate,
            reads=self._reads,
            keys=self._keys,
        )

    def start(self, shards: tuple[ShardId, ...]) -> None:
        """Begin a new load on *shards*; one that runs goes on."""
        if self.is_running:
            return
        self._runs += 1
        self._load = Load(
            self._client,
            now=self._now,
            sleep=self._sleep,
            shards=shards,
            clients=CLIENTS,
            keys=self._keys,
            rate=self._rate,
            reads=self._reads,
            seed=self._runs,
            prefix=f"load{self._now():.0f}.{self._runs}.",
        )
        self._load.start()

    async def stop(self) -> Verdict:
        """End, read every key once more, and return the verdict."""
        if self._load is None:
            return Verdict()
        if self._ending:
            return self._load.verdict
        self._ending = True
        try:
            return await self._load.stop()
        finally:
            self._ending = False

    async def cancel(self) -> None:
        """End at once."""
        if self._load is not None:
            await self._load.cancel()

    async def forget(self) -> None:
        """End at once, as if it had never been."""
        await self.cancel()
        self._load = None

    def adjust(self, what: str, step: int) -> str:
        """Take the next higher or lower *what* (rate, reads or keys); return it in words."""
        if what == "rate":
            self._rate = _next(RATES, self._rate, step)
        elif what == "reads":
            self._reads = _next(READS, self._reads, step)
        else:
            self._keys = int(_next(KEYS, self._keys, step))
        if self._load is not None:
            load = self._load
            load.rate, load.reads, load.keys = self._rate, self._reads, self._keys
        return f"{self._rate:g}/s, {self._reads:.0%} reads, {self._keys} keys"


def _next(scale: tuple[float, ...], value: float, step: int) -> float:
    place = min(range(len(scale)), key=lambda at: abs(scale[at] - value))
    return scale[max(0, min(len(scale) - 1, place + step))]
