"""Is it right? What a picture says about a shard, and about safety (LAB 1.3, 1.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lab.observe.view import ClusterView, NodeView, ReplicaView, ShardView

SILENT_S = 2.0  # A node that has not reported for so long does not count.
LAGGING = 200  # Entries behind the leader.


def reachable(nodes: Iterable[NodeView], now_s: float) -> frozenset[str]:
    """Return the nodes whose word counts: running, and heard lately."""
    return frozenset(
        node.name
        for node in nodes
        if node.state == "running"
        and node.reported_at_s is not None
        and now_s - node.reported_at_s <= SILENT_S
    )


def judge_shard(shard: ShardView, live: frozenset[str], now_s: float) -> ShardView:
    """Return the shard with leader, term, status and the sentence that says why."""
    replicas = list(shard.replicas.values())
    fresh = [replica for replica in replicas if replica.node in live]
    newest = max(
        fresh or replicas, key=lambda replica: (replica.term, replica.commit_index), default=None
    )
    voters = newest.voters if newest is not None else ()
    term = max((replica.term for replica in fresh or replicas), default=0)
    leaders = [replica for replica in fresh if replica.role == "leader"]
    leader = max(leaders, key=lambda replica: replica.term, default=None)
    if leader is not None:
        voters = leader.voters
    status = _status(voters, live, fresh, leader)
    since_s = shard.since_s if status == shard.status else now_s
    return replace(
        shard,
        leader=leader.node if leader is not None else None,
        term=term,
        voters=voters,
        commit_index=max((replica.commit_index for replica in replicas), default=0),
        status=status,
        since_s=since_s,
        why=_why(status, voters, live, fresh, leader, now_s - since_s),
    )


def _status(
    voters: tuple[str, ...],
    live: frozenset[str],
    fresh: list[ReplicaView],
    leader: ReplicaView | None,
) -> str:
    if not voters:
        return "empty"
    if 2 * sum(voter in live for voter in voters) <= len(voters):
        return "no-quorum"
    if leader is None:
        stands = any(replica.role in ("candidate", "pre-candidate") for replica in fresh)
        return "electing" if stands else "no-leader"
    behind = [r for r in fresh if r.node in voters and _behind(r, leader) >= LAGGING]
    return "lagging" if behind else "ok"


def _behind(replica: ReplicaView, leader: ReplicaView) -> int:
    return leader.last_index - replica.last_index


def _why(
    status: str,
    voters: tuple[str, ...],
    live: frozenset[str],
    fresh: list[ReplicaView],
    leader: ReplicaView | None,
    age_s: float,
) -> str:
    if status in ("ok", "empty"):
        return "not bootstrapped" if status == "empty" else ""
    here = sum(voter in live for voter in voters)
    count = f"{here}/{len(voters)} voters live"
    if status == "no-quorum":
        away = " or ".join(voter for voter in voters if voter not in live)
        return f"no quorum {age_s:.1f} s · {count} · r on {away} brings it back"
    if status == "no-leader":
        return f"no leader {age_s:.1f} s · {count}"
    if status == "electing":
        term = max((replica.term for replica in fresh), default=0)
        return f"electing {age_s:.1f} s · term {term} · {count}"
    assert leader is not None, "who lags, lags behind a leader"
    slow = max(fresh, key=lambda replica: _behind(replica, leader))
    return f"{slow.node} lags {_behind(slow, leader)} entries"


def safety(view: ClusterView) -> ClusterView:
    """Say SAFE, UNSAFE or UNKNOWN; what was once seen to break stays broken (§3.2)."""
    if view.verdict == "UNSAFE":
        return view
    for shard in view.shards.values():
        led: dict[int, str] = {}
        for replica in shard.replicas.values():
            if replica.role != "leader":
                continue
            other = led.setdefault(replica.term, replica.node)
            if other != replica.node:
                why = f"shard {shard.shard_id}: {other} and {replica.node} lead in one term"
                return replace(view, verdict="UNSAFE", verdict_why=f"{why} ({replica.term})")
    heard = any(node.reported_at_s is not None for node in view.nodes)
    verdict = "SAFE" if heard else "UNKNOWN"
    return view if view.verdict == verdict else replace(view, verdict=verdict)
