"""Apps under virtual time: the one queue into each shard's app (S9), as production has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from lolraft.errors import Rejected
from lolraft.multiraft import effects as fx
from lolraft.multiraft import events as ev
from lolraft.raft.effects import Code
from lolraft.raft.types import Index, ShardId, SnapshotMeta
from lolraft.sim.app import SimApp

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode

Job = Callable[[], bool]
"""Does one thing; False where the queue must wait until `AppQueue.go_on` is called."""

PATIENCE_S, RETRY_S, PIECE_BYTES = 10.0, 0.2, 256 * 1024  # As the runtime has them.
INITIAL: Index = 1


class AppQueue:
    """Do one thing after another with one app; all of it belongs to one life of the node."""

    def __init__(self, node: SimNode, shard_id: ShardId, app: SimApp, applied: Index) -> None:
        self.app = app
        self.applied = applied
        self.known_snapshot = applied
        self.failed: str | None = None
        self._node = node
        self._life = node.life
        self._shard_id = shard_id
        self._jobs: deque[Job] = deque()
        self._runs = False
        self._fetch: Fetch | None = None

    @property
    def waiting(self) -> int:
        """Return how much is queued."""
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Queue a job behind all others."""
        self._jobs.append(job)
        self._wake()

    def _wake(self) -> None:
        if not self._runs and self._jobs:
            self._runs = True
            node = self._node
            node.world.clock.after(node.app_lag_s(), self._run)

    def _run(self) -> None:
        if self._node.life != self._life:
            return
        if self._node.is_paused:
            self._node.defer(self._run)
            return
        while self._jobs:
            if not self._jobs.popleft()():
                return  # Somebody calls `go_on`.
        self._runs = False

    def go_on(self) -> None:
        """Continue after a job that waited."""
        self._runs = False
        self._wake()

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do *action* in a while, unless the node dies; a frozen node does it when it thaws."""
        node, life = self._node, self._life

        def act() -> None:
            if node.life == life:
                if node.is_paused:
                    node.defer(act)
                else:
                    action()

        node.world.clock.after(delay_s, act)

    # --- what the machine wants ------------------------------------------------------------------

    def apply(self, effect: fx.RunApply) -> None:
        """Execute commands."""
        self.put(lambda: self._apply(effect))

    def _apply(self, effect: fx.RunApply) -> bool:
        if self.failed is not None:
            return True
        node, shard_id = self._node, self._shard_id
        answers: list[tuple[Code, bytes]] = []
        for index, message in effect.items:
            if node.breaks_app(shard_id, index):
                return self._broken(effect, answers, index)
            try:
                answers.append((Code.OK, self.app.process_write(message, index)))
            except Rejected as refusal:
                answers.append((Code.ABORTED, str(refusal).encode()))
            node.world.applied(node, shard_id, index, message, self.app)
        self.applied = max(self.applied, effect.last_index)
        node.post(
            ev.Applied(shard_id=shard_id, last_index=effect.last_index, answers=tuple(answers))
        )
        return True

    def _broken(self, effect: fx.RunApply, answers: list[tuple[Code, bytes]], index: Index) -> bool:
        """Report what was executed before the entry that broke, then the failure at it (S11)."""
        shard_id, post = self._shard_id, self._node.post
        if answers:
            last = effect.items[len(answers) - 1][0]
            self.applied = max(self.applied, last)
            post(ev.Applied(shard_id=shard_id, last_index=last, answers=tuple(answers)))
        self.failed = "an app that breaks on purpose"
        post(ev.AppFailed(shard_id=shard_id, index=index, reason=self.failed))
        return True

    def read(self, effect: fx.RunRead) -> None:
        """Answer a read."""

        def job() -> bool:
            code, answer = Code.UNAVAILABLE, b"the app has failed"
            if self.failed is None:
                code, answer = Code.OK, self.app.process_read(effect.message, effect.index)
            self._node.post(
                ev.ReadDone(
                    shard_id=self._shard_id, ticket=effect.ticket, code=code, message=answer
                )
            )
            return True

        self.put(job)

    def install(self, effect: fx.RunInstall) -> None:
        """Start from a complete snapshot."""
        index = effect.meta.clock.index

        def job() -> bool:
            self.app.load(self._snapshots[index])
            self.applied = max(self.applied, index)
            self.known_snapshot = max(self.known_snapshot, index)
            self._node.world.installed(self._node, self._shard_id, index, self.app)
            return True

        self.put(job)

    def forget(self, effect: fx.RunForget) -> None:
        """Delete older snapshots."""

        def job() -> bool:
            for index in [known for known in self._snapshots if known < effect.index]:
                del self._snapshots[index]
            return True

        self.put(job)

    # --- snapshots -------------------------------------------------------------------------------

    @property
    def _snapshots(self) -> dict[Index, bytes]:
        return self._node.disk.snapshots.setdefault(self._shard_id, {})

    def make_snapshot(self) -> None:
        """Dump the state at its turn in the queue; the file is durable a little later."""
        self.put(self._dump)

    def _dump(self) -> bool:
        index, state = self.applied, self.app.dump()
        if index <= INITIAL or self.failed is not None:
            return True

        def written() -> None:
            self._snapshots[index] = state
            self.put(self._look)

        self._later(self._node.snapshot_lag_s(), written)
        return True

    def _look(self) -> bool:
        """Ask for the newest snapshot, as after every read and every thousand entries (P5)."""
        newest = max(self._snapshots, default=INITIAL)
        if self.known_snapshot < newest <= self.applied:
            self.known_snapshot = newest
            self._node.post(ev.SnapshotFound(shard_id=self._shard_id, index=newest))
        return True

    def fetch(self, effect: fx.RunFetch) -> None:
        """Fetch a peer's snapshot; another wish replaces an older one, the same goes on."""
        if self._fetch is not None:
            if self._fetch.is_under_way(effect):
                return
            self._fetch.replaced = True
        fetch = self._fetch = Fetch(self._node, self, effect)
        self.put(fetch.begin)

    def arrived(self, meta: SnapshotMeta, state: bytes) -> None:
        """Keep the app's half of a fetched snapshot, then say that it is there (S5)."""
        index = meta.clock.index
        self._snapshots[index] = state
        self.known_snapshot = max(self.known_snapshot, index)
        self._node.post(ev.SnapshotArrived(shard_id=self._shard_id, meta=meta))

    def wait(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do *action* of this life later."""
        self._later(delay_s, action)


class Fetch:
    """One snapshot on its way, piece by piece; a broken stream is taken up again."""

    def __init__(self, node: SimNode, queue: AppQueue, effect: fx.RunFetch) -> None:
        self.replaced = self._over = False
        self._node = node
        self._queue = queue
        self._effect = effect
        self._progress_s = 0.0
        self._pieces = 0

    def is_under_way(self, effect: fx.RunFetch) -> bool:
        """Return whether this is the fetch that *effect* wants, and has not ended."""
        return effect == self._effect and not (self.replaced or self._over)

    def begin(self) -> bool:
        """Start, unless a newer wish came first; the queue waits for the end."""
        if self.replaced:
            self._lost("a newer snapshot is wanted")
            return True
        self._progress_s = self._node.world.clock.now_s
        self._next()
        return False

    def _next(self) -> None:
        world, effect = self._node.world, self._effect
        if self.replaced:
            self._end("a newer snapshot is wanted")
            return
        source = world.nodes.get(effect.source)
        there = world.network.delay_s(effect.source, self._node.node_id, "snapshot")
        back = world.network.delay_s(self._node.node_id, effect.source, "snapshot")
        if source is None or not source.is_running or there is None or back is None:
            if world.clock.now_s - self._progress_s > PATIENCE_S:
                self._end("nothing new came for too long")
            else:
                self._queue.wait(RETRY_S, self._next)
            return
        meta = source.offered(effect)
        if meta is None:
            self._end("there is no such snapshot")
            return
        state = source.disk.snapshots[effect.shard_id][meta.clock.index]
        self._queue.wait(there + back, lambda: self._piece(meta, state))

    def _piece(self, meta: SnapshotMeta, state: bytes) -> None:
        self._progress_s = self._node.world.clock.now_s
        self._pieces += 1
        if self._pieces * PIECE_BYTES <= len(state) or self._pieces < self._node.world.plan.pieces:
            self._next()
            return
        if self.replaced:
            self._end("a newer snapshot is wanted")
            return
        self._over = True
        self._queue.arrived(meta, state)
        self._queue.go_on()

    def _end(self, reason: str) -> None:
        self._lost(reason)
        self._queue.go_on()

    def _lost(self, reason: str) -> None:
        self._over, effect = True, self._effect
        self._node.post(
            ev.SnapshotLost(
                shard_id=effect.shard_id, clock=effect.clock, source=effect.source, reason=reason
            )
        )
