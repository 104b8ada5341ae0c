"""Standing, voting, winning (§3.4, §9.6, PROTOCOL S1, S3, S8, L8, L10)."""

from __future__ import annotations

from zlib import crc32

from lolraft.raft import events as ev
from lolraft.raft.effects import Effect, Notice, Removed, Send
from lolraft.raft.quorum import has_quorum
from lolraft.raft.state import Leadership, Progress, RaftState, step_down
from lolraft.raft.types import ZERO, Ballot, EntryKind, NodeId, Role

MASK = 2**64 - 1


def mix(seed: int, shard: int, term: int, attempt: int) -> int:
    """Return 64 well-mixed bits of four numbers, the same on every machine (C1, splitmix64)."""
    value = seed & MASK
    for number in (shard, term, attempt):
        value = (value + 0x9E3779B97F4A7C15 + number) & MASK
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
        value ^= value >> 31
    return value


def rank(state: RaftState) -> int:
    """Return this voter's place by priority, then in the shard's own order: it spreads leaders."""
    priorities = dict(state.priorities)

    def key(node_id: NodeId) -> tuple[int, int]:
        return -priorities.get(node_id, 0), mix(crc32(node_id.encode()), state.shard_id, 0, 0)

    mine = key(state.node_id)
    return sum(key(voter) < mine for voter in state.configuration.voters if voter != state.node_id)


def delay_s(state: RaftState) -> float:
    """Return how long to wait before standing: rank and chance, doubled with each failure (L8)."""
    interval_s = state.timing.heartbeat_s
    node_seed = state.seed ^ crc32(state.node_id.encode())
    dice = mix(node_seed, state.shard_id, state.current_term, state.attempt) / 2**64
    doubled = float(1 << min(state.attempt, 16))
    return min((rank(state) + dice) * interval_s * doubled, state.timing.election_delay_max_s)


def rearm(state: RaftState) -> None:
    """Give a replica without a leader its deadline, and take it from everybody else."""
    if state.role is Role.LEADER:
        return
    mute = state.is_silent or not state.proven
    if mute or state.leader_id is not None or not _quorum_lives(state):
        state.deadline_s = None
    elif state.deadline_s is None:
        state.deadline_s = max(state.now_s, state.promised_until_s) + delay_s(state)


def _quorum_lives(state: RaftState) -> bool:
    if state.live is None or state.acking is None:
        return True
    # Members send a removed server no heartbeats, but they ack its own: it must be able to ask.
    return has_quorum(state.configuration, state.live | state.acking | {state.node_id})


def on_timeout(state: RaftState) -> list[Effect]:
    """Start a pre-vote, or the next one after a round that nobody won."""
    if state.role is not Role.FOLLOWER or not state.may_stand():
        state.attempt += 1
    state.deadline_s = None
    state.role, state.votes = Role.FOLLOWER, None
    if state.leader_id is not None or not _quorum_lives(state):
        return []
    if state.may_stand():
        return start_pre_vote(state)
    # A learner that lost its leader may have been removed, and is told so when it asks (L10).
    return _ask(state, pre_vote=True, force=False)


def start_pre_vote(state: RaftState) -> list[Effect]:
    """Ask whether an election could be won, without disturbing anybody (§9.6)."""
    state.role = Role.PRE_CANDIDATE
    state.votes = {state.node_id: True}
    _wait_for_round(state)
    if has_quorum(state.configuration, state.votes):
        return start_election(state, force=False)
    return _ask(state, pre_vote=True, force=False)


def start_election(state: RaftState, *, force: bool, released: bool = False) -> list[Effect]:
    """Begin a term and stand in it; the own vote counts when it is durable (S3)."""
    if state.now_s < state.promised_until_s and not released:
        return []  # The own vote is promised like any other; `rearm` waits the lease out (S6).
    state.ballot = Ballot(state.current_term + 1, state.node_id)
    state.role = Role.CANDIDATE
    state.leader_id = None
    state.votes = {}
    _wait_for_round(state)
    text = f"{state.node_id} stands in term {state.current_term}"
    return [
        Notice(kind="election", text=text + (" (told to)" if force else "")),
        *_ask(state, pre_vote=False, force=force, released=released),
    ]


def _wait_for_round(state: RaftState) -> None:
    # A round is lost when a few round trips and the disk had time and no quorum came.
    state.deadline_s = state.now_s + 3 * state.timing.heartbeat_s + delay_s(state)


def _ask(state: RaftState, *, pre_vote: bool, force: bool, released: bool = False) -> list[Effect]:
    request = ev.VoteRequest(
        sender=state.node_id,
        group=state.group,
        term=state.current_term + pre_vote,
        last_clock=state.log.last_clock if state.may_stand() else ZERO,  # ZERO wins no vote.
        pre_vote=pre_vote,
        force_vote=force,
        released=released,
    )
    configuration = state.configuration
    voters = sorted({*configuration.voters, *configuration.outgoing} - {state.node_id})
    return [Send(to=voter, message=request) for voter in voters]


def is_disregarded(state: RaftState, request: ev.VoteRequest) -> bool:
    """Return whether a request settles no term: a leader is believed in, or its sender removed."""
    return _refusal(state, request) in (ev.Refusal.BELIEVES, ev.Refusal.REMOVED)  # S8, §4.2.3.


def on_vote_request(state: RaftState, request: ev.VoteRequest) -> list[Effect]:
    """
    Vote for the candidate if this term's vote is free and its log is not behind ours.

    Comparing the logs by their last `Clock` is what carries committed entries across elections:
    every winner holds them all (§3.6.1). A replica votes though its own configuration does not
    list it: the candidate's may be newer. One without any log votes for nobody.
    """
    refusal = _refusal(state, request)
    granted = refusal is ev.Refusal.NONE
    if granted:
        if not request.pre_vote:
            state.ballot = Ballot(request.term, request.sender)
        state.deadline_s = None  # `rearm` restarts the own delay (L8).
        if state.role is Role.PRE_CANDIDATE:
            state.role, state.votes = Role.FOLLOWER, None
    answer = ev.VoteResponse(
        sender=state.node_id,
        group=state.group,
        term=request.term if granted else state.current_term,
        granted=granted,
        pre_vote=request.pre_vote,
        asked_term=request.term,
        refusal=refusal,
        leader_id=state.leader_id if refusal is ev.Refusal.BELIEVES else None,
        removed_at=state.commit_index * (refusal is ev.Refusal.REMOVED),
    )
    return [Send(to=request.sender, message=answer)]


def _refusal(state: RaftState, request: ev.VoteRequest) -> ev.Refusal:
    up_to_date = request.last_clock >= state.log.last_clock
    if not up_to_date and _has_removed(state, request.sender):
        return ev.Refusal.REMOVED  # Also where a leader is believed in.
    if state.now_s < state.promised_until_s and not request.released:
        return ev.Refusal.BELIEVES  # A lease: not even `force_vote` breaks it (S6).
    if state.leader_id not in (None, request.sender) and not request.force_vote:
        return ev.Refusal.BELIEVES
    if state.is_silent or state.damage or not state.proven or not up_to_date:
        return ev.Refusal.OTHER
    if request.pre_vote:
        return ev.Refusal.NONE if request.term > state.current_term else ev.Refusal.OTHER
    vote_is_free = state.ballot.voted_for in (None, request.sender)
    is_current = request.term >= state.current_term
    return ev.Refusal.NONE if is_current and vote_is_free else ev.Refusal.OTHER


def _has_removed(state: RaftState, member: NodeId) -> bool:
    index, committed = state.configuration_at(state.commit_index)
    return index > 0 and member not in committed.members


def on_vote_response(state: RaftState, response: ev.VoteResponse) -> list[Effect]:
    """Count a vote of the round that is under way; a quorum leads on."""
    if response.refusal is ev.Refusal.REMOVED:
        return _on_removed(state, response)
    asked = state.current_term + (state.role is Role.PRE_CANDIDATE)
    awaited = Role.PRE_CANDIDATE if response.pre_vote else Role.CANDIDATE
    if state.role is not awaited or response.asked_term != asked or state.votes is None:
        return []
    state.votes[response.sender] = response.granted
    if not has_quorum(state.configuration, {name for name, yes in state.votes.items() if yes}):
        return []
    return start_election(state, force=False) if response.pre_vote else win(state)


def _on_removed(state: RaftState, response: ev.VoteResponse) -> list[Effect]:
    # Only a commit that this log does not know can have removed us, or one that it did not know to
    # be committed: a leader that removes itself may die before it is (L10).
    is_member = state.node_id in state.configuration.members
    known = response.removed_at < state.configuration_index + is_member
    if known or state.is_silent or state.role is Role.LEADER:
        return []
    state.stopped = True
    return [
        *step_down(state, f"removed at index {response.removed_at}"),
        Removed(index=response.removed_at),
    ]


def on_ballot_durable(state: RaftState) -> list[Effect]:
    """Count the own vote, now that a crash cannot forget it (S3)."""
    if state.role is not Role.CANDIDATE or state.votes is None:
        return []
    if state.durable_number < state.ballot_number or state.node_id in state.votes:
        return []
    state.votes[state.node_id] = True
    return win(state) if has_quorum(state.configuration, state.votes) else []


def win(state: RaftState) -> list[Effect]:
    """Lead: append a barrier, so that what earlier terms left can be committed (§3.6.2, §6.4)."""
    state.role = Role.LEADER
    state.leader_id = state.node_id
    state.votes = None
    state.attempt = 0
    state.deadline_s = None
    barrier_index = state.log.last_index + 1
    state.leadership = Leadership(barrier_index=barrier_index)
    for member in state.configuration.members:
        if member != state.node_id:
            state.leadership.progress[member] = Progress(
                next_index=barrier_index, progress_at_s=state.now_s
            )
    state.append((state.current_term,), bytes((EntryKind.BARRIER,)), (b"",))
    return [Notice(kind="elected", text=f"{state.node_id} leads in term {state.current_term}")]


def on_leader_claim(state: RaftState, claim: ev.LeaderClaim) -> list[Effect]:
    """Believe in a leader that the node's ledger names; its term is settled already."""
    if claim.term != state.current_term or state.role is Role.LEADER:
        return []
    return follow(state, claim.leader_id)


def follow(state: RaftState, leader_id: NodeId | None) -> list[Effect]:
    """Follow the leader of this term; None where an old epoch gives no belief (L1)."""
    state.role = Role.FOLLOWER
    state.votes = None
    if leader_id is not None:
        state.leader_id = leader_id
        state.attempt = 0
        state.deadline_s = None
    return []


def on_leader_lost(state: RaftState, lost: ev.LeaderLost) -> list[Effect]:
    """Stop believing; `rearm` starts the delay before the pre-vote (L8)."""
    if state.leader_id == lost.leader_id and state.role is not Role.LEADER:
        state.leader_id = None
        state.deadline_s = None
    return []


def on_timeout_now(state: RaftState, told: ev.TimeoutNow) -> list[Effect]:
    """Stand at once, disregarding every detector (§3.10); only a voter obeys (C4)."""
    from_leader = told.sender is not None
    if from_leader and (told.term != state.current_term or told.sender != state.leader_id):
        return []
    if state.role is Role.LEADER or not state.may_stand():
        return []
    return start_election(state, force=True, released=from_leader)
