"""All apps of a node: one queue a shard, and a fair share of the loop for each."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

from lolraft.app import RaftApp
from lolraft.multiraft.effects import (
    RunApply,
    RunFetch,
    RunForget,
    RunInstall,
    RunRead,
    RunSnapshot,
)
from lolraft.multiraft.events import Event, SnapshotArrived, SnapshotLost
from lolraft.raft.types import Index, ShardId, SnapshotMeta
from lolraft.runtime.app_queue import Apply, AppQueue, Call, Job, Read
from lolraft.runtime.fetch import Download, FetchPieces

SLICE_S = 0.005
"""How long apps may keep the loop before sockets and timers get their turn."""

FOR_EVER: Index = 2**63 - 1

MakeApp = Callable[[ShardId, Path], RaftApp]
"""Build the app of one shard; the directory exists and is the app's own."""

logger = logging.getLogger(__name__)


class AppHost:
    """Run what the machine wants of the apps, and post what they answer."""

    def __init__(
        self,
        make_app: MakeApp,
        directory: Path,
        post: Callable[[Event], None],
        fetch_pieces: FetchPieces,
    ) -> None:
        self._make_app = make_app
        self._directory = directory
        self._post = post
        self._fetch_pieces = fetch_pieces
        self._queues: dict[ShardId, AppQueue] = {}
        self._ready: deque[AppQueue] = deque()
        self._is_slicing = False
        self._fetches: dict[ShardId, Fetch] = {}
        self._executed_before = 0  # By queues that were dropped.
        self._stopped = False

    # --- shards ----------------------------------------------------------------------------------

    def directory_of(self, shard_id: ShardId) -> Path:
        """Return where the app of *shard_id* keeps its snapshots."""
        return self._directory / str(shard_id)

    def queue(self, shard_id: ShardId) -> AppQueue:
        """Return the queue of *shard_id*; a new one starts with the app's initial state."""
        queue = self._queues.get(shard_id)
        if queue is None:
            queue = self.adopt(shard_id, self.build(shard_id))
            queue.put(Call(lambda app: app.install_snapshot(1), _must_work))
        return queue

    def build(self, shard_id: ShardId) -> RaftApp:
        """Make the app of *shard_id*, without a queue and without a state."""
        directory = self.directory_of(shard_id)
        directory.mkdir(parents=True, exist_ok=True)
        return self._make_app(shard_id, directory)

    def adopt(self, shard_id: ShardId, app: RaftApp, applied: Index = 1) -> AppQueue:
        """Give *app*, whose state is that of the snapshot at *applied*, its queue."""
        queue = AppQueue(shard_id, app, self._post, self._wake)
        queue.applied = queue.known_snapshot = applied
        self._queues[shard_id] = queue
        return queue

    @property
    def executed(self) -> int:
        """Return how many commands were executed since the start, over all shards."""
        return self._executed_before + sum(queue.executed for queue in self._queues.values())

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes of commands that wait for an app."""
        return sum(queue.waiting_bytes for queue in self._queues.values())

    # --- what the machine wants ------------------------------------------------------------------

    def apply(self, effect: RunApply) -> None:
        """Queue the commands."""
        queue = self.queue(effect.shard_id)
        queue.put(Apply(effect).queued(queue))

    def read(self, effect: RunRead) -> None:
        """Queue the read, behind the applies before it."""
        self.queue(effect.shard_id).put(Read(effect))

    def install(self, effect: RunInstall) -> None:
        """Queue the installation of a complete snapshot."""
        index = effect.meta.clock.index

        def done(queue: AppQueue, result: object) -> None:
            if isinstance(result, Exception):
                queue.fail(index, result)
                return
            queue.applied = max(queue.applied, index)
            queue.known_snapshot = max(queue.known_snapshot, index)

        self.queue(effect.shard_id).put(Call(lambda app: app.install_snapshot(index), done))

    def fetch(self, effect: RunFetch) -> None:
        """Queue the fetch of a snapshot; another wish replaces an older one, the same goes on."""
        older = self._fetches.get(effect.shard_id)
        if older is not None:
            if older.is_under_way(effect):
                return  # Begun anew at every wish, a long one would never come to its end.
            older.replace()
        fetch = Fetch(effect, Download(effect, self._fetch_pieces))
        self._fetches[effect.shard_id] = fetch
        self.queue(effect.shard_id).put(fetch)

    def make_snapshot(self, effect: RunSnapshot) -> None:
        """Queue the wish for a snapshot; a Future that the app returns runs beside the queue."""
        queue = self.queue(effect.shard_id)

        def begin(app: RaftApp) -> object:
            outcome = app.make_snapshot(queue.applied)
            if not isinstance(outcome, asyncio.Future):
                return outcome
            outcome.add_done_callback(ended)
            return None

        def ended(future: asyncio.Future[None]) -> None:
            if not future.cancelled():
                made(queue, future.exception())

        def made(queue: AppQueue, result: object) -> None:
            if isinstance(result, BaseException):
                # Without it the log only grows; it is asked for again when it has grown more.
                logger.error("shard %d: no snapshot was made", queue.shard_id, exc_info=result)
            queue.put(Call(lambda app: app.get_latest_snapshot(), AppQueue.found_snapshot))

        queue.put(Call(begin, made))

    def forget(self, effect: RunForget) -> None:
        """Queue the deletion of older snapshots."""
        index = effect.index
        self.queue(effect.shard_id).put(
            Call(lambda app: app.delete_snapshots_before(index), _should_work)
        )

    def drop(self, shard_id: ShardId) -> None:
        """Drop the app and its snapshots; the shard starts anew should it be used again."""
        queue = self._queues.pop(shard_id, None)
        if queue is None:
            return
        self._executed_before += queue.executed
        self._fetches.pop(shard_id, None)
        if queue.failed is not None:
            queue = self.adopt(shard_id, queue.app)
            del self._queues[shard_id]

        async def clean(app: RaftApp) -> None:
            outcome = app.delete_snapshots_before(FOR_EVER)
            if outcome is not None:
                await outcome
            if shard_id not in self._queues:
                await asyncio.to_thread(shutil.rmtree, self.directory_of(shard_id), True)

        queue.put(Call(clean, _should_work))

    async def open_snapshot(self, shard_id: ShardId, index: Index) -> AsyncIterator[bytes]:
        """
        Return the bytes of a snapshot; the call goes through the queue, reading does not.

        Raises:
            LookupError: there is no such shard or snapshot.
        """
        queue = self._queues.get(shard_id)
        if queue is None:
            raise LookupError(f"shard {shard_id} is not hosted here")
        future: asyncio.Future[Iterable[bytes] | AsyncIterator[bytes]] = (
            asyncio.get_running_loop().create_future()
        )

        def open_it(app: RaftApp) -> None:
            chunks = app.open_snapshot(index)
            if not future.done():
                future.set_result(chunks)

        def done(_: AppQueue, result: object) -> None:
            if isinstance(result, Exception) and not future.done():
                future.set_exception(result)

        queue.put(Call(open_it, done))
        return as_async(await future)

    # --- the loop's time -------------------------------------------------------------------------

    def _wake(self, queue: AppQueue) -> None:
        if not queue.scheduled and not self._stopped:
            queue.scheduled = True
            self._ready.append(queue)
            self._slice_soon()

    def _slice_soon(self) -> None:
        if not self._is_slicing:
            self._is_slicing = True
            asyncio.get_running_loop().call_soon(self._slice)

    def _slice(self) -> None:
        """Give every queue that has work its turn, one after another, for one slice of time."""
        self._is_slicing = False
        until_s = time.perf_counter() + SLICE_S
        while self._ready:
            queue = self._ready.popleft()
            queue.scheduled = False
            queue.run(until_s)
            if queue.is_ready:
                queue.scheduled = True
                self._ready.append(queue)
            if self._ready and time.perf_counter() > until_s:
                self._slice_soon()
                return

    def stop(self) -> None:
        """Forget all that is queued, cancel what is awaited."""
        self._stopped = True
        self._ready.clear()
        for queue in self._queues.values():
            queue.cancel()


class Fetch(Job):
    """Save a peer's snapshot through the app, then post what came of it (S5)."""

    def __init__(self, effect: RunFetch, download: Download) -> None:
        self._effect = effect
        self._download = download
        self._saving: asyncio.Task[None] | None = None
        self._replaced = self._over = False

    def is_under_way(self, effect: RunFetch) -> bool:
        """Return whether this is the fetch that *effect* wants, and has not ended."""
        return effect == self._effect and not (self._replaced or self._over)

    def run(self, queue: AppQueue, until_s: float) -> bool | Awaitable[None]:
        """Start, unless a newer wish came first."""
        if self._replaced:
            self._lost(queue, "a newer snapshot is wanted")
            return True
        return self._save(queue)

    async def _save(self, queue: AppQueue) -> None:
        index = self._effect.clock.index

        async def save() -> None:
            await queue.app.save_snapshot(index, self._download.chunks())

        self._saving = asyncio.get_running_loop().create_task(save())
        try:
            await self._saving
            meta = self._download.finished()
        except asyncio.CancelledError:
            self._saving.cancel()
            if not self._replaced:
                raise
            self._lost(queue, "a newer snapshot is wanted")
        except (
            Exception
        ) as failure:  # The wire's, the peer's or the app's: the leader offers again.
            logger.warning("shard %d: snapshot %s is lost: %r", queue.shard_id, index, failure)
            self._lost(queue, f"{type(failure).__name__}: {failure}")
        else:
            self._over = True
            queue.known_snapshot = max(queue.known_snapshot, index)
            queue.post(SnapshotArrived(shard_id=queue.shard_id, meta=meta))

    def replace(self) -> None:
        """Give this fetch up: another one follows."""
        self._replaced = True
        if self._saving is not None:
            self._saving.cancel()

    def give_up(self, queue: AppQueue, reason: str) -> None:
        """Say that it will not come."""
        self._lost(queue, reason)

    def _lost(self, queue: AppQueue, reason: str) -> None:
        self._over, effect = True, self._effect
        queue.post(
            SnapshotLost(
                shard_id=effect.shard_id, clock=effect.clock, source=effect.source, reason=reason
            )
        )


async def as_async(chunks: Iterable[bytes] | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Iterate over *chunks*, whichever kind they are."""
    if isinstance(chunks, AsyncIterator):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk


def snapshot_index(meta: SnapshotMeta | None) -> Index:
    """Return the index of a snapshot; without one it is the initial state, 1."""
    return 1 if meta is None else meta.clock.index


def _must_work(queue: AppQueue, result: object) -> None:
    if isinstance(result, Exception):
        queue.fail(queue.applied, result)


def _should_work(queue: AppQueue, result: object) -> None:
    if isinstance(result, Exception):
        # Old snapshots that stay cost room on the disk and nothing else.
        logger.error("shard %d: the app could not delete", queue.shard_id, exc_info=result)
