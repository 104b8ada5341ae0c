"""From committed entries to answers: one queue a shard, each request once (S5, S9, S10)."""

from __future__ import annotations

from lolraft.multiraft import answering, beliefs, commands, proposals
from lolraft.multiraft.effects import (
    RunApply,
    RunDrop,
    RunForget,
    RunInstall,
    RunRead,
    RunSnapshot,
)
from lolraft.multiraft.events import Applied
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.node import ApplyJob, Node, Shard
from lolraft.multiraft.proposals import UNKNOWN
from lolraft.multiraft.records import ShardRecord
from lolraft.multiraft.sessions import NEVER, Row
from lolraft.raft.effects import Code, ServeRead
from lolraft.raft.events import SnapshotTaken
from lolraft.raft.types import Clock, Entries, EntryKind, Index, Role, SnapshotMeta, Term


def on_apply(node: Node, shard: Shard, entries: Entries) -> None:
    """Hand committed entries to the app's queue: commands once, nothing else."""
    items: list[tuple[Index, bytes]] = []
    plan: list[tuple[Index, Term, Row | None, bool]] = []
    for position, kind in enumerate(entries.kinds):
        if kind != EntryKind.COMMAND:
            continue
        index, term = entries.first + position, entries.terms[position]
        payload = entries.payloads[position]
        shard.grown_bytes += len(payload)
        request_id, message = commands.decode(payload)
        row, executes = None, True
        if request_id:
            row = shard.sessions.note(index, len(payload), request_id)
            executes = row is None
            row = row or shard.sessions.row(request_id)
        if executes:
            items.append((index, message))
        plan.append((index, term, row, executes))
    last = entries.last
    if not items and not shard.jobs:
        _finish_job(node, shard, ApplyJob(last=last, plan=plan), ())
        return
    shard.jobs.append(ApplyJob(last=last, plan=plan))
    node.out.append(RunApply(shard_id=shard.shard_id, last_index=last, items=tuple(items)))


def on_applied(node: Node, shard: Shard, event: Applied) -> None:
    """Remember the answers and give them to who waits."""
    if not shard.jobs or shard.jobs[0].last != event.last_index:
        return  # Of a replica that was dropped meanwhile.
    _finish_job(node, shard, shard.jobs.popleft(), event.answers)
    node.mark(shard.shard_id)


def _finish_job(
    node: Node, shard: Shard, job: ApplyJob, answers: tuple[tuple[Code, bytes], ...]
) -> None:
    following = iter(answers)
    for index, term, row, executes in job.plan:
        if executes:
            code, answer = next(following)
            if row is not None:
                row.code, row.answer = code, answer
        else:
            assert row is not None, "a duplicate has a row"
            assert row.code is not None, "the first of its kind has an answer"
            code, answer = row.code, row.answer
        proposals.answer_index(node, shard, index, term, code, answer)
    shard.applied_index = max(shard.applied_index, job.last)
    proposals.answer_overtaken(node, shard, job.last)
    _want_snapshot(node, shard)


def _want_snapshot(node: Node, shard: Shard) -> None:
    """Ask the app for a snapshot, once, when the log has grown enough since the last (§5.1)."""
    grown = shard.applied_index - shard.snapshot_wanted_at
    config = node.config
    if grown < config.snapshot_entries and shard.grown_bytes < config.snapshot_bytes:
        return
    shard.snapshot_wanted_at, shard.grown_bytes = shard.applied_index, 0
    shard.sessions.hold = shard.applied_index
    node.out.append(RunSnapshot(shard_id=shard.shard_id))


def serve_read(node: Node, shard: Shard, effect: ServeRead) -> None:
    """Queue a read behind the applies before it (S9), or tell who reads itself the index."""
    request = node.requests.get(effect.ticket)
    if request is not None and request.kind is RequestKind.READ_INDEX:
        answering.finish(node, effect.ticket, Code.OK, b"", index=effect.index)
        return
    message = shard.read_messages.pop(effect.ticket, None)
    if message is not None:
        run = RunRead(
            shard_id=shard.shard_id, ticket=effect.ticket, message=message, index=effect.index
        )
        node.out.append(run)


def on_snapshot_found(node: Node, shard: Shard, index: Index) -> None:
    """Complete the app's new snapshot with Raft's half: clock, configuration, sessions (S5)."""
    state = shard.state
    newest = state.snapshot.clock.index if state.snapshot is not None else 0
    term = state.log.term_at(index)
    too_early = index < max(newest + 1, 2) or index < shard.sessions.floor
    if too_early or index > shard.applied_index or term is None or state.stopped:
        return
    if shard.snapshot_wanted_at <= index:
        shard.snapshot_wanted_at, shard.sessions.hold = index, NEVER
    at, configuration = state.configuration_at(index)
    meta = SnapshotMeta(
        clock=Clock(term, index),
        configuration=configuration,
        configuration_index=at,
        sessions=shard.sessions.cut(index),
    )
    keep_after = index
    if state.role is Role.LEADER:
        lowest = max(state.log.base.index, index - node.config.tail_entries)
        for member, progress in state.progress.items():
            if member in node.global_live and progress.match_index >= lowest:
                keep_after = min(keep_after, progress.match_index)
    node.todo.append((shard, SnapshotTaken(meta=meta, keep_after=keep_after)))
    node.forgets.append((node.next_batch, shard.shard_id, index))


def release_forgets(node: Node) -> None:
    """Let the app delete what nobody needs, now that the disk says so too (S5)."""
    while node.forgets and node.forgets[0][0] <= node.persisted:
        _, shard_id, index = node.forgets.popleft()
        if shard_id in node.shards:
            node.out.append(RunForget(shard_id=shard_id, index=index))
    while node.removals and node.removals[0][0] <= node.persisted:
        _, shard_id, ballot = node.removals.popleft()
        node.out.append(RunDrop(shard_id=shard_id))
        node.host(shard_id, ShardRecord(ballot=ballot))
        # The old replica objected to every claim, this one need not.
        beliefs.judge_all(node, shard_id)


def on_install(node: Node, shard: Shard, meta: SnapshotMeta) -> None:
    """Start the app and the sessions from a fetched snapshot, behind what is in the queue."""
    shard.sessions.load(meta.sessions, meta.clock.index)
    shard.applied_index = shard.snapshot_wanted_at = meta.clock.index
    shard.grown_bytes, shard.sessions.hold = 0, NEVER
    node.out.append(RunInstall(shard_id=shard.shard_id, meta=meta))
    node.out.append(RunForget(shard_id=shard.shard_id, index=meta.clock.index))


def on_removed(node: Node, shard: Shard, index: Index) -> None:
    """
    Clean up all but the ballot, and be silent: somebody may add this server again (S12).

    The replica has stopped. Its app and the snapshots go when the disk has forgotten the log that
    starts after them; until then a crash brings it back as it was.
    """
    shard_id = shard.shard_id
    proposals.on_leadership_lost(node, shard)
    for ticket, request in list(node.requests.items()):
        if request.shard_id == shard_id and request.forwarded_to is None:
            answering.refuse(
                node, ticket, Code.UNAVAILABLE, f"{node.node_id} was removed; {UNKNOWN}"
            )
    for peer in node.peers.values():
        peer.shared.discard(shard_id)
        peer.out_ledger.withdraw(shard_id)
    for believers in node.believers.values():
        believers.discard(shard_id)
    node.confirming.discard(shard_id)
    node.saves = [item for item in node.saves if item[0] != shard_id]
    node.drops.append(shard_id)
    node.removals.append((node.next_batch, shard_id, shard.state.ballot))
    node.tell("removed", f"no member since index {index}", shard_id=shard_id)
