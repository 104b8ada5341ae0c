"""Is it safe? Raft's promises over what all nodes report, remembered beyond any one report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lab.observe.view import ClusterView, EventView, Mark, Promises, ShardView, Violation
from lolraft.rpc.pb import observe_pb2

MOST_TERMS, MOST_MARKS, FEWER_MARKS = 64, 96, 64  # Remembered of each shard.
ONE_LEADER = "one leader a term (§3.2)"
SAME_PREFIX = "committed entries are the same everywhere (§3.5)"
APPEND_ONLY = "a leader only appends to its log (§3.5)"
COMMIT_STAYS = "a commit is for ever (§3.6)"
SIMULATOR = "the simulator's checkers"


def verdict(view: ClusterView, live: frozenset[str]) -> ClusterView:
    """Say SAFE, UNSAFE or UNKNOWN; what was once seen to break stays broken (§3.2)."""
    if view.violation is not None:
        word, why = "UNSAFE", view.violation.text
    elif live:
        word, why = "SAFE", ""
    else:
        word, why = "UNKNOWN", "no node reports"
    if (view.verdict, view.verdict_why) == (word, why):
        return view
    return replace(view, verdict=word, verdict_why=why)


def hear(
    view: ClusterView,
    shards: Mapping[int, ShardView],
    name: str,
    update: observe_pb2.Update,
    at_s: float,
) -> ClusterView:
    """
    Compare what node *name* reports with all that was reported before, by it and the others.

    *view* is the picture before the report and *shards* what it makes of them. The first violation
    stays: what follows from it is no news. Another group under the same shard id is another story.
    """
    known = view.node(name)
    if view.violation is not None or known is None:
        return view
    same_life = (known.epoch, known.incarnation) == (update.node.epoch, update.node.incarnation)
    news: dict[int, Promises] = {}
    for facts in update.shards:
        before = view.promises.get(facts.shard_id, Promises())
        if facts.group != before.group:
            if facts.group == 0:
                continue  # It belongs to no group yet, or any more (L10).
            before = Promises(group=facts.group)
        broken = _two_leaders(before, facts, name) or _diverged(before, facts, name)
        if broken is None and same_life:
            broken = _went_back(view, shards, facts.shard_id, name) or _shortened(
                view, shards, facts.shard_id, name
            )
        if broken is not None:
            rule, nodes, text = broken
            text = f"shard {facts.shard_id}: {text}"
            return replace(
                view,
                violation=Violation(
                    rule=rule, shard_id=facts.shard_id, nodes=nodes, text=text, at_s=at_s
                ),
            )
        after = _with(before, facts, name)
        if after is not before:
            news[facts.shard_id] = after
    return replace(view, promises=MappingProxyType({**view.promises, **news})) if news else view


def told(view: ClusterView, event: EventView) -> ClusterView:
    """Believe the simulator, whose checkers see more than any report."""
    if event.kind != "violation" or view.violation is not None:
        return view
    return replace(
        view,
        violation=Violation(
            rule=SIMULATOR, shard_id=event.shard_id, nodes=(), text=event.text, at_s=event.at_s
        ),
    )


Broken = tuple[str, tuple[str, ...], str]
"""The rule, the nodes concerned, what they said."""


def _two_leaders(before: Promises, facts: observe_pb2.ShardFacts, name: str) -> Broken | None:
    other = before.leaders.get(facts.term, name)
    if facts.role != "leader" or other == name:
        return None
    return ONE_LEADER, (other, name), f"{other} and {name} lead in one term ({facts.term})"


def _diverged(before: Promises, facts: observe_pb2.ShardFacts, name: str) -> Broken | None:
    for index, digest in zip(facts.mark_index, facts.mark_digest, strict=False):
        mark = before.marks.get(index)
        if mark is not None and mark.digest != digest:
            text = f"{mark.node} and {name} have committed other entries up to {index}"
            return SAME_PREFIX, (mark.node, name), text
    return None


def _went_back(
    view: ClusterView, shards: Mapping[int, ShardView], shard_id: int, name: str
) -> Broken | None:
    """Compare a node's commit with that which it reported before, in the same life."""
    then, now = view.shards.get(shard_id), shards.get(shard_id)
    old = then.replicas.get(name) if then is not None else None
    new = now.replicas.get(name) if now is not None else None
    if old is None or new is None or new.role == "silent":
        return None  # A replica that was removed has cleaned up (L10).
    if new.commit_index >= old.commit_index:
        return None
    indexes = f"({old.commit_index} to {new.commit_index})"
    return COMMIT_STAYS, (name,), f"commit went back on {name} {indexes}"


def _shortened(
    view: ClusterView, shards: Mapping[int, ShardView], shard_id: int, name: str
) -> Broken | None:
    """Compare a leader's log with that which it reported before, in the same term and life."""
    then, now = view.shards.get(shard_id), shards.get(shard_id)
    old = then.replicas.get(name) if then is not None else None
    new = now.replicas.get(name) if now is not None else None
    if old is None or new is None or (old.role, new.role) != ("leader", "leader"):
        return None
    if old.term != new.term or new.last_index >= old.last_index:
        return None
    indexes = f"({old.last_index} to {new.last_index})"
    return APPEND_ONLY, (name,), f"{name}, which leads term {new.term}, cut its log {indexes}"


def _with(before: Promises, facts: observe_pb2.ShardFacts, name: str) -> Promises:
    """Remember what a report has said."""
    marks = {
        index: Mark(node=name, digest=digest)
        for index, digest in zip(facts.mark_index, facts.mark_digest, strict=False)
        if index not in before.marks
    }
    leads = facts.role == "leader" and facts.term not in before.leaders
    if not marks and not leads:
        return before
    leaders = {**before.leaders, facts.term: name} if leads else before.leaders
    if len(leaders) > MOST_TERMS:
        leaders = {term: leaders[term] for term in sorted(leaders)[-MOST_TERMS:]}
    all_marks = {**before.marks, **marks}
    if len(all_marks) > MOST_MARKS:
        kept = sorted(all_marks, key=_worth)[-FEWER_MARKS:]
        all_marks = {index: all_marks[index] for index in kept}
    return Promises(
        group=facts.group,
        leaders=MappingProxyType(dict(leaders)),
        marks=MappingProxyType(all_marks),
    )


def _worth(index: int) -> tuple[int, int]:
    """Round indexes stay longest: nodes keep reporting those, the others only once."""
    return min(index & -index, 4_096) if index % 64 == 0 else 0, index
