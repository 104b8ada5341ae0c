"""One message takes a term a bounded way, and a group that was led astray elects again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lolraft.multiraft.events import AckArrived, FrameArrived, HeartbeatArrived
from lolraft.multiraft.frames import Claim, Frame, NodeHeartbeat, NodeHeartbeatAck
from lolraft.raft import events as core
from lolraft.raft.types import Clock, Entries, NodeId
from lolraft.rpc.translate_back import MOST
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from tests.simulation.stage import Stage

CALM = Plan(seed=5, kinds=(), clients=0, nodes=3)
LAST = Clock(MOST, MOST)
FEW = MOST // 2**20
"""A million messages like these must leave terms to elect in."""

Message = Callable[[NodeId, int], core.Message]
MESSAGES: dict[str, Message] = {
    "vote request": lambda sender, group: core.VoteRequest(
        sender=sender,
        group=group,
        term=MOST,
        last_clock=LAST,
        force_vote=True,
    ),
    "vote response": lambda sender, group: core.VoteResponse(
        sender=sender,
        group=group,
        term=MOST,
        granted=False,
        pre_vote=False,
        asked_term=1,
    ),
    "append": lambda sender, group: core.AppendRequest(
        sender=sender,
        group=group,
        term=MOST,
        prev_clock=Clock(0, 0),
        entries=Entries(1, (), b"", ()),
        commit_index=0,
    ),
    "append response": lambda sender, group: core.AppendResponse(
        sender=sender,
        group=group,
        term=MOST,
        success=False,
    ),
    "snapshot offer": lambda sender, group: core.SnapshotOffer(
        sender=sender,
        group=group,
        term=MOST,
        clock=LAST,
    ),
    "timeout now": lambda sender, group: core.TimeoutNow(sender=sender, group=group, term=MOST),
}


def astray(stage: Stage, node: SimNode, make: Message) -> None:
    """Let a message of the last term arrive at *node*, from one of the others."""
    other = next(name for name in stage.world.names if name != node.node_id)
    machine = stage.world.nodes[other].machine
    assert machine is not None
    message = make(other, stage.state(node).group)
    record = machine.record
    node.post(
        FrameArrived(
            frame=Frame(
                sender=other,
                incarnation=record.incarnation,
                epoch=record.epoch,
                messages=((0, message),),
            )
        )
    )


def elects_again(stage: Stage) -> None:
    """Write: there is a leader, and its term is one of very many that are left."""
    stage.run(3.0)
    stage.until(lambda: stage.leads())
    stage.write(stage.leader(), "on")
    stage.run(1.0)
    terms = [stage.state(node).current_term for node in stage.world.nodes.values()]
    assert len(set(terms)) == 1, "nobody is left behind"
    assert max(terms) < FEW


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("leads", [True, False])
def test_one_message_of_the_last_term_ends_no_group(name: str, leads: bool) -> None:
    stage = Stage(CALM)
    node = stage.leader() if leads else stage.followers()[0]
    astray(stage, node, MESSAGES[name])
    elects_again(stage)


def test_many_messages_to_one_replica_do_not_shut_it_out() -> None:
    stage = Stage(CALM)
    node = stage.followers()[0]
    for _ in range(5):
        astray(stage, node, MESSAGES["append"])
        stage.run(0.001)
    elects_again(stage)


def test_a_claim_and_an_objection_of_the_last_term_end_no_group() -> None:
    stage = Stage(CALM)
    leader, other = stage.leader(), stage.followers()[0]
    assert leader.machine is not None
    assert other.machine is not None
    record, group = leader.machine.record, stage.state(leader).group
    ledger = other.machine.node.peers[leader.node_id].in_ledger
    beat = NodeHeartbeat(
        sender=leader.node_id,
        incarnation=record.incarnation,
        epoch=record.epoch,
        seq=10**6,
        is_beat=True,
        ledger_version=ledger.version + 100,
        base_version=0,
        claims=(Claim(shard_id=0, term=MOST, group=group),),
        withdrawn=(),
        disk_is_well=True,
        objections_seen=0,
    )
    other.post(HeartbeatArrived(heartbeat=beat))
    stage.run(0.01)
    assert stage.state(other).current_term < FEW
    record = other.machine.record
    ack = NodeHeartbeatAck(
        sender=other.node_id,
        incarnation=record.incarnation,
        to_epoch=leader.machine.record.epoch,
        seq=1,
        ledger_version=0,
        own_epoch=record.epoch,
        known_epoch=0,
        pinned=leader.machine.record.incarnation,
        objections_version=10**6,
        objections=((0, MOST),),
    )
    leader.post(AckArrived(ack=ack))
    stage.run(0.01)
    assert stage.state(leader).current_term < FEW


def test_an_offer_of_entries_after_its_own_term_is_not_fetched() -> None:
    stage = Stage(CALM)
    node = stage.followers()[0]
    term = stage.state(node).current_term

    def offer(sender: NodeId, group: int) -> core.SnapshotOffer:
        clock = Clock(term + 1, 10**6)
        return core.SnapshotOffer(sender=sender, group=group, term=term, clock=clock)

    astray(stage, node, offer)
    stage.run(0.001)
    assert stage.state(node).fetching is None
    assert stage.state(node).odd_messages
