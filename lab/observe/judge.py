"""Is it well? What a picture says of a shard (LAB 1.3, 1.6); `safety` says whether it is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.observe.view import AGE, NodeView, ReplicaView, ShardView

SILENT_S = 2.0  # A node that has not reported for so long does not count.
LAGGING = 200  # Entries behind the leader.
Halves = tuple[tuple[str, ...], tuple[str, ...]]
"""The voters, and the outgoing ones while the configuration is joint."""


def reachable(nodes: Iterable[NodeView], now_s: float) -> frozenset[str]:
    """Return the nodes whose word counts: running, and heard lately."""
    return frozenset(
        node.name
        for node in nodes
        if node.state == "running"
        and node.reported_at_s is not None
        and now_s - node.reported_at_s <= SILENT_S
    )


def judge_shard(
    shard: ShardView,
    live: frozenset[str],
    now_s: float,
    reported: Mapping[str, ReplicaView] | None = None,
) -> ShardView:
    """
    Return the shard with leader, term, status and the sentence that says why.

    *reported* are its replicas now, where they are not those of before. A shard of which there is
    nothing new to say is returned itself.
    """
    by_node = shard.replicas if reported is None else reported
    replicas = list(by_node.values())
    fresh = [replica for replica in replicas if replica.node in live]
    newest = max(
        fresh or replicas, key=lambda replica: (replica.term, replica.commit_index), default=None
    )
    term = max((replica.term for replica in fresh or replicas), default=0)
    leaders = [replica for replica in fresh if replica.role == "leader"]
    leader = max(leaders, key=lambda replica: replica.term, default=None)
    said = leader or newest
    halves = (said.voters, said.outgoing) if said is not None else ((), ())
    status = _status(halves, live, fresh, leader)
    led_by = leader.node if leader is not None else None
    why = _why(status, halves, live, fresh, leader)
    commit_index = max((replica.commit_index for replica in replicas), default=0)
    said_before = (shard.status, shard.leader, shard.why, shard.term, shard.voters)
    if (
        reported is None
        and (status, led_by, why, term, halves[0]) == said_before
        and commit_index == shard.commit_index
    ):
        return shard
    return ShardView(  # `replace` takes twice as long, and this is made most of all.
        shard_id=shard.shard_id,
        status=status,
        why=why,
        leader=led_by,
        term=term,
        commit_index=commit_index,
        replicas=by_node,
        voters=halves[0],
        since_s=shard.since_s if (status, led_by) == (shard.status, shard.leader) else now_s,
    )


def _status(
    halves: Halves, live: frozenset[str], fresh: list[ReplicaView], leader: ReplicaView | None
) -> str:
    if not halves[0]:
        return "empty"
    if _missing(halves, live) > 0:
        return "no-quorum"
    if leader is None:
        stands = any(replica.role in ("candidate", "pre-candidate") for replica in fresh)
        return "electing" if stands else "no-leader"
    slow = _slowest(halves, fresh, leader)
    return "lagging" if slow is not None and _behind(slow, leader) >= LAGGING else "ok"


def _missing(halves: Halves, live: frozenset[str]) -> int:
    """Return how many voters have to come back: both majorities while joint (S13)."""
    return max(len(half) // 2 + 1 - sum(voter in live for voter in half) for half in halves if half)


def _slowest(halves: Halves, fresh: list[ReplicaView], leader: ReplicaView) -> ReplicaView | None:
    """Return the voter that is the farthest behind; a learner has a right to be."""
    voters = {*halves[0], *halves[1]}
    ours = (replica for replica in fresh if replica.node in voters)
    return max(ours, key=lambda replica: _behind(replica, leader), default=None)


def _behind(replica: ReplicaView, leader: ReplicaView) -> int:
    return leader.last_index - replica.last_index


def _why(
    status: str,
    halves: Halves,
    live: frozenset[str],
    fresh: list[ReplicaView],
    leader: ReplicaView | None,
) -> str:
    if status in ("ok", "empty"):
        return "not bootstrapped" if status == "empty" else ""
    voters = tuple(sorted({*halves[0], *halves[1]}))
    here = sum(voter in live for voter in voters)
    count = f"{here}/{len(voters)} voters live"
    if status == "no-quorum":
        return f"no quorum {AGE} · {count} · r on {_who(halves, live)} brings it back"
    if status == "no-leader":
        return f"no leader {AGE} · {count}"
    if status == "electing":
        term = max((replica.term for replica in fresh), default=0)
        return f"electing {AGE} · term {term} · {count}"
    assert leader is not None, "who lags, lags behind a leader"
    slow = _slowest(halves, fresh, leader)
    assert slow is not None, "somebody lags"
    return f"{slow.node} lags {_behind(slow, leader)} entries"


def _who(halves: Halves, live: frozenset[str]) -> str:
    """Return who has to be started, for the half that lacks most."""
    half = max(filter(None, halves), key=lambda half: _missing((half, ()), live))
    away, missing = [voter for voter in half if voter not in live], _missing((half, ()), live)
    return " or ".join(away) if missing == 1 else f"{missing} of {', '.join(away)}"
