"""Before a server is added it is asked what it is (PROTOCOL C2)."""

from __future__ import annotations

from lolraft.multiraft.answering import refuse
from lolraft.multiraft.frames import Forward, ForwardReply, RequestKind
from lolraft.multiraft.node import Node, Shard
from lolraft.multiraft.peers import Peer
from lolraft.raft.effects import Code
from lolraft.raft.events import AddServer
from lolraft.raft.types import NodeId, Ticket

PROBE_S = 2.0  # A server that is to be added must answer within this.


def ask(node: Node, shard: Shard, ticket: Ticket, server: NodeId) -> None:
    """Ask the server first: does it live, host the shard, belong to no other group (C2)?"""
    peer = node.peer(server)
    node.next_number += 1
    forward = Forward(number=node.next_number, kind=RequestKind.PROBE, shard_id=shard.shard_id)
    peer.outbox.forward(forward)
    node.probes[forward.number] = (node.now_s + PROBE_S, ticket)


def answer(node: Node, peer: Peer, epoch: int, forward: Forward) -> None:
    """Say what this server is: whether it hosts the shard, and of which group."""
    shard = node.shards.get(forward.shard_id)
    reply = ForwardReply(
        number=forward.number,
        to_epoch=epoch,
        code=Code.NOT_FOUND if shard is None else Code.OK,
        group=shard.state.group if shard is not None else 0,
        incarnation=node.record.incarnation,
    )
    peer.outbox.reply(reply)


def on_reply(node: Node, reply: ForwardReply) -> None:
    """Add the server, or say why not."""
    _, ticket = node.probes.pop(reply.number)
    request = node.requests.get(ticket)
    shard = node.shards.get(request.shard_id) if request is not None else None
    if request is None or shard is None:
        return
    server = NodeId(request.message.decode())
    if reply.code is not Code.OK:
        text = f"{server} does not host shard {shard.shard_id}; start it with that shard"
        refuse(node, ticket, Code.FAILED_PRECONDITION, text)
    elif reply.group not in (0, shard.state.group):
        text = f"{server} belongs to another group of shard {shard.shard_id}; wipe its data first"
        refuse(node, ticket, Code.FAILED_PRECONDITION, text)
    else:
        add = AddServer(ticket=ticket, server_id=server, incarnation=reply.incarnation)
        node.todo.append((shard, add))


def expire_probes(node: Node) -> None:
    """Give up on servers that do not answer: a group is never changed for one (fault 12)."""
    late = [n for n, (until_s, _) in node.probes.items() if until_s <= node.now_s + 1e-9]
    for number in late:
        _, ticket = node.probes.pop(number)
        if ticket in node.requests:
            server = node.requests[ticket].message.decode()
            text = f"{server} does not answer; see whether it runs and can be reached from here"
            refuse(node, ticket, Code.UNAVAILABLE, text)
