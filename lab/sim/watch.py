"""The watcher of a simulated cluster: the same happenings as of a real one, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.apps import describer
from lab.observe.fold import fold
from lab.observe.happenings import (
    ClusterChanged,
    Happening,
    LogsFetched,
    MessagesSeen,
    Noted,
    Reported,
    Ticked,
)
from lab.observe.view import ClusterView, EventView
from lab.observe.watch import log_view
from lab.sim.base import VirtualCluster
from lab.sim.messages import message_view
from lolraft.raft.types import NodeId
from lolraft.rpc.observed import log_range, node_event, peer_facts, shard_facts
from lolraft.rpc.pb import observe_pb2
from lolraft.sim.node import SimNode
from lolraft.sim.wiretap import Wiretap

PAYLOAD_BYTES = 256
SAME_S = 1e-6  # Two times of one event differ by less, when they are counted twice.
VERSION = "simulated"


class SimWatcher:
    """
    Fold what simulated nodes report into `view`, at every tick of virtual time.

    It is the screen's `ViewSource`, as `Watcher` is for real nodes.
    """

    def __init__(
        self, cluster: VirtualCluster, *, on_happening: Callable[[Happening], None] | None = None
    ) -> None:
        self._cluster = cluster
        self._on_happening = on_happening
        self._view = ClusterView(title=cluster.title, backend=cluster.backend, verdict="UNKNOWN")
        self._watches: dict[str, _Watch] = {}
        self._selected: tuple[int, int | None, int] | None = None
        self._violation: Exception | None = None
        self._tap: Wiretap | None = None
        self._born: dict[tuple[str, int], float] = {}  # Since when each life is watched.

    @property
    def view(self) -> ClusterView:
        """Return the newest picture."""
        return self._view

    def start(self) -> None:
        """Begin to watch."""
        self._cluster.on_change(self._on_change)
        self._cluster.on_tick = self.report
        self._on_change()

    async def stop(self) -> None:
        """Stop watching."""
        self._cluster.on_tick = lambda: None
        self._cluster.world.network.tap = None

    def select(self, shard_id: int | None, first_index: int | None, count: int) -> None:
        """Show the logs of *shard_id* from now on; None shows nothing."""
        wish = None if shard_id is None else (shard_id, first_index, count)
        if wish != self._selected:
            self._selected = wish
            self.listen(shard_id)
            self._fetch_logs()

    def note(self, event: EventView) -> None:
        """Put a line of the lab's own on the timeline, at the virtual time that it is."""
        at_s = self._cluster.now_s()
        self._take(Noted(at_s=at_s, event=replace(event, at_s=at_s)))

    def go_back(self, view: ClusterView) -> None:
        """Go on from *view*: the cluster's world was made again, up to that moment."""
        self._view, self._watches, self._violation = view, {}, None
        world, epoch_s = self._cluster.world, self._cluster.time.epoch_s
        for node in view.nodes:  # What was told until then is in the picture.
            told = world.told[NodeId(node.node_id)]
            told[:] = [one for one in told if epoch_s + one[0] > node.told_s + SAME_S]
        former, self._tap = self._tap, world.network.tap
        if former is None or former.shard_id is None or self._tap is None:
            self.listen(None)
        else:
            self._tap.narrow(former.shard_id)
        self._born = {key: born_s for key, born_s in self._born.items() if born_s <= view.now_s}

    def report(self) -> None:
        """Look at every node now: at each tick, and after each step by hand."""
        at_s = self._cluster.now_s()
        for event in self._cluster.take_notes():
            self._take(Noted(at_s=at_s, event=event))
        self._note_violation()  # First: the reports may break a promise of their own by it.
        for handle in self._cluster.nodes():
            node = self._cluster.node(handle.name)
            if node.is_running:
                watch = self._watches.get(handle.name)
                if watch is None or watch.life != node.life:
                    key = (handle.name, node.life)
                    born_s = self._born.setdefault(key, at_s)
                    watch = self._watches[handle.name] = _Watch(self._cluster, node, born_s)
                self._take(Reported(at_s=at_s, node=handle.name, update=watch.update(at_s)))
        self._fetch_logs()
        self._hear(at_s)
        self._take(Ticked(at_s=at_s))

    def _note_violation(self) -> None:
        broken = self._cluster.violation
        if broken is not None and self._violation is None:
            self._violation = broken
            text = str(broken).partition("\n")[0]
            for handle in self._cluster.nodes():
                text = text.replace(handle.node_id, handle.name)
            self.note(EventView(at_s=0.0, node=None, kind="violation", text=text))

    def listen(self, shard_id: int | None) -> None:
        """Take the messages of *shard_id* from now on; without one, none."""
        network = self._cluster.world.network
        if shard_id is None:
            self._tap = None
        elif self._tap is None or self._tap.shard_id != shard_id or network.tap is not self._tap:
            self._tap = Wiretap(self._cluster.world.clock, shard_id)
        network.tap = self._tap

    def _hear(self, at_s: float) -> None:
        """Take what is new of those messages."""
        news = self._tap.news() if self._tap is not None else []
        if self._tap is None or self._tap.shard_id is None or not news:
            return
        names = {handle.node_id: handle.name for handle in self._cluster.nodes()}
        passed_s = at_s - self._cluster.world.clock.now_s
        messages = tuple(
            message_view(one, passed_s, lambda node_id: names.get(node_id, node_id)) for one in news
        )
        shard_id = self._tap.shard_id
        self._take(MessagesSeen(at_s=at_s, shard_id=shard_id, messages=messages))

    def _take(self, happening: Happening) -> None:
        self._view = fold(self._view, happening)
        if self._on_happening is not None:
            self._on_happening(happening)

    def _on_change(self) -> None:
        cluster = self._cluster
        nodes, faults = cluster.nodes(), cluster.faults()
        self._take(ClusterChanged(at_s=cluster.now_s(), nodes=nodes, faults=faults))

    def _fetch_logs(self) -> None:
        if self._selected is None:
            return
        shard_id, first, count = self._selected
        machines = [
            (handle.name, node.machine)
            for handle in self._cluster.nodes()
            if (node := self._cluster.node(handle.name)).is_running and node.machine is not None
        ]
        if first is None:
            tails = [machine.log_slice(shard_id, 0, 1) for _, machine in machines]
            last = max((tail.last_index for tail in tails if tail is not None), default=0)
            first = max(1, last - count + 1)  # The same window of every replica.
        describe = describer(self._cluster.world.app_name)
        at_s = self._cluster.now_s()
        logs = dict(self._view.logs) if self._view.logs_shard == shard_id else {}
        for name, machine in machines:
            found = machine.log_slice(shard_id, first, count)
            if found is not None:
                logs[name] = log_view(name, log_range(found, PAYLOAD_BYTES), describe, at_s)
        kept = tuple(logs[name] for name in sorted(logs))
        self._take(LogsFetched(at_s=at_s, shard_id=shard_id, logs=kept))


class _Watch:
    """What was seen of one life of a node."""

    def __init__(self, cluster: VirtualCluster, node: SimNode, born_s: float) -> None:
        self.life = node.life
        self._cluster = cluster
        self._node = node
        self._seq = 0
        self._version = 0
        self._known: set[int] = set()
        self._born_s = born_s

    def update(self, at_s: float) -> observe_pb2.Update:
        """Return what changed since the last update, everything at first."""
        self._seq += 1
        node, machine, world = self._node, self._node.machine, self._cluster.world
        assert machine is not None, "it runs"
        self._version, changed = machine.changed_since(self._version)
        report = machine.report(node.now_s, changed)
        gone, self._known = self._known - set(report.hosted), set(report.hosted)
        told = self._take_told(node.node_id)
        return observe_pb2.Update(
            seq=self._seq,
            full=self._seq == 1,
            wall_s=at_s,
            node=observe_pb2.NodeFacts(
                node_id=report.node_id,
                incarnation=report.incarnation,
                epoch=report.epoch,
                version=VERSION,
                uptime_s=at_s - self._born_s,
                fsync_s=0.001 + node.disk.slow_s,
                queue_bytes=report.pending_bytes,
                disk_is_well=report.disk_is_well,
                app=world.app_name,
                commits=world.commands[node.node_id],
            ),
            peers=[peer_facts(peer, 0, 0) for peer in report.peers],
            shards=[shard_facts(shard) for shard in report.shards],
            gone_shards=sorted(gone),
            events=told,
            log_lines=[
                observe_pb2.LogLine(wall_s=event.wall_s, level="INFO", text=event.text)
                for event in told
            ],
        )

    def _take_told(self, node_id: NodeId) -> list[observe_pb2.NodeEvent]:
        told = self._cluster.world.told
        passed_s = self._cluster.now_s() - self._cluster.world.clock.now_s
        return [node_event(passed_s + at_s, tell) for at_s, tell in told.pop(node_id, [])]
