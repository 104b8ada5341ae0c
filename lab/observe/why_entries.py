"""Why an index is committed or not, and why a replica is behind."""

from __future__ import annotations

from lab.observe.account import Span
from lab.observe.evidence import Case, Reason, unknown
from lab.observe.view import ReplicaView, ShardView
from lab.observe.words import listed, shard_name


def newest_open(shard: ShardView) -> int | None:
    """Return the first index that the leader has and that is not committed, or None."""
    leading = shard.replicas.get(shard.leader or "")
    if leading is None or leading.last_index <= shard.commit_index:
        return None
    return shard.commit_index + 1


def entry(case: Case, shard: ShardView, index: int) -> list[Reason]:
    """Return who has *index*, who lacks it and why, and how many more it needs."""
    leading = shard.replicas.get(shard.leader or "")
    if index <= shard.commit_index:
        return _committed(case, shard, index)
    if leading is None:
        text = f"nobody leads {shard_name(shard.shard_id)}, and only a leader commits (§3.6.2)"
        holders = _own_logs(case, shard, index)
        has = f"{index:,} is in the log of {listed(holders)}" if holders else ""
        reasons = [Reason(text=text, tone="harm")]
        return reasons + ([Reason(text=has)] if has else [_unread(index)])
    if index > leading.last_index:
        return _beyond(case, shard, leading, index)
    return _open(case, shard, leading, index)


def _committed(case: Case, shard: ShardView, index: int) -> list[Reason]:
    knows = sorted(r.node for r in shard.replicas.values() if r.commit_index >= index)
    reasons = [Reason(text=f"{index:,} is committed: {listed(knows)} {_say(knows)} so")]
    late = sorted(r.node for r in shard.replicas.values() if r.commit_index < index)
    for name in late:
        replica = shard.replicas[name]
        absent = case.absence(name)
        text = f"{name} knows of commits up to {replica.commit_index:,}"
        if absent is not None:
            text += f"; {absent.text}"
        reasons.append(Reason(text=text, tone=absent.tone if absent is not None else "text"))
    return reasons


def _say(names: list[str]) -> str:
    return "says" if len(names) == 1 else "say"


def _beyond(case: Case, shard: ShardView, leading: ReplicaView, index: int) -> list[Reason]:
    text = f"the log of {leading.node}, which leads, ends at {leading.last_index:,}"
    reasons = [Reason(text=text)]
    holders = _own_logs(case, shard, index)
    if holders:
        text = f"only {listed(holders)} {'has' if len(holders) == 1 else 'have'} {index:,}: it is "
        text += f"overwritten when {leading.node} has entries up to there (§3.5)"
        return [*reasons, Reason(text=text, tone="harm")]
    return [*reasons, unknown(f"nobody is known to have {index:,}")]


def _open(case: Case, shard: ShardView, leading: ReplicaView, index: int) -> list[Reason]:
    """Say of each voter whether the leader knows that it has the entry: that alone counts."""
    halves = [half for half in (leading.voters, leading.outgoing) if half]
    voters = sorted({name for half in halves for name in half})
    has = [name for name in voters if name == leading.node or _match(leading, name) >= index]
    needs = max(len(half) // 2 + 1 - sum(name in has for name in half) for half in halves)
    head = f"{index:,} is not committed: {listed(has)} {'has' if len(has) == 1 else 'have'} it"
    if needs > 0:
        head += f", it needs {needs} more"
    reasons = [Reason(text=head, tone="harm" if needs > 0 else "text")]
    if needs <= 0:
        return reasons + _held_but_open(case, shard, leading, index)
    for name in voters:
        if name not in has:
            reasons.append(_lacks(case, shard, leading, name, index))
    return reasons


def _held_but_open(case: Case, shard: ShardView, leading: ReplicaView, index: int) -> list[Reason]:
    term = _term_of(case, shard, leading.node, index)
    if term is not None and term < leading.term:
        text = f"it is of term {term}, and a leader of term {leading.term} commits by counting only"
        return [Reason(text=f"{text} what it has appended itself (§3.6.2)")]
    absent = case.absence(leading.node)
    if absent is not None:
        return [absent]
    node = case.view.node(leading.node)
    if node is not None and not node.disk_is_well:
        return [Reason(text=f"the disk of {leading.node} is late or failing", tone="harm")]
    return [unknown(f"a majority has it; why {leading.node} has not said so yet is not known")]


def _lacks(case: Case, shard: ShardView, leading: ReplicaView, name: str, index: int) -> Reason:
    """Say why *name* does not count: it is out, cut off, or merely not there yet."""
    for span, verb in (
        (case.between(leading.node, name), "lacks it"),
        (case.between(name, leading.node), "cannot say that it has it"),
    ):
        if span is not None:
            done = case.done(span)
            return Reason(text=f"{name} {verb}: {done.text}", tone=done.tone)
    absent = case.absence(name)
    if absent is not None:
        return absent
    if troubles := _beside(case, leading, name):
        beside = case.beside(troubles[0])
        return Reason(text=f"{name} is not known to have it; {beside.text}", tone=beside.tone)
    replica = shard.replicas.get(name)
    if replica is None:
        return unknown(f"{name} has not reported this shard")
    if replica.last_index < index:
        return Reason(text=f"{name} is at {replica.last_index:,}")
    ours, theirs = _term_of(case, shard, leading.node, index), _term_of(case, shard, name, index)
    if ours is not None and theirs is not None and ours != theirs:
        text = f"{name} has another entry there, of term {theirs}: it is overwritten first (§3.5)"
        return Reason(text=text)
    text = f"the log of {name} ends at {replica.last_index:,}, of which {leading.node} has no word"
    return Reason(text=text)


def lagging(case: Case, shard: ShardView, name: str, least: int) -> list[Reason]:
    """Return why the replica of *name* is behind its leader; nothing where it is not."""
    leading, replica = shard.replicas.get(shard.leader or ""), shard.replicas.get(name)
    if leading is None or replica is None or name == leading.node:
        return []
    behind = leading.last_index - replica.last_index
    if behind < least:
        return []
    text = f"{name} is at {replica.last_index:,}, {leading.node}, which leads, at "
    text += f"{leading.last_index:,}: {behind:,} behind"
    reasons = [Reason(text=text)]
    if 0 < replica.last_index < leading.snapshot_index:
        text = (
            f"{leading.node} has a snapshot at {leading.snapshot_index:,}: {name} may be given that"
        )
        reasons.append(Reason(text=f"{text} instead of entries"))
    span = case.between(leading.node, name) or case.between(name, leading.node)
    if span is not None:
        return [*reasons, case.done(span)]
    if troubles := _beside(case, leading, name):
        return [*reasons, case.beside(troubles[0])]
    if (absent := case.absence(name)) is not None:
        return [*reasons, absent]
    node = case.view.node(name)
    if node is not None and not node.disk_is_well:
        return [*reasons, Reason(text=f"the disk of {name} is late or failing", tone="harm")]
    if replica.term < leading.term:
        text = f"it is in term {replica.term} still, {leading.node} in term {leading.term}"
        reasons.append(Reason(text=text))
    return [*reasons, unknown("no fault is on it or on the way to it: more is not known")]


def _beside(case: Case, leading: ReplicaView, name: str) -> list[Span]:
    """Return the faults of a replica and of its links that delay it, perhaps."""
    links = case.on_link(leading.node, name) + case.on_link(name, leading.node)
    return case.on_node(name) + links


def _match(leading: ReplicaView, name: str) -> int:
    return leading.match_index.get(name, 0)


def _term_of(case: Case, shard: ShardView, name: str, index: int) -> int | None:
    """Return the term of an entry, where that window of the log was read."""
    log = case.view.logs.get(name) if case.view.logs_shard == shard.shard_id else None
    found = (one.term for one in log.entries if one.index == index) if log is not None else ()
    return next(iter(found), None)


def _own_logs(case: Case, shard: ShardView, index: int) -> list[str]:
    logs = sorted(case.view.logs)
    return [name for name in logs if _term_of(case, shard, name, index) is not None]


def _unread(index: int) -> Reason:
    return unknown(f"who has {index:,} is not known: no log was read there")
