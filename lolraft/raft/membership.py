"""Who belongs to the group: bootstrap, learners, joint consensus, hand-over (§4, §3.10)."""

from __future__ import annotations

from lolraft.raft.effects import Answer, Code, Effect, Notice, Removed, Send
from lolraft.raft.election import start_election
from lolraft.raft.events import AddServer, Bootstrap, RemoveServer, TimeoutNow, TransferLeadership
from lolraft.raft.state import (
    Change,
    Leadership,
    Progress,
    RaftState,
    Transfer,
    refuse,
    step_down,
)
from lolraft.raft.types import Configuration, EntryKind, NodeId, Ticket

CAUGHT_UP = 256  # A learner so few entries behind becomes a voter (§4.2.1).


def on_bootstrap(state: RaftState, event: Bootstrap) -> list[Effect]:
    """
    Write entry 1, clock (0, 1): the initial state's configuration (DESIGN section 10).

    Every listed member of a static group writes the same entry itself, so it is committed by
    definition. A group of one stands at once; its ticket is answered when it leads.
    """
    tickets = () if event.ticket is None else (event.ticket,)
    if not state.is_silent or state.log.last_index > 0:
        if state.node_id in state.configuration.members:
            return [Answer(ticket=ticket, code=Code.OK) for ticket in tickets]
        text = f"shard {state.shard_id} has a log already and belongs to another group"
        return [
            Answer(ticket=ticket, code=Code.FAILED_PRECONDITION, message=text) for ticket in tickets
        ]
    configuration = Configuration(voters=tuple(sorted(event.voters)), group_id=event.group_id)
    state.append((0,), bytes((EntryKind.CONFIGURATION,)), (configuration.encode(),))
    state.commit_index = 1
    state.bootstrap_tickets = tickets
    if configuration.voters == (state.node_id,) and state.proven:
        return start_election(state, force=False)
    return []


def answer_bootstrap(state: RaftState) -> list[Effect]:
    """Tell who bootstrapped that the group of one can be used: its barrier is committed."""
    tickets, state.bootstrap_tickets = state.bootstrap_tickets, ()
    return [Answer(ticket=ticket, code=Code.OK) for ticket in tickets]


def on_change(state: RaftState, event: AddServer | RemoveServer) -> list[Effect]:
    """Begin a change, join the same one, or refuse another (C2)."""
    leadership = state.leadership
    if leadership is None:
        return [refuse(event.ticket, state)]
    if state.commit_index < leadership.barrier_index:
        leadership.early_changes.append(event)
        return []
    adding = isinstance(event, AddServer)
    under_way = leadership.change
    if under_way is not None and under_way.is_same(event.server_id, adding):
        under_way.tickets.append(event.ticket)
        return []
    configuration = state.configuration
    settled = state.commit_index >= state.configuration_index and not configuration.is_joint
    if under_way is not None or not settled:
        text = f"another change of shard {state.shard_id}'s members is under way; try again"
        return [Answer(ticket=event.ticket, code=Code.FAILED_PRECONDITION, message=text)]
    if isinstance(event, AddServer):
        return _add(state, leadership, event)
    return _remove(state, leadership, event)


def _add(state: RaftState, leadership: Leadership, event: AddServer) -> list[Effect]:
    configuration, server = state.configuration, event.server_id
    if server in configuration.voters:
        return [Answer(ticket=event.ticket, code=Code.OK)]
    leadership.change = Change(server_id=server, adding=True, tickets=[event.ticket])
    if server in configuration.learners:
        return promote(state)
    others = tuple(item for item in configuration.incarnations if item[0] != server)
    known = Configuration(
        voters=configuration.voters,
        learners=tuple(sorted((*configuration.learners, server))),
        incarnations=tuple(sorted((*others, (server, event.incarnation)))),
        group_id=configuration.group_id,
    )
    return append_configuration(state, known)


def _remove(state: RaftState, leadership: Leadership, event: RemoveServer) -> list[Effect]:
    configuration, server = state.configuration, event.server_id
    if server not in configuration.members:
        return [Answer(ticket=event.ticket, code=Code.OK)]
    if configuration.voters == (server,):
        text = f"{server} is the last voter of shard {state.shard_id}; add another one first"
        return [Answer(ticket=event.ticket, code=Code.FAILED_PRECONDITION, message=text)]
    leadership.change = Change(server_id=server, adding=False, tickets=[event.ticket])
    learners = tuple(learner for learner in configuration.learners if learner != server)
    if server in configuration.learners:
        return append_configuration(state, configuration.with_members(learners=learners))
    voters = tuple(voter for voter in configuration.voters if voter != server)
    joint = configuration.with_members(voters=voters, outgoing=configuration.voters)
    return append_configuration(state, joint)


def append_configuration(state: RaftState, configuration: Configuration) -> list[Effect]:
    """Append a configuration; it counts from now on, at its leader first (§4.1)."""
    leadership = state.leadership
    assert leadership is not None, "only a leader changes the configuration"
    state.append(
        (state.current_term,), bytes((EntryKind.CONFIGURATION,)), (configuration.encode(),)
    )
    for member in configuration.members:
        if member != state.node_id and member not in leadership.progress:
            leadership.progress[member] = Progress(
                next_index=state.log.last_index, progress_at_s=state.now_s
            )
    for member in [item for item in leadership.progress if item not in configuration.members]:
        del leadership.progress[member]
    voters, learners = len(configuration.voters), len(configuration.learners)
    joint = ", joint" if configuration.is_joint else ""
    return [
        Notice(
            kind="configuration",
            text=f"{voters} voters, {learners} learners{joint} at index {state.log.last_index}",
        )
    ]


def promote(state: RaftState) -> list[Effect]:
    """Make a learner that has caught up a voter: the joint configuration (§4.2.1, §4.3)."""
    leadership = state.leadership
    if leadership is None or leadership.change is None or not leadership.change.adding:
        return []
    configuration, server = state.configuration, leadership.change.server_id
    progress = leadership.progress.get(server)
    committed = state.commit_index >= state.configuration_index
    if server not in configuration.learners or progress is None or not committed:
        return []
    if progress.probing or progress.match_index + CAUGHT_UP < state.log.last_index:
        return []
    joint = configuration.with_members(
        voters=(*configuration.voters, server),
        outgoing=configuration.voters,
        learners=tuple(learner for learner in configuration.learners if learner != server),
    )
    return append_configuration(state, joint)


def give_up_on_learner(state: RaftState) -> list[Effect]:
    """Take out a learner that makes no progress, so that the group is not stuck with it (C2)."""
    leadership = state.leadership
    if leadership is None or leadership.change is None or leadership.change.aborted:
        return []
    change, configuration = leadership.change, state.configuration
    progress = leadership.progress.get(change.server_id)
    if not change.adding or change.server_id not in configuration.learners or progress is None:
        return []
    if state.commit_index < state.configuration_index:
        return []
    if state.now_s - progress.progress_at_s < state.timing.catch_up_s - 1e-9:
        return []
    change.aborted = (
        f"{change.server_id} made no progress for {state.timing.catch_up_s:g} s and was taken out "
        "again; see whether it runs and can be reached, then add it anew"
    )
    learners = tuple(item for item in configuration.learners if item != change.server_id)
    return append_configuration(state, configuration.with_members(learners=learners))


def learner_deadline_s(state: RaftState, leadership: Leadership) -> float | None:
    """Return when a learner that is being added will have stood still for too long."""
    change = leadership.change
    if change is None or not change.adding or change.aborted:
        return None
    progress = leadership.progress.get(change.server_id)
    if progress is None or change.server_id not in state.configuration.learners:
        return None
    return progress.progress_at_s + state.timing.catch_up_s


def on_configuration_committed(state: RaftState) -> list[Effect]:
    """Go on from a committed configuration: to the final one, to the answer, to a hand-over."""
    leadership, configuration = state.leadership, state.configuration
    if leadership is None or state.commit_index < state.configuration_index:
        return []
    if configuration.is_joint:  # Also of a change that an earlier leader began (L10).
        return append_configuration(state, configuration.with_members(outgoing=()))
    effects: list[Effect] = []
    change = leadership.change
    if change is not None and (change.server_id not in configuration.learners or change.aborted):
        leadership.change = None
        code = Code.UNAVAILABLE if change.aborted else Code.OK
        effects += [
            Answer(ticket=ticket, code=code, message=change.aborted) for ticket in change.tickets
        ]
    if not configuration.is_voter(state.node_id):
        effects += _leave(state)
    return effects


def _leave(state: RaftState) -> list[Effect]:
    """Hand over after one's own removal: a leader outside the group must not count itself."""
    effects: list[Effect] = []
    target = best_target(state)
    if target is not None:
        effects.append(Send(to=target, message=_timeout_now(state)))
    effects += step_down(state, "removed from the group")
    if state.node_id not in state.configuration.members:
        state.stopped = True
        effects.append(Removed(index=state.configuration_index))
    return effects


def _timeout_now(state: RaftState) -> TimeoutNow:
    return TimeoutNow(sender=state.node_id, group=state.group, term=state.current_term)


def best_target(state: RaftState) -> NodeId | None:
    """Return the live voter whose log is longest, by name among equals."""
    voters = [
        (-progress.match_index, member)
        for member, progress in state.progress.items()
        if state.configuration.is_voter(member)
        and (state.acking is None or member in state.acking)
        and member not in state.objecting
    ]
    return min(voters)[1] if voters else None


def on_transfer(state: RaftState, event: TransferLeadership) -> list[Effect]:
    """Begin to hand leadership over: no new writes until it has moved or failed (§3.10)."""

    def end(code: Code, text: str = "") -> list[Effect]:
        if event.ticket is None:
            return []
        return [Answer(ticket=event.ticket, code=code, message=text)]

    leadership = state.leadership
    if leadership is None:
        return [] if event.ticket is None else [refuse(event.ticket, state)]
    if event.target == state.node_id:
        return end(Code.OK)
    if leadership.transfer is not None:
        return end(Code.FAILED_PRECONDITION, "another transfer is under way; try again")
    target = event.target or best_target(state)
    if target is None or not state.configuration.is_voter(target):
        return end(Code.FAILED_PRECONDITION, f"{target or 'nobody else'} is not a live voter")
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
    ticket: Ticket | None = transfer.ticket
    if ticket is None:
        return []
    text = f"{transfer.target} did not take over within {state.timing.transfer_s:g} s"
    return [Answer(ticket=ticket, code=Code.UNAVAILABLE, message=text)]
