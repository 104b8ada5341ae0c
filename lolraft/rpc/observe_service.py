"""`lolraft.Observe`: a full picture, then only what changed (DESIGN section 10)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version

import grpc

from lolraft.multiraft import commands
from lolraft.multiraft.effects import Tell
from lolraft.multiraft.report import MachineReport, PeerReport, ShardReport
from lolraft.raft.types import EntryKind
from lolraft.rpc.answers import Context, refuse
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from lolraft.runtime.driver import Driver
from lolraft.runtime.faults import FaultBox
from lolraft.trace import LogRecord

DEFAULT_INTERVAL_S, LEAST_INTERVAL_S, LONGEST_INTERVAL_S = 0.25, 0.05, 3_600.0
MOST_EVENTS, MOST_LINES = 1_000, 1_000  # Kept for a slow watcher; older ones are dropped.
MOST_ENTRIES, DEFAULT_ENTRIES = 1_024, 64
DEFAULT_PAYLOAD_BYTES = 256
MOST_PAYLOAD_BYTES = 2 * 1024 * 1024
"""Of one answer, over all its entries: clients take messages of 4 MiB."""


def _version() -> str:
    try:
        return version("lolraft")
    except PackageNotFoundError:  # Run from a source tree.
        return "source"


VERSION = _version()


class ObserveService(observe_pb2_grpc.ObserveServicer):
    """Serve watchers; a slow one sees fewer pictures, never a growing queue."""

    def __init__(self, driver: Driver, faults: FaultBox) -> None:
        self._driver = driver
        self._faults = faults

    async def Watch(  # noqa: N802
        self, request: observe_pb2.WatchRequest, context: Context
    ) -> AsyncIterator[observe_pb2.Update]:
        """Send updates until the watcher goes away."""
        interval_s = request.interval_s or DEFAULT_INTERVAL_S
        if not 0.0 < interval_s <= LONGEST_INTERVAL_S:  # Nor is it no number at all.
            text = f"interval_s is a number from 0 to {LONGEST_INTERVAL_S:g}, not {interval_s}"
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, text)
        interval_s = max(interval_s, LEAST_INTERVAL_S)
        watch = _Watch(self._driver, self._faults, request.log_lines or 100)
        try:
            while True:
                yield watch.update()
                await asyncio.sleep(interval_s)
        finally:
            watch.end()

    async def Log(  # noqa: N802
        self, request: observe_pb2.LogRequest, context: Context
    ) -> observe_pb2.LogRange:
        """Return a window of a shard's log; commands come without their request id."""
        count = min(request.count or DEFAULT_ENTRIES, MOST_ENTRIES)
        found = self._driver.machine.log_slice(request.shard_id, request.first, count)
        if found is None:
            text = f"shard {request.shard_id} is not hosted here"
            await refuse(context, grpc.StatusCode.NOT_FOUND, text)
        entries = found.entries
        share = MOST_PAYLOAD_BYTES // max(1, len(entries.payloads))
        most = min(request.payload_bytes or DEFAULT_PAYLOAD_BYTES, share)
        starts = [
            commands.message_start(payload) if kind == EntryKind.COMMAND else 0
            for kind, payload in zip(entries.kinds, entries.payloads, strict=True)
        ]
        columns = list(zip(starts, entries.payloads, strict=True))
        return observe_pb2.LogRange(
            base_term=found.base.term,
            base_index=found.base.index,
            commit_index=found.commit_index,
            applied_index=found.applied_index,
            last_index=found.last_index,
            first=entries.first,
            terms=entries.terms,
            kinds=entries.kinds,
            payloads=[payload[start : start + most] for start, payload in columns],
            sizes=[len(payload) - start for start, payload in columns],
        )


class _Watch:
    """What one watcher has seen, and what happened since."""

    def __init__(self, driver: Driver, faults: FaultBox, log_lines: int) -> None:
        self._driver = driver
        self._faults = faults
        self._seq = 0
        self._version = 0
        self._known: set[int] = set()
        self._events: deque[observe_pb2.NodeEvent] = deque(maxlen=MOST_EVENTS)
        self._lines: deque[LogRecord] = deque(driver.log_ring.tail(log_lines), maxlen=MOST_LINES)
        for wall_s, tell in driver.recent:
            self._events.append(_event(wall_s, tell))
        self._ends = (driver.subscribe(self._on_tell), driver.log_ring.subscribe(self._on_line))
        self._cpu_s = driver.facts().cpu_s
        self._at_s = time.monotonic()

    def end(self) -> None:
        """Stop listening."""
        for end in self._ends:
            end()

    def _on_tell(self, tell: Tell) -> None:
        self._events.append(_event(time.time(), tell))

    def _on_line(self, line: LogRecord) -> None:
        self._lines.append(line)

    def update(self) -> observe_pb2.Update:
        """Return what changed since the last update, everything at first."""
        self._seq += 1
        machine = self._driver.machine
        self._version, changed = machine.changed_since(self._version)
        report = machine.report(self._driver.clock(), changed)
        hosted = {shard.shard_id for shard in report.shards}
        gone, self._known = (self._known | hosted) - set(report.hosted), set(report.hosted)
        events, lines = list(self._events), list(self._lines)
        self._events.clear()
        self._lines.clear()
        return observe_pb2.Update(
            seq=self._seq,
            full=self._seq == 1,
            wall_s=time.time(),
            node=self._node(report),
            peers=[self._peer(peer) for peer in report.peers],
            shards=[_shard(shard) for shard in report.shards],
            gone_shards=sorted(gone),
            events=events,
            log_lines=[
                observe_pb2.LogLine(wall_s=line.wall_s, level=line.level, text=line.text)
                for line in lines
            ],
        )

    def _node(self, report: MachineReport) -> observe_pb2.NodeFacts:
        facts = self._driver.facts()
        now_s = time.monotonic()
        passed_s, self._at_s = now_s - self._at_s, now_s
        used_s, self._cpu_s = facts.cpu_s - self._cpu_s, facts.cpu_s
        return observe_pb2.NodeFacts(
            node_id=report.node_id,
            incarnation=report.incarnation,
            epoch=report.epoch,
            version=VERSION,
            uptime_s=facts.uptime_s,
            cpu=used_s / passed_s if passed_s > 0 else 0.0,
            rss_bytes=facts.rss_bytes,
            fsync_s=facts.fsync_s,
            queue_bytes=facts.queue_bytes + report.pending_bytes,
            disk_is_well=report.disk_is_well,
            fault_version=self._faults.version_in_force,
            app=facts.app,
            commits=facts.commits,
            pid=facts.pid,
        )

    def _peer(self, peer: PeerReport) -> observe_pb2.PeerFacts:
        transport = self._driver.transport
        return observe_pb2.PeerFacts(
            peer=peer.peer,
            phi=peer.phi,
            threshold=peer.threshold,
            mean_s=peer.mean_s,
            deviation_s=peer.deviation_s,
            last_heard_s=peer.last_heard_s,
            round_trip_s=peer.round_trip_s,
            connected=peer.connected,
            outbox_bytes=peer.outbox_bytes,
            epoch=peer.epoch,
            sent_bytes=transport.bytes_sent(peer.peer),
            received_bytes=transport.bytes_received(peer.peer),
        )


def _event(wall_s: float, tell: Tell) -> observe_pb2.NodeEvent:
    return observe_pb2.NodeEvent(
        wall_s=wall_s,
        kind=tell.kind,
        text=tell.text,
        shard_id=tell.shard_id,
        term=tell.term,
        peer=tell.peer or "",
    )


def _shard(shard: ShardReport) -> observe_pb2.ShardFacts:
    return observe_pb2.ShardFacts(
        shard_id=shard.shard_id,
        role=shard.role,
        term=shard.term,
        leader_id=shard.leader_id or "",
        voted_for=shard.voted_for or "",
        commit_index=shard.commit_index,
        applied_index=shard.applied_index,
        last_index=shard.last_index,
        last_term=shard.last_term,
        snapshot_index=shard.snapshot_index,
        group=shard.group,
        voters=shard.voters,
        outgoing=shard.outgoing,
        learners=shard.learners,
        match_index=dict(shard.lags),
    )
