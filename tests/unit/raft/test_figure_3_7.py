"""Figure 3.7: an entry of an earlier term on a majority may still be overwritten (§3.6.2)."""

from __future__ import annotations

from lolraft.raft.core import step
from lolraft.raft.effects import Apply, Save
from lolraft.raft.events import AppendResponse, Saved, TimeoutNow, VoteResponse
from lolraft.raft.state import RaftState, restore
from lolraft.raft.types import (
    ZERO,
    Ballot,
    Configuration,
    Entries,
    EntryKind,
    Limits,
    NodeId,
    Role,
    Timing,
)

ONE, TWO, THREE = (NodeId(f"http://n{number}:1") for number in (1, 2, 3))
GROUP = 7


def leader_of_term_4() -> RaftState:
    """Return a leader that has an entry of term 2, which it could not commit then."""
    configuration = Configuration(voters=(ONE, TWO, THREE), group_id=GROUP)
    state = restore(
        ONE,
        0,
        ballot=Ballot(3, None),
        snapshot=None,
        log_starts_after=ZERO,
        entries=Entries(
            1,
            (0, 2),
            bytes((EntryKind.CONFIGURATION, EntryKind.COMMAND)),
            (configuration.encode(), b"of term 2"),
        ),
        seed=1,
        timing=Timing(),
        limits=Limits(),
    )
    saves = [item for item in step(state, 0.0, TimeoutNow()) if isinstance(item, Save)]
    step(state, 0.0, Saved(number=saves[-1].number))
    vote = VoteResponse(sender=TWO, group=GROUP, term=4, granted=True, asked_term=4)
    (barrier,) = [item for item in step(state, 0.0, vote) if isinstance(item, Save)]
    assert state.role is Role.LEADER
    assert state.log.last_clock == (4, 3)
    step(state, 0.0, Saved(number=barrier.number))
    return state


def has(state: RaftState, match_index: int) -> list[int]:
    """Let n2 say how far its log matches; return which indexes are applied because of it."""
    response = AppendResponse(
        sender=TWO, group=GROUP, term=4, success=True, match_index=match_index
    )
    effects = step(state, 0.1, response)
    applied = [item.entries for item in effects if isinstance(item, Apply)]
    return [entries.first + n for entries in applied for n in range(len(entries.terms))]


def test_an_entry_of_an_earlier_term_is_not_committed_by_counting() -> None:
    state = leader_of_term_4()
    assert has(state, 2) == [], "a majority holds it, and it may be lost all the same"
    assert state.commit_index < 2


def test_it_is_committed_with_an_entry_of_the_own_term() -> None:
    state = leader_of_term_4()
    assert has(state, 3)[-2:] == [2, 3]
    assert state.commit_index == 3


def test_the_own_vote_counts_when_it_is_durable() -> None:
    """A candidate that crashes before its ballot is saved must not have led (S3, §3.8)."""
    state = leader_of_term_4()
    saves = [item for item in step(state, 1.0, TimeoutNow()) if isinstance(item, Save)]
    assert saves == [], "a leader does not stand"
    other = restore(
        TWO,
        0,
        ballot=Ballot(4, TWO),
        snapshot=None,
        log_starts_after=ZERO,
        entries=Entries(
            1, (0,), bytes((EntryKind.CONFIGURATION,)), (state.configuration.encode(),)
        ),
        seed=1,
        timing=Timing(),
        limits=Limits(),
    )
    (save,) = [item for item in step(other, 0.0, TimeoutNow()) if isinstance(item, Save)]
    vote = VoteResponse(sender=THREE, group=GROUP, term=5, granted=True, asked_term=5)
    step(other, 0.0, vote)
    assert other.role is Role.CANDIDATE, "one durable vote of three"
    step(other, 0.0, Saved(number=save.number))
    assert other.role is Role.LEADER
