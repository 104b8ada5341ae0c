"""A fetched snapshot that arrives when its replica leads."""

from __future__ import annotations

from lolraft.raft.events import SnapshotFetched, SnapshotOffer
from lolraft.raft.types import Clock, Configuration, Role, SnapshotMeta
from tests.unit.raft.group import Group


def test_a_leader_takes_no_snapshot_instead_of_its_log() -> None:
    """All that is committed is in a leader's log (§3.6.3): no group of its has what it lacks."""
    group = Group("n1", "n2", "n3")
    follower = group.state("n1")
    clock = Clock(0, 9)
    offer = SnapshotOffer(sender=group.names[1], group=7, term=0, clock=clock)
    group.tell("n1", offer)
    assert group.fetches
    group.elect("n2")
    group.tell("n2", SnapshotOffer(sender=group.names[0], group=7, term=0, clock=clock))
    leader = group.state("n2")
    assert leader.role is Role.LEADER
    before = leader.log.last_clock
    configuration = Configuration(voters=group.names, group_id=7)
    meta = SnapshotMeta(clock=clock, configuration=configuration, configuration_index=1)
    group.tell("n2", SnapshotFetched(meta=meta))
    assert leader.log.last_clock == before
    assert follower.role is Role.FOLLOWER
