"""Linearizable reads without the log: ReadIndex and leases (§6.4, §6.4.1, PROTOCOL S6)."""

from __future__ import annotations

from lolraft.raft.effects import ConfirmLeadership, Effect, ServeRead
from lolraft.raft.events import LeadershipConfirmed, ReadIndex
from lolraft.raft.state import RaftState, refuse
from lolraft.raft.types import Ticket


def on_read_index(state: RaftState, event: ReadIndex) -> list[Effect]:
    """Remember the commit index and ask for a round; before the barrier commits, wait for it."""
    leadership = state.leadership
    if leadership is None:
        return [refuse(event.ticket, state)]
    if state.commit_index < leadership.barrier_index:
        leadership.early_reads.append(event.ticket)
        return []
    if event.leased and not leadership.gave_lease_up:
        return [ServeRead(ticket=event.ticket, index=state.commit_index)]
    return _ask_round(state, [event.ticket])


def _ask_round(state: RaftState, tickets: list[Ticket]) -> list[Effect]:
    leadership = state.leadership
    assert leadership is not None, "only a leader asks for a round"
    leadership.round_ += 1
    for ticket in tickets:
        leadership.reads.append((leadership.round_, ticket, state.commit_index))
    return [ConfirmLeadership(round_=leadership.round_)]


def on_barrier_committed(state: RaftState) -> list[Effect]:
    """Give the reads that came before the barrier their index now."""
    leadership = state.leadership
    if leadership is None or not leadership.early_reads:
        return []
    tickets, leadership.early_reads = leadership.early_reads, []
    return _ask_round(state, tickets)


def on_leadership_confirmed(state: RaftState, event: LeadershipConfirmed) -> list[Effect]:
    """Serve every read of the confirmed round and of earlier ones."""
    leadership = state.leadership
    if leadership is None or event.term != state.current_term:
        return []
    effects: list[Effect] = []
    while leadership.reads and leadership.reads[0][0] <= event.round_:
        _, ticket, index = leadership.reads.popleft()
        effects.append(ServeRead(ticket=ticket, index=index))
    return effects
