"""Clients' requests: answered here, forwarded one hop, or told why not (PROTOCOL C2, C4, S6)."""

from __future__ import annotations

from hashlib import blake2b

from lolraft.multiraft import commands
from lolraft.multiraft.answering import finish, refuse
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import Forward, ForwardReply, RequestKind
from lolraft.multiraft.node import Node, Request, Shard
from lolraft.multiraft.peers import Peer
from lolraft.raft.effects import Code, Proposed
from lolraft.raft.events import (
    AddServer,
    Bootstrap,
    Propose,
    ReadIndex,
    RemoveServer,
    TimeoutNow,
    TransferLeadership,
)
from lolraft.raft.types import Index, NodeId, Role, Term, Ticket

PROBE_S = 2.0  # A server that is to be added must answer within this.
UNKNOWN = "outcome unknown, try again with the same request id"


def on_client_request(node: Node, event: ClientRequest) -> None:
    """Take one request of a client of this node."""
    request = Request(
        kind=event.kind,
        shard_id=event.shard_id,
        message=event.message,
        request_id=event.request_id,
        until_s=node.now_s + node.config.wait_s,
    )
    node.requests[event.ticket] = request
    dispatch(node, event.ticket, request)


def on_forward(node: Node, peer: Peer, epoch: int, forward: Forward) -> None:
    """Take a request that another node forwarded: one hop, so it is not passed on."""
    if forward.kind is RequestKind.PROBE:
        _answer_probe(node, peer, epoch, forward)
        return
    ticket, node.next_internal = node.next_internal, node.next_internal - 1
    request = Request(
        kind=forward.kind,
        shard_id=forward.shard_id,
        message=forward.message,
        request_id=forward.request_id,
        origin=(peer.node_id, epoch, forward.number),
    )
    node.requests[ticket] = request
    dispatch(node, ticket, request)


def dispatch(node: Node, ticket: Ticket, request: Request) -> None:
    """Do it here if this node leads, forward it if another does, wait a little if nobody does."""
    shard = node.shards.get(request.shard_id)
    if node.stopping or node.disk_failed:
        refuse(node, ticket, Code.UNAVAILABLE, f"{node.node_id} is stopping; use another node")
    elif shard is None:
        text = f"shard {request.shard_id} is not hosted by {node.node_id}; see its --shards"
        refuse(node, ticket, Code.NOT_FOUND, text)
    elif shard.state.stopped:
        text = f"the replica of shard {request.shard_id} on {node.node_id} has stopped; see its log"
        refuse(node, ticket, Code.UNAVAILABLE, text)
    elif shard.state.role is Role.LEADER:
        _lead(node, shard, ticket, request)
    elif shard.state.is_silent:
        _ask_silent(node, shard, ticket, request)
    elif shard.state.leader_id is not None:
        _forward(node, shard, ticket, request)
    else:
        _wait(node, shard, ticket, request)


def _lead(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    match request.kind:
        case RequestKind.WRITE:
            _write(node, shard, ticket, request)
        case RequestKind.READ:
            shard.read_messages[ticket] = request.message
            node.todo.append((shard, ReadIndex(ticket=ticket)))
        case RequestKind.TRANSFER:
            target = NodeId(request.message.decode()) if request.message else None
            node.todo.append((shard, TransferLeadership(ticket=ticket, target=target)))
        case RequestKind.REMOVE_SERVER:
            server = NodeId(request.message.decode())
            node.todo.append((shard, RemoveServer(ticket=ticket, server_id=server)))
        case RequestKind.ADD_SERVER:
            server = NodeId(request.message.decode())
            if server in shard.state.configuration.voters:
                node.todo.append((shard, AddServer(ticket=ticket, server_id=server)))
            else:
                _probe(node, shard, ticket, server)
        case RequestKind.PROBE:
            refuse(node, ticket, Code.INVALID_ARGUMENT, "a probe is not a client's request")


def _write(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
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


def _ask_silent(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    begins = request.kind is RequestKind.ADD_SERVER and request.message.decode() == node.node_id
    if begins and request.origin is None:  # Forwarded, it was meant for a group that exists.
        seed = f"{node.record.incarnation}/{node.record.epoch}/{shard.shard_id}/{node.seq}"
        digest = blake2b(seed.encode(), digest_size=16).digest()
        group_id = int.from_bytes(digest, "big") | 1
        bootstrap = Bootstrap(ticket=ticket, voters=(node.node_id,), group_id=group_id)
        node.todo.append((shard, bootstrap))
        return
    text = (
        f"shard {shard.shard_id} is not bootstrapped on {node.node_id}: send AddServer with this "
        "server's own id to begin a group, or with it to a member of the group it should join"
    )
    refuse(node, ticket, Code.FAILED_PRECONDITION, text)


def _wait(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    expired = node.now_s >= request.until_s - 1e-9
    if expired or len(shard.waiting) >= node.config.waiting_requests:
        text = f"shard {shard.shard_id} has no leader now; try again in a moment"
        refuse(node, ticket, Code.UNAVAILABLE, text)
    else:
        shard.waiting.append((request.until_s, ticket))
        node.waiting_shards.add(shard.shard_id)


def on_leader_known(node: Node, shard: Shard) -> None:
    """Send on what waited for a leader."""
    waiting, shard.waiting = shard.waiting, type(shard.waiting)()
    node.waiting_shards.discard(shard.shard_id)
    for _, ticket in waiting:
        request = node.requests.get(ticket)
        if request is not None:
            dispatch(node, ticket, request)


def expire_waiting(node: Node) -> None:
    """Answer who has waited for long enough."""
    for shard_id in sorted(node.waiting_shards):
        shard = node.shards[shard_id]
        while shard.waiting and shard.waiting[0][0] <= node.now_s + 1e-9:
            _, ticket = shard.waiting.popleft()
            if ticket in node.requests:
                dispatch(node, ticket, node.requests[ticket])
        if not shard.waiting:
            node.waiting_shards.discard(shard_id)


def next_expiry_s(node: Node) -> float | None:
    """Return when the first waiting request, or probe, will have waited for long enough."""
    times = [node.shards[s].waiting[0][0] for s in node.waiting_shards if node.shards[s].waiting]
    times += [until_s for until_s, _ in node.probes.values()]
    oldest = next(iter(node.forwarded.values()), None)
    if oldest in node.requests:
        times.append(node.requests[oldest].answer_by_s)
    return min(times, default=None)


# --- forwarding ----------------------------------------------------------------------------------


def _forward(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    leader_id = shard.state.leader_id
    assert leader_id is not None, "somebody to forward to"
    peer = node.peer(leader_id)
    if request.origin is not None:  # One hop only.
        text = f"{node.node_id} does not lead shard {shard.shard_id}"
        refuse(node, ticket, Code.UNAVAILABLE, text, leader_id)
        return
    if not peer.up:  # It comes back, or another one leads: what is queued now nobody would answer.
        return _wait(node, shard, ticket, request)
    node.next_number += 1
    forward = Forward(
        number=node.next_number,
        kind=request.kind,
        shard_id=request.shard_id,
        message=request.message,
        request_id=request.request_id,
    )
    if not peer.outbox.forward(forward):
        text = f"too much waits for the leader {leader_id}; wait a little and try again"
        refuse(node, ticket, Code.RESOURCE_EXHAUSTED, text, leader_id)
        return
    request.forwarded_to = leader_id
    request.answer_by_s = node.now_s + node.config.answer_s
    node.forwarded[forward.number] = ticket


def on_reply(node: Node, peer: Peer, reply: ForwardReply) -> None:
    """Pass the leader's answer on, and who gave it: the next request need not come by here."""
    if reply.to_epoch != node.record.epoch:
        return
    if reply.number in node.probes:
        _on_probe_reply(node, reply)
        return
    ticket = node.forwarded.pop(reply.number, None)
    if ticket is not None and ticket in node.requests:
        by_leader = reply.code in (Code.OK, Code.ABORTED)
        leader_id = peer.node_id if by_leader else reply.leader_id
        finish(node, ticket, reply.code, reply.message, leader_id)


def expire_forwarded(node: Node) -> None:
    """End what the leader does not answer: its answer was lost on a stream of its own."""
    while node.forwarded:
        number, ticket = next(iter(node.forwarded.items()))  # The oldest.
        request = node.requests.get(ticket)
        if request is not None and request.answer_by_s > node.now_s + 1e-9:
            return
        del node.forwarded[number]
        text = f"no answer came from the leader for {node.config.answer_s:g} s; {UNKNOWN}"
        refuse(node, ticket, Code.UNAVAILABLE, text)


def on_peer_gone(node: Node, peer_id: NodeId) -> None:
    """Try what was forwarded to it again where that is safe, else say that its fate is open."""
    lost = [
        (number, ticket)
        for number, ticket in node.forwarded.items()
        if ticket in node.requests and node.requests[ticket].forwarded_to == peer_id
    ]
    for number, ticket in lost:
        del node.forwarded[number]
        request = node.requests[ticket]
        repeatable = request.kind is RequestKind.READ or bool(request.request_id)
        shard = node.shards.get(request.shard_id)
        request.forwarded_to = None
        if repeatable and shard is not None and shard.state.leader_id != peer_id:
            dispatch(node, ticket, request)
        else:
            text = f"the connection to the leader {peer_id} broke; {UNKNOWN}"
            refuse(node, ticket, Code.UNAVAILABLE, text)


def _probe(node: Node, shard: Shard, ticket: Ticket, server: NodeId) -> None:
    """Ask the server first: does it live, host the shard, belong to no other group (C2)?"""
    peer = node.peer(server)
    node.next_number += 1
    forward = Forward(number=node.next_number, kind=RequestKind.PROBE, shard_id=shard.shard_id)
    peer.outbox.forward(forward)
    node.probes[forward.number] = (node.now_s + PROBE_S, ticket)


def _answer_probe(node: Node, peer: Peer, epoch: int, forward: Forward) -> None:
    shard = node.shards.get(forward.shard_id)
    reply = ForwardReply(
        number=forward.number,
        to_epoch=epoch,
        code=Code.NOT_FOUND if shard is None else Code.OK,
        group=shard.state.group if shard is not None else 0,
        incarnation=node.record.incarnation,
    )
    peer.outbox.reply(reply)


def _on_probe_reply(node: Node, reply: ForwardReply) -> None:
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


def on_operator_timeout_now(node: Node, ticket: Ticket, shard_id: int) -> None:
    """Stand for election at once, through the leader where there is one (S6, C4)."""
    shard = node.shards.get(shard_id)
    request = Request(
        kind=RequestKind.TRANSFER,
        shard_id=shard_id,
        message=node.node_id.encode(),
        request_id="",
        until_s=node.now_s,
    )
    node.requests[ticket] = request
    if shard is None or shard.state.is_silent or shard.state.leader_id is not None:
        dispatch(node, ticket, request)
    elif not shard.state.may_stand():
        text = f"{node.node_id} is no voter of shard {shard_id}"
        refuse(node, ticket, Code.FAILED_PRECONDITION, text)
    else:
        node.todo.append((shard, TimeoutNow()))
        finish(node, ticket, Code.OK, b"")
