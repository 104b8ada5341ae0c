"""The disk thread: everything that may block on a disk happens there, one thing after another."""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from lolraft.multiraft.events import Event, Persisted, PersistFailed
from lolraft.multiraft.records import Batch
from lolraft.storage.interface import Storage

Result = TypeVar("Result")

SWITCH_INTERVAL_S = 0.0005
"""How long a busy loop may keep the interpreter lock from the disk thread (P2)."""

logger = logging.getLogger(__name__)


class DiskThread:
    """
    Run the calls to one `Storage` in one thread, in the order in which they were asked for.

    A failed commit is final: what is queued behind it is not written any more, and each of those
    batches is reported as failed too (DESIGN section 6).
    """

    def __init__(self, storage: Storage, post: Callable[[Event], None]) -> None:
        self.storage = storage
        self._post = post
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="lolraft-disk", daemon=True)
        self._broken: str | None = None  # Written by the disk thread only.
        self._durations_s: deque[float] = deque(maxlen=64)
        self._waiting_bytes = 0
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def start(self) -> None:
        """Start the thread, and make the interpreter hand it the lock in time (P2)."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        self._thread.start()

    @property
    def mean_commit_s(self) -> float:
        """Return the mean of the last commits in seconds; 0 when there was none."""
        durations = tuple(self._durations_s)
        return sum(durations) / len(durations) if durations else 0.0

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes of entries that were given to `commit` and are not durable yet."""
        return self._waiting_bytes

    async def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Run *function* in the disk thread and return, or raise, what it does."""
        future: asyncio.Future[Result] = self._loop.create_future()

        def work() -> None:
            try:
                result = function(*arguments)
            except BaseException as failure:  # It belongs to the caller, whatever it is.
                self._hand_back(_fail, future, failure)
            else:
                self._hand_back(_finish, future, result)

        self._calls.put(work)
        return await future

    def commit(self, batch: Batch, on_durable: Callable[[Batch], None]) -> None:
        """Write *batch*, call *on_durable* in the loop, post `Persisted`; or `PersistFailed`."""
        size = batch_bytes(batch)
        self._waiting_bytes += size
        self._waiting += 1
        self._idle.clear()
        self._calls.put(lambda: self._commit(batch, size, on_durable))

    def _commit(self, batch: Batch, size: int, on_durable: Callable[[Batch], None]) -> None:
        event: Persisted | PersistFailed
        if self._broken is None:
            started_s = time.perf_counter()
            try:
                self.storage.commit(batch)
            except Exception as failure:  # An unknown failure is no less a failed sync.
                logger.exception("batch %d could not be made durable", batch.number)
                self._broken = f"{type(failure).__name__}: {failure}"
            self._durations_s.append(time.perf_counter() - started_s)
        if self._broken is None:
            event = Persisted(number=batch.number)
        else:
            event = PersistFailed(number=batch.number, reason=self._broken)
        self._hand_back(self._committed, batch, size, on_durable, event)

    def _committed(
        self,
        batch: Batch,
        size: int,
        on_durable: Callable[[Batch], None],
        event: Persisted | PersistFailed,
    ) -> None:
        self._waiting_bytes -= size
        self._waiting -= 1
        if self._waiting == 0:
            self._idle.set()
        if isinstance(event, Persisted):
            on_durable(batch)
        self._post(event)

    def _hand_back(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # The loop is closed: nobody waits.
            logger.debug("the loop was gone before the disk was done")

    async def idle(self) -> None:
        """Wait until every batch given so far is durable or has failed."""
        await self._idle.wait()

    async def close(self) -> None:
        """Close the storage and end the thread; what is queued before it is done first."""
        if self._closed:
            return
        self._closed = True
        if not self._thread.is_alive():
            return
        try:
            await self.call(self.storage.close)
        finally:
            self._calls.put(None)

    def _run(self) -> None:
        while (work := self._calls.get()) is not None:
            work()


def batch_bytes(batch: Batch) -> int:
    """Return about how many bytes *batch* will put on the disk: payloads and sessions."""
    total = 0
    for _, save in batch.saves:
        if save.entries is not None:
            total += sum(map(len, save.entries.payloads))
        if save.snapshot is not None:
            total += len(save.snapshot.sessions)
    return total


def _finish(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Result], failure: BaseException) -> None:
    if not future.done():
        future.set_exception(failure)
