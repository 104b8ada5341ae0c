"""The driver: gathers events, lets the pure machine decide, and does what it says."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import assert_never

from lolraft.errors import LolraftError
from lolraft.multiraft import effects as fx
from lolraft.multiraft.commands import RequestId
from lolraft.multiraft.effects import Effect, Respond, Tell
from lolraft.multiraft.events import (
    ClientGone,
    ClientRequest,
    Event,
    FrameWritten,
    HostShard,
    OperatorTimeoutNow,
    Shutdown,
)
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.records import Batch
from lolraft.raft.types import Clock, Index, NodeId, ShardId, SnapshotMeta, Ticket
from lolraft.runtime import startup
from lolraft.runtime.apps import AppHost
from lolraft.runtime.clock import boot_time_s
from lolraft.runtime.disk import DiskThread
from lolraft.runtime.facts import resident_bytes
from lolraft.runtime.fetch import cut
from lolraft.runtime.ports import Machine, MakeMachine, RuntimeFacts
from lolraft.runtime.tickets import OnDone, Tickets, setter
from lolraft.runtime.transport import SnapshotPiece, SnapshotUnavailable, Transport
from lolraft.storage.interface import Storage
from lolraft.trace import LogRing, Trace, tell_line

LATE_S = 0.02
"""A timer that fires later than this lets the sockets be read before deadlines count (L5)."""

STOP_PATIENCE_S = 2.0
RECENT = 200

logger = logging.getLogger(__name__)


class Driver:
    """
    Own one node's machine, disk thread, app queues, transport and clock.

    All methods are called from the event loop that `start` ran in. Events are gathered and taken
    in one `turn` per iteration of the loop; a timer stands at the machine's next deadline, so an
    idle node does nothing. `storage`, `transport` and `clock` are seams where faults may be put.
    """

    def __init__(
        self,
        *,
        node_id: NodeId,
        make_machine: MakeMachine,
        storage: Storage,
        transport: Transport,
        host: Callable[[Driver], AppHost],
        shards: tuple[ShardId, ...] = (),
        clock: Callable[[], float] = boot_time_s,
        app_name: str = "",
    ) -> None:
        self.node_id = node_id
        self.storage = storage
        self.transport = transport
        self.clock = clock
        self.app_name = app_name
        self.trace = Trace()
        self.log_ring = LogRing()
        """The last lines that this process logged under `lolraft`, of all its nodes."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises when the node cannot go on because of a mistake of ours; never has a result."""
        self._make_machine = make_machine
        self._machine: Machine | None = None
        self._shards = shards
        self._loop = asyncio.get_running_loop()
        self._disk = DiskThread(storage, self.post)
        self._apps = host(self)
        self._inbox: list[Event] = []
        self._turn_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s: float | None = None
        self._tickets = Tickets()
        self._watchers: list[Callable[[Tell], None]] = []
        self.recent: deque[tuple[float, Tell]] = deque(maxlen=RECENT)
        """The last events of the timeline, with wall clock seconds: for who begins to watch."""
        self.metas: dict[ShardId, SnapshotMeta] = {}  # Of the complete snapshots (S5).
        self._started_s = time.monotonic()
        self._stopped = False

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """
        Open the storage, bring the apps to their snapshots (S5), then listen to the peers.

        Raises:
            StorageError: the data cannot be used; the text says why.
        """
        package_logger = logging.getLogger("lolraft")
        package_logger.addHandler(self.log_ring)
        if package_logger.level == logging.NOTSET:
            package_logger.setLevel(logging.INFO)  # Handlers of the program keep their own level.
        self._disk.start()
        try:
            record = await self._disk.call(self.storage.open, self.node_id)
            loaded = await self._disk.call(self.storage.load)
            hosted = tuple(sorted({*record.hosted, *loaded, *self._shards}))
            if hosted != record.hosted:
                # Durable before the machine sees it, so that `--shards` only ever adds (C3).
                record = replace(record, hosted=hosted)
                await self._disk.call(self.storage.commit, Batch(number=0, node=record))
            shards = await startup.reconcile(self._apps, record.hosted, loaded)
        except BaseException:
            await self._end("the node could not start")
            raise
        self.metas = {s: shard.snapshot for s, shard in shards.items() if shard.snapshot}
        self._machine = self._make_machine(record, shards, self.clock())
        await self.transport.start(self)
        self._turn_soon()

    async def stop(self, reason: str = "the node stops") -> None:
        """Stop in order: every ticket is answered, what was asked of the disk is written."""
        if self._stopped:
            return
        if self._machine is not None and not self.failed.done():
            self.post(Shutdown(reason=reason))
            self._turn()
            try:
                async with asyncio.timeout(STOP_PATIENCE_S):
                    await self._disk.idle()
                self._turn()  # What waited for the disk: the last answers.
            except TimeoutError:
                logger.warning("the disk did not finish within %.0f s", STOP_PATIENCE_S)
        await self._end(reason)

    async def crash(self) -> None:
        """End as a killed process would: nothing is said to anybody. For tests and the lab."""
        await self._end("the node crashed")

    async def _end(self, reason: str) -> None:
        if self._stopped:
            return
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._apps.stop()
        self._tickets.close(reason)
        await self.transport.stop()
        await self._disk.close()
        logging.getLogger("lolraft").removeHandler(self.log_ring)

    # --- events in -------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Take *event*; a turn follows in this iteration of the loop or the next."""
        if self._stopped:
            return
        self._inbox.append(event)
        # A frame that is written when nothing waits behind it is news for the next turn only.
        if not isinstance(event, FrameWritten) or self.machine.waits_for(event.peer):
            self._turn_soon()

    def _turn_soon(self) -> None:
        if not self._turn_is_due and self._machine is not None:
            self._turn_is_due = True
            self._loop.call_soon(self._turn)

    def _on_timer(self) -> None:
        planned_s, self._timer, self._timer_at_s = self._timer_at_s, None, None
        if planned_s is not None and self.clock() - planned_s > LATE_S:
            # Something held the loop: what arrived meanwhile is still in the sockets (L5).
            self._timer = self._loop.call_later(LATE_S / 4, self._turn)
            return
        self._turn()

    def _turn(self) -> None:
        self._turn_is_due = False
        if self._stopped or self._machine is None or self.failed.done():
            return
        events, self._inbox = self._inbox, []
        now_s = self.clock()  # After the events were taken: reads by lease are as of now (S6).
        try:
            effects = self._machine.turn(now_s, events)
            self.trace.record(now_s, events, effects)
            for effect in effects:
                self._do(effect)
            self._set_timer(self._machine.next_deadline_s())
        except Exception as failure:  # Ours: the machine raises for nothing that others do.
            self._give_up(failure, events)

    def _set_timer(self, deadline_s: float | None) -> None:
        if deadline_s == self._timer_at_s and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at_s = deadline_s
        if deadline_s is not None:
            self._timer = self._loop.call_later(max(0.0, deadline_s - self.clock()), self._on_timer)

    def _give_up(self, failure: Exception, events: list[Event]) -> None:
        logger.critical(
            "the node stops: a mistake of its own\n%s\nlast turn took %r",
            self.trace.text(),
            events,
            exc_info=failure,
        )
        self._tickets.close("the node stopped because of an internal error")
        self.failed.set_exception(failure)
        self.failed.exception()  # Seen: whoever waits gets it too.

    # --- effects out -----------------------------------------------------------------------------

    def _do(self, effect: Effect) -> None:  # noqa: C901 - one case per effect, in sight.
        match effect:
            case fx.SendFrame():
                self.transport.send_frame(effect.peer, effect.frame)
            case fx.Persist():
                self._disk.commit(effect.batch, self._on_durable)
            case Respond():
                self._tickets.end(effect)
            case fx.RunApply():
                self._apps.apply(effect)
            case fx.RunRead():
                self._apps.read(effect)
            case fx.SendHeartbeat():
                self.transport.send_heartbeat(effect.peer, effect.heartbeat)
            case fx.SendAck():
                self.transport.send_ack(effect.peer, effect.ack)
            case Tell():
                self._tell(effect)
            case fx.RunInstall():
                self._apps.install(effect)
            case fx.RunFetch():
                self._apps.fetch(effect)
            case fx.RunSnapshot():
                self._apps.make_snapshot(effect)
            case fx.RunForget():
                self._apps.forget(effect)
            case fx.RunDrop():
                self.metas.pop(effect.shard_id, None)
                self._apps.drop(effect.shard_id)
            case fx.Dial():
                self.transport.dial(effect.peer)
            case fx.HangUp():
                self.transport.hang_up(effect.peer)
            case _:
                assert_never(effect)

    def _on_durable(self, batch: Batch) -> None:
        """Remember Raft's half of each snapshot once it is on the disk: peers may ask for it."""
        for shard_id, save in batch.saves:
            if save.snapshot is not None:
                self.metas[shard_id] = save.snapshot
        for shard_id in batch.dropped:
            self.metas.pop(shard_id, None)

    def _tell(self, tell: Tell) -> None:
        logger.info("%s", tell_line(tell))
        self.recent.append((time.time(), tell))
        if tell.kind == "stopped" and "AssertionError" in tell.text:
            logger.critical("a mistake of ours; the turns before it:\n%s", self.trace.text())
        for watcher in tuple(self._watchers):
            try:
                watcher(tell)
            except Exception:  # A watcher is nobody's reason to stop.
                logger.exception("a watcher failed")

    # --- requests --------------------------------------------------------------------------------

    def request(
        self,
        kind: RequestKind,
        shard_id: ShardId,
        message: bytes = b"",
        request_id: RequestId = "",
        *,
        max_staleness_s: float = 0.0,
        on_done: OnDone,
    ) -> Ticket:
        """Ask something of a shard; *on_done* is called exactly once, from a later turn."""
        ticket, admitted = self._tickets.new(on_done)
        if admitted:
            event = ClientRequest(
                ticket=ticket,
                kind=kind,
                shard_id=shard_id,
                message=message,
                request_id=request_id,
                max_staleness_s=max_staleness_s,
            )
            self.post(event)
        return ticket

    def request_timeout_now(self, shard_id: ShardId, *, on_done: OnDone) -> Ticket:
        """Make this node's replica start an election, as `SendTimeoutNow` of 0.10.2 does."""
        ticket, admitted = self._tickets.new(on_done)
        if admitted:
            self.post(OperatorTimeoutNow(ticket=ticket, shard_id=shard_id))
        return ticket

    async def ask(
        self, kind: RequestKind, shard_id: ShardId, message: bytes = b"", request_id: RequestId = ""
    ) -> Respond:
        """Ask and wait for the answer; a cancelled wait is forgotten."""
        return await self._answer(
            lambda done: self.request(kind, shard_id, message, request_id, on_done=done)
        )

    async def ask_timeout_now(self, shard_id: ShardId) -> Respond:
        """Do `request_timeout_now` and wait for the answer."""
        return await self._answer(lambda done: self.request_timeout_now(shard_id, on_done=done))

    async def _answer(self, ask: Callable[[Callable[[Respond], None]], Ticket]) -> Respond:
        future: asyncio.Future[Respond] = self._loop.create_future()
        ticket = ask(setter(future))
        try:
            return await future
        finally:
            self.forget(ticket)

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for *ticket* any more; harmless when it has been answered."""
        if self._tickets.forget(ticket):
            self.post(ClientGone(ticket=ticket))

    def host_shard(self, shard_id: ShardId) -> None:
        """Serve *shard_id* from now on, if not already (C3)."""
        self._apps.queue(shard_id)
        self.post(HostShard(shard_id=shard_id))

    # --- watching --------------------------------------------------------------------------------

    @property
    def machine(self) -> Machine:
        """Return the machine; `LolraftError` when the driver has not been started."""
        if self._machine is None:
            raise LolraftError("the node has not been started")
        return self._machine

    def subscribe(self, callback: Callable[[Tell], None]) -> Callable[[], None]:
        """Call *callback* at every event of the timeline; returns what ends that."""
        self._watchers.append(callback)

        def end() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return end

    def facts(self) -> RuntimeFacts:
        """Return what the shell knows of itself."""
        times = os.times()
        return RuntimeFacts(
            uptime_s=time.monotonic() - self._started_s,
            cpu_s=times.user + times.system,
            rss_bytes=resident_bytes(),
            fsync_s=self._disk.mean_commit_s,
            queue_bytes=self._disk.waiting_bytes + self._apps.waiting_bytes,
            commits=self._apps.executed,
            app=self.app_name,
            pid=os.getpid(),
        )

    # --- snapshots -------------------------------------------------------------------------------

    async def open_snapshot(self, shard_id: ShardId, index: Index) -> AsyncIterator[bytes]:
        """
        Yield the app's bytes of the snapshot at *index*, in pieces of any size.

        Raises:
            LookupError: there is no such shard, or no such snapshot (any more).
        """
        async for chunk in await self._apps.open_snapshot(shard_id, index):
            yield chunk

    async def serve_snapshot(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        """Yield the pieces of a complete snapshot for a peer; see `Sink.serve_snapshot`."""
        meta = self.metas.get(shard_id)
        if meta is None or meta.clock != clock:
            raise SnapshotUnavailable(f"shard {shard_id} has no snapshot at {clock} here")
        if group not in (0, meta.configuration.group_id & (2**64 - 1)):  # 0: it knows none yet.
            raise SnapshotUnavailable(f"shard {shard_id} is another group here")
        try:
            async for piece in cut(meta, self.open_snapshot(shard_id, clock.index), offset):
                yield piece
        except LookupError as gone:
            raise SnapshotUnavailable(f"the snapshot of shard {shard_id} is gone: {gone}") from gone
