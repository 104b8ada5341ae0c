"""The one function that decides: `step(state, now_s, event) -> list[Effect]`."""

from __future__ import annotations

from typing import assert_never

from lolraft.raft import election, invariants, membership, reads, replication, snapshots
from lolraft.raft import events as ev
from lolraft.raft.effects import Apply, Effect, Notice, Save, Send
from lolraft.raft.events import Event, Message
from lolraft.raft.invariants import Glance
from lolraft.raft.quorum import has_quorum
from lolraft.raft.state import RaftState, observe_term, refuse, step_down
from lolraft.raft.types import Role, Ticket

OF_A_GROUP = Message | ev.LeaderClaim  # Made once, not at every step.


def step(state: RaftState, now_s: float, event: Event) -> list[Effect]:
    """
    Take one event and return what the node must do about it, in this order.

    Nothing here waits, reads a clock, draws a random number, or raises for what a peer sent. The
    same state, time and event always give the same effects.

    Raises:
        AssertionError: an invariant broke, so we are wrong; the node stops this replica.
    """
    before = invariants.glance(state)
    state.now_s = now_s
    if state.stopped:
        return _answer_stopped(state, event)
    effects = _of_another_group(state, event)
    if effects is None:
        effects = _settle_term(state, event)
        effects += _decide(state, event)
        effects += _follow_up(state, before)
    save = _derive_save(state, before)
    if save is not None:
        effects.insert(0, save)
    if state.commit_index > state.last_applied:
        entries = state.log.range(state.last_applied + 1, state.commit_index)
        state.last_applied = state.commit_index
        effects.append(Apply(entries=entries))
    _set_deadline(state)
    invariants.check(before, state)
    return effects


def _of_another_group(state: RaftState, event: Event) -> list[Effect] | None:
    """Answer a stranger and change nothing (S2); None where the event is for us."""
    if not isinstance(event, OF_A_GROUP) or event.group in (0, state.group) or state.group == 0:
        return None
    state.odd_messages += 1
    if isinstance(event, (ev.LeaderClaim, ev.GroupMismatch)) or event.sender is None:
        return []
    answer = ev.GroupMismatch(sender=state.node_id, group=state.group)
    return [Send(to=event.sender, message=answer)]


def _settle_term(state: RaftState, event: Event) -> list[Effect]:
    """Adopt a newer term that somebody is in; S8 says which messages do not count."""
    match event:
        case ev.VoteRequest(pre_vote=False) as request:
            disregarded = state.is_silent or election.is_disregarded(state, request)
            return [] if disregarded else observe_term(state, request.term)
        case ev.VoteResponse() as response if not (response.pre_vote and response.granted):
            return observe_term(state, response.term)
        case ev.AppendRequest() | ev.AppendResponse() | ev.SnapshotOffer():
            return observe_term(state, event.term)
        case ev.LeaderClaim() | ev.Objection() | ev.TimeoutNow(sender=str()):
            return observe_term(state, event.term)
        case _:
            return []


def _decide(state: RaftState, event: Event) -> list[Effect]:  # noqa: C901  # One match, every case.
    match event:
        case ev.VoteRequest():
            return election.on_vote_request(state, event)
        case ev.VoteResponse():
            return election.on_vote_response(state, event)
        case ev.AppendRequest():
            return replication.on_append_request(state, event)
        case ev.AppendResponse():
            return replication.on_append_response(state, event)
        case ev.SnapshotOffer():
            return snapshots.on_snapshot_offer(state, event)
        case ev.TimeoutNow():
            return election.on_timeout_now(state, event)
        case ev.GroupMismatch():
            state.odd_messages += 1
            return [Notice(kind="odd", text=f"{event.sender} belongs to another group")]
        case ev.Propose():
            return replication.on_propose(state, event)
        case ev.ReadIndex():
            return reads.on_read_index(state, event)
        case ev.Bootstrap():
            return membership.on_bootstrap(state, event)
        case ev.ChangeMembers():
            return membership.on_change(state, event)
        case ev.TransferLeadership():
            return membership.on_transfer(state, event)
        case ev.Timeout():
            return _on_timeout(state)
        case ev.LeaderClaim():
            return election.on_leader_claim(state, event)
        case ev.LeaderLost():
            return election.on_leader_lost(state, event)
        case ev.Objection():
            return []  # A newer term has been settled; `ev.Liveness` says the rest.
        case ev.Liveness():
            return _on_liveness(state, event)
        case ev.PeerRestarted():
            return replication.on_peer_restarted(state, event)
        case ev.LeadershipConfirmed():
            return reads.on_leadership_confirmed(state, event)
        case ev.Saved():
            return _on_saved(state, event)
        case ev.SnapshotTaken():
            return snapshots.on_snapshot_taken(state, event)
        case ev.SnapshotFetched():
            return snapshots.on_snapshot_fetched(state, event)
        case ev.SnapshotFailed():
            return snapshots.on_snapshot_failed(state, event)
        case ev.Proven():
            state.proven = True
            return []
        case ev.Stop():
            return _on_stop(state, event)
        case _:
            assert_never(event)


def _follow_up(state: RaftState, before: Glance) -> list[Effect]:
    """Let one rule lead to another, in sight: acks to commits, commits to what waited."""
    effects: list[Effect] = []
    replication.advance_commit(state)
    leadership = state.leadership
    if leadership is not None:
        if before.commit_index < leadership.barrier_index <= state.commit_index:
            effects += membership.answer_bootstrap(state)
            effects += reads.on_barrier_committed(state)
            changes, leadership.early_changes = leadership.early_changes, []
            for change in changes:
                effects += membership.on_change(state, change)
        effects += membership.advance(state)
        effects += membership.push_transfer(state)
        effects += replication.replicate(state)
    return effects


def _on_timeout(state: RaftState) -> list[Effect]:
    if state.deadline_s is None or state.now_s < state.deadline_s - 1e-9:
        return []
    if state.role is not Role.LEADER:
        return election.on_timeout(state)
    return membership.expire_transfer(state) + replication.on_deadline(state)


def _on_liveness(state: RaftState, event: ev.Liveness) -> list[Effect]:
    """Check quorum (§6.2): a leader whose voters do not ack is none; retry who came back."""
    returned = event.live - (state.live if state.live is not None else frozenset())
    returned |= state.objecting - event.objecting
    known = state.live is not None
    state.live, state.acking, state.objecting = event.live, event.acking, event.objecting
    state.priorities = event.priorities
    if state.role is Role.LEADER:
        if not has_quorum(state.configuration, event.acking | {state.node_id}):
            return step_down(state, "no quorum acknowledges")
        for member, progress in state.progress.items():
            if known and member in returned:
                replication.ask_again(state, progress)
    elif state.role is Role.FOLLOWER:
        state.deadline_s = state.deadline_s if not returned else None  # A new delay (L8).
    return []


def _on_saved(state: RaftState, event: ev.Saved) -> list[Effect]:
    """Count what is durable: the own entries at a leader, the own vote at a candidate (S1, S3)."""
    state.durable_number = max(state.durable_number, min(event.number, state.saved_number))
    while state.unsaved and state.unsaved[0][0] <= event.number:
        _, last_index = state.unsaved.popleft()
        state.durable_index = max(state.durable_index, min(last_index, state.log.last_index))
    return election.on_ballot_durable(state)


def _on_stop(state: RaftState, event: ev.Stop) -> list[Effect]:
    effects = step_down(state, event.reason)
    tickets, state.bootstrap_tickets = state.bootstrap_tickets, ()
    effects += [refuse(ticket, state, event.reason) for ticket in tickets]
    state.stopped = True
    return effects


def _answer_stopped(state: RaftState, event: Event) -> list[Effect]:
    text = f"the replica of shard {state.shard_id} on {state.node_id} has stopped; see its log"
    tickets: tuple[Ticket | None, ...] = ()
    match event:
        case ev.Propose():
            tickets = event.tickets
        case ev.ReadIndex() | ev.ChangeMembers() | ev.Bootstrap() | ev.TransferLeadership():
            tickets = (event.ticket,)
    return [refuse(ticket, state, text) for ticket in tickets if ticket is not None]


def _derive_save(state: RaftState, before: Glance) -> Save | None:
    """Return what must be durable now: derived here, once, so that no rule can forget it."""
    change = state.log.take_change()
    snapshot = state.snapshot
    new_snapshot = snapshot is not None and snapshot.clock.index > before.snapshot_index
    compacted = state.log.base.index > before.base_index
    new_ballot = state.ballot != before.ballot
    repaired = state.damage != before.damage
    appended = change.append_from is not None
    if not (
        new_ballot or new_snapshot or compacted or appended or repaired or change.truncate_from
    ):
        return None
    state.saved_number += 1
    if new_ballot:
        state.ballot_number = state.saved_number
    entries = None
    if change.append_from is not None:
        entries = state.log.range(change.append_from, state.log.last_index)
        state.unsaved.append((state.saved_number, state.log.last_index))
    return Save(
        number=state.saved_number,
        ballot=state.ballot if new_ballot else None,
        snapshot=snapshot if new_snapshot else None,
        log_starts_after=state.log.base if new_snapshot or compacted else None,
        truncate_from=change.truncate_from,
        entries=entries,
        repaired=repaired,
    )


def _set_deadline(state: RaftState) -> None:
    """Give who must act by itself a deadline, and nobody else: all idle shards have none."""
    leadership = state.leadership
    if state.stopped:
        state.deadline_s = None
    elif leadership is None:
        election.rearm(state)
    else:
        transfer, change = leadership.transfer, leadership.change
        times = (
            replication.next_retry_s(state, leadership),
            replication.news_due_s(state, leadership),
            change.give_up_s if change is not None else None,
            transfer.until_s if transfer is not None else None,
        )
        state.deadline_s = min((time for time in times if time is not None), default=None)
