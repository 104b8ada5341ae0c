"""Clients' requests: answered here, forwarded one hop, or told why not (PROTOCOL C2, C4, S6)."""

from __future__ import annotations

from bisect import insort
from hashlib import blake2b

from lolraft.multiraft import changes, leases, local_reads, proposals
from lolraft.multiraft.answering import finish, refuse
from lolraft.multiraft.commands import WriteId
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import Forward, ForwardReply, RequestKind
from lolraft.multiraft.node import Node, Request, Shard
from lolraft.multiraft.peers import Peer
from lolraft.raft.effects import Code
from lolraft.raft.events import Bootstrap, ReadIndex, TimeoutNow, TransferLeadership
from lolraft.raft.types import NodeId, Role, Ticket


def on_client_request(node: Node, event: ClientRequest) -> None:
    """Take one request of a client of this node."""
    request = Request(
        kind=event.kind,
        shard_id=event.shard_id,
        message=event.message,
        request_id=event.request_id,
        until_s=node.now_s + node.config.wait_s,
        max_staleness_s=event.max_staleness_s,
    )
    node.requests[event.ticket] = request
    dispatch(node, event.ticket, request)


def on_forward(node: Node, peer: Peer, epoch: int, forward: Forward) -> None:
    """Take a request that another node forwarded: one hop, so it is not passed on."""
    if forward.kind is RequestKind.PROBE:
        changes.answer(node, peer, epoch, forward)
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
        refuse(node, ticket, Code.UNAVAILABLE, shard.stopped_text)
    elif shard.state.role is Role.LEADER:
        _lead(node, shard, ticket, request)
    elif shard.state.is_silent:
        _ask_silent(node, shard, ticket, request)
    elif request.kind in (RequestKind.READ_LOCAL, RequestKind.READ_STALE):
        local_reads.take(node, shard, ticket, request)
    elif shard.state.leader_id is not None:
        _forward(node, shard, ticket, request)
    else:
        _wait(node, shard, ticket, request)


def _lead(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    match request.kind:
        case RequestKind.WRITE:
            proposals.write(node, shard, ticket, request)
        case RequestKind.READ | RequestKind.READ_LOCAL | RequestKind.READ_LEASE:
            if proposals.admit(node, shard, ticket, request):
                shard.read_messages[ticket] = request.message
                leased = request.kind is RequestKind.READ_LEASE and leases.is_held(node, shard)
                node.todo.append((shard, ReadIndex(ticket=ticket, leased=leased)))
        case RequestKind.READ_STALE:
            local_reads.take(node, shard, ticket, request)  # Even a leader may be deposed.
        case RequestKind.READ_INDEX:
            node.todo.append((shard, ReadIndex(ticket=ticket)))
        case RequestKind.TRANSFER:
            target = NodeId(request.message.decode()) if request.message else None
            node.todo.append((shard, TransferLeadership(ticket=ticket, target=target)))
        case RequestKind.ADD_SERVER | RequestKind.REMOVE_SERVER | RequestKind.CHANGE_MEMBERS:
            changes.begin(node, shard, ticket, request)
        case RequestKind.PROBE:
            refuse(node, ticket, Code.INVALID_ARGUMENT, "a probe is not a client's request")


def _ask_silent(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    begins = request.kind is RequestKind.ADD_SERVER and request.message.decode() == node.node_id
    begins = begins and not shard.state.damage  # It belongs to a group, whose log it has lost.
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
    if request.stands and shard.state.leader_id is None:
        _stand(node, shard, ticket, request)
    elif expired or len(shard.waiting) >= node.config.waiting_requests:
        text = f"shard {shard.shard_id} has no leader now; try again in a moment"
        refuse(node, ticket, Code.UNAVAILABLE, text)
    else:
        insort(shard.waiting, (request.until_s, ticket))
        node.waiting_shards.add(shard.shard_id)


def _stand(node: Node, shard: Shard, ticket: Ticket, request: Request) -> None:
    """Stand for election where nobody leads, as soon as this node's promise is over (S6)."""
    if not shard.state.may_stand():
        text = f"{node.node_id} is no voter of shard {shard.shard_id}"
        refuse(node, ticket, Code.FAILED_PRECONDITION, text)
        return
    promised_s = leases.promised_until_s(node, shard)
    if promised_s > node.now_s:
        request.until_s = promised_s + 1e-6  # Deadlines are met within less; a promise is kept.
        insort(shard.waiting, (request.until_s, ticket))
        node.waiting_shards.add(shard.shard_id)
    else:
        node.todo.append((shard, TimeoutNow()))
        finish(node, ticket, Code.OK, b"")


def read_locally(node: Node) -> bool:
    """Serve what replicas read themselves; return whether that left something to do."""
    ended = bool(node.read_indexes)
    questions = local_reads.settle(node)
    for ticket, request in questions:
        dispatch(node, ticket, request)
    return ended or bool(questions)


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


def has_waiting(node: Node) -> bool:
    """Return whether anything here waits for a time: most turns of an idle node find nothing."""
    return bool(node.waiting_shards or node.probes or node.reading or node.forwarded)


def next_expiry_s(node: Node) -> float | None:
    """Return when the first waiting request, or probe, will have waited for long enough."""
    times = [node.shards[s].waiting[0][0] for s in node.waiting_shards if node.shards[s].waiting]
    times += [probe.until_s for probe in node.probes.values()]
    reading_s = local_reads.next_expiry_s(node)
    times += [] if reading_s is None else [reading_s]
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
        changes.on_reply(node, reply)
        return
    ticket = node.forwarded.pop(reply.number, None)
    if ticket is not None and ticket in node.requests:
        by_leader = reply.code in (Code.OK, Code.ABORTED)
        leader_id = peer.node_id if by_leader else reply.leader_id
        finish(node, ticket, reply.code, reply.message, leader_id, reply.index)


def on_strangers_replies(node: Node, peer: Peer, replies: tuple[ForwardReply, ...]) -> None:
    """
    Hear a wiped server that was asked before it is added: the change names its incarnation (S4).

    Not while it is a member of any shard here: there it may have voted, and has forgotten it.
    """
    asked = [reply for reply in replies if reply.number in node.probes]
    if not asked or any(
        peer.node_id in shard.state.configuration.members for shard in node.shards.values()
    ):
        return
    for reply in asked:
        on_reply(node, peer, reply)


def expire_forwarded(node: Node) -> None:
    """End what the leader does not answer: its answer was lost on a stream of its own."""
    while node.forwarded:
        number, ticket = next(iter(node.forwarded.items()))  # The oldest.
        request = node.requests.get(ticket)
        if request is not None and request.answer_by_s > node.now_s + 1e-9:
            return
        del node.forwarded[number]
        text = f"no answer came from the leader for {node.config.answer_s:g} s; {proposals.UNKNOWN}"
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
        # Of a session's write each copy is sent by its client, who counts them: "expired" in
        # answer to the only one tells it that nothing has happened.
        repeatable = request.kind.is_read or (
            bool(request.request_id) and not isinstance(request.request_id, WriteId)
        )
        shard = node.shards.get(request.shard_id)
        request.forwarded_to = None
        if repeatable and shard is not None and shard.state.leader_id != peer_id:
            dispatch(node, ticket, request)
        else:
            text = f"the connection to the leader {peer_id} broke; {proposals.UNKNOWN}"
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
    request.stands = shard is not None and shard.state.leader_id is None
    dispatch(node, ticket, request)
