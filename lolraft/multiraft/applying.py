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
from lolraft.multiraft.memory import NEVER, Damaged, Row
from lolraft.multiraft.node import ApplyJob, Node, Shard
from lolraft.multiraft.proposals import UNKNOWN
from lolraft.multiraft.records import ShardRecord
from lolraft.multiraft.sessions import chain_of
from lolraft.multiraft.trail import Trail
from lolraft.raft.effects import Code, ServeRead
from lolraft.raft.events import SnapshotTaken
from lolraft.raft.types import Clock, Entries, EntryKind, Index, Role, SnapshotMeta, Term


def on_apply(node: Node, shard: Shard, entries: Entries) -> None:
    """Hand committed entries to the app's queue while it has room; else they stay in the log."""
    shard.committed = entries.last
    if shard.handed + 1 == entries.first and _has_room(node, shard, entries):
        _hand_over(node, shard, entries)
    else:
        feed(node, shard)


def _has_room(node: Node, shard: Shard, entries: Entries) -> bool:
    config = node.config
    if shard.queued + len(entries.terms) > config.apply_entries:
        return False
    return shard.queued_bytes + sum(map(len, entries.payloads)) <= config.apply_bytes


def feed(node: Node, shard: Shard) -> None:
    """
    Hand over what the log keeps for the app, as far as the app's queue may grow.

    What was not handed over lies behind every snapshot that was taken here. One that is about to
    be installed covers it.
    """
    log, config = shard.state.log, node.config
    if shard.state.stopped:
        return
    while shard.handed < shard.committed and log.base.index <= shard.handed:
        room = min(config.apply_entries - shard.queued, shard.committed - shard.handed)
        room_bytes = config.apply_bytes - shard.queued_bytes
        if (room <= 0 or room_bytes <= 0) and shard.jobs:
            return
        _hand_over(node, shard, log.slice(shard.handed + 1, max(room, 1), room_bytes))
    while shard.reads_behind and shard.reads_behind[0][0] <= shard.handed:
        node.out.append(shard.reads_behind.popleft()[1])


def _hand_over(node: Node, shard: Shard, entries: Entries) -> None:
    """Give entries to the app's queue: commands once, nothing else."""
    shard.trail.extend(entries)
    items: list[tuple[Index, bytes]] = []
    plan: list[tuple[Index, Term, Row | None, bool]] = []
    size = 0
    for position, kind in enumerate(entries.kinds):
        if kind != EntryKind.COMMAND:
            continue
        index, term = entries.first + position, entries.terms[position]
        payload = entries.payloads[position]
        size += len(payload)
        request_id, message = commands.decode(payload)
        row, executes = None, True
        if request_id:
            row = shard.sessions.note(index, len(payload), request_id)
            executes = row.index == index
        if executes:
            items.append((index, message))
        plan.append((index, term, row, executes))
    shard.grown_bytes += size
    shard.handed = last = entries.last
    job = ApplyJob(last=last, plan=plan, size=size)
    if not items and not shard.jobs:
        _finish_job(node, shard, job, ())
        return
    shard.jobs.append(job)
    shard.queued, shard.queued_bytes = shard.queued + len(plan), shard.queued_bytes + size
    node.out.append(RunApply(shard_id=shard.shard_id, last_index=last, items=tuple(items)))


def on_applied(node: Node, shard: Shard, event: Applied) -> None:
    """Remember the answers and give them to who waits."""
    if not shard.jobs or shard.jobs[0].last != event.last_index:
        return  # Of a replica that was dropped meanwhile.
    job = shard.jobs.popleft()
    shard.queued, shard.queued_bytes = shard.queued - len(job.plan), shard.queued_bytes - job.size
    _finish_job(node, shard, job, event.answers)
    if shard.handed < shard.committed:
        feed(node, shard)
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
    shard.trail.anchor()
    node.out.append(RunSnapshot(shard_id=shard.shard_id))


def serve_read(node: Node, shard: Shard, effect: ServeRead) -> None:
    """Queue a read behind the applies before it (S9); who wants the index alone has it now."""
    request = node.requests.get(effect.ticket)
    if request is not None and request.kind is RequestKind.READ_INDEX:
        answering.finish(node, effect.ticket, Code.OK, b"", index=effect.index)
        return
    message = shard.read_messages.pop(effect.ticket, None)
    if message is not None:
        run = RunRead(
            shard_id=shard.shard_id, ticket=effect.ticket, message=message, index=effect.index
        )
        if shard.handed < shard.committed:
            shard.reads_behind.append((shard.committed, run))
        else:
            node.out.append(run)


def give_up_reads(node: Node, shard: Shard) -> None:
    """Refuse the reads that wait for applies which will not happen any more."""
    reads, shard.reads_behind = shard.reads_behind, type(shard.reads_behind)()
    for _, run in reads:
        answering.refuse(node, run.ticket, Code.UNAVAILABLE, shard.stopped_text)


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
        sessions=shard.sessions.cut(index, shard.trail.at(index, state.log)),
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
        node.host(shard_id, ShardRecord(ballot=ballot, damaged=True))
        # The old replica objected to every claim, this one need not.
        beliefs.judge_all(node, shard_id)


def why_damaged(shard: Shard, meta: SnapshotMeta) -> str:
    """Return what is wrong with the sessions of a fetched snapshot, empty when nothing is."""
    try:
        shard.sessions.parse(meta.sessions, meta.clock.index)
    except Damaged as damage:
        return f"the sessions of the snapshot at {meta.clock.index} are damaged: {damage}"
    return ""


def on_install(node: Node, shard: Shard, meta: SnapshotMeta) -> None:
    """Start the app and the sessions from a fetched snapshot, behind what is in the queue."""
    shard.sessions.load(meta.sessions, meta.clock.index)
    shard.trail = Trail(meta.clock.index, chain_of(meta.sessions))
    shard.applied_index = shard.snapshot_wanted_at = meta.clock.index
    shard.handed = shard.committed = meta.clock.index
    shard.grown_bytes, shard.sessions.hold = 0, NEVER
    node.out.append(RunInstall(shard_id=shard.shard_id, meta=meta))
    feed(node, shard)  # Reads that waited for what the snapshot covers.
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
