"""Step one replica, and settle what it wants against the disk (DESIGN 4, PROTOCOL S1)."""

from __future__ import annotations

import traceback
from dataclasses import replace

from lolraft.multiraft import answering, applying, beliefs, leases, proposals
from lolraft.multiraft.effects import RunFetch
from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.reach import within_reach
from lolraft.raft import core
from lolraft.raft.effects import (
    Answer,
    Apply,
    Code,
    ConfirmLeadership,
    Effect,
    FetchSnapshot,
    InstallSnapshot,
    Notice,
    Proposed,
    Removed,
    Save,
    Send,
    ServeRead,
)
from lolraft.raft.events import AppendRequest, Event, SnapshotOffer, Stop, TimeoutNow
from lolraft.raft.types import Role

# Made once, not at every call: a union of classes costs more than the question.
WITH_LEDGER = AppendRequest | SnapshotOffer
OVERTAKING = Apply | Proposed | ConfirmLeadership | ServeRead
OVERTAKING_MESSAGES = AppendRequest | TimeoutNow
NO_LEDGER = (0, 0)
"""Of no epoch: no claim stands behind the message."""


def drain(node: Node) -> None:
    """Step replicas until nothing is left to do in this turn."""
    while node.todo:
        shard, event = node.todo.popleft()
        if node.shards.get(shard.shard_id) is shard:
            step_shard(node, shard, event)


def step_shard(node: Node, shard: Shard, event: Event) -> None:
    """Give one event to one replica; an assertion that breaks stops that replica alone."""
    state = shard.state
    reaches = within_reach(state, event)
    if reaches is None:
        return
    before = beliefs.glance(state)
    deadline_s = state.deadline_s
    state.promised_until_s = leases.promised_until_s(node, shard) if node.record.lease_s else 0.0
    try:
        effects = core.step(state, node.now_s, reaches)
    except Exception as broken:  # Ours to blame; the other shards go on (S11).
        fail(node, shard, "".join(traceback.format_exception(broken)[-3:]))
        return
    beliefs.after_step(node, shard, before)
    for effect in effects:
        settle(node, shard, effect)
    if state.deadline_s is not None and state.deadline_s != deadline_s:
        node.watch_deadline(shard)
    node.mark(shard.shard_id)


def fail(node: Node, shard: Shard, reason: str) -> None:
    """Stop one replica for good: its claim is withdrawn in this very step (L6)."""
    if shard.state.stopped:
        return
    before = beliefs.glance(shard.state)
    try:
        effects = core.step(shard.state, node.now_s, Stop(reason=reason.splitlines()[-1]))
    except Exception:  # Its state is broken; being silent is all that is left.
        shard.state.stopped, shard.state.role = True, Role.FOLLOWER
        shard.state.leader_id = shard.state.leadership = None
        effects = []
    beliefs.after_step(node, shard, before)
    for effect in effects:
        if not isinstance(effect, Save):  # A broken replica writes nothing any more.
            handle(node, shard, effect)
    shard.held.clear()
    applying.give_up_reads(node, shard)
    node.tell("stopped", reason, shard_id=shard.shard_id)
    node.mark(shard.shard_id)


def settle(node: Node, shard: Shard, effect: Effect) -> None:
    """
    Let an effect out at once, or when every Save of this shard before it is durable.

    Only a leader's `AppendRequest` may overtake the disk (§10.2.1), and what needs none: applying
    what a quorum holds, reading it, and `TimeoutNow`, which promises nothing: were it to wait, a
    leader could not hand over because its disk hangs (L11). All else waits, for Saves of earlier
    steps too (S1).
    """
    state = shard.state
    if isinstance(effect, Save):
        node.saves.append((shard.shard_id, effect))
        if effect.ballot is not None:
            node.ballot_batch = node.next_batch
        if effect.repaired:
            node.tell("repaired", "the log is whole again", shard_id=shard.shard_id)
        return
    overtakes = isinstance(effect, Notice) or (
        state.role is Role.LEADER
        and (
            isinstance(effect, OVERTAKING)
            or (isinstance(effect, Send) and isinstance(effect.message, OVERTAKING_MESSAGES))
        )
    )
    if overtakes or shard.durable >= state.saved_number:
        handle(node, shard, effect)
    else:
        shard.held.append((state.saved_number, effect))


def release(node: Node, shard: Shard) -> None:
    """Let out what waited for the Saves that are durable now."""
    while shard.held and shard.held[0][0] <= shard.durable:
        handle(node, shard, shard.held.popleft()[1])


def handle(node: Node, shard: Shard, effect: Effect) -> None:
    """Do what one effect of a replica says; nothing waits any more."""
    match effect:
        case Send():
            _send(node, shard, effect)
        case Apply():
            applying.on_apply(node, shard, effect.entries)
        case Proposed():
            proposals.on_proposed(shard, effect)
        case Answer():
            _answer(node, shard, effect)
        case ConfirmLeadership():
            beliefs.want_round(node, shard, effect.round_)
        case ServeRead():
            applying.serve_read(node, shard, effect)
        case FetchSnapshot():
            group = shard.state.group
            run = RunFetch(
                shard_id=shard.shard_id, source=effect.source, clock=effect.clock, group=group
            )
            node.out.append(run)
        case InstallSnapshot():
            applying.on_install(node, shard, effect.meta)
        case Removed():
            applying.on_removed(node, shard, effect.index)
        case Notice():
            node.tell(
                effect.kind,
                effect.text,
                shard_id=shard.shard_id,
                term=shard.state.current_term,
            )
        case Save():
            raise AssertionError("a Save is settled, never handled")


def _answer(node: Node, shard: Shard, effect: Answer) -> None:
    leader_id = effect.leader_id
    if shard.state.role is Role.LEADER and effect.code is not Code.OK:
        leader_id = node.node_id  # A refusal of the group, not of one server alone.
    answering.finish(node, effect.ticket, effect.code, effect.message.encode(), leader_id)


def _send(node: Node, shard: Shard, effect: Send) -> None:
    peer = node.peer(effect.to)
    message = effect.message
    if isinstance(message, WITH_LEDGER):
        # Under which ledger it was sent, so that belief does not depend on which stream is
        # faster (L1). What waited for the disk until the leadership was over gives none.
        stands = peer.out_ledger.stands(shard.shard_id, message.term)
        ledger = (node.record.epoch, peer.out_ledger.version) if stands else NO_LEDGER
        message = replace(message, ledger=ledger)
    peer.outbox.put(shard.shard_id, message)
