"""A client's sessions, and servers that forget them, answer late, or have no room (§6.3, S10)."""

from __future__ import annotations

import asyncio

import pytest

from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.multiraft import unanswered
from lolraft.multiraft.commands import MOST_UNANSWERED
from lolraft.multiraft.unanswered import Session
from tests.unit.client.servers import UNAVAILABLE, Fakes, Told, echo

RESOURCE_EXHAUSTED, OUT_OF_RANGE = 8, 11
PATIENCE_S = 10.0


async def test_one_registration_serves_all_writes_of_a_shard(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        await asyncio.gather(*(client.write(7, b"%d" % n) for n in range(200)))
        await client.write(7, b"after")
        assert len(server.nonces) == 1
        await client.write(8, b"other shard")
    assert len(server.nonces) == len(set(server.nonces)) == 2
    first = [one.session for one in server.asked if one.session[0] == 1]
    assert [sequence for _, sequence, _ in first] == list(range(1, 202))
    assert first[-1] == (1, 201, 201), "all before it were answered"
    assert all(lowest <= sequence for _, sequence, lowest in first)
    assert {one.request_id for one in server.asked} == {""}


async def test_an_id_of_the_callers_own_stays_opaque(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        await client.write(0, b"x", request_id="mine")
    assert server.nonces == []
    assert server.asked[0].request_id == "mine"


async def test_a_session_that_expired_while_idle_is_replaced_without_a_word(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    server.say = lambda one: Told(OUT_OF_RANGE, b"expired") if one.session[0] == 1 else echo(one)
    async with RaftClient([server.node_id]) as client:
        answers = await asyncio.gather(*(client.write(0, b"%d" % n) for n in range(20)))
        assert answers == [b"%d" % n for n in range(20)]
    assert len(server.nonces) == 2


async def test_an_unknown_outcome_stays_unknown_when_the_session_expires(fakes: Fakes) -> None:
    """The first try may have been executed: a new session would execute it again."""
    told = iter([Told(UNAVAILABLE, b"leadership was lost"), Told(OUT_OF_RANGE, b"expired")])
    server = await fakes.start(lambda _: next(told))
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed, match="expired") as failed:
            await client.write(0, b"x")
    assert (failed.value.code, failed.value.outcome_known) == ("OUT_OF_RANGE", False)
    assert [one.session for one in server.asked] == [(1, 1, 1), (1, 1, 1)]


async def test_who_was_given_up_is_not_waited_for_by_the_lowest_unanswered(fakes: Fakes) -> None:
    server = await fakes.start(lambda one: None if one.message == b"lost" else echo(one))
    async with RaftClient([server.node_id]) as client:
        await client.write(0, b"first")
        lost = asyncio.ensure_future(client.write(0, b"lost"))
        await asyncio.sleep(0)
        await client.write(0, b"beside")
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        await client.write(0, b"after")
    sessions = {one.message: one.session for one in server.asked}
    assert sessions[b"beside"][1:] == (3, 2)
    assert sessions[b"after"][1:] == (4, 4)


async def test_a_registration_that_nobody_answers_wrote_nothing(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    server.answers_registrations = False
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed) as failed:
            await client.write(0, b"x", timeout_s=0.3)
        assert failed.value.outcome_known
        server.answers_registrations = True
        assert await client.write(0, b"y") == b"y"
    assert [one.message for one in server.asked] == [b"y"]


async def test_the_retry_of_a_registration_carries_the_same_nonce(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    server.refuses_registrations = 2
    async with RaftClient([server.node_id]) as client:
        assert await client.write(0, b"y") == b"y"
    assert len(server.nonces) == 3
    assert len(set(server.nonces)) == 1


async def test_a_long_write_carries_its_session_too(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    long = bytes(3 * 1024 * 1024)
    async with RaftClient([server.node_id]) as client:
        assert await client.write(0, b"short") == b"short"
        assert await client.write(0, long) == long
    assert [one.session for one in server.asked] == [(1, 1, 1), (1, 2, 2)]


def test_a_session_is_full_before_a_server_would_refuse_its_writes() -> None:
    session = Session(5)
    first = session.begin()
    while not session.is_full:
        last = session.begin()
        session.end(last)
    assert last - session.lowest == MOST_UNANSWERED - 1
    session.end(first)
    assert not session.is_full
    assert session.write_id(session.begin()) == (5, last + 1, last + 1)


async def test_a_write_that_gets_no_answer_does_not_stop_those_after_it(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the session is full because of it, they go on in another one."""
    monkeypatch.setattr(unanswered, "MOST_UNANSWERED", 8)
    server = await fakes.start(lambda one: None if one.message == b"lost" else echo(one))
    async with RaftClient([server.node_id]) as client:
        lost = asyncio.ensure_future(client.write(0, b"lost"))
        await asyncio.gather(*(client.write(0, b"%d" % n) for n in range(30)))
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
    assert len(server.nonces) > 1
    assert all(
        sequence - lowest < 8 for _, sequence, lowest in (one.session for one in server.asked)
    )


# --- no room -------------------------------------------------------------------------------------


async def test_who_has_no_room_is_asked_again_when_he_said(fakes: Fakes) -> None:
    """Its advice is longer than the caller's patience: asking sooner would be asked in vain."""
    server = await fakes.start(lambda _: Told(RESOURCE_EXHAUSTED, b"wait a little"))
    server.retry_after_ms = 3_000
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed, match="wait a little") as failed:
            await client.read(0, b"x", timeout_s=2.0)
    assert failed.value.outcome_known
    assert len(server.asked) == 1


async def test_a_leader_without_room_is_still_the_leader(fakes: Fakes) -> None:
    told = iter([Told(RESOURCE_EXHAUSTED, b"wait"), Told(message=b"done")])
    leader = await fakes.start(lambda _: next(told))
    leader.retry_after_ms = 1
    other = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", leader.node_id))
    async with RaftClient([other.node_id]) as client:
        assert await client.read(0, b"x") == b"done"
    assert (len(leader.asked), len(other.asked)) == (2, 1)
