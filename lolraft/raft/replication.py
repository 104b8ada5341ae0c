"""Appending, acknowledging, committing (§3.5, §3.6.2, §10.2.1, PROTOCOL L2, L7, P4)."""

from __future__ import annotations

from itertools import pairwise

from lolraft.raft import events as ev
from lolraft.raft.effects import Answer, Code, Effect, Proposed, Send
from lolraft.raft.election import follow
from lolraft.raft.quorum import committed_index
from lolraft.raft.state import Leadership, Progress, RaftState, refuse
from lolraft.raft.types import Clock, Configuration, Entries, EntryKind, NodeId, Role

FRAME_TRIP_S = 0.005  # One append in flight fills a link whose round trip is at most this (P4).


def on_propose(state: RaftState, event: ev.Propose) -> list[Effect]:
    """Append the clients' commands; `replicate` sends them, the derived Save keeps them."""
    leadership = state.leadership
    if leadership is None:
        return [refuse(ticket, state) for ticket in event.tickets]
    if leadership.transfer is not None:
        text = f"leadership of shard {state.shard_id} is moving; try again"
        return [refuse(ticket, state, text) for ticket in event.tickets]
    too_long = [size for size in map(len, event.payloads) if size > state.limits.entry_bytes]
    if too_long:
        text = f"an entry has at most {state.limits.entry_bytes} bytes, this one {too_long[0]}"
        return [
            Answer(ticket=one, code=Code.INVALID_ARGUMENT, message=text) for one in event.tickets
        ]
    first = Clock(state.current_term, state.log.last_index + 1)
    count = len(event.payloads)
    state.append((state.current_term,) * count, bytes((event.kind,)) * count, event.payloads)
    return [Proposed(tickets=event.tickets, first=first)]


def replicate(state: RaftState) -> list[Effect]:
    """Send every member what it lacks, as far as its window allows: how a leader's step ends."""
    leadership = state.leadership
    if leadership is None:
        return []
    effects: list[Effect] = []
    for member, progress in leadership.progress.items():
        if is_reachable(state, member):
            effects += _send_to(state, member, progress)
    if not any(_owes_commit(state, *item) for item in leadership.progress.items()):
        leadership.news_due_s = None
    return effects


def _owes_commit(state: RaftState, member: NodeId, progress: Progress) -> bool:
    behind = progress.snapshot is None and progress.commit_sent < state.commit_index
    return behind and is_reachable(state, member)


def news_due_s(state: RaftState, leadership: Leadership) -> float | None:
    """
    Return when followers must be told of a commit; None while an answer of theirs comes first.

    The next append carries it along. Told at once, every write of a client that waits for each
    answer would cost twice the messages, just when its answer is on the way.
    """
    items = leadership.progress.items()
    waits = any(_owes_commit(state, *item) and item[1].in_flight == 0 for item in items)
    return leadership.news_due_s if waits else None


def is_reachable(state: RaftState, member: NodeId) -> bool:
    """Return whether appends to *member* make sense now: it lives and has a replica (L6)."""
    return (state.live is None or member in state.live) and member not in state.objecting


def _window(state: RaftState, progress: Progress) -> int:
    if progress.probing:
        return 1
    return min(state.limits.window, 1 + int(progress.round_trip_s / FRAME_TRIP_S))


def _send_to(state: RaftState, member: NodeId, progress: Progress) -> list[Effect]:
    effects: list[Effect] = []
    if progress.snapshot is not None and not progress.must_ask:
        return effects
    while progress.in_flight < _window(state, progress):
        if progress.next_index <= state.log.base.index:
            effects += _offer_snapshot(state, member, progress)
            break
        entries = state.log.slice(
            progress.next_index, state.limits.append_entries, state.limits.append_bytes
        )
        owes_commit = _is_due(state) and progress.commit_sent < state.commit_index
        tells = progress.must_ask or (owes_commit and progress.in_flight == 0)
        if not entries.terms and not tells:
            break
        effects.append(_append_to(state, member, progress, entries))
        if progress.probing:
            break
        progress.next_index = entries.last + 1
    return effects


def _is_due(state: RaftState) -> bool:
    due_s = state.leadership.news_due_s if state.leadership is not None else None
    return due_s is not None and state.now_s >= due_s - 1e-9


def _append_to(state: RaftState, member: NodeId, progress: Progress, entries: Entries) -> Send:
    previous = progress.next_index - 1
    term = state.log.term_at(previous)
    assert term is not None, "a leader knows every entry after its base (§3.4)"
    progress.in_flight += 1
    progress.sent_at_s = state.now_s
    progress.must_ask = False
    progress.commit_sent = min(state.commit_index, max(entries.last, progress.match_index))
    request = ev.AppendRequest(
        sender=state.node_id,
        group=state.group,
        term=state.current_term,
        prev_clock=Clock(term, previous),
        entries=entries,
        commit_index=state.commit_index,
        repairs=progress.repairs,
    )
    return Send(to=member, message=request)


def _offer_snapshot(state: RaftState, member: NodeId, progress: Progress) -> list[Effect]:
    if state.snapshot is None:  # The log is whole; nothing below its base is ever needed.
        return []
    progress.snapshot = state.snapshot.clock
    progress.in_flight = 1
    progress.must_ask = False
    progress.sent_at_s = state.now_s
    clock, term = state.snapshot.clock, state.current_term
    offer = ev.SnapshotOffer(sender=state.node_id, group=state.group, term=term, clock=clock)
    return [Send(to=member, message=offer)]


def ask_again(state: RaftState, progress: Progress) -> None:
    """Count what was in flight as lost, and find out where the member stands (L2)."""
    progress.in_flight = 0
    progress.probing = True
    progress.must_ask = True
    progress.snapshot = None
    progress.next_index = progress.match_index + 1
    progress.commit_sent = 0


def on_peer_restarted(state: RaftState, event: ev.PeerRestarted) -> list[Effect]:
    """Take the peer's commit as unknown and probe it; a restart may even have lost its log."""
    progress = state.progress.get(event.peer)
    if progress is not None:
        ask_again(state, progress)
        progress.commit_index = None
    return []


def on_deadline(state: RaftState) -> list[Effect]:
    """Send again what a live member has not answered in time."""
    for member, progress in state.progress.items():
        waited_s = state.now_s - progress.sent_at_s
        late = waited_s >= state.timing.retry_s - 1e-9
        if late and _waits(progress) and is_reachable(state, member):
            ask_again(state, progress)
    return []


def _waits(progress: Progress) -> bool:
    unanswered = progress.in_flight > 0 or progress.match_index < progress.next_index - 1
    return unanswered or progress.snapshot is not None  # An answer may come twice, another never.


def next_retry_s(state: RaftState, leadership: Leadership) -> float | None:
    """Return when the oldest unanswered append to a live member is late; None when none waits."""
    times = [
        progress.sent_at_s + state.timing.retry_s
        for member, progress in leadership.progress.items()
        if _waits(progress) and is_reachable(state, member)
    ]
    return min(times, default=None)


def on_append_request(state: RaftState, request: ev.AppendRequest) -> list[Effect]:
    """
    Make the log that of the leader up to the request's last entry, and say so (§3.5).

    Only a real conflict truncates: an older append that arrives late must not cut a longer log.
    """
    if request.term < state.current_term:
        return [_answer(state, request.sender, success=False, rejected=request.prev_clock.index)]
    if state.role is Role.LEADER or not _is_well_formed(request):
        state.odd_messages += 1
        return []
    follow(state, request.sender if request.gives_belief else None)
    if not state.proven:
        return []
    previous, log = request.prev_clock, state.log
    if previous.index > log.last_index:
        hint = Clock(0, log.last_index + 1)
        return [_answer(state, request.sender, False, rejected=previous.index, hint=hint)]
    known = log.term_at(previous.index)
    if known is not None and known != previous.term:
        if previous.index <= state.commit_index:
            state.odd_messages += 1
            return []
        hint = Clock(known, log.first_index_of_term_at(previous.index))
        return [_answer(state, request.sender, False, rejected=previous.index, hint=hint)]
    if not _take(state, request.entries):
        state.odd_messages += 1
        return []
    match = max(request.entries.last, log.base.index)
    state.commit_index = max(state.commit_index, min(request.commit_index, match))
    if state.damage == request.repairs and log.term_at(request.commit_index) == request.term:
        # A commit of the sender's own term, of which it told after it had heard of the damage, is
        # here: so is all that was ever committed by what this replica had acknowledged (S12).
        state.damage = 0
    return [_answer(state, request.sender, True, match=match)]


def _is_well_formed(request: ev.AppendRequest) -> bool:
    entries, previous = request.entries, request.prev_clock
    terms = (previous.term, *entries.terms, request.term)
    if entries.first != previous.index + 1 or any(a > b for a, b in pairwise(terms)):
        return False
    if any(kind > EntryKind.CONFIGURATION for kind in entries.kinds):
        return False
    position = entries.kinds.find(EntryKind.CONFIGURATION)
    while position >= 0:
        try:
            Configuration.decode(entries.payloads[position])
        except ValueError:
            return False
        position = entries.kinds.find(EntryKind.CONFIGURATION, position + 1)
    return True


def _take(state: RaftState, entries: Entries) -> bool:
    """Append what is new, after truncating what clashes; False where a commit would be undone."""
    log = state.log
    skip = max(0, log.base.index - entries.first + 1)  # What the snapshot covers matches (§5).
    while skip < len(entries.terms) and log.term_at(entries.first + skip) == entries.terms[skip]:
        skip += 1
    if skip >= len(entries.terms):
        return True
    start = entries.first + skip
    if start <= log.last_index:
        if start <= state.commit_index:
            return False
        state.truncate_from(start)
    state.append(entries.terms[skip:], entries.kinds[skip:], entries.payloads[skip:])
    return True


def _answer(
    state: RaftState,
    leader_id: NodeId,
    success: bool,
    *,
    match: int = 0,
    rejected: int = 0,
    hint: Clock = Clock(0, 0),  # noqa: B008  # An immutable value.
) -> Send:
    response = ev.AppendResponse(
        sender=state.node_id,
        group=state.group,
        term=state.current_term,
        success=success,
        match_index=match,
        rejected_index=rejected,
        conflict=hint,
        commit_index=state.commit_index,
        damage=state.damage,
    )
    return Send(to=leader_id, message=response)


def answer_snapshot(state: RaftState, leader_id: NodeId, match: int) -> Send:
    """Tell the leader that everything up to *match* is here: from a snapshot, or anyway."""
    return _answer(state, leader_id, True, match=match)


def on_append_response(state: RaftState, response: ev.AppendResponse) -> list[Effect]:
    """Move the member's indexes; `advance_commit` and `replicate` follow in the same step."""
    progress = state.progress.get(response.sender)
    if progress is None or response.term != state.current_term:
        return []
    progress.in_flight = max(0, progress.in_flight - 1)
    trip_s = state.now_s - progress.sent_at_s
    progress.round_trip_s += (trip_s - progress.round_trip_s) / 8
    progress.commit_index = response.commit_index
    if response.damage not in (0, progress.repairs):  # What it acknowledged may be gone (S12).
        progress.repairs, progress.match_index, progress.must_ask = response.damage, 0, True
    if progress.in_flight == 0:  # What carried a higher commit may have been lost.
        progress.commit_sent = min(progress.commit_sent, response.commit_index)
    if response.success:
        _on_success(state, progress, min(response.match_index, state.log.last_index))
    elif progress.match_index < response.rejected_index:
        _on_rejection(state, progress, response)
    return []


def _on_success(state: RaftState, progress: Progress, match: int) -> None:
    if progress.snapshot is not None and match >= progress.snapshot.index:
        progress.snapshot = None
        progress.in_flight = 0
    if match > progress.match_index or progress.snapshot is not None:  # It says that it fetches.
        progress.match_index = max(match, progress.match_index)
        progress.progress_at_s = state.now_s
    if progress.snapshot is None:
        progress.probing = False
        progress.next_index = max(progress.next_index, progress.match_index + 1)


def _on_rejection(state: RaftState, progress: Progress, response: ev.AppendResponse) -> None:
    stale = response.rejected_index >= progress.next_index
    if progress.probing:
        stale = response.rejected_index != progress.next_index - 1
    if stale:
        return  # Of an append from before the last reset.
    term, first = response.conflict
    following = first
    if term > 0:
        # Skip the follower's whole term, unless we have entries of it ourselves (§3.5).
        ours = state.log.last_index_with_term_up_to(term)
        if state.log.term_at(ours) == term:
            following = ours + 1
    progress.next_index = max(progress.match_index + 1, min(following, response.rejected_index))
    progress.probing = True
    progress.must_ask = True
    progress.in_flight = 0


def advance_commit(state: RaftState) -> None:
    """Commit what a quorum holds, by an entry of the own term only (§3.6.2, figure 3.7)."""
    if state.leadership is None:
        return
    match = {member: item.match_index for member, item in state.leadership.progress.items()}
    match[state.node_id] = state.durable_index
    index = committed_index(state.configuration, match)
    if index > state.commit_index and state.log.term_at(index) == state.current_term:
        state.commit_index = index
        if state.leadership.news_due_s is None:
            state.leadership.news_due_s = state.now_s + state.timing.commit_news_s
