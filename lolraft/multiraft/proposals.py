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
    request_id = request.request_id
    if request_id:
        row = shard.sessions.row(request_id)
        if row is not None and row.code is not None:
            finish(node, ticket, row.code, row.answer)  # Executed before: the same answer.
            return
    size = len(request.message)
    most = node.config.limits.entry_bytes - commands.ID_ROOM
    if size > most:
        text = f"a message has at most {most} bytes, this one {size}"
        refuse(node, ticket, Code.INVALID_ARGUMENT, text)
        return
    if not admit(node, shard, ticket, request):
        return
    if request_id:
        key = commands.key_of(request_id)
        twins = shard.pending_ids.get(key)
        if twins is not None:
            twins.append(ticket)
            return
        shard.pending_ids[key] = []
    node.proposing.setdefault(shard.shard_id, []).append(ticket)


def admit(node: Node, shard: Shard, ticket: Ticket, request: Request) -> bool:
    """
    Count a read or write at the leader, or refuse it where there is no room.

    It counts until `finish` answers it, so an app that is slower than the log is noticed here.
    """
    size = len(request.message)
    full = _what_is_full(node, shard, size)
    if full is not None:
        refuse(node, ticket, Code.RESOURCE_EXHAUSTED, f"{full}; wait a little and try again")
        return False
    request.admitted = True
    shard.pending, shard.pending_bytes = shard.pending + 1, shard.pending_bytes + size
    node.pending, node.pending_bytes = node.pending + 1, node.pending_bytes + size
    return True


def _what_is_full(node: Node, shard: Shard, size: int) -> str | None:
    """Return which bound one more request would break, None when there is room."""
    limits, config = node.config.limits, node.config
    if shard.pending >= limits.proposal_entries or (
        shard.pending_bytes + size > limits.proposal_bytes and shard.pending
    ):
        return f"shard {shard.shard_id} has too much in flight"
    if node.pending >= config.proposal_entries or (
        node.pending_bytes + size > config.proposal_bytes and node.pending
    ):
        return f"{node.node_id} has too much in flight, of all shards that it leads"
    return None


def propose(node: Node) -> None:
    """Give all writes of this turn to their shards' replicas, one event a shard."""
    proposing, node.proposing = node.proposing, {}
    for shard_id, asked in proposing.items():
        tickets = [ticket for ticket in asked if ticket in node.requests]  # Else refused since.
        waiting = [node.requests[ticket] for ticket in tickets]
        payloads = tuple(commands.encode(item.request_id, item.message) for item in waiting)
        node.todo.append(
            (node.shards[shard_id], Propose(tickets=tuple(tickets), payloads=payloads))
        )


def on_proposed(shard: Shard, proposed: Proposed) -> None:
    """Remember who waits for which entries."""
    shard.proposals.append((proposed.first.index, proposed.first.term, proposed.tickets))


def answer_index(
    node: Node, shard: Shard, index: Index, term: Term, code: Code, answer: bytes
) -> None:
    """Answer who proposed the entry at *index*, if that very entry was applied; in order."""
    answer_overtaken(node, shard, index - 1)  # Else each answer walks past all before it.
    for first, proposed_term, tickets in shard.proposals:
        if index < first:
            return
        if index < first + len(tickets):
            if proposed_term == term:
                finish(node, tickets[index - first], code, answer)
            return


def answer_overtaken(node: Node, shard: Shard, last: Index) -> None:
    """Forget proposals whose entries have all been applied."""
    while shard.proposals and shard.proposals[0][0] + len(shard.proposals[0][2]) - 1 <= last:
        _, _, tickets = shard.proposals.popleft()
        for ticket in tickets:
            if ticket in node.requests:
                refuse(node, ticket, Code.UNAVAILABLE, f"another leader took over; {UNKNOWN}")


def on_leadership_lost(node: Node, shard: Shard) -> None:
    """Tell everybody who waited for an entry that its fate is open."""
    proposals, shard.proposals = shard.proposals, type(shard.proposals)()
    text = f"leadership of shard {shard.shard_id} was lost; {UNKNOWN}"
    for _, _, tickets in proposals:
        for ticket in tickets:
            refuse(node, ticket, Code.UNAVAILABLE, text)
    leftover, shard.pending_ids = shard.pending_ids, {}
    for twins in leftover.values():
        for ticket in twins:
            refuse(node, ticket, Code.UNAVAILABLE, text)
