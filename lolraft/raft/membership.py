"""Who belongs to the group: bootstrap, learners, joint consensus, hand-over (§4, §3.10)."""

from __future__ import annotations

from dataclasses import replace

from lolraft.raft import events as ev
from lolraft.raft.effects import Answer, Code, Effect, Notice, Removed, Send
from lolraft.raft.election import start_election
from lolraft.raft.replication import is_reachable
from lolraft.raft.state import (
    Change,
    Leadership,
    Progress,
    RaftState,
    Round,
    Transfer,
    answer,
    refuse,
    step_down,
)
from lolraft.raft.types import Configuration, EntryKind, NodeId


def on_bootstrap(state: RaftState, event: ev.Bootstrap) -> list[Effect]:
    """
    Write entry 1, clock (0, 1): the initial state's configuration (DESIGN section 10).

    Every listed member of a static group writes the same entry itself, so it is committed by
    definition. A group of one stands at once; its ticket is answered when it leads.
    """
    if not state.is_silent or state.log.last_index > 0:
        if state.node_id in state.configuration.members:
            return answer(event.ticket, Code.OK)
        text = f"shard {state.shard_id} has a log already and belongs to another group"
        return answer(event.ticket, Code.FAILED_PRECONDITION, text)
    configuration = Configuration(voters=tuple(sorted(event.voters)), group_id=event.group_id)
    state.append((0,), bytes((EntryKind.CONFIGURATION,)), (configuration.encode(),))
    state.commit_index = 1
    state.bootstrap_tickets = () if event.ticket is None else (event.ticket,)
    if configuration.voters == (state.node_id,) and state.proven:
        return start_election(state, force=False)
    return []


def answer_bootstrap(state: RaftState) -> list[Effect]:
    """Tell who bootstrapped that the group of one can be used: its barrier is committed."""
    tickets, state.bootstrap_tickets = state.bootstrap_tickets, ()
    return [Answer(ticket=ticket, code=Code.OK) for ticket in tickets]


def on_change(state: RaftState, event: ev.ChangeMembers) -> list[Effect]:
    """Begin a change, join the same one, or refuse another (C2)."""
    leadership, ticket = state.leadership, event.ticket
    if leadership is None:
        return [refuse(ticket, state)]
    if state.commit_index < leadership.barrier_index:
        leadership.early_changes.append(event)
        return []
    if leadership.transfer is not None:
        return [refuse(ticket, state, f"leadership of shard {state.shard_id} is moving; try again")]
    configuration = state.configuration
    if leadership.change is None and not _is_settled(state):
        # An earlier leader's: who asks for the same may wait for its end.
        leadership.change = Change(configuration.voters, configuration.learners)
    change = leadership.change
    if change is not None:
        goal = change.voters, change.learners
        if not change.aborted and event.applied_to(*goal) == goal:
            change.tickets.append(ticket)
            return []
        text = f"another change of shard {state.shard_id}'s members is under way; try again"
        return answer(ticket, Code.FAILED_PRECONDITION, text)
    return _begin(state, leadership, event)


def _is_settled(state: RaftState) -> bool:
    return state.commit_index >= state.configuration_index and not state.configuration.is_joint


def _begin(state: RaftState, leadership: Leadership, event: ev.ChangeMembers) -> list[Effect]:
    """Let who is new learn first; `advance` does the rest, in this step where nobody is."""
    configuration, members = state.configuration, state.configuration.members
    voters, learners = event.applied_to(configuration.voters, configuration.learners)
    if (voters, learners) == (configuration.voters, configuration.learners):
        return answer(event.ticket, Code.OK)
    strangers = [server for server in event.removed if server not in members]
    text = f"{', '.join(strangers)} is no member of shard {state.shard_id}" if strangers else ""
    if not voters:
        text = f"shard {state.shard_id} would have no voter left; add another one first"
    if text:
        return answer(event.ticket, Code.FAILED_PRECONDITION, text)
    leadership.change = change = Change(voters, learners, fallback=configuration.learners)
    change.tickets.append(event.ticket)
    new = [server for server in (*voters, *learners) if server not in members]
    effects: list[Effect] = []
    if new:
        incarnations = {**dict(configuration.incarnations), **dict(event.incarnations)}
        known = replace(configuration, incarnations=tuple(sorted(incarnations.items())))
        known = known.with_members(learners=(*configuration.learners, *new))
        effects = append_configuration(state, known)
    waits = {*new, *voters} - {*configuration.voters}
    change.joining = {s: Round(state.log.last_index, state.now_s) for s in sorted(waits)}
    return effects


def append_configuration(state: RaftState, configuration: Configuration) -> list[Effect]:
    """Append a configuration; it counts from now on, at its leader first (§4.1)."""
    leadership = state.leadership
    assert leadership is not None, "only a leader changes the configuration"
    state.append(
        (state.current_term,), bytes((EntryKind.CONFIGURATION,)), (configuration.encode(),)
    )
    for member in sorted({*configuration.members} - {state.node_id, *leadership.progress}):
        known = Progress(next_index=state.log.last_index, progress_at_s=state.now_s)
        leadership.progress[member] = known
    for member in [item for item in leadership.progress if item not in configuration.members]:
        del leadership.progress[member]
        leadership.leaving.append(member)
    voters, learners = len(configuration.voters), len(configuration.learners)
    joint = ", joint" if configuration.is_joint else ""
    text = f"{voters} voters, {learners} learners{joint} at index {state.log.last_index}"
    return [Notice(kind="configuration", text=text)]


def advance(state: RaftState) -> list[Effect]:
    """Go on from a committed configuration: to joint, to final, to the answer, to a hand-over."""
    leadership, configuration = state.leadership, state.configuration
    if leadership is None or state.commit_index < leadership.barrier_index:
        return []
    if state.commit_index < state.configuration_index:
        return []
    if configuration.is_joint:  # Also of a change that an earlier leader began (L10).
        return append_configuration(state, configuration.with_members(outgoing=()))
    effects = [_removed(state, member) for member in leadership.leaving]
    leadership.leaving.clear()
    if leadership.change is not None:
        effects += _go_on(state, leadership, leadership.change)
    if not configuration.is_voter(state.node_id):
        effects += _leave(state)
    return effects


def _removed(state: RaftState, member: NodeId) -> Effect:
    # Nobody sends it this entry any more, and a learner would not ask for votes and hear of it.
    message = ev.VoteResponse(
        sender=state.node_id,
        group=state.group,
        term=state.current_term,
        granted=False,
        refusal=ev.Refusal.REMOVED,
        removed_at=state.configuration_index,
    )
    return Send(to=member, message=message)


def _go_on(state: RaftState, leadership: Leadership, change: Change) -> list[Effect]:
    """Move everybody at once when all who join have caught up (§4.2.1, §4.3), or give up (C2)."""
    configuration = state.configuration
    ends_s = {s: _patience_ends_s(state, change, s) for s in _who_is_behind(state, change)}
    change.give_up_s = min(ends_s.values(), default=None)
    if change.give_up_s is not None and state.now_s >= change.give_up_s - 1e-9:
        change.aborted = (
            f"{min(ends_s, key=ends_s.__getitem__)} made no progress for "
            f"{state.timing.catch_up_s:g} s, so nothing was changed; see whether it runs and can "
            "be reached, then try again"
        )
        change.voters, change.learners = configuration.voters, change.fallback
        change.joining, change.give_up_s = {}, None
    elif ends_s:
        return []
    if configuration.voters != change.voters:
        joint = configuration.with_members(
            voters=change.voters, outgoing=configuration.voters, learners=change.learners
        )
        return append_configuration(state, joint)
    if configuration.learners != change.learners:
        learners = configuration.with_members(learners=change.learners)
        return append_configuration(state, learners)
    leadership.change = None
    code = Code.UNAVAILABLE if change.aborted else Code.OK
    return [Answer(ticket=ticket, code=code, message=change.aborted) for ticket in change.tickets]


def _who_is_behind(state: RaftState, change: Change) -> list[NodeId]:
    """
    Count the rounds of those who join; return who must not vote yet (§4.2.1).

    Entries that are behind say little: with many writes some are always on the way. How long a
    round takes is how long commits would wait for this server, were it a voter.
    """
    behind, last = [], state.log.last_index
    timeout_s = state.timing.election_timeout_s
    for server, (until, began_s, is_quick) in change.joining.items():
        took_s, match = state.now_s - began_s, state.progress[server].match_index
        if match >= until and is_reachable(state, server):
            is_quick, took_s = match == last or took_s < timeout_s, 0.0
            change.joining[server] = Round(last, state.now_s, is_quick)
        if not is_quick or took_s >= timeout_s or not is_reachable(state, server):
            behind.append(server)
    return behind


def _patience_ends_s(state: RaftState, change: Change, server: NodeId) -> float:
    since_s = max(state.progress[server].progress_at_s, change.joining[server].began_s)
    return since_s + state.timing.catch_up_s


def _leave(state: RaftState) -> list[Effect]:
    """Hand over after one's own removal: a leader that is no voter must not count itself."""
    effects: list[Effect] = []
    target = best_target(state)
    if target is not None:
        effects.append(Send(to=target, message=_timeout_now(state)))
    effects += step_down(state, "no voter any more")
    if state.node_id not in state.configuration.members:
        state.stopped = True
        effects.append(Removed(index=state.configuration_index))
    return effects


def _timeout_now(state: RaftState) -> ev.TimeoutNow:
    return ev.TimeoutNow(sender=state.node_id, group=state.group, term=state.current_term)


def best_target(state: RaftState) -> NodeId | None:
    """Return the live voter of the highest priority, or of the longest log; never who lags."""
    priorities = dict(state.priorities)
    voters = [
        (match < state.commit_index, -priorities.get(member, 0), -match, member)
        for member, match in ((m, p.match_index) for m, p in state.progress.items())
        if member in state.configuration.voters
        and (state.acking is None or member in state.acking)
        and member not in state.objecting
    ]
    return min(voters)[3] if voters else None


def on_transfer(state: RaftState, event: ev.TransferLeadership) -> list[Effect]:
    """Begin to hand leadership over: no new writes until it has moved or failed (§3.10)."""
    leadership = state.leadership
    if leadership is None:
        return [] if event.ticket is None else [refuse(event.ticket, state)]
    if event.target == state.node_id:
        return answer(event.ticket, Code.OK)
    if leadership.transfer is not None:
        text = "another transfer is under way; try again"
        return answer(event.ticket, Code.FAILED_PRECONDITION, text)
    target = event.target or best_target(state)
    if target is None or not state.configuration.is_voter(target):
        text = f"{target or 'nobody else'} is not a live voter"
        return answer(event.ticket, Code.FAILED_PRECONDITION, text)
    until_s = state.now_s + state.timing.transfer_s
    leadership.transfer = Transfer(target=target, ticket=event.ticket, until_s=until_s)
    return [Notice(kind="transfer", text=f"handing over to {target}"), *push_transfer(state)]


def push_transfer(state: RaftState) -> list[Effect]:
    """Tell the target to stand as soon as it has the whole log."""
    leadership = state.leadership
    if leadership is None or leadership.transfer is None or leadership.transfer.told:
        return []
    progress = leadership.progress.get(leadership.transfer.target)
    if progress is None or progress.match_index < state.log.last_index:
        return []
    leadership.transfer.told = leadership.gave_lease_up = True
    return [Send(to=leadership.transfer.target, message=_timeout_now(state))]


def expire_transfer(state: RaftState) -> list[Effect]:
    """Take writes again when the target did not take over in time."""
    leadership = state.leadership
    if leadership is None or leadership.transfer is None:
        return []
    transfer = leadership.transfer
    if state.now_s < transfer.until_s - 1e-9:
        return []
    leadership.transfer = None
    text = f"{transfer.target} did not take over within {state.timing.transfer_s:g} s"
    return answer(transfer.ticket, Code.UNAVAILABLE, text)
