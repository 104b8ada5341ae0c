"""What is said of a shard: one case a sentence."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from lab.observe.judge import LAGGING, SILENT_S, judge_shard, reachable
from lab.observe.view import AGE, NodeView, ReplicaView, ShardView

THREE = ("n1", "n2", "n3")
FIVE = (*THREE, "n4", "n5")


def replica(node: str, role: str = "follower", **more: object) -> ReplicaView:
    made = ReplicaView(
        node=node,
        role=role,
        term=1,
        leader=None,
        voted_for=None,
        commit_index=5,
        applied_index=5,
        last_index=5,
        last_term=1,
        snapshot_index=0,
        voters=THREE,
        outgoing=(),
        learners=(),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def judged(
    *replicas: ReplicaView, live: tuple[str, ...] | None = None, at_s: float = 10.0
) -> ShardView:
    """Judge a shard of these replicas, all of which can be reached unless told otherwise."""
    shard = ShardView(
        shard_id=0,
        status="?",
        why="",
        leader=None,
        term=0,
        commit_index=0,
        replicas=MappingProxyType({item.node: item for item in replicas}),
        voters=(),
        since_s=0.0,
    )
    names = frozenset(live if live is not None else (item.node for item in replicas))
    return judge_shard(shard, names, at_s)


def followers(*names: str, **more: object) -> list[ReplicaView]:
    return [replica(name, **more) for name in names]


# --- status and the sentence ---------------------------------------------------------------------


def test_a_shard_without_members_is_empty() -> None:
    shard = judged(*followers(*THREE, voters=()))
    assert (shard.status, shard.why, shard.voters) == ("empty", "not bootstrapped", ())


def test_a_led_shard_is_ok_and_says_nothing() -> None:
    shard = judged(replica("n1", "leader"), *followers("n2", "n3"))
    assert (shard.status, shard.why, shard.leader) == ("ok", "", "n1")


def test_who_stands_makes_it_electing() -> None:
    for role in ("candidate", "pre-candidate"):
        shard = judged(*followers("n1", "n2"), replica("n3", role, term=4))
        assert shard.status == "electing"
        assert shard.why == "electing {age} · term 4 · 3/3 voters live"


def test_nobody_stands() -> None:
    shard = judged(*followers(*THREE))
    assert (shard.status, shard.why) == ("no-leader", "no leader {age} · 3/3 voters live")


def test_a_leader_that_cannot_be_reached_does_not_count() -> None:
    shard = judged(replica("n1", "leader"), *followers("n2", "n3"), live=("n2", "n3"))
    assert (shard.status, shard.leader) == ("no-leader", None)


def test_the_leader_of_the_newest_term_is_shown() -> None:
    old, new = replica("n1", "leader", term=1), replica("n2", "leader", term=2, voters=FIVE)
    shard = judged(old, new, replica("n3"))
    assert (shard.leader, shard.term, shard.voters) == ("n2", 2, FIVE)


@pytest.mark.parametrize(
    ("voters", "live", "why"),
    [
        (THREE, ("n1",), "1/3 voters live · r on n2 or n3 brings it back"),
        (THREE, (), "0/3 voters live · r on 2 of n1, n2, n3 brings it back"),
        (FIVE, ("n1", "n5"), "2/5 voters live · r on n2 or n3 or n4 brings it back"),
        (FIVE, ("n1",), "1/5 voters live · r on 2 of n2, n3, n4, n5 brings it back"),
        (("n1", "n2"), ("n1",), "1/2 voters live · r on n2 brings it back"),
        (("n1",), (), "0/1 voters live · r on n1 brings it back"),
    ],
)
def test_without_a_quorum_it_says_how_many_are_needed(
    voters: tuple[str, ...], live: tuple[str, ...], why: str
) -> None:
    shard = judged(*followers(*voters, voters=voters), live=live)
    assert (shard.status, shard.why) == ("no-quorum", f"no quorum {AGE} · {why}")


def test_half_of_an_even_number_is_no_quorum() -> None:
    four = FIVE[:4]
    assert judged(*followers(*four, voters=four), live=("n1", "n2")).status == "no-quorum"
    assert judged(*followers(*four, voters=four), live=("n1", "n2", "n3")).status == "no-leader"


def test_both_majorities_of_a_joint_configuration_are_needed() -> None:
    """S13: the incoming half may be whole while the outgoing one has lost its majority."""
    joint = {"voters": ("n1", "n4", "n5"), "outgoing": THREE}
    shard = judged(*followers(*FIVE, **joint), live=("n1", "n4", "n5"))
    assert shard.status == "no-quorum"
    assert shard.why.endswith("3/5 voters live · r on n2 or n3 brings it back")
    assert judged(*followers(*FIVE, **joint), live=("n1", "n2", "n4")).status == "no-leader"
    assert judged(*followers(*FIVE, **joint), live=FIVE).status == "no-leader"


def test_learners_never_count() -> None:
    members = {"voters": THREE, "learners": ("n4", "n5")}
    shard = judged(*followers(*FIVE, **members), live=("n1", "n4", "n5"))
    assert shard.status == "no-quorum"
    assert "1/3 voters live" in shard.why


def test_a_voter_far_behind_lags() -> None:
    leader = replica("n1", "leader", last_index=LAGGING + 5)
    shard = judged(leader, replica("n2", last_index=LAGGING + 4), replica("n3", last_index=5))
    assert (shard.status, shard.why) == ("lagging", f"n3 lags {LAGGING} entries")
    assert (
        judged(leader, *followers("n2", last_index=6), replica("n3", last_index=6)).status == "ok"
    )


def test_a_learner_that_catches_up_does_not_lag_nor_is_it_named() -> None:
    leader = replica("n1", "leader", last_index=10 * LAGGING)
    learner = replica("n4", "learner", last_index=0)
    near = replica("n2", last_index=10 * LAGGING)
    assert judged(leader, near, learner).status == "ok"
    far = replica("n3", last_index=8 * LAGGING)
    assert judged(leader, near, far, learner).why == f"n3 lags {2 * LAGGING} entries"


def test_a_silent_voter_does_not_lag() -> None:
    leader = replica("n1", "leader", last_index=10 * LAGGING)
    shard = judged(leader, replica("n2", last_index=2_000), replica("n3"), live=("n1", "n2"))
    assert shard.status == "ok"


def test_ages_count_from_when_the_status_began() -> None:
    began = judged(*followers(*THREE), at_s=10.0)
    later = judge_shard(began, frozenset(THREE), 12.5)
    assert later.why_at(12.5) == "no leader 2.5 s · 3/3 voters live"
    again = judge_shard(later, frozenset(("n1",)), 13.0)
    assert again.why.startswith("no quorum {age}")


def test_members_are_those_that_who_can_be_reached_names() -> None:
    gone = replica("n1", term=7, commit_index=99, voters=FIVE)
    shard = judged(gone, *followers("n2", "n3"), live=("n2", "n3"))
    assert (shard.voters, shard.term) == (THREE, 1)
    assert shard.commit_index == 99  # A commit is for ever, whoever said so.
    assert judged(gone, replica("n2"), live=()).voters == FIVE


# --- who counts --------------------------------------------------------------------------------


def node(name: str, **more: object) -> NodeView:
    made = NodeView(name=name, node_id=f"http://{name}:1", state="running", reported_at_s=10.0)
    return replace(made, **more)  # type: ignore[arg-type]


def test_who_counts_runs_and_was_heard_lately() -> None:
    nodes = [
        node("n1"),
        node("n2", reported_at_s=None),
        node("n3", state="paused"),
        node("n4", reported_at_s=10.0 - SILENT_S),
        node("n5", state="killed"),
    ]
    assert reachable(nodes, 10.0) == {"n1", "n4"}
    assert reachable(nodes, 10.1) == {"n1"}
    assert reachable(nodes, 10.1 + SILENT_S) == frozenset()
