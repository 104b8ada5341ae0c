"""The one queue of calls into one shard's app (PROTOCOL S9): in order, one at a time."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from lolraft.app import RaftApp
from lolraft.errors import Rejected
from lolraft.multiraft.effects import RunApply, RunRead
from lolraft.multiraft.events import AppFailed, Applied, Event, ReadDone, SnapshotFound
from lolraft.raft.effects import Code
from lolraft.raft.types import Index, ShardId

ASK_EVERY = 1000
"""After so many entries the app is asked whether it has made a snapshot (P5)."""

logger = logging.getLogger(__name__)


class Job(ABC):
    """One thing for the app to do: in `run` when it is sync, in what that returns when async."""

    @abstractmethod
    def run(self, queue: AppQueue, until_s: float) -> bool | Awaitable[None]:
        """Work until done (True) or *until_s* has passed (False), or return what to await."""

    def give_up(self, queue: AppQueue, reason: str) -> None:  # noqa: B027 - most need nothing.
        """Tell whoever waits that this will not be done."""


class AppQueue:
    """
    Hold what one shard's app has to do.

    Sync apps are called directly, within the time slice that the host gives; a task exists only
    while something awaitable is awaited. After `AppFailed` nothing reaches the app any more (S11).
    """

    def __init__(
        self,
        shard_id: ShardId,
        app: RaftApp,
        post: Callable[[Event], None],
        wake: Callable[[AppQueue], None],
    ) -> None:
        self.shard_id = shard_id
        self.app = app
        self.post = post
        self.applied: Index = 1
        self.known_snapshot: Index = 1
        self.executed = 0  # Commands since the start.
        self.waiting_bytes = 0
        self.scheduled = False
        self.failed: str | None = None
        self._wake = wake
        self._jobs: deque[Job] = deque()
        self._task: asyncio.Task[None] | None = None
        self._until_ask = ASK_EVERY
        self._asking = False

    @property
    def is_ready(self) -> bool:
        """Return whether there is something to do that does not wait for the app."""
        return bool(self._jobs) and self._task is None

    def put(self, job: Job) -> None:
        """Queue *job* behind all others."""
        if self.failed is not None:
            job.give_up(self, self.failed)
            return
        self._jobs.append(job)
        if self._task is None:
            self._wake(self)

    def run(self, until_s: float) -> None:
        """Do what is queued until *until_s* (`time.perf_counter`) or until something is awaited."""
        while self._jobs and self._task is None:
            job = self._jobs.popleft()
            outcome = job.run(self, until_s)
            if outcome is False:
                self._jobs.appendleft(job)
                return
            if outcome is not True:
                self._task = asyncio.get_running_loop().create_task(self._await(outcome, job))
                return
            if time.perf_counter() > until_s:
                return

    async def _await(self, outcome: Awaitable[None], job: Job) -> None:
        try:
            await outcome
        except Exception as failure:  # Every job handles its app's errors: this is our mistake.
            logger.exception("a job of shard %d failed", self.shard_id)
            self.fail(self.applied + 1, failure)
        finally:
            self._task = None
            if self._jobs:
                self._wake(self)

    def after_apply(self, last_index: Index, count: int) -> None:
        """Count what was executed; ask for a new snapshot now and then (P5)."""
        self.applied = max(self.applied, last_index)
        self.executed += count
        self._until_ask -= count
        if self._until_ask <= 0:
            self.ask_latest()

    def ask_latest(self) -> None:
        """Ask the app for its newest snapshot before anything else happens to its state."""
        self._until_ask = ASK_EVERY
        if not self._asking:
            self._asking = True
            self._jobs.appendleft(Call(lambda app: app.get_latest_snapshot(), _on_latest))

    def found_snapshot(self, result: object) -> None:
        """Post the answer to `ask_latest` when it is news."""
        self._asking = False
        if not isinstance(result, int):
            # Without the answer the log only grows; the state is as good as before.
            logger.error("shard %d: get_latest_snapshot gave %r", self.shard_id, result)
            return
        # A snapshot ahead of what was applied is a half of an earlier life: its time comes when
        # the log has been replayed up to it (S5).
        if self.known_snapshot < result <= self.applied:
            self.known_snapshot = result
            self.post(SnapshotFound(shard_id=self.shard_id, index=result))

    def fail(self, index: Index, failure: BaseException) -> None:
        """Stop at *index* (S11): report it, and give up what is queued."""
        lines = traceback.format_exception(failure)
        reason = "".join(lines[-3:]).strip()
        logger.error("the app of shard %d failed at index %d: %s", self.shard_id, index, reason)
        self.failed = f"the app failed at index {index}: {failure!r}"
        self.post(AppFailed(shard_id=self.shard_id, index=index, reason=reason))
        jobs, self._jobs = self._jobs, deque()
        for job in jobs:
            job.give_up(self, self.failed)

    def cancel(self) -> None:
        """Forget everything: the node ends."""
        self._jobs.clear()
        self.failed = "the node stops"
        if self._task is not None:
            self._task.cancel()


class Apply(Job):
    """Execute the commands of one `RunApply`, over as many slices as they need."""

    def __init__(self, effect: RunApply) -> None:
        self._effect = effect
        self._answers: list[tuple[Code, bytes]] = []
        self._bytes = sum(len(message) for _, message in effect.items)

    def queued(self, queue: AppQueue) -> Apply:
        """Count the bytes that wait in *queue* because of this."""
        queue.waiting_bytes += self._bytes
        return self

    def run(self, queue: AppQueue, until_s: float) -> bool | Awaitable[None]:
        """Call `process_write` for each item; an awaitable answer makes the rest a task."""
        items, answers, app = self._effect.items, self._answers, queue.app
        while len(answers) < len(items):
            index, message = items[len(answers)]
            try:
                answer = app.process_write(message, index)
                if not isinstance(answer, bytes) and isawaitable(answer):
                    return self._rest(queue, answer)
                answers.append((Code.OK, _checked(answer)))
            except Rejected as refusal:
                answers.append((Code.ABORTED, str(refusal).encode()))
            except Exception as failure:
                return self._broken(queue, failure)
            if len(answers) < len(items) and time.perf_counter() > until_s:
                return False
        return self._done(queue)

    async def _rest(self, queue: AppQueue, answer: object) -> None:
        items, answers = self._effect.items, self._answers
        while True:
            try:
                if not isinstance(answer, bytes) and isawaitable(answer):
                    answer = await answer
                answers.append((Code.OK, _checked(answer)))
            except Rejected as refusal:
                answers.append((Code.ABORTED, str(refusal).encode()))
            except Exception as failure:
                self._broken(queue, failure)
                return
            if len(answers) == len(items):
                break
            index, message = items[len(answers)]
            try:
                answer = queue.app.process_write(message, index)
            except Exception as failure:
                answer = _raising(failure)
        self._done(queue)

    def _done(self, queue: AppQueue) -> bool:
        queue.waiting_bytes -= self._bytes
        effect = self._effect
        queue.after_apply(effect.last_index, len(self._answers))
        queue.post(
            Applied(
                shard_id=queue.shard_id,
                last_index=effect.last_index,
                answers=tuple(self._answers),
            )
        )
        return True

    def _broken(self, queue: AppQueue, failure: Exception) -> bool:
        """Report what was executed before the entry that broke, then the failure at it."""
        queue.waiting_bytes -= self._bytes
        index = self._effect.items[len(self._answers)][0]
        if self._answers:
            before = self._effect.items[len(self._answers) - 1][0]
            queue.after_apply(before, len(self._answers))
            queue.post(
                Applied(shard_id=queue.shard_id, last_index=before, answers=tuple(self._answers))
            )
        queue.fail(index, failure)
        return True


class Read(Job):
    """Answer one `RunRead`. A read that raises is answered INTERNAL: it changed no state."""

    def __init__(self, effect: RunRead) -> None:
        self._effect = effect

    def run(self, queue: AppQueue, until_s: float) -> bool | Awaitable[None]:
        """Call `process_read`."""
        try:
            answer = queue.app.process_read(self._effect.message, self._effect.index)
            if not isinstance(answer, bytes) and isawaitable(answer):
                return self._later(queue, answer)
            self._answer(queue, Code.OK, _checked(answer))
        except Exception as failure:
            self._refuse(queue, failure)
        return True

    async def _later(self, queue: AppQueue, answer: Awaitable[object]) -> None:
        try:
            self._answer(queue, Code.OK, _checked(await answer))
        except Exception as failure:
            self._refuse(queue, failure)

    def _refuse(self, queue: AppQueue, failure: Exception) -> None:
        if isinstance(failure, Rejected):
            self._answer(queue, Code.ABORTED, str(failure).encode())
            return
        logger.error("a read of shard %d raised", queue.shard_id, exc_info=failure)
        text = f"the app raised {type(failure).__name__}: {failure}"
        self._answer(queue, Code.INTERNAL, text.encode())

    def _answer(self, queue: AppQueue, code: Code, message: bytes) -> None:
        effect = self._effect
        queue.post(
            ReadDone(shard_id=effect.shard_id, ticket=effect.ticket, code=code, message=message)
        )
        queue.ask_latest()

    def give_up(self, queue: AppQueue, reason: str) -> None:
        """Answer UNAVAILABLE: another replica may serve it."""
        effect = self._effect
        queue.post(
            ReadDone(
                shard_id=effect.shard_id,
                ticket=effect.ticket,
                code=Code.UNAVAILABLE,
                message=reason.encode(),
            )
        )


class Call(Job):
    """Make one call into the app, then tell *done* what came of it: a value or an exception."""

    def __init__(
        self,
        call: Callable[[RaftApp], object],
        done: Callable[[AppQueue, object], None],
    ) -> None:
        self._call = call
        self._done = done

    def run(self, queue: AppQueue, until_s: float) -> bool | Awaitable[None]:
        """Call; an awaitable result makes it a task."""
        try:
            result: object = self._call(queue.app)
            if isawaitable(result):
                return self._later(queue, result)
        except Exception as failure:
            result = failure
        self._done(queue, result)
        return True

    async def _later(self, queue: AppQueue, awaitable: Awaitable[object]) -> None:
        try:
            result: object = await awaitable
        except Exception as failure:
            result = failure
        self._done(queue, result)

    def give_up(self, queue: AppQueue, reason: str) -> None:
        """Hand the reason over as an exception."""
        self._done(queue, RuntimeError(reason))


def _on_latest(queue: AppQueue, result: object) -> None:
    queue.found_snapshot(result)


def _checked(answer: object) -> bytes:
    if isinstance(answer, (bytes, bytearray, memoryview)):
        return bytes(answer)
    raise TypeError(f"an app's answer is bytes, not {type(answer).__name__}")


async def _raising(failure: Exception) -> bytes:
    raise failure
