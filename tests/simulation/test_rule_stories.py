"""One story for each rule that chance breaks too seldom; the planted mistakes name them."""

from __future__ import annotations

from lolraft.multiraft import stepping
from lolraft.multiraft.events import AckArrived, ClientGone, FrameArrived, HeartbeatArrived
from lolraft.multiraft.frames import Frame, NodeHeartbeat, NodeHeartbeatAck, RequestKind
from lolraft.raft.effects import Code, Send
from lolraft.raft.events import AppendRequest, SnapshotOffer
from lolraft.raft.state import RaftState
from lolraft.raft.types import NO_ENTRIES, Role
from lolraft.sim import Plan
from lolraft.sim.app import Registers
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage


def transfer(stage: Stage, target: SimNode) -> None:
    stage.told(stage.ask(stage.leader(), RequestKind.TRANSFER, target.node_id))
    stage.until(lambda: stage.leads() is not None and stage.leader() is target)


def ack(stage: Stage, sender: SimNode, leader: SimNode, version: int) -> AckArrived:
    """Return an ack to the newest heartbeat, at a version of the ledger."""
    theirs, record = sender.disk.rows.node, leader.disk.rows.node
    assert theirs is not None
    assert record is not None
    assert leader.machine is not None
    return AckArrived(
        ack=NodeHeartbeatAck(
            sender=sender.node_id,
            incarnation=theirs.incarnation,
            to_epoch=record.epoch,
            seq=leader.machine.node.seq,
            ledger_version=version,
            own_epoch=theirs.epoch,
            known_epoch=record.epoch,
            pinned=record.incarnation,
            objections_version=0,
            objections=None,
        )
    )


def heartbeat_of(leader: SimNode, state: RaftState, epoch: int, ledger: tuple[int, int]) -> Frame:
    """Return an append of nothing to the replica with *state*, sent under a ledger."""
    record = leader.disk.rows.node
    assert record is not None
    append = AppendRequest(
        sender=leader.node_id,
        group=state.group,
        term=state.current_term,
        prev_clock=state.log.last_clock,
        entries=NO_ENTRIES._replace(first=state.log.last_index + 1),
        commit_index=state.commit_index,
        ledger=ledger,
    )
    return Frame(
        sender=leader.node_id,
        incarnation=record.incarnation,
        epoch=epoch,
        messages=((0, append),),
    )


def test_an_ack_without_the_claim_confirms_no_read() -> None:
    """Who has not heard that a node leads cannot say that nobody else does (S13)."""
    stage = Stage(Plan(seed=21))
    old, target = stage.leader(), stage.followers()[0]
    others = [node for node in stage.world.nodes.values() if node is not target]
    assert target.machine is not None
    peers = target.machine.node.peers
    for other in others:
        stage.world.network.put(stage.links(target, other), Rule(kind="beat", drop=1.0))
    stage.ask(old, RequestKind.TRANSFER, target.node_id)
    stage.until(lambda: stage.leads() is not None and stage.leader() is target, 0.2)
    stage.run(0.02)
    state = stage.state(target)
    assert state.commit_index == state.log.last_index, "its barrier is committed"
    answers = stage.ask(target, RequestKind.READ, "k")
    stage.run(0.01)
    for other in others:
        version = peers[other.node_id].out_ledger.acked
        assert version < peers[other.node_id].out_ledger.version
        target.post(ack(stage, other, target, version))
    stage.run(0.01)
    assert not answers


def test_an_ack_from_before_a_read_came_confirms_it_not() -> None:
    """Everybody acked a moment ago, and nobody can since: somebody else may lead by now (6.4)."""
    stage = Stage(Plan(seed=28))
    leader = stage.leader()
    stage.world.network.put(stage.world_links(leader), Rule(drop=1.0))
    answers = stage.ask(leader, RequestKind.READ, "k")
    stage.run(0.05)
    assert not answers
    assert stage.told(answers).code is not Code.OK


def test_who_objects_confirms_no_read() -> None:
    """A leader that was just elected has not stepped down yet: its reads wait (L6)."""
    stage = Stage(Plan(seed=22))
    target = stage.followers()[0]
    transfer(stage, target)
    others = [node for node in stage.world.nodes.values() if node is not target]
    for other in others:
        other.broken_apps[0] = 0
    stage.write(target, "w")
    stage.until(lambda: all(stage.state(other).stopped for other in others), 0.5)
    assert target.machine is not None
    peers = target.machine.node.peers
    stage.until(lambda: all(0 in peers[other.node_id].objections for other in others), 0.5)
    assert stage.state(target).role is Role.LEADER
    answers = stage.ask(target, RequestKind.READ, "k")
    assert stage.told(answers).code is Code.UNAVAILABLE


def test_a_leader_to_which_a_quorum_objects_steps_down() -> None:
    """Their nodes live and ack, their replicas are dead (L6)."""
    stage = Stage(Plan(seed=23))
    leader = stage.leader()
    stage.run(2.0)  # It is not newly elected.
    for other in stage.followers():
        other.broken_apps[0] = 0
    stage.write(leader, "w")
    stage.until(lambda: stage.state(leader).role is not Role.LEADER, 2.0)


def test_a_replica_whose_app_breaks_stops_and_the_other_shards_go_on() -> None:
    """That entry counts as not applied, and another replica leads (S11)."""
    stage = Stage(Plan(seed=24, shards=(0, 1)))
    leader = stage.leader(0)
    leader.broken_apps[0] = 0
    stage.ask(leader, RequestKind.WRITE, "w k v", "w", 0)
    stage.until(lambda: stage.state(leader, 0).stopped, 1.0)
    stage.until(lambda: stage.leads(0) is not None and stage.leader(0) is not leader)
    stage.write(stage.leader(0), "after", 0)
    stage.write(stage.leader(1), "other", 1)


def test_an_append_sent_under_an_earlier_epoch_gives_no_belief() -> None:
    """It is an ordinary message of Raft, and says nothing of who leads now (L1)."""
    stage = Stage(Plan(seed=25))
    leader, follower = stage.leader(), stage.followers()[0]
    state, term = stage.state(follower), stage.state(leader).current_term
    old = leader.disk.rows.node
    assert old is not None
    leader.crash()
    leader.start()
    assert follower.machine is not None
    ledger = follower.machine.node.peers[leader.node_id].in_ledger
    stage.until(lambda: ledger.epoch > old.epoch, 0.5)
    assert (state.leader_id, state.current_term) == (None, term)
    frame = heartbeat_of(leader, state, ledger.epoch, (old.epoch, 1_000_000))
    follower.post(FrameArrived(frame=frame))
    stage.run(0.001)
    assert state.leader_id is None


def test_an_append_that_a_withdrawal_overtook_gives_no_belief() -> None:
    """No beat would end that belief: the claim has been withdrawn already (L1)."""
    stage = Stage(Plan(seed=29))
    leader, follower = stage.leader(), stage.followers()[0]
    state, record = stage.state(follower), leader.disk.rows.node
    assert record is not None
    assert follower.machine is not None
    ledger = follower.machine.node.peers[leader.node_id].in_ledger
    version = ledger.version
    withdrawal = NodeHeartbeat(
        sender=leader.node_id,
        incarnation=record.incarnation,
        epoch=record.epoch,
        seq=1_000_000,
        is_beat=False,
        ledger_version=version + 1,
        base_version=version,
        claims=(),
        withdrawn=(0,),
        disk_is_well=True,
        objections_seen=0,
    )
    follower.post(HeartbeatArrived(heartbeat=withdrawal))
    stage.run(0.001)
    assert state.leader_id is None
    frame = heartbeat_of(leader, state, record.epoch, (record.epoch, version))
    follower.post(FrameArrived(frame=frame))
    stage.run(0.001)
    assert state.leader_id is None


def test_what_a_leader_sends_when_it_leads_no_more_gives_no_belief() -> None:
    """A hanging disk held it back until the claim was withdrawn (L1)."""
    stage = Stage(Plan(seed=30))
    node, other = stage.followers()
    assert node.machine is not None
    inner = node.machine.node
    shard, state = inner.shards[0], stage.state(node)
    offer = SnapshotOffer(
        sender=node.node_id,
        group=state.group,
        term=state.current_term,
        clock=state.log.last_clock,
    )
    stepping.handle(inner, shard, Send(to=other.node_id, message=offer))
    assert other.machine is not None
    stage.state(other).leader_id = None
    node.post(ClientGone(ticket=0))  # A turn, which sends the frame.
    stage.run(0.005)
    assert stage.state(other).odd_messages == 0
    assert stage.state(other).leader_id is None


def test_a_follower_that_restarts_unseen_is_told_what_is_committed() -> None:
    """An idle leader writes no frame that could find its stream broken: an ack tells it (L2)."""
    stage = Stage(Plan(seed=26))
    leader, follower = stage.leader(), stage.followers()[0]
    stage.write(leader, "w")
    stage.run(1.0)
    follower.crash(silently=True)
    follower.start()
    committed = stage.state(leader).commit_index
    stage.until(lambda: stage.state(follower).commit_index == committed, 1.5)


def test_what_a_broken_stream_lost_is_sent_again_when_there_is_another() -> None:
    """Whatever was in flight counts as lost; nobody waits until it is late (L2)."""
    stage = Stage(Plan(seed=27))
    leader, follower = stage.leader(), stage.followers()[0]
    cut = stage.world.network.put([(leader.node_id, follower.node_id)], Rule(kind="frame", drop=1))
    stage.write(leader, "w")
    stage.world.network.break_stream(leader.node_id, follower.node_id)
    stage.world.network.take(cut)
    last = stage.state(leader).log.last_index
    stage.until(lambda: stage.state(follower).log.last_index == last, 0.25)


def test_a_request_that_came_with_a_snapshot_is_not_executed_again() -> None:
    """The memory of requests is part of the snapshot (S10)."""
    stage = Stage(Plan(seed=28, snapshot_entries=5, tail_entries=0))
    behind = stage.followers()[0]
    cut = stage.world.network.put(
        [link for node in stage.world.nodes.values() for link in stage.links(node, behind)],
        Rule(cut=True),
    )
    for number in range(12):
        stage.write(stage.leader(), f"w{number}")
    stage.world.network.take(cut)
    stage.until(lambda: stage.world.counts["installed"] > 0)
    stage.run(1.0)
    transfer(stage, behind)
    stage.write(behind, "w0")
    app = behind.queues[0].app
    assert isinstance(app, Registers)
    assert app.executed["w0"] == 1


def test_whose_leadership_is_lost_tells_its_clients_at_once() -> None:
    """They can ask another one; nobody waits until it is too late (DESIGN 4)."""
    stage = Stage(Plan(seed=29))
    leader = stage.leader()
    for other in stage.followers():
        stage.world.network.put(stage.links(leader, other), Rule(cut=True))
    answers = stage.ask(leader, RequestKind.WRITE, "w k v", "w")
    stage.until(lambda: stage.state(leader).role is not Role.LEADER, 2.0)
    stage.run(0.05)
    assert answers
    assert b"outcome unknown" in stage.told(answers).message


def test_a_replica_that_joins_knows_who_lives() -> None:
    """Its node has known the others for long: no news of them will come (L9)."""
    stage = Stage(Plan(seed=30, shards=(0, 1)))
    joins = next(node for node in stage.followers(1) if node is not stage.leader(0))
    for kind in (RequestKind.REMOVE_SERVER, RequestKind.ADD_SERVER):
        answers = stage.ask(stage.leader(1), kind, joins.node_id, shard_id=1)
        assert stage.told(answers).code is Code.OK
        stage.run(3.0)
    assert joins.machine is not None
    alive = joins.machine.node.global_live
    assert len(alive) == 2
    assert [stage.state(joins, shard_id).live for shard_id in (0, 1)] == [alive, alive]
