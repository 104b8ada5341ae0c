"""Chapter 6, sections 6.1 (finding the cluster) and 6.2 (routing requests to the leader)."""

from __future__ import annotations

import random

import pytest

from lolraft.client import RaftClient
from lolraft.errors import ConfigError, RequestFailed
from lolraft.multiraft.frames import Forward, ForwardReply, RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.events import AppendResponse, LeaderLost, Propose
from lolraft.raft.types import Role
from tests.paper.node import PaperNode
from tests.paper.replica import GROUP, P2, P3, Paper, answers
from tests.unit.client.servers import FAILED_PRECONDITION, UNAVAILABLE, Fakes, Told, echo

READ, WRITE = RequestKind.READ, RequestKind.WRITE


# --- 6.1 -----------------------------------------------------------------------------------------


def test_a_client_must_know_a_server() -> None:
    """§6.1: clients must locate the cluster; ours is given addresses, and looks up none."""
    with pytest.raises(ConfigError, match="address of one server"):
        RaftClient([])


async def test_one_server_is_enough_to_find_the_leader(fakes: Fakes) -> None:
    """§6.1: the list of servers need not be complete; who is found tells of the leader."""
    leader = await fakes.start(echo)
    known = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", leader.node_id))
    async with RaftClient([known.node_id]) as client:
        assert await client.read(0, b"x") == b"x"
    assert (len(known.asked), len(leader.asked)) == (1, 1)


async def test_a_server_that_was_removed_is_passed_over(fakes: Fakes) -> None:
    """§6.1: the list of servers may be out of date while the membership changes."""
    removed = await fakes.start(lambda _: Told(FAILED_PRECONDITION, b"no member"))
    member = await fakes.start(echo)
    async with RaftClient([removed.node_id, member.node_id]) as client:
        client._next = 0
        assert await client.read(0, b"x") == b"x"
    assert len(removed.asked) == 1


# --- 6.2: clients --------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", [0, 1, 2])
async def test_a_client_begins_with_a_random_server(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, choice: int
) -> None:
    """§6.2: when a client first starts up, it connects to a randomly chosen server."""
    servers = [await fakes.start(echo) for _ in range(3)]
    with monkeypatch.context() as chance:
        chance.setattr(random, "randrange", lambda _: choice)
        client = RaftClient([server.node_id for server in servers])
    async with client:
        await client.read(0, b"x")
    assert [len(server.asked) for server in servers] == [int(n == choice) for n in range(3)]


async def test_a_client_goes_to_the_leader_that_it_was_told_of(fakes: Fakes) -> None:
    """§6.2: it is told the leader's address, so that it can connect to the leader directly."""
    leader = await fakes.start(echo)
    other = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", leader.node_id))
    async with RaftClient([other.node_id]) as client:
        for _ in range(3):
            await client.read(0, b"x")
    assert (len(other.asked), len(leader.asked)) == (1, 3)


async def test_a_client_that_loses_the_leader_tries_another_server(fakes: Fakes) -> None:
    """§6.2: if it loses its connection it retries with a random server; insisting on the last
    known leader would delay it if that failed. Ours goes round, from a random one on."""
    leader = await fakes.start(echo)
    other = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", leader.node_id))
    async with RaftClient([other.node_id]) as client:
        await client.read(0, b"first")
        leader.ends_streams_after = leader.batches + 1  # The stream breaks at the next request.
        other.say = echo
        assert await client.read(0, b"second") == b"second"
    assert [one.message for one in leader.asked] == [b"first"]
    assert [one.message for one in other.asked] == [b"first", b"second"]


async def test_two_that_redirect_to_each_other_keep_no_client_in_a_loop(fakes: Fakes) -> None:
    """§6.2: otherwise two servers could redirect to each other, in infinite loops."""
    one = await fakes.start(echo)
    two = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", one.node_id))
    one.say = lambda _: Told(UNAVAILABLE, b"not I", two.node_id)
    async with RaftClient([one.node_id]) as client:
        with pytest.raises(RequestFailed, match="not I"):
            await client.read(0, b"x", timeout_s=0.5)
    assert len(one.asked) + len(two.asked) < 30, "it waits between them"


# --- 6.2: who does not lead ----------------------------------------------------------------------


def test_who_does_not_lead_rejects_and_names_the_leader() -> None:
    """§6.2: the server rejects the request and returns the address of the leader, if known.
    Ours does so to a server that forwards; for a client it is the second approach."""
    node = PaperNode().follows(P2)
    node.pass_on(P3, Forward(number=5, kind=WRITE, shard_id=0, message=b"x"))
    ((to, reply),) = node.replies
    assert (to, reply.number, reply.code, reply.leader_id) == (P3, 5, Code.UNAVAILABLE, P2)
    assert not node.forwards, "one hop (C2)"


def test_who_does_not_lead_proxies_to_the_leader() -> None:
    """§6.2: the second approach is for the server to proxy the request to the leader."""
    node = PaperNode().follows(P2)
    ticket = node.ask(WRITE, b"x", "id")
    ((to, forward),) = node.forwards
    assert (to, forward.kind, forward.message, forward.request_id) == (P2, WRITE, b"x", "id")
    node.reply(P2, ForwardReply(number=forward.number, to_epoch=1, code=Code.OK, message=b"y"))
    answer = node.answers[ticket]
    assert (answer.message, answer.leader_id) == (b"y", P2), "next time it goes there itself"


def test_without_a_leader_there_is_no_hint() -> None:
    """§6.2: ... *if known*; ours waits a little, for the election that is under way."""
    node = PaperNode()
    ticket = node.ask(READ)
    node.run(0.5)
    assert ticket not in node.answers
    node.run(0.5)
    assert (node.answers[ticket].code, node.answers[ticket].leader_id) == (Code.UNAVAILABLE, None)


def test_a_follower_keeps_track_of_the_leader() -> None:
    """§6.2: followers keep track of the leader's identity, to redirect or proxy clients."""
    (answer,) = answers(Paper(1).follow(P3).tell(Propose(tickets=(1,), payloads=(b"x",))))
    assert answer.leader_id == P3


def test_a_follower_forgets_the_leader_when_it_begins_an_election() -> None:
    """§6.2: they must discard this information when starting a new election ..."""
    one = Paper(1).follow(P3)
    one.tell(LeaderLost(leader_id=P3, term=1))
    one.expire()
    (answer,) = answers(one.tell(Propose(tickets=(1,), payloads=(b"x",))))
    assert (one.state.role, answer.leader_id) == (Role.PRE_CANDIDATE, None)


def test_a_follower_forgets_the_leader_when_the_term_changes() -> None:
    """§6.2: ... or when the term changes."""
    one = Paper(1).follow(P3)
    one.tell(AppendResponse(sender=P2, group=GROUP, term=2, success=False))
    (answer,) = answers(one.tell(Propose(tickets=(1,), payloads=(b"x",))))
    assert answer.leader_id is None


# --- 6.2: a leader that is not the current one ---------------------------------------------------


def test_a_leader_without_a_majority_steps_down() -> None:
    """§6.2: a leader steps down if an election timeout elapses without a successful round of
    heartbeats to a majority of its cluster."""
    node = PaperNode().settled()
    node.run(0.9)
    roles = [node.state.role]
    node.run(0.2)
    roles.append(node.state.role)
    assert roles == [Role.LEADER, Role.FOLLOWER], "an election timeout is 1 s"


def test_a_leader_with_a_majority_stays() -> None:
    """§6.2: ... to a *majority*: one of two peers and itself."""
    node = PaperNode().settled()
    for _ in range(30):
        node.run(0.1)
        node.ack(P2)
    assert node.state.role is Role.LEADER


def test_clients_of_a_leader_that_steps_down_may_retry_elsewhere() -> None:
    """§6.2: this allows clients to retry their requests with another server."""
    node = PaperNode().settled()
    tickets = [node.ask(WRITE, b"x"), node.ask(READ)]
    node.run(1.2)
    assert [node.answers[ticket].code for ticket in tickets] == [Code.UNAVAILABLE] * 2
    assert b"outcome unknown" in node.answers[tickets[0]].message, "the entry is in some logs"
