"""One real node machine among strangers: its disk, its apps and its clients, driven by chance."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from lolraft.multiraft import effects as fx
from lolraft.multiraft import events as ev
from lolraft.multiraft import frames as fr
from lolraft.multiraft import sessions
from lolraft.multiraft.machine import NodeMachine
from lolraft.multiraft.node import NodeConfig
from lolraft.multiraft.records import Batch
from lolraft.raft.effects import Code
from lolraft.raft.types import Clock, NodeId
from lolraft.rpc import translate, translate_back
from lolraft.rpc.translate_back import Malformed
from lolraft.runtime.transport import SnapshotPiece
from lolraft.storage.memory import MemoryDisk, MemoryStorage
from tests.fuzz.stranger import MEMBERS, ODD, SELF, SHARDS, Peers

OUTBOX_BYTES = 4096
HEADERS_BYTES = 1024  # What fits is counted by its payload, roughly.
STORED = 2**63
"""The storage's integers end here."""

Value = TypeVar("Value")


class Alone:
    """The machine and what is around it; `step` lets something happen and checks what follows."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.peers = Peers(chance)
        self.disk = MemoryDisk()
        self.now_s = 1000.0
        self.story: deque[str] = deque(maxlen=60)
        self.tickets = 0
        self.restarts = 0
        self.seen: Counter[str] = Counter()
        self._start(MEMBERS if chance.random() < 0.8 else (SELF,))

    def _start(self, members: tuple[NodeId, ...]) -> None:
        self.storage = MemoryStorage(self.disk)
        record = self.storage.open(SELF)
        self.config = NodeConfig(
            node_id=SELF,
            members=members,
            outbox_bytes=OUTBOX_BYTES,
            waiting_requests=5,
            snapshot_entries=6,
            tail_entries=2,
            session_entries=8,
        )
        if not record.hosted:
            self.storage.commit(Batch(number=0, node=replace(record, hosted=(0,))))
            record = self.disk.node or record
        self.machine = NodeMachine(
            record, self.storage.load(), config=self.config, seed=1, now_s=self.now_s
        )
        self.writing: Batch | None = None
        self.asked: dict[int, str] = {}
        self.apps: deque[ev.Event] = deque()
        self.fetches: deque[fx.RunFetch] = deque()
        self.turn()
        if 1 not in record.hosted:
            self.turn(ev.HostShard(shard_id=1))

    def restart(self) -> None:
        """Lose what was not synced, and come back from the rest."""
        self.restarts += 1
        self.storage.close()
        self._start(())

    # --- what happens ----------------------------------------------------------------------------

    def step(self) -> None:
        """Let one thing happen."""
        deeds: list[tuple[int, Callable[[], object]]] = [
            (30, self._frame),
            (12, self._heartbeat),
            (12, self._ack),
            (20, self._write_done),
            (20, self._app_done),
            (6, self._fetched),
            (12, self._time),
            (12, self._ask),
            (4, self._stream),
            (1, self.restart),
        ]
        weights = [weight for weight, _ in deeds]
        self.chance.choices([deed for _, deed in deeds], weights)[0]()

    def _frame(self) -> None:
        frame = self.peers.frame(self.machine)
        arrived = over_the_wire(frame, translate.frame_bytes, translate_back.frame)
        if arrived is not None:
            self.turn(ev.FrameArrived(frame=arrived))

    def _heartbeat(self) -> None:
        beat = self.peers.heartbeat(self.machine)
        arrived = over_the_wire(beat, translate.heartbeat_bytes, translate_back.heartbeat)
        if arrived is not None:
            self.turn(ev.HeartbeatArrived(heartbeat=arrived))

    def _ack(self) -> None:
        ack = self.peers.ack(self.machine)
        arrived = over_the_wire(ack, translate.ack_bytes, translate_back.ack)
        if arrived is not None:
            self.turn(ev.AckArrived(ack=arrived))

    def _write_done(self) -> None:
        if self.writing is not None:
            batch, self.writing = self.writing, None
            self.storage.commit(batch)
            self.turn(ev.Persisted(number=batch.number))

    def _app_done(self) -> None:
        if self.apps:
            self.turn(self.apps.popleft())

    def _fetched(self) -> None:
        if not self.fetches:
            return
        run = self.fetches.popleft()
        meta = self.peers.snapshot(self.machine, run.shard_id, run.clock)
        piece = over_the_wire(
            SnapshotPiece(offset=0, data=b"", crc32=0, meta=meta),
            translate.piece_bytes,
            translate_back.piece,
        )
        arrives = piece is not None and piece.meta is not None and self.chance.random() < 0.8
        if not arrives or not sessions.is_whole(piece.meta.sessions):  # `Download.finished`.
            lost = ev.SnapshotLost(
                shard_id=run.shard_id, clock=run.clock, source=run.source, reason="lost"
            )
            self.turn(lost)
        else:
            self.turn(ev.SnapshotArrived(shard_id=run.shard_id, meta=piece.meta))

    def _time(self) -> None:
        deadline_s = self.machine.next_deadline_s()
        if deadline_s is not None and self.chance.random() < 0.8:
            self.now_s = max(self.now_s, deadline_s)
        else:
            self.now_s += self.chance.choice((0.001, 0.05, 0.3, 2.5))
        self.turn()

    def _stream(self) -> None:
        peer = self.chance.choice((*MEMBERS[1:], ODD))
        up = self.chance.random() < 0.7
        self.turn(ev.StreamUp(peer=peer) if up else ev.StreamDown(peer=peer))

    def _ask(self) -> None:
        self.tickets += 1
        kind = self.chance.choice(
            (
                *(fr.RequestKind.WRITE,) * 4,
                *(fr.RequestKind.READ,) * 2,
                fr.RequestKind.ADD_SERVER,
                fr.RequestKind.REMOVE_SERVER,
                fr.RequestKind.TRANSFER,
            )
        )
        about_a_server = kind not in (fr.RequestKind.WRITE, fr.RequestKind.READ)
        server = self.chance.choice((*MEMBERS, ODD)).encode()
        self.asked[self.tickets] = kind.value
        self.turn(
            ev.ClientRequest(
                ticket=self.tickets,
                kind=kind,
                shard_id=self.chance.choice(SHARDS),
                message=server if about_a_server else b"x",
                request_id=self.chance.choice(("", "a", "b", f"{self.tickets}")),
            )
        )

    def finish(self) -> None:
        """Shut down in order: every ticket is answered, and the disk makes another start."""
        self.turn(ev.Shutdown(reason="the end"))
        while self.writing is not None:
            self._write_done()
        for _ in range(len(self.apps)):
            self._app_done()
        assert not self.asked, f"never answered: {self.asked}"
        self.restart()

    # --- what follows ----------------------------------------------------------------------------

    def turn(self, *events: ev.Event) -> None:
        """Take a turn, do what it says, and check what must hold after each."""
        self.story.append(f"{self.now_s:.3f} {events}")
        for effect in self.machine.turn(self.now_s, events):
            self.story.append(f"    {effect}")
            self.seen[type(effect).__name__] += 1
            self._do(effect)
        self._check()

    def _do(self, effect: fx.Effect) -> None:  # noqa: C901  # One match, every case.
        match effect:
            case fx.Persist():
                assert self.writing is None, "one batch at a time"
                self._check_batch(effect.batch)
                self.writing = effect.batch
            case fx.SendFrame():
                translate.frame_bytes(effect.frame)
                if self.chance.random() < 0.9:
                    self.apps.append(ev.FrameWritten(peer=effect.peer))
            case fx.SendHeartbeat():
                translate.heartbeat_bytes(effect.heartbeat)
            case fx.SendAck():
                translate.ack_bytes(effect.ack)
            case fx.RunApply():
                answers = tuple((Code.OK, b"done") for _ in effect.items)
                shard_id, last = effect.shard_id, effect.last_index
                self.apps.append(ev.Applied(shard_id=shard_id, last_index=last, answers=answers))
            case fx.RunRead():
                self.apps.append(
                    ev.ReadDone(
                        shard_id=effect.shard_id, ticket=effect.ticket, code=Code.OK, message=b""
                    )
                )
            case fx.RunSnapshot():
                index = self.machine.node.shards[effect.shard_id].applied_index
                self.apps.append(ev.SnapshotFound(shard_id=effect.shard_id, index=index))
            case fx.RunFetch():
                self.fetches.append(effect)
            case fx.Dial():
                self.apps.append(ev.StreamUp(peer=effect.peer))
            case fx.Respond():
                assert self.asked.pop(effect.ticket, None), f"{effect.ticket} was answered twice"
            case fx.Tell():
                self.seen[effect.kind] += 1
                assert effect.kind != "stopped", effect.text
            case _:
                pass

    def _check_batch(self, batch: Batch) -> None:
        """Nothing is asked of the disk that it cannot hold."""
        for _, save in batch.saves:
            numbers = [save.ballot.current_term] if save.ballot is not None else []
            clocks: list[Clock] = [save.log_starts_after] if save.log_starts_after else []
            clocks += [save.snapshot.clock] if save.snapshot is not None else []
            clocks += [save.entries.last_clock] if save.entries is not None else []
            assert max(numbers + [max(clock) for clock in clocks], default=0) < STORED
        if batch.node is not None:
            assert batch.node.epoch < STORED

    def _check(self) -> None:
        node = self.machine.node
        assert len(node.peers) <= 4, "a peer that nobody named"
        for peer in node.peers.values():
            assert peer.outbox.size_bytes <= OUTBOX_BYTES + HEADERS_BYTES
            assert len(peer.in_ledger.claims) <= len(SHARDS)
        for shard in node.shards.values():
            assert len(shard.waiting) <= self.config.waiting_requests


def over_the_wire(
    value: Value, write: Callable[[Value], bytes], read: Callable[[bytes], Value]
) -> Value | None:
    """Return what the other side makes of *value*; None when it refuses it."""
    try:
        return read(write(value))
    except Malformed:
        return None
