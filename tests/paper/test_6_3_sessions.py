"""Chapter 6, section 6.3: implementing linearizable semantics. Serial numbers and sessions."""

from __future__ import annotations

import asyncio

import pytest

from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.multiraft.commands import Registration, RequestId, WriteId, encode
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.events import AppendRequest
from lolraft.raft.types import Clock, Entries, EntryKind, Ticket
from lolraft.sim import Plan
from lolraft.sim.app import Registers
from tests.paper.node import PaperNode
from tests.paper.replica import GROUP, P2
from tests.simulation.stage import Stage
from tests.unit.client.servers import UNAVAILABLE, Fakes, FakeServer, Told, echo

NONCE, OTHER = Registration(b"sixteen bytes..."), Registration(b"another client..")
OUT_OF_RANGE = 11


def registered() -> tuple[PaperNode, int]:
    """Return a leader, and the session that a client has registered with it."""
    node = PaperNode().settled()
    return node, int(node.answers[node.write(NONCE)].message)


def told(node: PaperNode, ticket: Ticket) -> tuple[Code, bytes]:
    """Return what a client was told."""
    return node.answers[ticket].code, node.answers[ticket].message


def executed(node: PaperNode) -> list[int]:
    """Return the indexes of the commands that the state machine has executed."""
    return [index for what, index in node.asked_of_app if what == "write"]


# --- registering ---------------------------------------------------------------------------------


def test_a_client_registers_itself_through_the_log() -> None:
    """§6.3 (figure 6.1, RegisterClient): append the command to the log, replicate and commit it."""
    node = PaperNode().settled()
    ticket = node.ask(RequestKind.WRITE, b"", NONCE)
    index = node.state.log.last_index
    assert node.state.log.payload_at(index) == encode(NONCE, b"")
    assert ticket not in node.answers, "not committed yet"
    node.holds(P2)
    assert ticket in node.answers


def test_its_identifier_is_the_index_of_that_entry() -> None:
    """§6.3 (figure 6.1): the log index of the register command can be used as the identifier."""
    node, session = registered()
    assert session == node.state.log.last_index


def test_each_client_has_an_identifier_of_its_own() -> None:
    """§6.3: each client is given a unique identifier."""
    node, session = registered()
    assert int(node.answers[node.write(OTHER)].message) != session


def test_a_registration_that_is_retried_gives_the_same_session() -> None:
    """§6.3: a client may retry any command; ours: a nonce tells a retry from another client."""
    node, session = registered()
    assert told(node, node.write(NONCE)) == (Code.OK, b"%d" % session)


# --- serial numbers ------------------------------------------------------------------------------


def test_a_command_is_answered_when_it_is_committed_and_applied() -> None:
    """§6.3 (figure 6.1, ClientRequest 2, 5, 7): replicate, commit, apply, reply with the output."""
    node, session = registered()
    ticket = node.ask(RequestKind.WRITE, b"x", WriteId(session, 1, 1))
    assert (ticket in node.answers, executed(node)) == (False, [])
    node.app_is_busy = True
    node.holds(P2)
    index = node.state.log.last_index
    assert (ticket in node.answers, executed(node)) == (False, [index])
    node.free_app()
    assert told(node, ticket) == (Code.OK, b"done at %d" % index)


def test_a_serial_number_that_was_executed_is_answered_at_once() -> None:
    """§6.3: it responds immediately without re-executing the request."""
    node, session = registered()
    first = node.write(WriteId(session, 1, 1))
    before = (node.state.log.last_index, executed(node))
    again = node.ask(RequestKind.WRITE, b"x", WriteId(session, 1, 1))
    assert told(node, again) == told(node, first), "with the associated response"
    assert (node.state.log.last_index, executed(node)) == before


def test_the_state_machine_filters_what_is_in_the_log_twice() -> None:
    """§6.3 (figure 6.1, step 4): if sequenceNum already processed, the stored response."""
    node = PaperNode().follows(P2)
    ids: list[RequestId] = [NONCE, WriteId(2, 1, 1), WriteId(2, 1, 1), WriteId(2, 2, 1)]
    node.say(P2, commands(*ids))
    assert executed(node) == [3, 5]


def commands(*ids: RequestId) -> AppendRequest:
    """Return the append of commands with these ids after entry 1, all of them committed."""
    count = len(ids)
    kinds, payloads = bytes((EntryKind.COMMAND,)) * count, tuple(encode(one, b"x") for one in ids)
    return AppendRequest(
        sender=P2,
        group=GROUP,
        term=1,
        prev_clock=Clock(0, 1),
        entries=Entries(2, (1,) * count, kinds, payloads),
        commit_index=1 + count,
        ledger=(1, 2),
    )


def test_the_same_number_of_another_client_is_another_command() -> None:
    """§6.3: the state machine tracks serial numbers *for each client*."""
    node, session = registered()
    other = int(node.answers[node.write(OTHER)].message)
    for one in (session, other):
        node.ask(RequestKind.WRITE, b"x", WriteId(one, 1, 1))
    node.holds(P2)
    assert len(executed(node)) == 2


def test_a_retry_with_the_next_leader_is_executed_once() -> None:
    """§6.3: the leader may crash after executing a command but before responding; the client
    retries with a new leader, and the command would be executed a second time."""
    stage = Stage(Plan(seed=1))
    old = stage.leader()
    session = int(stage.told(stage.ask(old, RequestKind.WRITE, "", NONCE)).message)
    first = stage.told(stage.ask(old, RequestKind.WRITE, "a + 5", WriteId(session, 1, 1)))
    old.crash()
    stage.until(lambda: stage.leads() is not None and stage.leader() is not old)
    again = stage.ask(stage.leader(), RequestKind.WRITE, "a + 5", WriteId(session, 1, 1))
    assert (stage.told(again).message, first.message) == (b"5", b"5")
    app = stage.leader().queues[0].app
    assert isinstance(app, Registers)
    assert app.executed == {"a": 1}


# --- concurrent requests of one client -----------------------------------------------------------


def test_a_session_holds_a_set_of_numbers_and_responses() -> None:
    """§6.3: instead of the most recent one, it includes a set of number and response pairs."""
    node, session = registered()
    first, _, third = [node.write(WriteId(session, number, 1)) for number in (1, 2, 3)]
    assert told(node, node.write(WriteId(session, 1, 1))) == told(node, first)
    assert told(node, node.write(WriteId(session, 3, 1))) == told(node, third)
    assert len(executed(node)) == 3


def test_numbers_may_overtake_one_another() -> None:
    """§6.3: ... which allows concurrent requests: a lower number may come later."""
    node, session = registered()
    later, earlier = node.write(WriteId(session, 2, 1)), node.write(WriteId(session, 1, 1))
    assert [told(node, ticket)[0] for ticket in (later, earlier)] == [Code.OK, Code.OK]


def test_responses_below_the_lowest_unanswered_are_discarded() -> None:
    """§6.3: the state machine discards all responses for lower sequence numbers; figure 6.1, 3:
    reply SESSION_EXPIRED if the response was already discarded. Ours is OUT_OF_RANGE."""
    node, session = registered()
    node.write(WriteId(session, 1, 1))
    node.write(WriteId(session, 2, 2))
    late = node.ask(RequestKind.WRITE, b"x", WriteId(session, 1, 1))
    assert told(node, late)[0] is Code.OUT_OF_RANGE
    assert len(executed(node)) == 2


def test_a_number_that_was_given_up_is_not_executed_when_it_comes_late() -> None:
    """§6.3: a lower number has its response, or nobody waits for it: it is never executed."""
    node = PaperNode().follows(P2)
    node.say(P2, commands(NONCE, WriteId(2, 5, 5), WriteId(2, 4, 4)))
    assert executed(node) == [3]


# --- expiry --------------------------------------------------------------------------------------


def test_a_command_without_a_session_is_not_processed() -> None:
    """§6.3: with no record of the session, it returns an error and does not process it."""
    node = PaperNode().settled()
    assert told(node, node.write(WriteId(2, 1, 1)))[0] is Code.OUT_OF_RANGE
    assert executed(node) == []


def test_a_session_that_is_not_used_expires() -> None:
    """§6.3: sessions cannot be kept forever, as space is limited."""
    node = PaperNode(session_entries=5).settled()
    session = int(node.answers[node.write(NONCE)].message)
    for _ in range(5):
        node.write()
    assert told(node, node.write(WriteId(session, 1, 1)))[0] is Code.OUT_OF_RANGE
    assert len(executed(node)) == 5


def test_a_session_that_is_used_does_not_expire() -> None:
    """§6.3: least recently used; ours counts entries of the shard since its last command."""
    node = PaperNode(session_entries=5).settled()
    session = int(node.answers[node.write(NONCE)].message)
    for number in range(1, 4):
        for _ in range(4):
            node.write()
        assert told(node, node.write(WriteId(session, number, number)))[0] is Code.OK


def test_no_clock_expires_a_session() -> None:
    """§6.3: servers must agree on when; an agreed time source would do, ours is the log alone."""
    node = PaperNode().follows(P2)
    whole = commands(NONCE, WriteId(2, 1, 1))
    node.say(P2, cut(whole, 1, 1))
    node.now_s += 1e6
    node.say(P2, cut(whole, 2, 1))
    assert executed(node) == [3]


def test_all_servers_expire_it_at_the_same_entry() -> None:
    """§6.3: otherwise, servers' state machines could diverge: one would apply, another not."""
    ids: list[RequestId] = [NONCE, *["other"] * 5, WriteId(2, 1, 1), NONCE, WriteId(9, 1, 1)]
    alike = []
    for split in range(1, len(ids)):
        node = PaperNode(session_entries=5).follows(P2)
        whole = commands(*ids)
        node.say(P2, cut(whole, 1, split), cut(whole, 1 + split, len(ids) - split))
        alike.append(executed(node))
    assert alike[0] == [3, 10], "the opaque id once, the expired session never, the new one"
    assert all(one == alike[0] for one in alike)


def cut(whole: AppendRequest, previous: int, count: int) -> AppendRequest:
    """Return the part of an append that brings *count* entries after index *previous*."""
    start, entries = previous - 1, whole.entries
    stop = start + count
    return AppendRequest(
        sender=whole.sender,
        group=whole.group,
        term=whole.term,
        prev_clock=Clock(0, 1) if previous == 1 else Clock(1, previous),
        entries=Entries(
            previous + 1,
            entries.terms[start:stop],
            entries.kinds[start:stop],
            entries.payloads[start:stop],
        ),
        commit_index=previous + count,
        ledger=whole.ledger,
    )


# --- the client's side ---------------------------------------------------------------------------


async def sessions_of(server: FakeServer, *messages: bytes) -> list[tuple[int, ...]]:
    """Let one client write one after another; return under which ids they came."""
    async with RaftClient([server.node_id]) as client:
        for message in messages:
            await client.write(0, message)
    return [one.session for one in server.asked]


async def test_clients_assign_unique_serial_numbers(fakes: Fakes) -> None:
    """§6.3: clients assign unique serial numbers to every command."""
    server = await fakes.start(echo)
    ids = await sessions_of(server, b"a", b"b", b"c")
    assert [(session, number) for session, number, _ in ids] == [(1, 1), (1, 2), (1, 3)]


async def test_a_retry_carries_the_same_serial_number(fakes: Fakes) -> None:
    """§6.3: ... so that a command that is retried is recognised."""
    answers = iter([Told(UNAVAILABLE, b"no leader now"), Told(message=b"done")])
    server = await fakes.start(lambda _: next(answers))
    assert await sessions_of(server, b"x") == [(1, 1, 1), (1, 1, 1)]


async def test_a_client_says_the_lowest_number_without_a_response(fakes: Fakes) -> None:
    """§6.3: with each request it includes the lowest number for which it has no response."""
    server = await fakes.start(lambda one: None if one.message == b"slow" else echo(one))
    async with RaftClient([server.node_id]) as client:
        await client.write(0, b"first")
        slow = asyncio.ensure_future(client.write(0, b"slow"))
        await asyncio.sleep(0)
        await client.write(0, b"beside")
        await client.write(0, b"after")
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
    lowest = {one.message: one.session[2] for one in server.asked}
    assert lowest == {b"first": 1, b"slow": 2, b"beside": 2, b"after": 2}


async def test_a_client_whose_session_expired_does_not_execute_again(fakes: Fakes) -> None:
    """§6.3: with a new session a command that may have been executed would be so again. LogCabin
    crashes the client; ours raises, and says that the outcome is unknown."""
    answers = iter([Told(UNAVAILABLE, b"leadership was lost"), Told(OUT_OF_RANGE, b"expired")])
    server = await fakes.start(lambda _: next(answers))
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed, match="expired") as failed:
            await client.write(0, b"x")
    assert not failed.value.outcome_known
    assert len(server.asked) == 2


async def test_an_idle_client_whose_session_expired_registers_anew(fakes: Fakes) -> None:
    """§6.3: servers must distinguish a new client from one whose session expired; ours: a write
    that was sent once and refused was not executed, so its client may be a new one."""
    server = await fakes.start(echo)
    server.say = lambda one: Told(OUT_OF_RANGE, b"expired") if one.session[0] == 1 else echo(one)
    assert [one[:2] for one in await sessions_of(server, b"x")] == [(1, 1), (2, 1)]
