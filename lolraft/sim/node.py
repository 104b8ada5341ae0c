"""One simulated node: drives the machine as the runtime does, and dies when it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, assert_never

from lolraft.multiraft import effects as fx
from lolraft.multiraft import events as ev
from lolraft.multiraft.machine import NodeMachine
from lolraft.multiraft.node import NodeConfig
from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.types import Index, NodeId, ShardId, SnapshotMeta
from lolraft.sim.apps import INITIAL, AppQueue
from lolraft.sim.disk import Disk
from lolraft.storage.interface import StorageError

if TYPE_CHECKING:
    from lolraft.sim.world import World

Reply = Callable[[fx.Respond | None], None]
"""Takes the answer; None when the node died with the request."""

LEAST_S = 1e-5
"""A machine that asks for its next turn in less gets it after this: no clock stands still."""


class SimNode:
    """A node that the nemesis can kill, freeze, slow down, and confuse about the time."""

    def __init__(
        self, world: World, record: NodeRecord, config: NodeConfig, *, number: int = 0
    ) -> None:
        self.world = world
        self.number = number
        self.node_id: NodeId = config.node_id
        self.config = config
        self.disk = Disk(record, world.clock)
        self.chance: Random = world.clock.chance(f"node {self.node_id}")
        self.machine: NodeMachine | None = None
        self.life = 0  # Raised at each start and each end: what belongs to an older one is void.
        self.is_paused = False
        self._is_thawing = False  # It runs again, but has not read all that waited.
        self.lag_s = 0.00005  # Between an event and the turn that takes it.
        self.app_slow_s = 0.0
        self.broken_apps: dict[ShardId, Index] = {}  # Raise at this index, once.
        self.queues: dict[ShardId, AppQueue] = {}
        self.tickets: dict[int, tuple[float, Reply]] = {}  # Since when, and who waits.
        self.frozen_s = 0.0  # How long this life has been frozen in all.
        self._frozen_at_s = 0.0
        self._deferred: deque[Callable[[], None]] = deque()
        self._inbox: list[ev.Event] = []
        self._due = False
        self._timer = 0  # Number of the timer that counts, ...
        self._rings_at_s = float("inf")  # ... and when it rings, in the world's time.
        self._next_ticket = 0
        self._metas: dict[ShardId, SnapshotMeta] = {}
        self._rate = 1.0
        self._base_s = 0.0  # What its clock showed, ...
        self._based_at_s = 0.0  # ... and when.

    @property
    def is_running(self) -> bool:
        """Return whether there is a process that is not frozen."""
        return self.machine is not None and not self.is_paused

    # --- its clock -------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Return what this node's own clock shows."""
        return self._base_s + (self.world.clock.now_s - self._based_at_s) * self._rate

    @property
    def rate(self) -> float:
        """Return how fast its clock runs."""
        return self._rate

    def skew(self, *, rate: float | None = None, jump_s: float = 0.0) -> None:
        """Let its clock run at another rate, or jump ahead; it never goes back."""
        self._base_s = self.now_s + jump_s
        self._based_at_s = self.world.clock.now_s
        self._rate = self._rate if rate is None else rate
        if self.is_running:
            self._set_timer()

    # --- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot from the disk: a new epoch, the newest complete snapshots (S5), or refuse to."""
        assert self.machine is None, "a process is started once"
        try:
            record, loaded = self.disk.open(self.node_id)
        except StorageError as refusal:
            self.world.refused(self, refusal)
            return
        self.life += 1
        self._inbox, self._due, self.is_paused, self._is_thawing = [], False, False, False
        self._deferred.clear()
        self._rings_at_s = float("inf")
        self.frozen_s = 0.0
        self.queues, self._metas = {}, {}
        self._base_s, self._based_at_s = self.chance.random() * 1e5, self.world.clock.now_s
        shards: dict[ShardId, ShardRecord] = {}
        for shard_id in sorted({*record.hosted, *loaded}):
            kept = self._reconcile(shard_id, loaded.get(shard_id, ShardRecord()))
            shards[shard_id] = kept
            if kept.snapshot is not None:
                self._metas[shard_id] = kept.snapshot
        self.machine = NodeMachine(
            record, shards, config=self.config, seed=self.chance.getrandbits(64), now_s=self.now_s
        )
        self.world.started(self)
        self._turn_soon()

    def _reconcile(self, shard_id: ShardId, record: ShardRecord) -> ShardRecord:
        """Bring the app to its newest complete snapshot; drop halves without a partner (S5)."""
        kept = self.disk.snapshots.setdefault(shard_id, {})
        index = INITIAL if record.snapshot is None else record.snapshot.clock.index
        if index > INITIAL and index not in kept:
            if record.log_starts_after.index > 0:
                self.world.violated(
                    "snapshots (S5)",
                    f"{self.node_id}: shard {shard_id}'s log starts after"
                    f" {record.log_starts_after.index}, its app has no snapshot at {index}",
                )
            record, index = replace(record, snapshot=None), INITIAL
        if max(kept, default=INITIAL) > index == INITIAL:
            kept.clear()
        elif index > INITIAL:
            for older in [known for known in kept if known < index]:
                del kept[older]
        app = self.world.make_app()
        if index > INITIAL:
            app.load(kept[index])
        self.queues[shard_id] = AppQueue(self, shard_id, app, index)
        return record

    def crash(
        self, *, silently: bool = False, keeps: bool | None = None, tears: bool = False
    ) -> None:
        """
        Die at once: nothing is said, what was not synced is lost.

        *silently* as a machine without power does: peers see no reset. *keeps* decides whether a
        write that is under way made it, *tears* that only a part of it did.
        """
        if self.machine is None:
            return
        self.life += 1
        self.machine, self.is_paused = None, False
        self.world.counts["node died within a write"] += self.disk.on_way is not None
        self.disk.crash(keeps, tears=tears)
        tickets, self.tickets = self.tickets, {}
        self.world.network.gone(self.node_id, silently)
        self.world.died(self)
        for _, reply in tickets.values():
            reply(None)

    def shut_down(self) -> None:
        """Stop in order, as SIGTERM does: answer, withdraw, write what was asked for, end."""
        if not self.is_running:
            return
        life = self.life
        self.post(ev.Shutdown(reason="the node stops"))

        def end() -> None:
            if self.life == life:
                self.crash(keeps=True)

        self.world.clock.after(0.05, end)

    def pause(self) -> None:
        """Freeze; what arrives waits in the sockets."""
        if self.is_running:
            self.is_paused = True
            self._frozen_at_s = self.world.clock.now_s

    def resume(self) -> None:
        """Thaw: everything that waited comes at once, or nearly so, after a late turn (L5)."""
        if not self.is_paused:
            return
        self.is_paused = False
        self.frozen_s += self.world.clock.now_s - self._frozen_at_s
        self.world.network.resumed(self.node_id)
        self._due = False
        # The first turn may find only a part of what waits in the sockets.
        some = self.chance.random() < 0.3
        self._thaw(self.chance.randrange(len(self._deferred) + 1) if some else None)
        self._turn_soon()

    def _thaw(self, count: int | None) -> None:
        """Do the first *count* things that waited, and the others, in their order, in a while."""
        self._is_thawing = False
        waiting, self._deferred = self._deferred, deque()
        while waiting and not self.is_paused and count != 0:
            waiting.popleft()()
            count = None if count is None else count - 1
        waiting.extend(self._deferred)
        self._deferred = waiting
        if waiting and not self.is_paused:
            self._is_thawing = True
            self.world.clock.after(0.002, self._thaw_rest, self.life)

    def _thaw_rest(self, life: int) -> None:
        if self.life == life and self._is_thawing:
            self._thaw(None)

    def defer(self, job: Callable[[], None]) -> None:
        """Do *job* when the node thaws."""
        self._deferred.append(job)

    # --- events in -------------------------------------------------------------------------------

    def post(self, event: ev.Event) -> None:
        """Take an event; a turn follows."""
        if self.machine is None:
            return
        if self.is_paused or self._is_thawing:
            self._deferred.append(lambda: self.post(event))  # Behind what waits already.
            return
        self._inbox.append(event)
        self._turn_soon()

    def ask(self, request: ev.ClientRequest, reply: Reply) -> int:
        """Pass a client's request on under a new ticket, which is returned; 0 when nobody is."""
        if self.machine is None:
            self.world.clock.after(0.001, reply, None)
            return 0
        self._next_ticket += 1
        self.tickets[self._next_ticket] = (self.world.clock.now_s, reply)
        self.post(replace(request, ticket=self._next_ticket))
        return self._next_ticket

    def forget(self, ticket: int) -> None:
        """Nobody waits for *ticket* any more."""
        if self.tickets.pop(ticket, None) is not None:
            self.post(ev.ClientGone(ticket=ticket))

    def order(self, shard_id: ShardId, reply: Reply) -> None:
        """Make this node's replica stand for election, as `SendTimeoutNow` of 0.10.2 does."""
        if self.is_running:
            self._next_ticket += 1
            self.tickets[self._next_ticket] = (self.world.clock.now_s, reply)
            self.post(ev.OperatorTimeoutNow(ticket=self._next_ticket, shard_id=shard_id))

    def _turn_soon(self) -> None:
        if not self._due and not self.is_paused:
            self._due = True
            self.world.clock.after(self.lag_s * (0.5 + self.chance.random()), self._turn, self.life)

    def _turn(self, life: int) -> None:
        if life != self.life or self.machine is None or self.is_paused:
            return
        self._due = False
        events, self._inbox = self._inbox, []
        effects = self.machine.turn(self.now_s, events)
        world = self.world
        world.after_turn(self, events, effects)
        for effect in effects:
            if world.ambushes:
                world.before_effect(self, effect)
            if self.life != life:
                return  # It died between two effects.
            self._do(effect)
        if self.life == life and not self.is_paused:
            self._set_timer()

    def _set_timer(self) -> None:
        if self.machine is None:
            return
        deadline_s = self.machine.next_deadline_s()
        if deadline_s is None:
            return
        clock = self.world.clock
        delay_s = max(LEAST_S, (deadline_s - self.now_s) / self._rate)
        rings_at_s = clock.now_s + delay_s
        if rings_at_s < self._rings_at_s:  # Else the one that comes first sets the next.
            self._timer += 1
            self._rings_at_s = rings_at_s
            clock.after(delay_s, self._ring, self.life, self._timer)

    def _ring(self, life: int, timer: int) -> None:
        if self.life != life or self._timer != timer or self.machine is None:
            return
        if self.is_paused:
            self.defer(lambda: self._ring(life, timer))
            return
        self._rings_at_s = float("inf")
        deadline_s = self.machine.next_deadline_s()
        if deadline_s is not None and deadline_s > self.now_s + LEAST_S:
            self._set_timer()
        else:
            self._turn(life)

    # --- effects out -----------------------------------------------------------------------------

    def _do(self, effect: fx.Effect) -> None:  # noqa: C901  # One match, every case.
        network = self.world.network
        match effect:
            case fx.SendHeartbeat():
                network.send_heartbeat(self, effect.peer, effect.heartbeat)
            case fx.SendAck():
                self.world.ack_leaves(self, effect.peer, effect.ack)
                network.send_ack(self, effect.peer, effect.ack)
            case fx.SendFrame():
                network.send_frame(self, effect.peer, effect.frame)
            case fx.Persist():
                self.disk.commit(effect.batch, self._written)
            case fx.Respond():
                self._respond(effect)
            case fx.RunApply():
                self._queue(effect.shard_id).apply(effect)
            case fx.RunRead():
                self._queue(effect.shard_id).read(effect)
            case fx.RunInstall():
                self._queue(effect.shard_id).install(effect)
            case fx.RunSnapshot():
                self._queue(effect.shard_id).make_snapshot()
            case fx.RunFetch():
                self._queue(effect.shard_id).fetch(effect)
            case fx.RunForget():
                self._queue(effect.shard_id).forget(effect)
            case fx.RunDrop():
                self._metas.pop(effect.shard_id, None)
                self.disk.snapshots.pop(effect.shard_id, None)
                self.queues.pop(effect.shard_id, None)
            case fx.Tell():
                self.world.tell(self, effect)
            case fx.Dial():
                network.dial(self.node_id, effect.peer)
            case fx.HangUp():
                network.hang_up(self.node_id, effect.peer)
            case _:
                assert_never(effect)

    def _queue(self, shard_id: ShardId) -> AppQueue:
        queue = self.queues.get(shard_id)
        if queue is None:
            app = self.world.make_app()
            queue = self.queues[shard_id] = AppQueue(self, shard_id, app, INITIAL)
        return queue

    def _respond(self, effect: fx.Respond) -> None:
        waiting = self.tickets.pop(effect.ticket, None)
        self.world.responded(self, effect, waiting is not None)
        if waiting is not None:
            waiting[1](effect)

    def _written(self, batch: Batch, failure: str | None) -> None:
        if self.is_paused:
            self.defer(lambda: self._written(batch, failure))
            return
        if failure is not None:
            self.post(ev.PersistFailed(number=batch.number, reason=failure))
            return
        for shard_id, save in batch.saves:
            if save.snapshot is not None:
                self._metas[shard_id] = save.snapshot
        for shard_id in batch.dropped:
            self._metas.pop(shard_id, None)
        self.post(ev.Persisted(number=batch.number))

    # --- the apps --------------------------------------------------------------------------------

    def app_lag_s(self) -> float:
        """Return how long the app's queue waits before it runs."""
        return self.app_slow_s * self.chance.random() + 0.00002

    def snapshot_lag_s(self) -> float:
        """Return how long writing a snapshot takes."""
        return self.chance.random() * 0.02 + self.disk.slow_s

    def breaks_app(self, shard_id: ShardId, index: Index) -> bool:
        """Return whether the app is to raise now; once."""
        if self.broken_apps and index >= self.broken_apps.get(shard_id, index + 1):
            del self.broken_apps[shard_id]
            return True
        return False

    def offered(self, effect: fx.RunFetch) -> SnapshotMeta | None:
        """Return Raft's half of a complete snapshot that a peer may fetch here."""
        meta = self._metas.get(effect.shard_id)
        if meta is None or meta.clock != effect.clock:
            return None
        if effect.group not in (0, meta.configuration.group_id & (2**64 - 1)):
            return None
        kept = self.disk.snapshots.get(effect.shard_id, {})
        return meta if meta.clock.index in kept else None
