"""Leases under the faults that break careless ones: two leaders, one does not know yet (S6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lolraft.multiraft.effects import Respond
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import Role
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage

READ, LEASE = RequestKind.READ, RequestKind.READ_LEASE


def staged(seed: int, *, lease_s: float = 0.9, clock_drift: float = 0.05) -> tuple[Stage, SimNode]:
    """Return a stage with leases, and its leader, which holds one."""
    stage = Stage(Plan(seed=seed, lease_s=lease_s, clock_drift=clock_drift))
    stage.write(stage.leader(), "old")
    stage.run(0.3)
    return stage, stage.leader()


def leader_besides(stage: Stage, old: SimNode, within_s: float = 10.0) -> SimNode:
    """Wait for another leader than *old*, which may not know, and return it."""

    def others() -> list[SimNode]:
        nodes = stage.world.nodes.values()
        return [
            n for n in nodes if n is not old and n.machine and stage.state(n).role is Role.LEADER
        ]

    stage.until(others, within_s)
    return others()[0]


def must_not_read(stage: Stage, old: SimNode, answers: list[Respond | None]) -> None:
    """Fail where a leader that has been replaced answers from what it has."""
    stage.run(0.02)
    assert not answers or answers[0] is None or answers[0].code is not Code.OK


def test_a_lease_read_asks_nobody() -> None:
    stage, leader = staged(1)
    stage.world.network.put(stage.world_links(leader), Rule(drop=1.0))
    plain = stage.ask(leader, READ, "k")
    answer = stage.told(stage.ask(leader, LEASE, "k"), 0.1)
    assert (answer.code, answer.message) == (Code.OK, b"old")
    assert not plain
    stage.run(0.9)
    assert stage.state(leader).role is Role.LEADER, "it has not stepped down yet"
    late = stage.ask(leader, LEASE, "k")
    must_not_read(stage, leader, late)


def test_a_follower_passes_a_lease_read_on() -> None:
    stage, _ = staged(2)
    answer = stage.told(stage.ask(stage.followers()[0], LEASE, "k"))
    assert (answer.code, answer.message) == (Code.OK, b"old")


def test_without_leases_a_lease_read_asks_a_quorum() -> None:
    stage, leader = staged(3, lease_s=0.0)
    assert stage.told(stage.ask(leader, LEASE, "k")).message == b"old"
    stage.world.network.put(stage.world_links(leader), Rule(drop=1.0))
    must_not_read(stage, leader, stage.ask(leader, LEASE, "k"))


def test_a_leader_whose_peers_promise_nothing_holds_no_lease() -> None:
    stage, leader = staged(4)
    for node in stage.followers():
        node.crash()
        node.config = replace(node.config, lease_s=0.0)
        node.start()
    stage.run(3.0)
    leader = stage.leader()
    assert leader.config.lease_s > 0
    stage.world.network.put(stage.world_links(leader), Rule(drop=1.0))
    must_not_read(stage, leader, stage.ask(leader, LEASE, "k"))


def test_the_promise_of_a_minority_is_no_lease() -> None:
    stage = Stage(Plan(seed=14, nodes=5, lease_s=0.5))
    old = stage.leader()
    friend, *others = stage.followers()
    links = [
        link for side in (old, friend) for other in others for link in stage.links(side, other)
    ]
    stage.world.network.put(links, Rule(cut=True))
    new = leader_besides(stage, old)
    stage.write(new, "new")
    while stage.state(old).role is Role.LEADER:
        must_not_read(stage, old, stage.ask(old, LEASE, "k"))


def test_a_lease_counts_from_when_its_heartbeat_was_sent() -> None:
    """Acks come 0.8 s late: by then the promise is over."""
    stage, old = staged(5, lease_s=0.5)
    others = [node.node_id for node in stage.followers()]
    network = stage.world.network
    network.put([(other, old.node_id) for other in others], Rule(kind="beat", delay_s=0.8))
    stage.run(0.9)
    network.put([(other, old.node_id) for other in others], Rule(kind="frame", drop=1.0))
    network.put([(old.node_id, other) for other in others], Rule(drop=1.0))
    new = leader_besides(stage, old)
    stage.write(new, "new")
    while stage.state(old).role is Role.LEADER:
        must_not_read(stage, old, stage.ask(old, LEASE, "k"))


def test_a_lease_is_shorter_than_its_promise_by_the_drift() -> None:
    """The leader's clock is the slow one: what it takes for 0.9 s lasts longer for the others."""
    stage, old = staged(6, clock_drift=0.6)
    others = stage.followers()
    old.skew(rate=0.7)
    for other in others:
        other.skew(rate=1.3)
    stage.run(1.0)
    stage.world.network.put(stage.world_links(old), Rule(drop=1.0))
    new = leader_besides(stage, old)
    stage.write(new, "new")
    while stage.state(old).role is Role.LEADER:
        must_not_read(stage, old, stage.ask(old, LEASE, "k"))


@pytest.mark.parametrize("lease_s", [0.9, 0.0])
def test_who_starts_votes_for_nobody_for_the_largest_lease(lease_s: float) -> None:
    """A former life may have promised so, also one that was configured otherwise."""
    stage, old = staged(7)
    others = stage.followers()
    stage.world.network.put(stage.world_links(old), Rule(cut=True))
    for other in others:
        other.crash()
        other.config = replace(other.config, lease_s=lease_s)
        other.start()
    new = leader_besides(stage, old)
    stage.write(new, "new")
    while stage.state(old).role is Role.LEADER:
        must_not_read(stage, old, stage.ask(old, LEASE, "k"))


def ordered_without_leader(seed: int) -> tuple[Stage, SimNode, SimNode]:
    """Return (stage, old leader, follower that is told to stand); the third one has promised."""
    stage, old = staged(seed)
    told, promised = stage.followers()
    stage.world.network.put(stage.links(old, told), Rule(cut=True))
    stage.until(lambda: stage.state(told).leader_id is None)
    stage.run(1.0)  # Its own promise is over.
    assert stage.state(promised).leader_id == old.node_id
    stage.world.network.put(stage.links(old, promised), Rule(cut=True))
    return stage, old, told


def test_a_forced_vote_waits_for_the_promise() -> None:
    stage, old, told = ordered_without_leader(8)
    told.order(0, lambda respond: None)
    new = leader_besides(stage, old)
    stage.write(new, "new")
    while stage.state(old).role is Role.LEADER:
        must_not_read(stage, old, stage.ask(old, LEASE, "k"))


def test_who_is_told_to_stand_waits_for_its_own_promise() -> None:
    stage, old = staged(9)
    told = stage.followers()[0]
    stage.world.network.put(stage.world_links(old), Rule(cut=True))
    stage.until(lambda: stage.state(told).leader_id is None)
    promised_s = told.machine.node.peers[old.node_id].promised_until_s if told.machine else 0.0
    assert promised_s > told.now_s
    answers: list[Respond | None] = []
    told.order(0, answers.append)
    stage.run((promised_s - told.now_s) / 2)
    assert not answers
    assert stage.told(answers).code is Code.OK
    assert told.now_s >= promised_s


def test_a_lease_is_given_up_before_the_target_is_told() -> None:
    stage, old = staged(10)
    target = stage.followers()[0]
    others = [node.node_id for node in stage.followers()]
    stage.world.network.put([(name, old.node_id) for name in others], Rule(drop=1.0))
    stage.ask(old, RequestKind.TRANSFER, target.node_id)
    new = leader_besides(stage, old, 0.2)
    assert new is target
    stage.write(new, "new")
    assert stage.state(old).role is Role.LEADER, "it does not know yet"
    must_not_read(stage, old, stage.ask(old, LEASE, "k"))


def test_a_transfer_need_not_wait_for_the_promises() -> None:
    stage, old = staged(11, lease_s=5.0)
    target = stage.followers()[0]
    moved = stage.ask(old, RequestKind.TRANSFER, target.node_id)
    assert stage.told(moved, 0.5).code is Code.OK
    assert leader_besides(stage, old, 0.1) is target


def test_a_leader_that_stops_sets_its_voters_free() -> None:
    stage, old = staged(12, lease_s=5.0)
    old.shut_down()
    leader_besides(stage, old, 2.0)


def test_a_lease_read_waits_for_the_barrier() -> None:
    """A new leader holds what was acknowledged, but does not know yet that it is committed."""
    stage, old = staged(13)
    stage.write_at_once(old, "new")
    old.shut_down()
    clock, nodes = stage.world.clock, stage.followers()

    def leads(node: SimNode) -> bool:
        return node.machine is not None and stage.state(node).role is Role.LEADER

    assert clock.run(clock.now_s + 5.0, lambda: any(map(leads, nodes)))
    new, other = sorted(nodes, key=leads, reverse=True)
    links = [(other.node_id, new.node_id)]
    stage.world.network.put(links, Rule(kind="frame", delay_s=0.6))  # Not the acks of its beats.
    stage.run(0.3)
    answer = stage.told(stage.ask(new, LEASE, "k"))
    assert (answer.code, answer.message) == (Code.OK, b"new")


def test_the_largest_lease_is_on_disk_before_the_first_promise() -> None:
    stage, leader = staged(15, lease_s=0.0)
    follower = stage.followers()[0]
    assert leader.machine is not None
    known = leader.machine.node.peers[follower.node_id]
    epoch = known.own_epoch
    follower.crash()
    follower.config = replace(follower.config, lease_s=0.9)
    follower.disk.is_stuck = True
    follower.start()
    stage.run(0.5)
    assert known.own_epoch == epoch, "nothing has been acked"
    follower.disk.move()
    stage.until(lambda: known.own_epoch > epoch, 1.0)
    record = follower.disk.rows.node
    assert record is not None
    assert record.lease_s == 0.9
