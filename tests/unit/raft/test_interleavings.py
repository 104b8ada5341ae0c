"""Every order of deliveries, losses, saves, crashes and timeouts keeps Raft's promises (§3.2)."""

from __future__ import annotations

from random import Random

import pytest

from lolraft.raft.events import ChangeMembers, LeaderLost, PeerRestarted, Timeout
from lolraft.raft.types import NodeId, Role
from tests.unit.raft.group import Group


def lose_or_double(group: Group, rng: Random, position: int) -> None:
    if rng.random() < 0.5:
        del group.bag[position]
    else:
        group.bag.append(group.bag[position])


def come_back(group: Group, name: NodeId) -> None:
    if not group.replicas[name].up:
        group.restart(name)
        for other in group.names:
            group.tell(other, PeerRestarted(peer=name))


def fire(group: Group, name: NodeId) -> None:
    """Let time pass up to a replica's deadline."""
    deadline_s = group.state(name).deadline_s
    if deadline_s is not None:
        group.now_s = max(group.now_s, deadline_s)
        group.tell(name, Timeout())


def chaos(group: Group, rng: Random, steps: int) -> None:
    proposed = 0
    for _ in range(steps):
        name = rng.choice(group.names)
        state = group.state(name)
        match rng.choices(range(8), (40, 20, 8, 6, 3, 3, 4, 2))[0]:
            case 0 if group.bag:
                group.deliver(rng.randrange(len(group.bag)))
            case 1:
                group.save(name)
            case 2:
                fire(group, name)
            case 3:
                proposed += 1
                group.propose(name, b"%d" % proposed)
            case 4 if group.bag:
                position = rng.randrange(len(group.bag))
                lose_or_double(group, rng, position)
            case 5:
                group.crash(name)
            case 6:
                come_back(group, name)
            case 7 if state.leader_id is not None and state.role is not Role.LEADER:
                group.tell(name, LeaderLost(leader_id=state.leader_id, term=state.current_term))
        if len(group.bag) > 60:
            del group.bag[: len(group.bag) - 60]


def check(group: Group) -> None:
    assert all(len(names) == 1 for names in group.leaders.values()), "one leader per term"
    for name in group.names:
        log = group.state(name).log
        for index in range(1, min(group.state(name).commit_index, log.last_index) + 1):
            term = group.committed[index][0] if index in group.committed else log.term_at(index)
            assert log.term_at(index) == term, "committed prefixes are equal"


def disbelieve(group: Group, leaders: list[NodeId]) -> None:
    """Say to who believes in a leader that is none that it is lost."""
    for name in group.names:
        believed = group.state(name).leader_id
        if believed is not None and believed not in leaders:
            term = group.state(name).current_term
            group.tell(name, LeaderLost(leader_id=believed, term=term))


def make_it_live(group: Group) -> None:
    """Heal everything; somebody must lead and all must hold the same."""
    for name in group.names:
        if not group.replicas[name].up:
            group.restart(name)
    for name in group.names:
        for other in group.names:
            group.tell(name, PeerRestarted(peer=other))
    group.settle(20_000)
    for _ in range(400):
        waiting = [group.state(name).deadline_s for name in group.names]
        times = [time for time in waiting if time is not None]
        if not times:
            break
        group.now_s = max(group.now_s, min(times))
        for name in group.names:
            deadline_s = group.state(name).deadline_s
            if deadline_s is not None and deadline_s <= group.now_s:
                group.tell(name, Timeout())
        group.settle(20_000)
        leaders = [n for n in group.names if group.state(n).role is Role.LEADER]
        top = max(group.state(name).current_term for name in group.names)
        disbelieve(group, leaders)
        if leaders and all(group.state(n).current_term == top for n in leaders):
            members = group.state(leaders[0]).configuration.members
            if len({group.state(m).commit_index for m in members}) == 1:
                break
    leaders = [name for name in group.names if group.state(name).role is Role.LEADER]
    assert leaders, "a healed group has a leader"
    group.propose(leaders[0], b"last")
    group.settle(20_000)
    members = group.state(leaders[0]).configuration.members
    logs = {group.state(name).last_clock for name in members}
    assert len(logs) == 1, "a healed group has equal logs"
    commits = {group.state(name).commit_index for name in members}
    assert commits == {group.state(leaders[0]).log.last_index}, "and has committed all"


@pytest.mark.parametrize("seed", range(150))
def test_promises_hold_in_any_order(seed: int) -> None:
    rng = Random(seed)
    group = Group(*[f"n{number}" for number in range(1, rng.choice((2, 3, 3, 5)) + 1)])
    chaos(group, rng, 600)
    check(group)
    make_it_live(group)
    check(group)


@pytest.mark.parametrize("seed", range(100))
def test_membership_changes_in_any_order(seed: int) -> None:
    rng = Random(seed)
    group = Group("n1", "n2", "n3")
    for number in range(4):
        chaos(group, rng, 120)
        leaders = [n for n in group.names if group.state(n).role is Role.LEADER]
        server = NodeId(rng.choice(("n2", "n3")))
        for name in leaders:
            if number % 2 == 0:
                group.tell(name, ChangeMembers(ticket=900 + number, removed=(server,)))
            else:
                group.tell(name, ChangeMembers(ticket=900 + number, voters=(server,)))
    check(group)
