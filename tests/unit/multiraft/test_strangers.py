"""Whoever calls at the port is answered; what is remembered of strangers has a bound."""

from __future__ import annotations

from dataclasses import replace

from lolraft.multiraft.effects import Dial, HangUp
from lolraft.multiraft.events import FrameArrived, HeartbeatArrived, Persisted
from lolraft.multiraft.frames import Claim, Frame, NodeHeartbeat
from lolraft.multiraft.machine import NodeMachine
from lolraft.multiraft.node import MOST_STRANGERS, NodeConfig
from lolraft.multiraft.records import Batch
from lolraft.raft.types import NodeId
from lolraft.storage.memory import MemoryDisk, MemoryStorage

SELF, OTHER = NodeId("http://n1:1"), NodeId("http://n2:1")


class Port:
    """A machine of a group of two, and the streams that it has dialled."""

    def __init__(self) -> None:
        self.storage = MemoryStorage(MemoryDisk())
        record = self.storage.open(SELF)
        self.storage.commit(Batch(number=0, node=replace(record, hosted=(0,))))
        config = NodeConfig(node_id=SELF, members=(SELF, OTHER))
        self.machine = NodeMachine(
            replace(record, hosted=(0,)), {}, config=config, seed=1, now_s=0.0
        )
        self.now_s = 0.0
        self.dialled: set[NodeId] = set()
        self.turn()

    def turn(self, *events: FrameArrived | HeartbeatArrived | Persisted) -> None:
        self.now_s += 0.001
        for effect in self.machine.turn(self.now_s, events):
            if isinstance(effect, Dial):
                self.dialled.add(effect.peer)
            elif isinstance(effect, HangUp):
                self.dialled.remove(effect.peer)
        batch = self.machine.node.batch_number
        if self.machine.node.persisted < batch:
            self.turn(Persisted(number=batch))

    def hear(self, name: NodeId) -> None:
        frame = Frame(sender=name, incarnation=7, epoch=1)
        self.turn(FrameArrived(frame=frame))
        self.claims(
            name, 7, (Claim(shard_id=0, term=9, group=1), Claim(shard_id=5, term=1, group=1))
        )
        self.claims(name, 8, ())  # Another incarnation is refused, which is told once for a peer.

    def claims(self, name: NodeId, incarnation: int, claims: tuple[Claim, ...]) -> None:
        beat = NodeHeartbeat(
            sender=name,
            incarnation=incarnation,
            epoch=1,
            seq=1,
            is_beat=True,
            ledger_version=1,
            base_version=0,
            claims=claims,
            withdrawn=(),
            disk_is_well=True,
            objections_seen=0,
        )
        self.turn(HeartbeatArrived(heartbeat=beat))


def test_strangers_are_forgotten_and_members_are_not() -> None:
    port = Port()
    node = port.machine.node
    for number in range(5 * MOST_STRANGERS):
        port.hear(NodeId(f"http://stranger{number}:1"))
    most = MOST_STRANGERS + 1
    assert OTHER in node.peers
    assert len(node.peers) == len(port.dialled) == most
    assert port.dialled == set(node.peers), "what is forgotten is not dialled for ever"
    assert len(node.pins) <= most
    assert len(dict(node.record.pins)) <= most, "on the disk, too"
    assert len(node.told) <= most
    newest = NodeId(f"http://stranger{5 * MOST_STRANGERS - 1}:1")
    assert newest in node.peers, "who comes now may be the leader that adds us to its group"
