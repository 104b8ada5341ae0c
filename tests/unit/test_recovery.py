"""A new group with an old log: clocks and commands stay, whom it names does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolraft.multiraft.records import ShardRecord
from lolraft.raft.types import (
    Ballot,
    Clock,
    Configuration,
    Entries,
    EntryKind,
    NodeId,
    SnapshotMeta,
)
from lolraft.recovery import (
    CannotRecover,
    Plan,
    check_follower,
    holding_of,
    plan_of,
    rewritten,
)
from lolraft.storage.memory import after_save

A, B, C, D, E = (NodeId(f"http://{name}:1") for name in "abcde")
OLD = Configuration(voters=(A, B, C, D, E), incarnations=((A, 7), (E, 9)), group_id=1)
PLAN = Plan(shard_id=0, old_group=1, new_group=2, last=Clock(9, 99), voter=A, learners=(B,))
NEW = Configuration(voters=(A,), learners=(B,), incarnations=((A, 7),), group_id=2)

kinds = st.lists(st.sampled_from(EntryKind), max_size=8)


def log_of(kinds: list[EntryKind], terms: list[int]) -> Entries:
    """Return a log from entry 1, which is a configuration, on."""
    whole = [EntryKind.CONFIGURATION, *kinds]
    payloads = [
        replace(OLD, learners=(NodeId(f"http://l{at}:1"),)).encode()
        if kind is EntryKind.CONFIGURATION
        else b"%d" % at
        for at, kind in enumerate(whole)
    ]
    return Entries(1, (0, *sorted(terms[: len(kinds)])), bytes(whole), tuple(payloads))


def record_of(entries: Entries, base: int = 0, *, snapshot: bool = False) -> ShardRecord:
    """Return a record with *entries* after *base*; what is before them is in the snapshot."""
    term = entries.terms[base - 1] if base else 0
    clock = Clock(term, base)
    meta = SnapshotMeta(clock=clock, configuration=OLD, configuration_index=1, sessions=b"kept")
    return ShardRecord(
        ballot=Ballot(3, B),
        snapshot=meta if snapshot and base else None,
        log_starts_after=clock if base else Clock(0, 0),
        entries=Entries(
            base + 1, entries.terms[base:], entries.kinds[base:], entries.payloads[base:]
        ),
    )


@given(kinds, st.lists(st.integers(1, 5), min_size=8, max_size=8), st.integers(0, 8))
def test_only_configurations_change_and_all_of_them(
    kinds: list[EntryKind], terms: list[int], base: int
) -> None:
    record = record_of(log_of(kinds, terms), min(base, len(kinds)), snapshot=True)
    after = after_save(record, rewritten(record, PLAN.configuration))
    assert after.log_starts_after == record.log_starts_after
    assert after.entries.terms == record.entries.terms
    assert after.entries.kinds == record.entries.kinds
    for kind, was, now in zip(
        record.entries.kinds, record.entries.payloads, after.entries.payloads, strict=True
    ):
        assert now == (NEW.encode() if kind == EntryKind.CONFIGURATION else was)
    if record.snapshot is not None:
        assert after.snapshot == replace(record.snapshot, configuration=NEW)
    held = holding_of(A, 0, after)
    assert held.configuration == NEW
    assert held.last == holding_of(A, 0, record).last
    assert after.ballot.current_term >= max(3, held.last.term), "terms never fall along a log"
    assert after.ballot == record.ballot or after.ballot == Ballot(held.last.term, None)


@given(kinds, st.lists(st.integers(1, 5), min_size=8, max_size=8), st.integers(1, 9))
def test_survivors_match_where_they_matched(
    kinds: list[EntryKind], terms: list[int], shared: int
) -> None:
    """Log matching (§3.5): the same entry is the same on all who followed the same plan."""
    whole = log_of(kinds, terms)
    shorter = Entries(1, whole.terms[:shared], whole.kinds[:shared], whole.payloads[:shared])
    both = [
        after_save(record_of(log), rewritten(record_of(log), PLAN.configuration)).entries
        for log in (whole, shorter)
    ]
    assert both[0].payloads[:shared] == both[1].payloads


def test_a_plan_is_one_word_for_every_survivor() -> None:
    assert Plan.decode(PLAN.encode()) == PLAN
    assert " " not in PLAN.encode()
    for nonsense in ("", "0/1/2", PLAN.encode().replace("/9/", "/x/"), PLAN.encode()[20:]):
        with pytest.raises(CannotRecover, match="copy the whole word"):
            Plan.decode(nonsense)


def test_who_holds_more_or_another_group_does_not_follow() -> None:
    held = holding_of(B, 0, record_of(log_of([EntryKind.COMMAND], [4])))
    check_follower(PLAN, held, B)
    with pytest.raises(CannotRecover, match="not among the survivors"):
        check_follower(PLAN, held, C)
    with pytest.raises(CannotRecover, match="holds more of shard 0"):
        check_follower(replace(PLAN, last=Clock(4, 1)), held, B)
    with pytest.raises(CannotRecover, match="holds more of shard 0"):
        check_follower(replace(PLAN, last=Clock(5, 0)), held, B)
    with pytest.raises(CannotRecover, match="another group"):
        check_follower(replace(PLAN, old_group=5), held, B)


def test_a_quorum_of_survivors_is_no_disaster() -> None:
    held = holding_of(A, 0, record_of(log_of([], [])))
    assert plan_of(held, A, (A, B), 2) == replace(PLAN, last=Clock(0, 1))
    with pytest.raises(CannotRecover, match="are a quorum"):
        plan_of(held, A, (A, B, C), 2)
    with pytest.raises(CannotRecover, match="holds no log"):
        plan_of(holding_of(A, 0, ShardRecord(ballot=Ballot(3, None))), A, (A,), 2)
