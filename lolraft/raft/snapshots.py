"""Compaction, and catching up by a snapshot (§5, PROTOCOL S5)."""

from __future__ import annotations

from lolraft.raft import events as ev
from lolraft.raft.effects import Effect, FetchSnapshot, InstallSnapshot, Notice
from lolraft.raft.election import follow
from lolraft.raft.replication import answer_snapshot
from lolraft.raft.state import RaftState
from lolraft.raft.types import Clock, Role, SnapshotMeta


def on_snapshot_taken(state: RaftState, event: ev.SnapshotTaken) -> list[Effect]:
    """Remember the newer snapshot and drop the log that it covers, but for a tail."""
    newest = state.snapshot.clock.index if state.snapshot is not None else 0
    clock = event.meta.clock
    if clock.index <= newest or clock.index > state.last_applied:
        return []
    state.snapshot = event.meta
    # What is not durable yet must stay in the log: its Save may still be on the way.
    keep_after = min(event.keep_after, clock.index, state.durable_index)
    if keep_after > state.log.base.index:
        term = state.log.term_at(keep_after)
        assert term is not None, "what was applied is in the log or under its base (§5)"
        state.log.compact_to(Clock(term, keep_after))
    while len(state.configurations) > 1 and state.configurations[1][0] <= state.log.base.index:
        state.configurations.pop(0)
    return [Notice(kind="snapshot", text=f"snapshot at index {clock.index}")]


def on_snapshot_offer(state: RaftState, offer: ev.SnapshotOffer) -> list[Effect]:
    """Fetch what the leader's log does not hold any more, unless it is here already."""
    if offer.term < state.current_term:
        return [answer_snapshot(state, offer.sender, 0)]
    if state.role is Role.LEADER or not state.proven:
        state.odd_messages += state.role is Role.LEADER
        return []
    follow(state, offer.sender if offer.gives_belief else None)
    if offer.clock.index <= state.commit_index:
        return [answer_snapshot(state, offer.sender, state.commit_index)]
    if state.fetching is not None and state.fetching.source == offer.sender:
        # Offers repeat while one is on its way, and the driver says when it is given up: until
        # then, answer, so that the leader is patient (C2). Whom it failed once must bring it first.
        alive = answer_snapshot(state, offer.sender, state.commit_index)
        return [] if state.fetch_failed else [alive]
    state.fetching = FetchSnapshot(source=offer.sender, clock=offer.clock)
    return [state.fetching]  # An earlier leader, perhaps dead, is not waited for.


def on_snapshot_fetched(state: RaftState, event: ev.SnapshotFetched) -> list[Effect]:
    """Start from the fetched snapshot; a late one never moves the state back (fault 16)."""
    meta = event.meta
    state.fetching, state.fetch_failed = None, False
    effects: list[Effect] = []
    # A leader's log holds all that is committed (§3.6.3): what it lacks, nobody may bring.
    if meta.clock.index > state.commit_index and state.role is not Role.LEADER:
        _install(state, meta)
        told = Notice(kind="snapshot", text=f"installed at index {meta.clock.index}")
        effects += [InstallSnapshot(meta=meta), told]
    if state.leader_id is not None and state.leader_id != state.node_id:
        effects.append(answer_snapshot(state, state.leader_id, state.commit_index))
    return effects


def _install(state: RaftState, meta: SnapshotMeta) -> None:
    clock = meta.clock
    has_it = state.log.term_at(clock.index) == clock.term
    state.log.compact_to(clock)
    later = [item for item in state.configurations if item[0] > clock.index] if has_it else []
    state.configurations = [(meta.configuration_index, meta.configuration), *later]
    state.group_id = meta.configuration.group_id
    state.snapshot = meta
    state.commit_index = state.last_applied = clock.index
    if not has_it:
        state.durable_index = clock.index
        state.unsaved.clear()


def on_snapshot_failed(state: RaftState, event: ev.SnapshotFailed) -> list[Effect]:
    """Be ready for the next offer."""
    if state.fetching == FetchSnapshot(source=event.source, clock=event.clock):
        state.fetching, state.fetch_failed = None, True
    return []
