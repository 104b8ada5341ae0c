"""One node on paper: it leads one shard, and its peers, disk and app do what a test lets them."""

from __future__ import annotations

from collections.abc import Iterator

from lolraft.multiraft.commands import RequestId
from lolraft.multiraft.effects import (
    Effect,
    Persist,
    Respond,
    RunApply,
    RunForget,
    RunRead,
    RunSnapshot,
    SendAck,
    SendFrame,
    SendHeartbeat,
)
from lolraft.multiraft.events import (
    AckArrived,
    Applied,
    ClientRequest,
    Event,
    FrameArrived,
    FrameWritten,
    HeartbeatArrived,
    Persisted,
    ReadDone,
    SnapshotFound,
    StreamUp,
)
from lolraft.multiraft.frames import (
    Claim,
    Forward,
    ForwardReply,
    Frame,
    NodeHeartbeat,
    NodeHeartbeatAck,
    RequestKind,
)
from lolraft.multiraft.machine import NodeMachine
from lolraft.multiraft.node import NodeConfig
from lolraft.multiraft.records import NodeRecord, ShardRecord
from lolraft.raft.effects import Code
from lolraft.raft.events import Message, VoteRequest, VoteResponse
from lolraft.raft.state import RaftState
from lolraft.raft.types import (
    Configuration,
    Entries,
    EntryKind,
    Index,
    NodeId,
    ShardId,
    Term,
    Ticket,
)
from tests.paper.replica import GROUP, ME, THREE, holding

PEERS_LIFE = 7  # The incarnation of every peer; their epoch is 1, as this node's.


class PaperNode:
    """A node called n1 and the streams to its peers, which say only what a test lets them."""

    def __init__(
        self, *, voters: tuple[NodeId, ...] = THREE, lease_s: float = 0.0, **config: int
    ) -> None:
        """Start n1 with entry 1 on its disk; *config* is some of `NodeConfig`."""
        known = Configuration(voters=voters, group_id=GROUP)
        kinds = bytes((EntryKind.CONFIGURATION,))
        kept = ShardRecord(entries=Entries(1, (0,), kinds, (known.encode(),)))
        self.now_s = 0.0
        self.peers = [voter for voter in voters if voter != ME]
        self.letters: list[tuple[NodeId, Message]] = []  # All that was sent, and to whom.
        self.beats: list[tuple[NodeId, NodeHeartbeat]] = []
        self.acks: list[tuple[NodeId, NodeHeartbeatAck]] = []
        self.forwards: list[tuple[NodeId, Forward]] = []
        self.replies: list[tuple[NodeId, ForwardReply]] = []
        self.asked_of_app: list[tuple[str, Index]] = []  # What, and at which index.
        self.answers: dict[Ticket, Respond] = {}
        self.disk_is_stuck = self.app_is_busy = False
        self._unwritten: list[Event] = []
        self._undone: list[Event] = []
        self._last_ticket: Ticket = 0
        self._seqs = dict.fromkeys(self.peers, 0)
        self.machine = NodeMachine(
            NodeRecord(node_id=ME, incarnation=1, epoch=1, hosted=(0,)),
            {0: kept},
            config=NodeConfig(node_id=ME, lease_s=lease_s, **config),  # type: ignore[arg-type]
            seed=1,
            now_s=0.0,
        )
        self.turn(*map(self._stream_up, self.peers), *map(self.beat, self.peers))

    @property
    def state(self) -> RaftState:
        """Return the replica's state, to look at."""
        return self.machine.node.shards[0].state

    # --- time and turns --------------------------------------------------------------------------

    def turn(self, *events: Event) -> None:
        """Let this happen, and what disk and app say to it."""
        waiting = list(events)
        while True:
            waiting = [
                said
                for effect in self.machine.turn(self.now_s, waiting)
                for said in self._do(effect)
            ]
            if not waiting:
                return

    def run(self, seconds: float) -> None:
        """Let time pass; nobody says anything."""
        until_s = self.now_s + seconds
        for due_s in self._deadlines(until_s):
            self.now_s = max(self.now_s, due_s)
            self.turn()
        self.now_s = until_s

    def _deadlines(self, until_s: float) -> Iterator[float]:
        while (due_s := self.machine.next_deadline_s()) is not None and due_s <= until_s:
            yield due_s

    def _do(self, effect: Effect) -> list[Event]:
        match effect:
            case Persist():
                done: Event = Persisted(number=effect.batch.number)
                if self.disk_is_stuck:
                    self._unwritten.append(done)
                    return []
                return [done]
            case SendFrame():
                frame, to = effect.frame, effect.peer
                self.letters += [(to, message) for _, message in frame.messages]
                self.forwards += [(to, forward) for forward in frame.forwards]
                self.replies += [(to, reply) for reply in frame.replies]
                return [FrameWritten(peer=effect.peer)]
            case SendHeartbeat():
                self.beats.append((effect.peer, effect.heartbeat))
            case SendAck():
                self.acks.append((effect.peer, effect.ack))
            case RunApply() | RunRead():
                return self._ask_app(effect)
            case RunSnapshot():
                self.asked_of_app.append(("snapshot", self.state.last_applied))
            case RunForget():
                self.asked_of_app.append(("forget", effect.index))
            case Respond():
                assert effect.ticket not in self.answers, "one answer a ticket"
                self.answers[effect.ticket] = effect
        return []

    def _ask_app(self, effect: RunApply | RunRead) -> list[Event]:
        if isinstance(effect, RunRead):
            self.asked_of_app.append(("read", effect.index))
            done: Event = ReadDone(
                shard_id=0, ticket=effect.ticket, code=Code.OK, message=b"%d" % effect.index
            )
        else:
            self.asked_of_app += [("write", index) for index, _ in effect.items]
            answers = tuple((Code.OK, b"done at %d" % index) for index, _ in effect.items)
            done = Applied(shard_id=0, last_index=effect.last_index, answers=answers)
        if self.app_is_busy:
            self._undone.append(done)
            return []
        return [done]

    def free_app(self) -> None:
        """Let the app finish what it was asked."""
        self.app_is_busy = False
        undone, self._undone = self._undone, []
        self.turn(*undone)

    def free_disk(self) -> None:
        """Let the disk finish what it was given."""
        self.disk_is_stuck = False
        unwritten, self._unwritten = self._unwritten, []
        self.turn(*unwritten)

    def found_snapshot(self, index: Index) -> None:
        """Let the app have made a snapshot of its state after *index*."""
        self.turn(SnapshotFound(shard_id=0, index=index))

    # --- what peers say --------------------------------------------------------------------------

    def _stream_up(self, peer: NodeId) -> Event:
        return StreamUp(peer=peer)

    def beat(self, peer: NodeId, *, leads_in: Term | None = None) -> Event:
        """Return the next heartbeat of a peer, which leads nothing unless told."""
        self._seqs[peer] += 1
        claims = () if leads_in is None else (Claim(shard_id=0, term=leads_in, group=GROUP),)
        beat = NodeHeartbeat(
            sender=peer,
            incarnation=PEERS_LIFE,
            epoch=1,
            seq=self._seqs[peer],
            is_beat=True,
            ledger_version=self._seqs[peer],
            base_version=0,
            claims=claims,
        )
        return HeartbeatArrived(heartbeat=beat)

    def say(self, peer: NodeId, *messages: Message) -> None:
        """Let messages of *peer* arrive."""
        self._hear(peer, messages=tuple((0, message) for message in messages))

    def pass_on(self, peer: NodeId, forward: Forward) -> None:
        """Let a request arrive that *peer* forwards."""
        self._hear(peer, forwards=(forward,))

    def reply(self, peer: NodeId, reply: ForwardReply) -> None:
        """Let the answer to a forwarded request arrive."""
        self._hear(peer, replies=(reply,))

    def _hear(
        self,
        peer: NodeId,
        messages: tuple[tuple[ShardId, Message], ...] = (),
        forwards: tuple[Forward, ...] = (),
        replies: tuple[ForwardReply, ...] = (),
    ) -> None:
        frame = Frame(
            sender=peer,
            incarnation=PEERS_LIFE,
            epoch=1,
            messages=messages,
            forwards=forwards,
            replies=replies,
        )
        self.turn(FrameArrived(frame=frame))

    def last_beat(self, peer: NodeId) -> NodeHeartbeat:
        """Return the newest heartbeat that went to *peer*."""
        return [beat for to, beat in self.beats if to == peer][-1]

    def ack(
        self,
        peer: NodeId,
        beat: NodeHeartbeat | None = None,
        *,
        version: int | None = None,
        promised_s: float = 0.0,
        objects_in: Term | None = None,
    ) -> None:
        """Let *peer* ack a heartbeat, the newest unless told: with its claims, unless told."""
        acked = self.last_beat(peer) if beat is None else beat
        ack = NodeHeartbeatAck(
            sender=peer,
            incarnation=PEERS_LIFE,
            to_epoch=1,
            seq=acked.seq,
            ledger_version=acked.ledger_version if version is None else version,
            own_epoch=1,
            known_epoch=1,
            pinned=1,
            objections_version=int(objects_in is not None),
            objections=None if objects_in is None else ((0, objects_in),),
            promised_s=promised_s,
        )
        self.turn(AckArrived(ack=ack))

    def holds(self, peer: NodeId, index: Index | None = None) -> None:
        """Let *peer* say that it has everything up to *index*, or all there is."""
        self.say(peer, holding(self.state, peer, index))

    # --- to the point of a sentence --------------------------------------------------------------

    def elected(self) -> PaperNode:
        """Let all peers elect it; nobody else holds its barrier."""
        for peer in self.peers:
            self.say(peer, grant(peer, self.next_request(pre_vote=True)))
        for peer in self.peers:
            self.say(peer, grant(peer, self.next_request(pre_vote=False)))
        assert self.state.leadership is not None, "it leads"
        return self

    def next_request(self, *, pre_vote: bool) -> VoteRequest:
        """Return what it asks its peers, which live, as soon as it asks."""
        for _ in range(100):
            for _, message in self.letters:
                if isinstance(message, VoteRequest) and message.pre_vote == pre_vote:
                    return message
            self.run(0.05)
            self.turn(*map(self.beat, self.peers))
        raise AssertionError("it asks for no vote")

    def follows(self, leader: NodeId, term: Term = 1) -> PaperNode:
        """Let it believe in a leader."""
        self.turn(self.beat(leader, leads_in=term))
        assert self.state.leader_id == leader, "it believes"
        return self

    def settled(self) -> PaperNode:
        """Let it lead, its barrier be everywhere, and its claim be known to all."""
        self.elected()
        for peer in self.peers:
            self.holds(peer)
        self.run(0.1)
        for peer in self.peers:
            self.holds(peer)  # The answer to the news of the commit.
            self.ack(peer)
        return self

    def ask(self, kind: RequestKind, message: bytes = b"", request_id: RequestId = "") -> Ticket:
        """Let a client ask; return under which ticket its answer will be."""
        self._last_ticket += 1
        request = ClientRequest(
            ticket=self._last_ticket,
            kind=kind,
            shard_id=0,
            message=message,
            request_id=request_id,
        )
        self.turn(request)
        return self._last_ticket

    def write(self, request_id: RequestId = "") -> Ticket:
        """Let a client write, and one peer hold the entry: it is committed."""
        ticket = self.ask(RequestKind.WRITE, b"x", request_id)
        self.holds(self.peers[0])
        return ticket


def grant(peer: NodeId, request: VoteRequest) -> VoteResponse:
    return VoteResponse(
        sender=peer,
        group=GROUP,
        term=request.term,
        granted=True,
        pre_vote=request.pre_vote,
        asked_term=request.term,
    )
