"""Changes of members: before a server is added, it is asked what it is (PROTOCOL C2)."""

from __future__ import annotations

from lolraft.multiraft.answering import refuse
from lolraft.multiraft.frames import Forward, ForwardReply, RequestKind
from lolraft.multiraft.node import Node, Probe, Request, Shard
from lolraft.multiraft.peers import Peer
from lolraft.multiraft.wishes import Wish
from lolraft.raft.effects import Code
from lolraft.raft.events import ChangeMembers
from lolraft.raft.types import NodeId, Ticket

PROBE_S = 2.0  # A server that is to be added must answer within this.


def wish_of(kind: RequestKind, message: bytes) -> Wish:
    """Return what a request of an operator asks for."""
    match kind:
        case RequestKind.ADD_SERVER:
            return Wish(voters=(NodeId(message.decode()),))
        case RequestKind.REMOVE_SERVER:
            return Wish(removed=(NodeId(message.decode()),))
        case _:
            return Wish.decode(message)


def begin(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    """Ask who is new first: does it live, host the shard, belong to no other group (C2)?"""
    wish, configuration = wish_of(request.kind, request.message), shard.state.configuration
    new = {*wish.voters, *wish.learners} - {node.node_id, *configuration.voters}
    new -= {*wish.learners}.intersection(configuration.learners)
    probe = Probe(ticket=ticket, wish=wish, until_s=node.now_s + PROBE_S)
    for server in sorted(new):
        node.next_number += 1
        number = node.next_number
        forward = Forward(number=number, kind=RequestKind.PROBE, shard_id=shard.shard_id)
        node.peer(server).outbox.forward(forward)
        probe.waits_for[number] = server
        node.probes[number] = probe
    if not new:
        _change(node, shard, probe)


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
    """Begin the change when all have answered well, or say why not."""
    probe = node.probes.pop(reply.number)
    server = probe.waits_for.pop(reply.number)
    request = node.requests.get(probe.ticket)
    shard = node.shards.get(request.shard_id) if request is not None else None
    if shard is None:
        return
    if reply.code is not Code.OK:
        text = f"{server} does not host shard {shard.shard_id}; start it with that shard"
        refuse(node, probe.ticket, Code.FAILED_PRECONDITION, text, node.node_id)
    elif reply.group not in (0, shard.state.group):
        text = f"{server} belongs to another group of shard {shard.shard_id}; wipe its data first"
        refuse(node, probe.ticket, Code.FAILED_PRECONDITION, text, node.node_id)
    else:
        probe.incarnations.append((server, reply.incarnation))
        if not probe.waits_for:
            _change(node, shard, probe)


def _change(node: Node, shard: Shard, probe: Probe) -> None:
    event = ChangeMembers(
        ticket=probe.ticket, incarnations=tuple(probe.incarnations), **probe.wish._asdict()
    )
    node.todo.append((shard, event))


def expire_probes(node: Node) -> None:
    """Give up on servers that do not answer: a group is never changed for one (fault 12)."""
    late = [n for n, probe in node.probes.items() if probe.until_s <= node.now_s + 1e-9]
    for number in late:
        probe = node.probes.pop(number)
        if probe.ticket in node.requests:
            server = probe.waits_for[number]
            text = f"{server} does not answer; see whether it runs and can be reached from here"
            refuse(node, probe.ticket, Code.UNAVAILABLE, text, node.node_id)
