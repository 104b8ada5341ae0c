"""How the lab looks at a cluster and speaks to it, whatever its backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.chronicle import Chronicle
from lab.cluster.interface import Cluster, ClusterError
from lab.observe.deck import Deck
from lab.observe.happenings import Happening
from lab.observe.judge import reachable
from lab.observe.recording import Recorder
from lab.observe.view import ClusterView, ShardView
from lab.observe.watch import Watcher
from lab.sim.base import VirtualCluster
from lab.sim.client import SimClient
from lab.sim.watch import SimWatcher
from lolraft.client import RaftClient
from lolraft.raft.types import NodeId


def watcher_of(
    cluster: Cluster, on_happening: Callable[[Happening], None] | None = None
) -> Watcher | SimWatcher:
    """Return who looks at the nodes of *cluster*, and tells *on_happening* what it sees."""
    if isinstance(cluster, VirtualCluster):
        return SimWatcher(cluster, on_happening=on_happening)
    return Watcher(cluster, on_happening=on_happening)


def _told_to(cluster: Cluster, chronicle: Chronicle) -> Watcher | SimWatcher:
    watcher = watcher_of(cluster, chronicle.take)
    chronicle.view = lambda: watcher.view
    return watcher


@contextmanager
def watched(
    cluster: Cluster, record: Path | None, chronicle: Chronicle
) -> Iterator[Watcher | SimWatcher]:
    """
    Give who looks at the nodes, and what it sees to *chronicle*.

    It goes to a recording too where one is wanted, which ends with this context.

    Raises:
        ClusterError: the recording cannot be written.
    """
    watcher = _told_to(cluster, chronicle)
    if record is None:
        yield watcher
        return
    try:
        recorder = Recorder(record, watcher.view)
    except OSError as broken:
        raise ClusterError(f"no recording can be written: {broken}") from broken
    chronicle.listeners.append(lambda happening, view: recorder.take(happening))
    try:
        yield watcher
    finally:
        recorder.close()


@contextmanager
def taped(
    cluster: Cluster,
    record: Path | None,
    chronicle: Chronicle | None = None,
    *,
    folder: Path | None = None,
) -> Iterator[tuple[Watcher | SimWatcher, Deck]]:
    """
    Give who looks at the nodes, and the tape of what it sees, which is recorded to *record* too.

    *chronicle* is told all of it, for a report or for a stream of lines. Files that nobody has
    named go to *folder*, or to the working directory.

    Raises:
        ClusterError: the recording cannot be written.
    """
    told = Chronicle() if chronicle is None else chronicle
    watcher = _told_to(cluster, told)
    if isinstance(cluster, VirtualCluster) and isinstance(watcher, SimWatcher):
        watcher.listen(min(cluster.world.plan.shards))  # Also to the first election.
    deck = Deck(watcher.view, folder=folder)
    told.listeners.append(deck.take)
    try:
        if record is not None:
            deck.record(record)
    except OSError as broken:
        raise ClusterError(f"no recording can be written: {broken}") from broken
    try:
        yield watcher, deck
    finally:
        with suppress(OSError):  # Of a full disk the screen has told.
            deck.stop()


def client_of(cluster: Cluster, ids: Sequence[NodeId] | None = None) -> RaftClient | SimClient:
    """
    Return a client that knows all nodes, or those of *ids*.

    It dials nodes where the lab watches them, whatever peers call them, and wherever they move.
    """
    if isinstance(cluster, VirtualCluster):
        return cluster.client(None if ids is None else list(ids))

    def dial(server: NodeId) -> str:
        there = {node.node_id: node.watch_address for node in cluster.nodes()}
        return there.get(server, server.partition("://")[2])

    return RaftClient(ids or [node.node_id for node in cluster.nodes()], tls=cluster.tls, dial=dial)


def is_led(view: ClusterView, *, by_all: bool = False) -> bool:
    """
    Return whether every shard is led, and followed by all voters that can be reached.

    *by_all* wants every voter: at its very first start a node may not vote before it has heard of
    the others (S4), and what is about to break some of them must wait for that.
    """
    live = reachable(view.nodes, view.now_s)
    return bool(view.shards) and all(
        (shard.status == "empty" and not by_all) or _is_followed(shard, None if by_all else live)
        for shard in view.shards.values()
    )


def _is_followed(shard: ShardView, by: frozenset[str] | None) -> bool:
    leader = shard.replicas.get(shard.leader or "")
    if leader is None:
        return False
    voters = frozenset(shard.voters) if by is None else by.intersection(shard.voters)
    return all(leader.match_index.get(name, 0) > 0 for name in voters - {leader.node})
