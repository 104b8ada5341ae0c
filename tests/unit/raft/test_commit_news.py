"""A commit travels with the next append; alone only when none comes in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lolraft.raft.events import AppendRequest, Timeout
from lolraft.raft.types import NodeId
from tests.unit.raft.group import TIMING, Group

NEWS_S = 0.01
FOLLOWERS = ("n2", "n3")


@pytest.fixture
def group() -> Group:
    """Return a settled group led by n1, whose commits may wait to be told."""
    group = Group("n1", *FOLLOWERS)
    group.elect("n1")
    for name in group.names:
        group.state(name).timing = replace(TIMING, commit_news_s=NEWS_S)
    return group


def appends(group: Group) -> list[tuple[NodeId, int, int]]:
    """Return receiver, entries and commit index of every append on its way."""
    return [
        (to, len(message.entries.terms), message.commit_index)
        for to, message in group.bag
        if isinstance(message, AppendRequest)
    ]


def commit(group: Group, payload: bytes) -> int:
    """Let n1 commit one entry by what its followers answer; deliver nothing after that."""
    group.propose("n1", payload)
    index = group.state("n1").log.last_index
    group.save("n1")
    while group.state("n1").commit_index < index or group.bag:
        group.deliver()
        for name in FOLLOWERS:
            group.save(name)
    return index


def test_a_commit_rides_on_the_next_append(group: Group) -> None:
    first = commit(group, b"a")
    assert [group.state(name).commit_index for name in FOLLOWERS] == [first - 1] * 2
    group.now_s += NEWS_S / 2
    group.propose("n1", b"b")
    assert appends(group) == [(NodeId(name), 1, first) for name in FOLLOWERS]


def test_a_commit_that_no_append_follows_is_told_in_time(group: Group) -> None:
    index = commit(group, b"a")
    assert appends(group) == []
    assert group.state("n1").deadline_s == pytest.approx(group.now_s + NEWS_S)
    group.now_s += NEWS_S
    group.tell("n1", Timeout())
    assert appends(group) == [(NodeId(name), 0, index) for name in FOLLOWERS]
    group.settle()
    assert [group.state(name).commit_index for name in FOLLOWERS] == [index] * 2
    assert group.state("n1").deadline_s is None, "an idle leader waits for nothing"


def test_who_waits_for_a_snapshot_keeps_no_deadline_alive(group: Group) -> None:
    leadership = group.state("n1").leadership
    assert leadership is not None
    commit(group, b"a")
    for progress in leadership.progress.values():
        progress.snapshot = group.state("n1").log.last_clock
        progress.must_ask = False
    group.now_s += NEWS_S
    group.tell("n1", Timeout())
    deadline_s = group.state("n1").deadline_s
    assert deadline_s is None or deadline_s > group.now_s, "nothing to do now, so no turn now"
