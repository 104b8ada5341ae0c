"""
How far one message may take a replica's term: a peer that errs must not use up all numbers at once.

Terms end (storage and wire do), and one that was heard is adopted for good (§3.3): a single message
of the last term would leave the group without a term to elect anybody in. No group holds so many
elections while a replica is away that an honest term is this far ahead of it. One that claims to be
takes the replica a bounded way there, as any newer term may, and does nothing else.

Replicas that were led astray come together again: every answer of one that is further ahead takes
the other as far as that, until they are within reach.
"""

from __future__ import annotations

from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    Event,
    LeaderClaim,
    Objection,
    SnapshotOffer,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.state import RaftState

FAR = 2**32
"""At an election each second this is 136 years, and 2**30 messages make up all the terms."""

WITH_TERM = (
    VoteRequest
    | VoteResponse
    | AppendRequest
    | AppendResponse
    | SnapshotOffer
    | TimeoutNow
    | LeaderClaim
    | Objection
)


def within_reach(state: RaftState, event: Event) -> Event | None:
    """Return what *event* may do to a replica: itself, a bounded step of its term, or nothing."""
    if not isinstance(event, WITH_TERM):
        return event
    if isinstance(event, SnapshotOffer) and event.clock.term > event.term:
        state.odd_messages += 1  # No leader has entries of a term after its own.
        return None
    near = state.current_term + FAR
    if event.term <= near:
        return event
    if not isinstance(event, Objection) and event.group not in (0, state.group) and state.group:
        return event  # Of another group: it is told so, and changes nothing (S2).
    match event:
        case VoteRequest(pre_vote=True) | VoteResponse(pre_vote=True, granted=True):
            return event  # They settle no term (S8).
        case TimeoutNow(sender=None):
            return event  # An operator's.
    state.odd_messages += 1
    match event:
        case VoteRequest():
            return None  # Nor may it end a leadership that is believed in (S8).
        case LeaderClaim():
            return Objection(sender=event.leader_id, term=near)
        case _:
            assert event.sender is not None, "an operator's was returned"
            return Objection(sender=event.sender, term=near)
