"""How a request ends: here, or at the node that forwarded it (DESIGN section 4)."""

from __future__ import annotations

from lolraft.multiraft.commands import key_of
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.frames import ForwardReply, RequestKind
from lolraft.multiraft.node import Node
from lolraft.multiraft.read_index import IndexAnswer
from lolraft.raft.effects import Code
from lolraft.raft.types import Index, NodeId, Ticket


def refuse(
    node: Node, ticket: Ticket, code: Code, text: str, leader_id: NodeId | None = None
) -> None:
    """End a ticket with a sentence."""
    finish(node, ticket, code, text.encode(), leader_id)


def finish(
    node: Node,
    ticket: Ticket,
    code: Code,
    message: bytes,
    leader_id: NodeId | None = None,
    index: Index = 0,
) -> None:
    """End a ticket, and those of its duplicates: here, or at the node that forwarded it."""
    request = node.requests.pop(ticket, None)
    if request is None:
        return
    shard = node.shards.get(request.shard_id)
    if shard is not None:
        if request.kind is not RequestKind.WRITE:
            shard.read_messages.pop(ticket, None)
        if request.admitted:
            size = len(request.message)
            shard.pending, shard.pending_bytes = shard.pending - 1, shard.pending_bytes - size
            node.pending, node.pending_bytes = node.pending - 1, node.pending_bytes - size
            if request.kind is RequestKind.WRITE and request.request_id:
                for twin in shard.pending_ids.pop(key_of(request.request_id), ()):
                    finish(node, twin, code, message, leader_id)
    if request.origin is not None:
        origin, epoch, number = request.origin
        reply = ForwardReply(
            number=number,
            to_epoch=epoch,
            code=code,
            message=message,
            leader_id=leader_id,
            index=index,
        )
        node.peer(origin).outbox.reply(reply)
    elif request.kind is RequestKind.READ_INDEX and ticket < 0:  # This node's own question.
        text = message.decode(errors="replace")
        answer = IndexAnswer(
            shard_id=request.shard_id, ticket=ticket, code=code, text=text, index=index
        )
        node.read_indexes.append(answer)
    elif not request.abandoned:
        if request.kind is RequestKind.READ_INDEX and code is Code.OK:
            message = b"%d" % index
        node.out.append(Respond(ticket=ticket, code=code, message=message, leader_id=leader_id))


def abandon(node: Node, ticket: Ticket) -> None:
    """Remember that nobody waits any more; the request itself may still happen."""
    request = node.requests.get(ticket)
    if request is not None:
        request.abandoned = True
