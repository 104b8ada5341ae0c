"""What peers say that know the machine's state and mean it no good: nearly right, or far off."""

from __future__ import annotations

from random import Random
from typing import Any

from lolraft.multiraft import commands
from lolraft.multiraft import frames as fr
from lolraft.multiraft.machine import NodeMachine
from lolraft.multiraft.wishes import Wish
from lolraft.raft import events as core
from lolraft.raft.effects import Code
from lolraft.raft.state import RaftState
from lolraft.raft.types import (
    Clock,
    Configuration,
    Entries,
    EntryKind,
    Limits,
    NodeId,
    ShardId,
    SnapshotMeta,
    Timing,
)
from lolraft.rpc.translate import KINDS
from lolraft.rpc.translate_back import MOST

SELF, OTHER, THIRD, ODD = (NodeId(f"http://n{n}:1") for n in range(1, 5))
MEMBERS = (SELF, OTHER, THIRD)
SENDERS = (OTHER, OTHER, THIRD, ODD, SELF)
SHARDS = (0, 1, 2)  # 0 has a group from the start, 1 is silent, 2 is not hosted.


class Peers:
    """Peers that know the machine's state, and use it: what they send is nearly right."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.oddness = chance.choice((0.02, 0.1, 0.5))  # A mood for the whole run.

    def near(self, number: int) -> int:
        """Return *number*, or one around it, now and then one from far away."""
        if self.chance.random() > self.oddness:
            return number
        if self.chance.random() < 0.01:
            return self.chance.choice((0, 2**31, 2**32, MOST - 1, MOST))
        return max(0, number + self.chance.choice((-3, -2, -1, 1, 1, 2, 5)))

    def group(self, state: RaftState | None) -> int:
        known = state.group if state is not None else 0
        return known if self.chance.random() < 0.95 else self.chance.choice((0, 7))

    def clock(self, state: RaftState) -> Clock:
        index = self.near(self.chance.choice((state.log.last_index, state.commit_index)))
        term = state.log.term_at(index)
        if term is None or self.chance.random() < 0.2:
            term = self.near(state.current_term)
        return Clock(term, index)

    def payload(self, kind: EntryKind) -> bytes:
        if kind is EntryKind.COMMAND:
            return commands.encode(self.chance.choice(("", "a", "b")), b"x")
        if kind is EntryKind.CONFIGURATION:
            return self.configuration().encode()
        return b""

    def configuration(self) -> Configuration:
        some = [NodeId(name) for name in (SELF, OTHER, THIRD, ODD)]
        voters, outgoing, learners = (
            tuple(sorted(self.chance.sample(some, self.chance.randrange(most))))
            for most in (5, 3, 2)
        )
        incarnations = tuple((name, self.chance.randrange(3)) for name in sorted(learners))
        return Configuration(
            voters=voters,
            outgoing=outgoing,
            learners=learners,
            incarnations=incarnations,
            group_id=self.chance.choice((0, 7, 2**127)),
        )

    def entries(self, state: RaftState, previous: Clock) -> Entries:
        count = self.chance.choice((0, 0, 1, 2, 5))
        terms = tuple(
            sorted(max(previous.term, self.near(state.current_term)) for _ in range(count))
        )
        if self.chance.random() < 0.8:  # As the leader that the machine knows would send them.
            terms = tuple(min(term, max(previous.term, state.current_term)) for term in terms)
        kinds = [EntryKind(self.chance.choice((0, 1, 1, 1, 1, 2))) for _ in range(count)]
        payloads = tuple(map(self.payload, kinds))
        return Entries(previous.index + 1, terms, bytes(kinds), payloads)

    def message(self, sender: NodeId, state: RaftState | None) -> core.Message:
        state = state or RaftState(SELF, 2, seed=0, timing=Timing(), limits=Limits())
        chance = self.chance
        term = self.near(state.current_term)
        about: dict[str, Any] = {"sender": sender, "group": self.group(state), "term": term}
        ledger = (chance.randrange(4), chance.randrange(8))
        match chance.randrange(12):
            case 0 | 1 | 2:
                previous = self.clock(state)
                entries = self.entries(state, previous)
                return core.AppendRequest(
                    **about,
                    prev_clock=previous,
                    entries=entries,
                    commit_index=self.near(chance.choice((state.commit_index, entries.last))),
                    ledger=ledger,
                )
            case 3 | 4:
                return core.AppendResponse(
                    **about,
                    success=chance.random() < 0.7,
                    match_index=self.near(state.log.last_index),
                    rejected_index=self.near(state.log.last_index),
                    conflict=self.clock(state),
                    commit_index=self.near(state.commit_index),
                )
            case 5:
                return core.VoteRequest(
                    **about,
                    last_clock=self.clock(state),
                    pre_vote=chance.random() < 0.5,
                    force_vote=chance.random() < 0.3,
                )
            case 6 | 7 | 8:
                refusal = core.Refusal.NONE
                if chance.random() < 0.1:
                    refusal = chance.choice(tuple(core.Refusal))
                return core.VoteResponse(
                    **about,
                    granted=refusal is core.Refusal.NONE,
                    pre_vote=chance.random() < 0.5,
                    asked_term=self.near(state.current_term),
                    refusal=refusal,
                    leader_id=chance.choice((None, OTHER, ODD, SELF)),
                    removed_at=self.near(state.configuration_index),
                )
            case 9:
                return core.SnapshotOffer(**about, clock=self.clock(state), ledger=ledger)
            case 10:
                return core.TimeoutNow(**about)
            case _:
                return core.GroupMismatch(sender=sender, group=self.group(state))

    def frame(self, machine: NodeMachine) -> fr.Frame:
        chance, node, sender = self.chance, machine.node, self.chance.choice(SENDERS)
        messages = []
        for _ in range(chance.randrange(4)):
            shard_id = chance.choice((0, 0, 0, 1, 2))
            shard = node.shards.get(shard_id)
            messages.append((shard_id, self.message(sender, shard and shard.state)))
        forwards = tuple(self.forward() for _ in range(chance.choice((0, 0, 0, 1, 2))))
        replies = tuple(self.reply(machine) for _ in range(chance.choice((0, 0, 0, 1, 2))))
        return fr.Frame(
            sender=sender,
            incarnation=self.incarnation(machine, sender),
            epoch=self.epoch(machine, sender),
            messages=tuple(messages),
            forwards=forwards,
            replies=replies,
        )

    def incarnation(self, machine: NodeMachine, sender: NodeId) -> int:
        pinned = machine.node.pins.get(sender, 1)
        return pinned if self.chance.random() < 0.97 else self.chance.choice((0, 2, 2**64 - 1))

    def epoch(self, machine: NodeMachine, sender: NodeId) -> int:
        peer = machine.node.peers.get(sender)
        known = peer.in_ledger.epoch if peer is not None else 1
        return known if self.chance.random() < 0.97 else self.near(known)

    def forward(self) -> fr.Forward:
        kind = self.chance.choice(KINDS)
        server = self.chance.choice((*MEMBERS, ODD))
        about = (fr.RequestKind.ADD_SERVER, fr.RequestKind.REMOVE_SERVER, fr.RequestKind.TRANSFER)
        message = server.encode() if kind in about else b"x"
        if kind is fr.RequestKind.CHANGE_MEMBERS:  # Others are refused at the port.
            message = Wish.of((server,), (), (), others_leave=self.chance.random() < 0.5).encode()
        return fr.Forward(
            number=self.chance.choice((1, 2, 2**64 - 1)),
            kind=kind,
            shard_id=self.chance.choice(SHARDS),
            message=message,
            request_id=self.chance.choice(("", "a", "b")),
        )

    def reply(self, machine: NodeMachine) -> fr.ForwardReply:
        return fr.ForwardReply(
            number=self.near(machine.node.next_number),
            to_epoch=self.near(machine.record.epoch),
            code=self.chance.choice(tuple(Code)),
            message=b"x",
            leader_id=self.chance.choice((None, OTHER, ODD, SELF)),
            group=self.chance.choice((0, 7)),
            incarnation=self.chance.choice((1, 2**64 - 1)),
        )

    def heartbeat(self, machine: NodeMachine) -> fr.NodeHeartbeat:
        chance, sender = self.chance, self.chance.choice(SENDERS)
        peer = machine.node.peers.get(sender)
        version = peer.in_ledger.version if peer is not None else 0
        claims = []
        for shard_id in chance.sample(SHARDS, chance.choice((0, 1, 1, 2, 3))):
            shard = machine.node.shards.get(shard_id)
            term = self.near(shard.state.current_term) if shard is not None else 1
            group = self.group(shard.state if shard is not None else None)
            claims.append(fr.Claim(shard_id=shard_id, term=term, group=group))
        return fr.NodeHeartbeat(
            sender=sender,
            incarnation=self.incarnation(machine, sender),
            epoch=self.epoch(machine, sender),
            seq=self.near(machine.node.seq),
            is_beat=chance.random() < 0.7,
            ledger_version=self.near(version + 1),
            base_version=chance.choice((0, version, self.near(version))),
            claims=tuple(claims),
            withdrawn=tuple(chance.sample(SHARDS, chance.choice((0, 0, 1)))),
            disk_is_well=chance.random() < 0.9,
            objections_seen=self.near(0),
        )

    def ack(self, machine: NodeMachine) -> fr.NodeHeartbeatAck:
        chance, sender, record = self.chance, self.chance.choice(SENDERS), machine.record
        peer = machine.node.peers.get(sender)
        version = peer.out_ledger.version if peer is not None else 0
        objections = None
        if chance.random() < 0.3:
            shards = sorted(chance.sample(SHARDS, chance.randrange(3)))
            objections = tuple((shard_id, self.near(0)) for shard_id in shards)
        return fr.NodeHeartbeatAck(
            sender=sender,
            incarnation=self.incarnation(machine, sender),
            to_epoch=record.epoch if chance.random() < 0.9 else self.near(record.epoch),
            seq=self.near(machine.node.seq),
            ledger_version=version if chance.random() < 0.7 else self.near(version),
            own_epoch=1 if chance.random() < 0.9 else self.near(1),
            known_epoch=record.epoch if chance.random() < 0.98 else self.near(record.epoch),
            pinned=record.incarnation if chance.random() < 0.95 else chance.choice((0, 5)),
            objections_version=chance.randrange(4),
            objections=objections,
        )

    def snapshot(self, machine: NodeMachine, shard_id: ShardId, clock: Clock) -> SnapshotMeta:
        """Return Raft's half of the snapshot that was asked for; the clock was checked before."""
        shard = machine.node.shards[shard_id]
        configuration = shard.state.configuration
        if self.chance.random() < 0.5:
            configuration = self.configuration()
        sessions = shard.sessions.cut(shard.applied_index)
        if self.chance.random() < 0.3:
            sessions = self.chance.randbytes(self.chance.choice((1, 23, 40)))
        return SnapshotMeta(
            clock=clock,
            configuration=configuration,
            configuration_index=self.near(min(clock.index, shard.state.configuration_index)),
            sessions=sessions,
        )
