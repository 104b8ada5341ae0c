"""What the simulator found, told again on a calm stage: one fault, at the moment that matters."""

from __future__ import annotations

from dataclasses import replace

from lolraft.multiraft.events import AckArrived, FrameArrived, Shutdown
from lolraft.multiraft.frames import Forward, Frame, NodeHeartbeatAck, RequestKind
from lolraft.raft.effects import Code
from lolraft.sim import Plan
from lolraft.sim.weather import Rule
from lolraft.sim.world import ANSWER_S
from tests.simulation.stage import Stage


def test_an_answer_that_is_lost_on_its_own_stream_is_not_waited_for_for_ever() -> None:
    stage = Stage(Plan(seed=1))
    leader, follower = stage.leader(), stage.followers()[0]
    rule = stage.world.network.put([(leader.node_id, follower.node_id)], Rule(kind="frame", drop=1))
    answers = stage.ask(follower, RequestKind.WRITE, "w k v", "w")
    answer = stage.told(answers, ANSWER_S + 1)
    assert answer.code is Code.UNAVAILABLE
    assert b"outcome unknown" in answer.message
    stage.world.network.take(rule)
    assert follower.machine is not None
    assert not follower.machine.node.requests
    assert not follower.machine.node.forwarded


def test_a_write_and_the_shutdown_in_one_turn_are_both_answered() -> None:
    stage = Stage(Plan(seed=2))
    leader = stage.leader()
    answers = stage.ask(leader, RequestKind.WRITE, "w k v", "w")
    leader.post(Shutdown(reason="the node stops"))
    assert stage.told(answers).code is Code.UNAVAILABLE


def test_writes_that_are_refused_are_not_in_flight() -> None:
    stage = Stage(Plan(seed=3))
    leader, follower = stage.leader(), stage.followers()[0]
    stage.world.network.put(stage.links(leader, follower), Rule(kind="frame", drop=1))
    moved = stage.ask(leader, RequestKind.TRANSFER, follower.node_id)
    stage.run(0.01)
    refused = stage.ask(leader, RequestKind.WRITE, "w k " + "v" * 1000, "w")
    assert stage.told(refused).code is Code.UNAVAILABLE
    stage.told(moved)
    assert leader.machine is not None
    assert leader.machine.node.shards[0].pending_bytes == 0


def test_a_forwarded_add_server_begins_no_group() -> None:
    """Somebody took this server for the leader; it is to join a group, not to begin one."""
    stage = Stage(Plan(seed=4, spares=1))
    member, spare = stage.node(1), stage.node(4)
    record = member.disk.rows.node
    assert record is not None
    forward = Forward(
        number=1, kind=RequestKind.ADD_SERVER, shard_id=0, message=spare.node_id.encode()
    )
    frame = Frame(
        sender=member.node_id,
        incarnation=record.incarnation,
        epoch=record.epoch,
        forwards=(forward,),
    )
    spare.post(FrameArrived(frame=frame))
    stage.run(1.0)
    assert stage.state(spare).is_silent


def test_requests_that_wait_at_a_replica_are_answered_when_it_is_removed() -> None:
    stage = Stage(Plan(seed=5))
    leader, removed = stage.leader(), stage.followers()[0]
    stage.world.network.put(stage.links(leader, removed), Rule(cut=True))
    stage.until(lambda: stage.state(removed).leader_id is None)
    stage.told(stage.ask(leader, RequestKind.REMOVE_SERVER, removed.node_id))
    assert removed.machine is not None
    inner = removed.machine.node
    answers: list[object] = []
    count = 0
    while not stage.state(removed).is_silent:  # It learns of it when it asks for votes.
        count += 1
        answers += [stage.ask(removed, RequestKind.WRITE, f"w{count} k v", f"w{count}")]
        stage.run(0.05)
        assert count < 400
    stage.run(3.0)
    assert all(answers)
    assert not inner.requests


def test_a_removed_replica_that_dies_before_its_log_is_gone_comes_back() -> None:
    stage = Stage(Plan(seed=6, snapshot_entries=5, tail_entries=0))
    removed = stage.followers()[0]
    for number in range(12):
        stage.write(stage.leader(), f"w{number}")
    stage.until(lambda: stage.state(removed).snapshot is not None)
    stage.run(0.5)
    removed.disk.is_stuck = True
    stage.told(stage.ask(stage.leader(), RequestKind.REMOVE_SERVER, removed.node_id))
    stage.run(2.0)
    assert removed.disk.snapshots[0], "its log is still there"
    removed.disk.move()
    removed.crash(keeps=False)
    removed.start()  # Raises where the log starts after a snapshot that is gone.
    stage.until(lambda: stage.state(removed).is_silent, 20.0)
    stage.until(lambda: not removed.disk.snapshots.get(0))


def test_a_replica_that_was_added_knows_who_lives_when_its_leader_leaves() -> None:
    stage = Stage(Plan(seed=7, nodes=3, shards=(0, 1), grows=True))
    for shard_id in (0, 1):
        leader = stage.leader(shard_id)
        answers = stage.ask(leader, RequestKind.REMOVE_SERVER, leader.node_id, shard_id=shard_id)
        assert stage.told(answers).code is Code.OK
        stage.until(
            lambda shard_id=shard_id, old=leader.node_id: (  # type: ignore[misc]
                (state := stage.leads(shard_id)) is not None and state.node_id != old
            )
        )
        stage.write(stage.leader(shard_id), "after", shard_id)


def test_a_follower_does_not_wait_for_the_snapshot_of_a_dead_leader() -> None:
    """Of four voters one is dead: the one that lacks the log is needed for the quorum."""
    stage = Stage(Plan(seed=8, nodes=4, snapshot_entries=5, tail_entries=0, pieces=2000))
    leader, behind = stage.leader(), stage.followers()[0]
    cut = stage.world.network.put(
        [link for node in stage.world.nodes.values() for link in stage.links(node, behind)],
        Rule(cut=True),
    )
    for number in range(12):
        stage.write(leader, f"w{number}")
    stage.until(lambda: all(stage.state(node).snapshot for node in stage.followers()[1:]))
    stage.world.network.take(cut)
    stage.until(lambda: stage.state(behind).fetching is not None)
    assert stage.state(behind).fetching.source == leader.node_id  # type: ignore[union-attr]
    leader.crash(silently=True)
    stage.until(lambda: stage.leads() is not None and stage.leader() is not leader)
    answers = stage.ask(stage.leader(), RequestKind.WRITE, "after k after", "after")
    assert stage.told(answers, 8.0).code is Code.OK


def test_an_ack_to_an_earlier_life_vouches_for_nothing() -> None:
    """A leader that restarts is acked by nobody before it has asked (S7)."""
    stage = Stage(Plan(seed=9))
    leader, follower = stage.leader(), stage.followers()[0]
    for other in stage.followers():
        stage.world.network.put(stage.links(leader, other), Rule(cut=True))
    assert leader.machine is not None
    peer = leader.machine.node.peers[follower.node_id]
    heard = peer.acked_seq
    record, theirs = leader.disk.rows.node, follower.disk.rows.node
    assert record is not None
    assert theirs is not None
    ack = NodeHeartbeatAck(
        sender=follower.node_id,
        incarnation=theirs.incarnation,
        to_epoch=record.epoch - 1,
        seq=heard + 1_000,
        ledger_version=peer.out_ledger.version,
        own_epoch=theirs.epoch,
        known_epoch=record.epoch,
        pinned=record.incarnation,
        objections_version=0,
        objections=None,
    )
    leader.post(AckArrived(ack=ack))
    stage.run(0.01)
    assert peer.acked_seq == heard


def test_a_restored_backup_raises_its_epoch_above_the_known_one() -> None:
    stage = Stage(Plan(seed=10))
    restored = stage.followers()[0]
    for _ in range(4):
        restored.crash()
        restored.start()
        stage.run(1.0)
    record = restored.disk.rows.node
    assert record is not None
    restored.crash()
    restored.disk.rows.node = replace(record, epoch=1)
    restored.start()
    stage.until(lambda: restored.machine and restored.machine.record.epoch > record.epoch)
    stage.until(lambda: stage.state(restored).leader_id == stage.leader().node_id)
    stage.write(restored, "after")


def test_a_leader_whose_disk_stalls_hands_over() -> None:
    """Its heartbeats would keep a leader alive that can save nothing (L11)."""
    stage = Stage(Plan(seed=11))
    stalled = stage.leader()
    stalled.disk.is_stuck = True
    stage.ask(stalled, RequestKind.WRITE, "w k v", "w")
    stage.until(lambda: stage.leads() is not None and stage.leader() is not stalled, 3.0)


def test_a_node_whose_disk_failed_stops_and_another_leads() -> None:
    """After a failed sync nobody knows what is on the disk (DESIGN 6)."""
    stage = Stage(Plan(seed=12))
    failed = stage.leader()
    failed.disk.fails = "a disk that fails on purpose"
    stage.ask(failed, RequestKind.WRITE, "w k v", "w")
    stage.until(lambda: stage.state(failed).stopped, 1.0)
    stage.until(lambda: stage.leads() is not None and stage.leader() is not failed, 3.0)
    stage.write(stage.leader(), "after")
    assert failed.disk.on_way is None
