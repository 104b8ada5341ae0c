"""`lolraft.Observe`: a full picture, then only what changed (DESIGN section 10)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version

import grpc

from lolraft.multiraft.effects import Tell
from lolraft.multiraft.report import MachineReport
from lolraft.rpc.answers import Context, refuse
from lolraft.rpc.observed import log_range, node_event, peer_facts, shard_facts
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from lolraft.runtime.driver import Driver
from lolraft.runtime.faults import FaultBox
from lolraft.trace import LogRecord

DEFAULT_INTERVAL_S, LEAST_INTERVAL_S, LONGEST_INTERVAL_S = 0.25, 0.05, 3_600.0
MOST_EVENTS, MOST_LINES = 1_000, 1_000  # Kept for a slow watcher; older ones are dropped.
MOST_ENTRIES, DEFAULT_ENTRIES = 1_024, 64
DEFAULT_PAYLOAD_BYTES = 256


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
        return log_range(found, request.payload_bytes or DEFAULT_PAYLOAD_BYTES)


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
            self._events.append(node_event(wall_s, tell))
        self._ends = (driver.subscribe(self._on_tell), driver.log_ring.subscribe(self._on_line))
        self._cpu_s = driver.facts().cpu_s
        self._at_s = time.monotonic()

    def end(self) -> None:
        """Stop listening."""
        for end in self._ends:
            end()

    def _on_tell(self, tell: Tell) -> None:
        self._events.append(node_event(time.time(), tell))

    def _on_line(self, line: LogRecord) -> None:
        self._lines.append(line)

    def update(self) -> observe_pb2.Update:
        """Return what changed since the last update, everything at first."""
        self._seq += 1
        machine, transport = self._driver.machine, self._driver.transport
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
            peers=[
                peer_facts(
                    peer, transport.bytes_sent(peer.peer), transport.bytes_received(peer.peer)
                )
                for peer in report.peers
            ],
            shards=[shard_facts(shard) for shard in report.shards],
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
