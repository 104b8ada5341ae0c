"""
Reads that this replica answers itself: linearizable ones, and those of a bounded age (§6.4).

The replica asks the leader for a read index, waits until it has handed everything up to it to the
app's queue, and reads behind that (S9). One question a shard is out at a time. It serves every read
that came before it was asked; a read that comes later waits for the next one, since a write may
have been acknowledged in between.

The last answer is remembered with the time at which its question was *asked*: all that had been
acknowledged by then lies at or below its index, whenever the answer came. A stale read takes it
where it is young enough.

A question is a request of this node's own (`READ_INDEX`, by a ticket that nobody else has), so that
it waits for a leader, is forwarded and ends exactly as a client's request does.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from lolraft.multiraft.answering import refuse
from lolraft.multiraft.effects import RunRead
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.node import Node, Request, Shard
from lolraft.multiraft.read_index import IndexAnswer
from lolraft.raft.effects import Code
from lolraft.raft.types import Index, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A read index that was asked for, and the reads that it is for."""

    ticket: Ticket
    asked_at_s: float
    reads: list[Ticket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """All that was acknowledged before *asked_at_s*, by this node's clock, is within *index*."""

    asked_at_s: float
    index: Index


@dataclass(slots=True)
class LocalReads:
    """What one shard's replica reads itself; made with the first such read."""

    until_s: dict[Ticket, float] = field(default_factory=dict)  # All that wait, oldest first.
    unasked: list[Ticket] = field(default_factory=list)
    question: Question | None = None
    unapplied: deque[tuple[Index, Ticket]] = field(default_factory=deque)  # By their index.
    proof: Proof | None = None


def take(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    """Take a read of this replica: serve it by a proof, or let it wait for a question."""
    local = shard.local
    if local is None:
        local = shard.local = LocalReads()
    if len(local.until_s) >= node.config.waiting_requests:
        text = f"too many reads of shard {shard.shard_id} wait on {node.node_id}; try another node"
        refuse(node, ticket, Code.RESOURCE_EXHAUSTED, text)
        return
    if request.max_staleness_s == math.inf:
        _read(node, shard, ticket, shard.handed)
        return
    local.until_s[ticket] = node.now_s + node.config.answer_s
    node.reading.add(shard.shard_id)
    proof = local.proof
    if proof is not None and node.now_s - proof.asked_at_s <= request.max_staleness_s:
        local.unapplied.append((proof.index, ticket))
    else:
        local.unasked.append(ticket)


def settle(node: Node) -> list[tuple[Ticket, Request]]:
    """Serve what can be served, end what waited too long, return the questions to ask now."""
    answers, node.read_indexes = node.read_indexes, []
    for answer in answers:
        _on_answer(node, answer)
    questions: list[tuple[Ticket, Request]] = []
    for shard_id in sorted(node.reading):
        shard = node.shards.get(shard_id)
        local = shard.local if shard is not None else None
        if shard is not None and local is not None:
            _end(node, shard, local)
            _serve_applied(node, shard, local)
            questions += _questions(node, shard, local)
        if local is None or not local.until_s:
            node.reading.discard(shard_id)
    return questions


def _on_answer(node: Node, answer: IndexAnswer) -> None:
    shard = node.shards.get(answer.shard_id)
    local = shard.local if shard is not None else None
    question = local.question if local is not None else None
    if local is None or question is None or question.ticket != answer.ticket:
        return  # Asked by a replica that is gone.
    local.question = None
    if answer.code is Code.OK:
        local.proof = Proof(asked_at_s=question.asked_at_s, index=answer.index)
        local.unapplied += [(answer.index, read) for read in question.reads]
        return
    for read in question.reads:
        _refuse(node, local, read, answer.code, answer.text)


def _end(node: Node, shard: Shard, local: LocalReads) -> None:
    """End what waits at a replica that stopped, or for entries that do not come."""
    text = (
        f"{node.node_id} did not catch up with the leader of shard {shard.shard_id} within"
        f" {node.config.answer_s:g} s; try another node"
    )
    if shard.state.stopped:
        text = shard.stopped_text
    while local.until_s:
        read, until_s = next(iter(local.until_s.items()))
        if until_s > node.now_s + 1e-9 and not shard.state.stopped:
            return
        _refuse(node, local, read, Code.UNAVAILABLE, text)


def _refuse(node: Node, local: LocalReads, read: Ticket, code: Code, why: str) -> None:
    local.until_s.pop(read, None)
    request = node.requests.get(read)
    if request is not None and request.kind is RequestKind.READ_STALE:
        bound_s = request.max_staleness_s
        why = f"{node.node_id} cannot prove that its state is at most {bound_s:g} s old: {why}"
    refuse(node, read, code, why)


def _serve_applied(node: Node, shard: Shard, local: LocalReads) -> None:
    """Queue the reads whose index has been handed to the app's queue, behind it (S9)."""
    while local.unapplied and local.unapplied[0][0] <= shard.handed:
        index, read = local.unapplied.popleft()
        if local.until_s.pop(read, None) is not None:
            _read(node, shard, read, index)


def _read(node: Node, shard: Shard, ticket: Ticket, index: Index) -> None:
    request = node.requests.get(ticket)
    if request is not None:
        message = request.message
        run = RunRead(shard_id=shard.shard_id, ticket=ticket, message=message, index=index)
        node.out.append(run)


def _questions(node: Node, shard: Shard, local: LocalReads) -> list[tuple[Ticket, Request]]:
    """Return the question for the reads that wait, unless one is out to who leads now."""
    question = local.question
    if question is not None:
        asked = node.requests.get(question.ticket)
        asked_of = asked.forwarded_to if asked is not None else None
        if asked_of is None or asked_of == shard.state.leader_id:
            return []
        # It may not answer for long: it was lost, or another one leads.
        del node.requests[question.ticket]
        local.unasked = question.reads + local.unasked
        local.question = None
    reads = [read for read in local.unasked if read in local.until_s]
    local.unasked = []
    if not reads:
        return []
    ticket, node.next_internal = node.next_internal, node.next_internal - 1
    request = Request(
        kind=RequestKind.READ_INDEX,
        shard_id=shard.shard_id,
        message=b"",
        request_id="",
        until_s=node.now_s + node.config.wait_s,
    )
    node.requests[ticket] = request
    local.question = Question(ticket=ticket, asked_at_s=node.now_s, reads=reads)
    return [(ticket, request)]


def next_expiry_s(node: Node) -> float | None:
    """Return when the first read will have waited for too long."""
    found = [node.shards[shard_id].local for shard_id in node.reading if shard_id in node.shards]
    waiting = [next(iter(local.until_s.values())) for local in found if local and local.until_s]
    return min(waiting, default=None)
