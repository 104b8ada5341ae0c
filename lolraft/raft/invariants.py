"""What must hold after every step, as sentences; always on (STYLE section 4)."""

from __future__ import annotations

from typing import NamedTuple

from lolraft.raft.state import RaftState
from lolraft.raft.types import Ballot, Clock, Index, Role


class Glance(NamedTuple):
    """A handful of scalars of the state before a step, never a copy (P3)."""

    ballot: Ballot
    commit_index: Index
    last_applied: Index
    last_clock: Clock
    base_index: Index
    role: Role
    saved_number: int
    durable_number: int
    snapshot_index: Index
    configuration_index: Index
    damage: int


def glance(state: RaftState) -> Glance:
    """Return what `check` and the derived effects compare with."""
    return Glance(
        state.ballot,
        state.commit_index,
        state.last_applied,
        state.log.last_clock,
        state.log.base.index,
        state.role,
        state.saved_number,
        state.durable_number,
        state.snapshot.clock.index if state.snapshot is not None else 0,
        state.configuration_index,
        state.damage,
    )


def check(before: Glance, now: RaftState) -> None:
    """Raise `AssertionError` at the step that broke a rule, not at the read that noticed."""
    ballot = now.ballot
    assert ballot.current_term >= before.ballot.current_term, "terms never go back (§3.3)"
    if ballot.current_term == before.ballot.current_term and before.ballot.voted_for is not None:
        assert ballot.voted_for == before.ballot.voted_for, "one vote per term (§3.4)"
    assert now.commit_index >= before.commit_index, "a commit is for ever (§3.6)"
    assert now.commit_index <= now.log.last_index, "what is committed is in the log (§3.5)"
    assert now.last_applied <= now.commit_index, "only committed entries are applied (§3.5)"
    assert now.last_applied >= before.last_applied, "the state machine never goes back (§3.5)"
    assert now.log.base.index <= now.commit_index, "only what is committed is compacted (§5)"
    assert now.log.base.index >= before.base_index, "a compacted log does not grow back (§5)"
    assert now.durable_number <= now.saved_number, "only issued saves become durable"
    assert now.durable_index <= now.log.last_index, "a truncated entry is not durable"
    if now.role is Role.LEADER:
        assert now.leadership is not None, "a leader has a leader's memory"
        assert ballot.voted_for == now.node_id, "a leader voted for itself (§3.4)"
        assert now.durable_number >= now.ballot_number, "a leader's vote is durable (S3)"
        assert now.leader_id == now.node_id, "a leader follows nobody (§3.4)"
        if before.role is Role.LEADER and before.ballot == ballot:
            assert now.log.last_clock >= before.last_clock, "a leader only appends (§3.5)"
    else:
        assert now.leadership is None, "who does not lead forgets what leaders know"
        assert now.leader_id != now.node_id, "a follower does not follow itself"
