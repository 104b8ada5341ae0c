"""A node that hears somebody under its own name: an echo, or a mistake, and no peer."""

from __future__ import annotations

import pytest

from lolraft.multiraft.effects import Dial, Tell
from lolraft.multiraft.events import Event, FrameArrived, HeartbeatArrived
from lolraft.multiraft.frames import Claim, Frame, NodeHeartbeat
from lolraft.multiraft.machine import NodeMachine, group_of
from lolraft.multiraft.node import NodeConfig
from lolraft.multiraft.records import NodeRecord
from lolraft.raft.events import AppendRequest
from lolraft.raft.types import NO_ENTRIES, ZERO, NodeId

MEMBERS = tuple(NodeId(f"http://n{n}:1") for n in range(3))
SELF = MEMBERS[0]
GROUP = group_of(0, MEMBERS) & (2**64 - 1)
APPEND = AppendRequest(
    sender=SELF, group=GROUP, term=3, prev_clock=ZERO, entries=NO_ENTRIES, commit_index=0
)


@pytest.mark.parametrize(
    "event",
    [
        FrameArrived(frame=Frame(sender=SELF, incarnation=1, epoch=1, messages=((0, APPEND),))),
        HeartbeatArrived(
            heartbeat=NodeHeartbeat(
                sender=SELF,
                incarnation=1,
                epoch=1,
                seq=1,
                is_beat=True,
                ledger_version=2,
                base_version=0,
                claims=(Claim(shard_id=0, term=3, group=GROUP),),
            )
        ),
    ],
)
def test_who_is_called_as_we_are_is_no_peer(event: Event) -> None:
    record = NodeRecord(node_id=SELF, incarnation=1, epoch=1, hosted=(0,))
    config = NodeConfig(node_id=SELF, members=MEMBERS)
    machine = NodeMachine(record, {}, config=config, seed=1, now_s=1.0)
    machine.turn(1.0, [])
    effects = machine.turn(1.0, [event, event])
    assert SELF not in machine.node.peers
    assert machine.node.shards[0].state.current_term == 0
    assert not machine.node.shards[0].state.stopped
    assert not [item for item in effects if isinstance(item, Dial | Tell)]
