"""The node machine: events in, effects out; the asyncio runtime and the simulator both drive it."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import assert_never

from lolraft.errors import ConfigError
from lolraft.multiraft import (
    answering,
    applying,
    beats,
    beliefs,
    changes,
    disk,
    elections,
    leases,
    preference,
    proposals,
    reporting,
    requests,
    stepping,
)
from lolraft.multiraft.effects import Effect, HangUp, SendFrame
from lolraft.multiraft.events import (
    AckArrived,
    AppFailed,
    Applied,
    ClientGone,
    ClientRequest,
    Event,
    FrameArrived,
    FrameWritten,
    HeartbeatArrived,
    HostShard,
    OperatorTimeoutNow,
    Persisted,
    PersistFailed,
    ReadDone,
    Shutdown,
    SnapshotArrived,
    SnapshotFound,
    SnapshotLost,
    StreamDown,
    StreamUp,
)
from lolraft.multiraft.frames import Claim, Frame
from lolraft.multiraft.node import Node, NodeConfig, Shard
from lolraft.multiraft.peers import Peer
from lolraft.multiraft.records import NodeRecord, ShardRecord
from lolraft.multiraft.report import MachineReport
from lolraft.raft.effects import Code
from lolraft.raft.events import (
    Bootstrap,
    LeaderClaim,
    Message,
    SnapshotFailed,
    SnapshotFetched,
    Stop,
)
from lolraft.raft.types import NO_BALLOT, NodeId, ShardId, SnapshotMeta


class NodeMachine:
    """
    One node with many shards, as a deterministic state machine.

    It owns no clock, no socket, no disk, no thread and no randomness: the same calls give the same
    effects. Effects are ordered already: none waits for the disk (`stepping.settle`).
    """

    def __init__(
        self,
        record: NodeRecord,
        shards: dict[ShardId, ShardRecord],
        *,
        config: NodeConfig,
        seed: int,
        now_s: float,
    ) -> None:
        """
        Start from what the disk holds.

        Raises:
            ConfigError: `config.members` contradicts a group that is on the disk.
        """
        hosted = {shard_id: ShardRecord() for shard_id in record.hosted} | shards
        fresh = all(item == ShardRecord() for item in hosted.values())
        self._node = Node(record, hosted, config=config, seed=seed, now_s=now_s)
        leases.begin(self._node)
        if config.members:
            self._bootstrap_statically(fresh)
        preference.count(self._node)
        for shard in self._node.shards.values():
            beliefs.share(self._node, shard)
            stepping.step_shard(self._node, shard, beliefs.liveness_of(self._node, shard))
        self._deadline_s = self._find_deadline_s()

    def _bootstrap_statically(self, fresh: bool) -> None:
        node = self._node
        members = tuple(sorted(node.config.members))
        if fresh and len(members) > 1 and node.record.proven:
            # An empty disk under an old id must not vote again: ask the others first (S4).
            node.set_unproven()
        for shard in node.shards.values():
            group_id = group_of(shard.shard_id, members)
            if shard.state.is_silent:
                if shard.state.ballot != NO_BALLOT or shard.state.damage:
                    # Its log went when it was removed, or rotted. Were the old members to begin
                    # anew, they would be a second group of the same name.
                    continue
                bootstrap = Bootstrap(ticket=None, voters=members, group_id=group_id)
                node.todo.append((shard, bootstrap))
            elif shard.state.configuration_index == 1 and shard.state.group_id != group_id:
                raise ConfigError(
                    f"shard {shard.shard_id} on this disk belongs to another group than "
                    f"--members {','.join(members)}; leave --members out or use another --data"
                )

    @property
    def record(self) -> NodeRecord:
        """Return the node's durable facts as they will be next on disk."""
        return self._node.record

    @property
    def node(self) -> Node:
        """Return the whole state, to look at: the simulator's checkers do."""
        return self._node

    def turn(self, now_s: float, events: Sequence[Event]) -> list[Effect]:
        """Take what has arrived, then the deadlines that are due, and return what to do (L5)."""
        node = self._node
        late_s = now_s - self._deadline_s if self._deadline_s is not None else 0.0
        node.now_s = now_s
        if late_s > node.config.timing.heartbeat_s:
            for peer in node.peers.values():
                peer.detector.restart(now_s)
        for event in events:
            self._take(event)
        if node.proposing:
            proposals.propose(node)
        if node.todo:
            stepping.drain(node)
        self._take_deadlines()
        if node.todo:
            stepping.drain(node)
        if node.confirming or node.round_seq:
            beliefs.confirm_rounds(node)
            stepping.drain(node)
        while (node.reading or node.read_indexes) and requests.read_locally(node):
            stepping.drain(node)
        disk.write_batch(node)
        if node.acks_due:
            beats.send_acks(node)
        beats.send_beats(node)
        self._flush()
        applying.release_forgets(node)
        self._deadline_s = self._find_deadline_s()
        effects, node.out = node.out, []
        return effects

    def next_deadline_s(self) -> float | None:
        """Return when `turn` must be called at the latest, even if nothing arrives."""
        return self._deadline_s

    def waits_for(self, peer_id: NodeId) -> bool:
        """Return whether there is something to send to a peer as soon as its stream takes it."""
        peer = self._node.peers.get(peer_id)
        return peer is not None and bool(peer.outbox)

    def _find_deadline_s(self) -> float | None:
        node = self._node
        while node.deadlines:
            deadline_s, shard_id = node.deadlines[0]
            shard = node.shards.get(shard_id)
            if shard is not None and shard.state.deadline_s == deadline_s:
                break
            heapq.heappop(node.deadlines)
        times = [node.deadlines[0][0]] if node.deadlines else []
        if elections.has_turn(node):
            times.append(node.now_s)
        for peer in node.peers.values():
            if peer.is_partner:
                times.append(node.beat_at_s)
                break
        expiry_s = requests.next_expiry_s(node) if requests.has_waiting(node) else None
        others = (beliefs.next_liveness_s(node), expiry_s, disk.stall_at_s(node))
        for time_s in (*others, node.give_way_at_s):
            if time_s is not None:
                times.append(time_s)
        return min(times) if times else None

    def _take_deadlines(self) -> None:
        node = self._node
        beliefs.update_liveness(node)
        if node.todo:
            stepping.drain(node)
        elections.take_deadlines(node)
        if requests.has_waiting(node):
            requests.expire_waiting(node)
            changes.expire_probes(node)
            requests.expire_forwarded(node)
        disk.watch_for_stall(node)
        preference.give_way(node)

    def _take(self, event: Event) -> None:  # noqa: C901  # One match, every case.
        node = self._node
        match event:
            case FrameArrived() if event.frame.sender == node.node_id:
                pass  # No peer is called as we are: an echo, or somebody's mistake.
            case FrameArrived():
                self._take_frame(event.frame)
            case HeartbeatArrived() if event.heartbeat.sender == node.node_id:
                pass
            case HeartbeatArrived():
                beats.on_heartbeat(node, event.heartbeat)
                stepping.drain(node)
            case AckArrived():
                beats.on_ack(node, event.ack)
            case StreamUp():
                self._on_stream_up(event.peer)
            case StreamDown():
                self._on_stream_down(event.peer)
            case FrameWritten():
                peer = node.peer(event.peer)
                peer.ready, peer.stuck_since_s = peer.up, None
            case Persisted():
                disk.on_persisted(node, event.number)
            case PersistFailed():
                disk.on_failed(node, event.reason)
            case ClientRequest():
                requests.on_client_request(node, event)
            case ClientGone():
                answering.abandon(node, event.ticket)
            case OperatorTimeoutNow():
                requests.on_operator_timeout_now(node, event.ticket, event.shard_id)
            case ReadDone():
                answering.finish(node, event.ticket, event.code, event.message)
            case HostShard():
                self._host(event.shard_id)
            case Shutdown():
                self._shut_down(event.reason)
            case Applied() | AppFailed() | SnapshotFound() | SnapshotArrived() | SnapshotLost():
                self._take_app_news(event)
            case _:
                assert_never(event)

    def _take_app_news(
        self, event: Applied | AppFailed | SnapshotFound | SnapshotArrived | SnapshotLost
    ) -> None:
        node = self._node
        shard = node.shards.get(event.shard_id)
        if shard is None:
            return
        match event:
            case Applied():
                applying.on_applied(node, shard, event)
            case AppFailed():
                stepping.fail(node, shard, f"the app failed at index {event.index}: {event.reason}")
            case SnapshotFound():
                applying.on_snapshot_found(node, shard, event.index)
            case SnapshotArrived():
                self._take_snapshot(shard, event.meta)
            case SnapshotLost():
                node.tell("snapshot_lost", event.reason, shard_id=event.shard_id)
                node.todo.append((shard, SnapshotFailed(clock=event.clock, source=event.source)))

    def _take_snapshot(self, shard: Shard, meta: SnapshotMeta) -> None:
        """Let a replica start from a fetched snapshot, unless a peer sent nonsense with it."""
        damage = applying.why_damaged(shard, meta)
        fetching = shard.state.fetching
        if not damage:
            self._node.todo.append((shard, SnapshotFetched(meta=meta)))
        elif fetching is not None:
            self._node.tell("snapshot_lost", damage, shard_id=shard.shard_id)
            failed = SnapshotFailed(clock=fetching.clock, source=fetching.source)
            self._node.todo.append((shard, failed))

    def _take_frame(self, frame: Frame) -> None:
        node = self._node
        peer = node.peer(frame.sender)
        if beats.is_stranger(node, peer, frame.incarnation):
            requests.on_strangers_replies(node, peer, frame.replies)
            return
        if frame.epoch < max(peer.in_ledger.epoch, peer.frame_epoch):
            return  # Written by an earlier life of the peer.
        peer.frame_epoch = frame.epoch
        if peer.detector.suspect_at_s() is None:
            peer.detector.heard(node.now_s)  # A beat has not come yet, but it lives.
        for shard_id, message in frame.messages:
            shard = node.shards.get(shard_id)
            if shard is not None:
                node.todo.append((shard, self._with_belief(peer, frame.epoch, shard_id, message)))
        for forward in frame.forwards:
            requests.on_forward(node, peer, frame.epoch, forward)
        for reply in frame.replies:
            requests.on_reply(node, peer, reply)

    def _with_belief(self, peer: Peer, epoch: int, shard_id: ShardId, message: Message) -> Message:
        """Say whether an append makes its receiver believe: its epoch is the newest heard (L1)."""
        if not isinstance(message, stepping.WITH_LEDGER):
            return message
        if peer.in_ledger.epoch == 0:
            peer.in_ledger.restart(epoch)
        claim = Claim(shard_id=shard_id, term=message.term, group=message.group)
        if peer.live and peer.in_ledger.take_append(claim, *message.ledger):
            beliefs.judge(self._node, peer, shard_id)  # The beat will bring no news of this claim.
            return message
        return replace(message, gives_belief=False)

    def _on_stream_up(self, peer_id: NodeId) -> None:
        node = self._node
        peer = node.peer(peer_id)
        peer.up = peer.ready = True
        peer.stuck_since_s = None
        for shard_id in sorted(node.waiting_shards):
            if node.shards[shard_id].state.leader_id == peer_id:
                requests.on_leader_known(node, node.shards[shard_id])

    def _on_stream_down(self, peer_id: NodeId) -> None:
        node = self._node
        peer = node.peer(peer_id)
        was_up, peer.up, peer.ready = peer.up, False, False
        peer.stuck_since_s = None
        if was_up:
            peer.outbox.clear()
            beats.forget_in_flight(node, peer_id)
            requests.on_peer_gone(node, peer_id)

    def _host(self, shard_id: ShardId) -> None:
        node = self._node
        if shard_id in node.shards:
            return
        shard = node.host(shard_id)
        node.add_hosted(shard_id)
        beliefs.judge_all(node, shard_id)
        for peer in node.peers.values():
            claim = peer.in_ledger.claims.get(shard_id)
            if claim is not None and peer.live:
                event = LeaderClaim(leader_id=peer.node_id, group=claim.group, term=claim.term)
                node.todo.append((shard, event))

    def _shut_down(self, reason: str) -> None:
        """Answer everybody and withdraw every claim; the beat at the end of the turn says so."""
        node = self._node
        node.stopping = True
        for shard in node.shards.values():
            stepping.step_shard(node, shard, Stop(reason=reason))
        for ticket, request in list(node.requests.items()):
            fate = proposals.UNKNOWN if request.forwarded_to else "use another node"
            answering.refuse(node, ticket, Code.UNAVAILABLE, f"{reason}; {fate}")
        node.beat_at_s = node.now_s

    def _flush(self) -> None:
        """Give every peer whose stream can take it one frame with all that waits (coalescing)."""
        node = self._node
        timeout_s = node.config.timing.election_timeout_s
        for peer in node.peers.values():
            if peer.ready and peer.outbox.size_bytes and node.persisted >= peer.pin_batch:
                frame = peer.outbox.take(node.node_id, node.record.incarnation, node.record.epoch)
                peer.ready, peer.stuck_since_s = False, node.now_s
                node.out.append(SendFrame(peer=peer.node_id, frame=frame))
            stuck_s = peer.stuck_since_s
            if stuck_s is not None and node.now_s - stuck_s >= timeout_s - 1e-9:
                node.out.append(HangUp(peer=peer.node_id))  # L7; the driver dials again.
                node.redial(peer)

    def report(self, now_s: float, shards: Collection[ShardId] | None = None) -> MachineReport:
        """Return the whole picture, or with only some of the shards in it."""
        return reporting.report(self._node, now_s, shards)

    def changed_since(self, version: int) -> tuple[int, tuple[ShardId, ...]]:
        """Return the newest version and the shards that changed after *version*."""
        return reporting.changed_since(self._node, version)

    def log_slice(self, shard_id: ShardId, first: int, count: int) -> reporting.LogSlice | None:
        """Return a window of a shard's log; None where the shard is not hosted."""
        return reporting.log_slice(self._node, shard_id, first, count)


def group_of(shard_id: ShardId, members: tuple[NodeId, ...]) -> int:
    """Return the group id of a static bootstrap: the same on every listed member (S2)."""
    text = f"{shard_id}\n" + "\n".join(sorted(members))
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big") | 1
