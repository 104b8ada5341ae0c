"""Writes at the leader: admitted, proposed, answered when their entry was applied."""

from __future__ import annotations

from lolraft.multiraft import commands
from lolraft.multiraft.answering import finish, refuse
from lolraft.multiraft.node import Node, Request, Shard
from lolraft.raft.effects import Code, Proposed
from lolraft.raft.events import Propose
from lolraft.raft.types import Index, Term, Ticket

UNKNOWN = "outcome unknown, try again with the same request id"


def write(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    """Admit a write: once per request id, and only as much as may be in flight."""
    if request.request_id:
        row = shard.sessions.row(request.request_id)
        if row is not None and row.code is not None:
            finish(node, ticket, row.code, row.answer)  # Executed before: the same answer.
            return
        twins = shard.pending_ids.get(request.request_id)
        if twins is not None:
            twins.append(ticket)
            return
        shard.pending_ids[request.request_id] = []
    size = len(request.message)
    if shard.pending_bytes + size > node.config.limits.proposal_bytes and shard.pending_bytes:
        shard.pending_ids.pop(request.request_id, None)
        text = f"shard {shard.shard_id} has too much in flight; wait a little and try again"
        refuse(node, ticket, Code.RESOURCE_EXHAUSTED, text)
        return
    shard.pending_bytes += size
    node.proposing.setdefault(shard.shard_id, []).append(ticket)


def propose(node: Node) -> None:
    """Give all writes of this turn to their shards' replicas, one event a shard."""
    proposing, node.proposing = node.proposing, {}
    for shard_id, asked in proposing.items():
        tickets = [ticket for ticket in asked if ticket in node.requests]  # Else refused since.
        waiting = [node.requests[ticket] for ticket in tickets]
        payloads = tuple(commands.encode(item.request_id, item.message) for item in waiting)
        # `on_proposed` counts what the replica takes; what it refuses is not in flight.
        shard = node.shards[shard_id]
        size = sum(len(item.message) for item in waiting)
        shard.pending_bytes = max(0, shard.pending_bytes - size)
        node.todo.append((shard, Propose(tickets=tuple(tickets), payloads=payloads)))


def on_proposed(node: Node, shard: Shard, proposed: Proposed) -> None:
    """Remember who waits for which entries."""
    size = sum(len(node.requests[ticket].message) for ticket in proposed.tickets)
    shard.pending_bytes += size
    shard.proposals.append((proposed.first.index, proposed.first.term, proposed.tickets, size))


def answer_index(
    node: Node, shard: Shard, index: Index, term: Term, code: Code, answer: bytes
) -> None:
    """Answer who proposed the entry at *index*, if that very entry was applied."""
    for first, proposed_term, tickets, _ in shard.proposals:
        if index < first:
            return
        if index < first + len(tickets):
            if proposed_term == term:
                finish(node, tickets[index - first], code, answer)
            return


def answer_overtaken(node: Node, shard: Shard, last: Index) -> None:
    """Forget proposals whose entries have all been applied."""
    while shard.proposals and shard.proposals[0][0] + len(shard.proposals[0][2]) - 1 <= last:
        _, _, tickets, size = shard.proposals.popleft()
        shard.pending_bytes -= size
        for ticket in tickets:
            if ticket in node.requests:
                refuse(node, ticket, Code.UNAVAILABLE, f"another leader took over; {UNKNOWN}")


def on_leadership_lost(node: Node, shard: Shard) -> None:
    """Tell everybody who waited for an entry that its fate is open."""
    proposals, shard.proposals = shard.proposals, type(shard.proposals)()
    shard.pending_bytes = 0
    text = f"leadership of shard {shard.shard_id} was lost; {UNKNOWN}"
    for _, _, tickets, _ in proposals:
        for ticket in tickets:
            refuse(node, ticket, Code.UNAVAILABLE, text)
    leftover, shard.pending_ids = shard.pending_ids, {}
    for twins in leftover.values():
        for ticket in twins:
            refuse(node, ticket, Code.UNAVAILABLE, text)
