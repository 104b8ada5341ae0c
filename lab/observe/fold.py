"""The pure fold: `fold(view, happening) -> view`; no clock, no network, no surprise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from lab.cluster.interface import NodeHandle, NodeState
from lab.observe import safety
from lab.observe.happenings import (
    Began,
    ClusterChanged,
    Happening,
    LogsFetched,
    Measured,
    MessagesSeen,
    Noted,
    Reported,
    Ticked,
    WatchBroke,
)
from lab.observe.judge import judge_shard, reachable
from lab.observe.shards import Shards
from lab.observe.view import (
    ClusterView,
    EventView,
    LinkView,
    LogLineView,
    NodeView,
    ReplicaView,
    ShardView,
)
from lolraft.rpc.pb import observe_pb2

MOST_EVENTS, MOST_LINES, MOST_HISTORY, MOST_MESSAGES = 2_000, 5_000, 60, 400
ENDED = (NodeState.STOPPED.value, NodeState.KILLED.value, NodeState.EXITED.value)
Names = dict[tuple[str, ...], tuple[str, ...]]
"""What ids of one report are called: most of its shards have the same voters."""
NO_MATCH: MappingProxyType[str, int] = MappingProxyType({})
SAME_MOMENT_S = 1.0  # Like events of one node within this are one line.


def fold(view: ClusterView, happening: Happening) -> ClusterView:
    """Return the picture after one more thing has happened."""
    before = reachable(view.nodes, view.now_s)
    match happening:
        case Began(view=begun):
            return begun
        case Reported():
            view = _report(view, happening)
        case ClusterChanged():
            view = _change(view, happening)
        case LogsFetched(shard_id=shard_id, logs=logs):
            by_node = MappingProxyType({log.node: log for log in logs})
            view = replace(view, logs=by_node, logs_shard=shard_id)
        case MessagesSeen():
            view = _messages(view, happening)
        case Noted(event=event):
            view = safety.told(replace(view, events=_with_event(view.events, event)), event)
        case WatchBroke() | Ticked() | Measured():
            pass
    return _at(view, happening.at_s, before)


def _at(view: ClusterView, at_s: float, before: frozenset[str]) -> ClusterView:
    """Let time pass: ages grow, and who is silent for too long does not count any more."""
    now_s = max(view.now_s, at_s)
    after = reachable(view.nodes, now_s)
    shards: Mapping[int, ShardView] = view.shards
    if before != after:
        judged = ((one, judge_shard(one, after, now_s)) for one in shards.values())
        news = {now.shard_id: now for before_it, now in judged if now is not before_it}
        shards = Shards.of(shards).after(news) if news else shards
    return safety.verdict(replace(view, now_s=now_s, shards=shards), after)


def _messages(view: ClusterView, seen: MessagesSeen) -> ClusterView:
    """Add messages, and let newer word of one take the place of older."""
    known = {}
    if view.messages_shard == seen.shard_id:
        known = {message.number: message for message in view.messages}
    known.update((message.number, message) for message in seen.messages)
    newest = sorted(known)[-MOST_MESSAGES:]
    messages = tuple(known[number] for number in newest)
    return replace(view, messages=messages, messages_shard=seen.shard_id)


# --- reports -------------------------------------------------------------------------------------


def _report(view: ClusterView, happening: Reported) -> ClusterView:
    update, name = happening.update, happening.node
    known = view.node(name)
    if known is None:
        return view
    names = {node.node_id: node.name for node in view.nodes}
    node = _node(known, update, happening.at_s)
    shards = _shards(view, update, node, names, happening.at_s)
    leading, following = _roles(known, update, view.shards, shards)
    node = replace(node, leading=leading, following=following)
    links = {key: link for key, link in view.links.items() if key[1] != name}
    links.update(_links(update, name, names))
    events = view.events
    for event in update.events:
        if not update.full or event.wall_s > known.told_s:  # A watch dialled anew repeats some.
            events = _with_event(events, _event(event, name, names))
            node = replace(node, told_s=max(node.told_s, event.wall_s))
    if update.full:  # What happened before the watch began goes where it belongs.
        events = tuple(sorted(events, key=lambda item: item.at_s))
    lines = tuple(
        LogLineView(at_s=line.wall_s, node=name, level=line.level, text=_named(line.text, names))
        for line in update.log_lines
    )
    view = safety.hear(view, shards, name, update, happening.at_s)
    return replace(
        view,
        nodes=tuple(node if item.name == name else item for item in view.nodes),
        shards=shards,
        links=MappingProxyType(links),
        events=events,
        log_lines=(view.log_lines + lines)[-MOST_LINES:] if lines else view.log_lines,
    )


def _node(known: NodeView, update: observe_pb2.Update, at_s: float) -> NodeView:
    facts = update.node
    passed_s = at_s - known.reported_at_s if known.reported_at_s is not None else 0.0
    gained = facts.commits - known.commits
    rate = gained / passed_s if passed_s > 0 and gained >= 0 else 0.0
    return replace(
        known,
        reported_at_s=at_s,
        epoch=facts.epoch,
        incarnation=facts.incarnation,
        version=facts.version,
        app=facts.app,
        uptime_s=facts.uptime_s,
        cpu=facts.cpu,
        cpu_history=(*known.cpu_history, facts.cpu)[-MOST_HISTORY:],
        rss_bytes=facts.rss_bytes,
        fsync_s=facts.fsync_s,
        fsync_history=(*known.fsync_history, facts.fsync_s)[-MOST_HISTORY:],
        queue_bytes=facts.queue_bytes,
        disk_is_well=facts.disk_is_well,
        commits=facts.commits,
        commits_per_s=rate,
    )


def _roles(
    known: NodeView,
    update: observe_pb2.Update,
    before: Mapping[int, ShardView],
    after: Mapping[int, ShardView],
) -> tuple[int, int]:
    """Return how many shards a node leads and follows: only its own reports change that."""
    if update.full or known.reported_at_s is None:
        own = [one for shard in after.values() if (one := shard.replicas.get(known.name))]
        leading = sum(replica.role == "leader" for replica in own)
        return leading, len(own) - leading
    counts = [known.following, known.leading]
    for number in {*update.gone_shards, *(facts.shard_id for facts in update.shards)}:
        for shards, step in ((before, -1), (after, 1)):
            shard = shards.get(number)
            replica = shard.replicas.get(known.name) if shard is not None else None
            if replica is not None:
                counts[replica.role == "leader"] += step
    return counts[1], counts[0]


def _links(
    update: observe_pb2.Update, receiver: str, names: dict[str, str]
) -> dict[tuple[str, str], LinkView]:
    return {
        (names[peer.peer], receiver): LinkView(
            sender=names[peer.peer],
            receiver=receiver,
            phi=peer.phi,
            threshold=peer.threshold,
            mean_s=peer.mean_s,
            deviation_s=peer.deviation_s,
            last_heard_s=peer.last_heard_s,
            round_trip_s=peer.round_trip_s,
            connected=peer.connected,
        )
        for peer in update.peers
        if peer.peer in names
    }


def _shards(
    view: ClusterView,
    update: observe_pb2.Update,
    node: NodeView,
    names: dict[str, str],
    at_s: float,
) -> Shards:
    shards = Shards.of(view.shards)
    if update.full:  # A new watch, perhaps of a restarted node: nothing older counts.
        present = {facts.shard_id for facts in update.shards}
        gone = [shard_id for shard_id in shards if shard_id not in present]
    else:
        gone = list(update.gone_shards)
    nodes = tuple(node if item.name == node.name else item for item in view.nodes)
    live = reachable(nodes, at_s)
    news: dict[int, ShardView] = {}
    ended: set[int] = set()
    for shard_id in gone:
        shard = shards.get(shard_id)
        if shard is None or node.name not in shard.replicas:
            continue
        left = {key: replica for key, replica in shard.replicas.items() if key != node.name}
        if left:
            news[shard_id] = judge_shard(shard, live, at_s, MappingProxyType(left))
        else:
            ended.add(shard_id)
    known_ids: Names = {(): ()}
    for facts in update.shards:
        known = None if facts.shard_id in ended else shards.get(facts.shard_id)
        shard = news.get(facts.shard_id) or known or _new_shard(facts.shard_id, at_s)
        replicas = {**shard.replicas, node.name: _replica(facts, node.name, names, known_ids)}
        if node.name not in shard.replicas:
            replicas = dict(sorted(replicas.items()))
        news[facts.shard_id] = judge_shard(shard, live, at_s, MappingProxyType(replicas))
    return shards.after(news, ended) if news or ended else shards


def _new_shard(shard_id: int, at_s: float) -> ShardView:
    return ShardView(
        shard_id=shard_id,
        status="empty",
        why="",
        leader=None,
        term=0,
        commit_index=0,
        replicas=MappingProxyType({}),
        voters=(),
        since_s=at_s,
    )


def _replica(
    facts: observe_pb2.ShardFacts, name: str, names: dict[str, str], known: Names
) -> ReplicaView:
    def of(ids: Iterable[str]) -> tuple[str, ...]:
        key = tuple(ids)
        if key not in known:
            known[key] = tuple(sorted(names.get(node_id, node_id) for node_id in key))
        return known[key]

    match = NO_MATCH
    if facts.match_index:
        found = {names.get(node_id, node_id): at for node_id, at in facts.match_index.items()}
        match = MappingProxyType(dict(sorted(found.items())))
    return ReplicaView(
        node=name,
        role=facts.role,
        term=facts.term,
        leader=names.get(facts.leader_id, facts.leader_id) or None,
        voted_for=names.get(facts.voted_for, facts.voted_for) or None,
        commit_index=facts.commit_index,
        applied_index=facts.applied_index,
        last_index=facts.last_index,
        last_term=facts.last_term,
        snapshot_index=facts.snapshot_index,
        voters=of(facts.voters),
        outgoing=of(facts.outgoing),
        learners=of(facts.learners),
        match_index=match,
    )


# --- the cluster and the timeline ----------------------------------------------------------------


def _change(view: ClusterView, happening: ClusterChanged) -> ClusterView:
    nodes = tuple(_handled(view.node(h.name), h) for h in happening.nodes)
    names = {node.name for node in nodes}
    links = {key: link for key, link in view.links.items() if names.issuperset(key)}
    return replace(view, nodes=nodes, faults=happening.faults, links=MappingProxyType(links))


def _handled(known: NodeView | None, handle: NodeHandle) -> NodeView:
    if known is None:
        known = NodeView(name=handle.name, node_id=handle.node_id, state=handle.state.value)
    if known.state in ENDED and handle.state.value not in ENDED:
        known = replace(known, reported_at_s=None)  # What it said was said by a process now gone.
    return replace(known, node_id=handle.node_id, state=handle.state.value, detail=handle.detail)


def _named(text: str, names: dict[str, str]) -> str:
    for node_id, name in names.items():
        if node_id in text:
            text = text.replace(node_id, name)
    return text


def _event(event: observe_pb2.NodeEvent, name: str, names: dict[str, str]) -> EventView:
    shard_id = event.shard_id if event.HasField("shard_id") else None
    text = _named(event.text, names)
    if event.kind == "elected":
        text = f"{name} elected"
    elif event.kind == "suspect" or event.kind == "trusted":
        text = f"{text} by {name}"
    elif event.kind in ("stepped_down", "configuration", "snapshot", "removed", "stopped"):
        text = f"{name} {event.kind.replace('_', ' ')}: {text}"
    return EventView(
        at_s=event.wall_s,
        node=name,
        kind=event.kind,
        text=text,
        shard_id=shard_id,
        term=event.term,
    )


def _with_event(events: tuple[EventView, ...], event: EventView) -> tuple[EventView, ...]:
    """Add a line, or count it into a like one of the same moment."""
    for position in range(len(events) - 1, max(-1, len(events) - 8), -1):
        other = events[position]
        own = event.by_you or event.kind == "failed"  # Each has words of its own.
        alike = (other.node, other.kind) == (event.node, event.kind) and not own
        near = abs(event.at_s - other.at_s) <= SAME_MOMENT_S
        if alike and near and event.shard_id is not None and other.shard_id != event.shard_id:
            merged = replace(
                other, count=other.count + 1, shard_id=None, term=max(other.term, event.term)
            )
            return (*events[:position], merged, *events[position + 1 :])
    return (*events, event)[-MOST_EVENTS:]
