"""`RaftClient` against servers that do what they should not: no call hangs, none harms another."""

from __future__ import annotations

import asyncio

import pytest

from lolraft import client as client_module
from lolraft.client import RaftClient
from lolraft.client_stream import BATCH, SubmitChannel
from lolraft.errors import RequestFailed
from tests.unit.client.servers import FAILED_PRECONDITION, UNAVAILABLE, Asked, Fakes, Told, echo

PATIENCE_S = 10.0


def silent(asked: Asked) -> Told | None:
    return None


# --- one stream, many callers --------------------------------------------------------------------


async def test_what_is_asked_together_travels_together(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        answers = await asyncio.gather(*(client.read(0, b"%d" % n) for n in range(3000)))
    assert answers == [b"%d" % n for n in range(3000)]
    assert server.streams == 1
    assert server.batches <= 20


async def test_who_gave_up_does_not_hold_up_who_asked_after_him(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    channel = SubmitChannel(server.node_id, None)
    gone = [
        asyncio.ensure_future(channel.submit(0, 1, b"gone", "", PATIENCE_S))
        for _ in range(2 * BATCH)
    ]
    last = asyncio.ensure_future(channel.submit(0, 1, b"last", "", PATIENCE_S))
    await asyncio.sleep(0)  # All are queued, nothing is written.
    for task in gone:
        task.cancel()
    assert (await last).message == b"last"
    assert [one.message for one in server.asked] == [b"last"], "nobody waits for the others"
    await channel.close()


BAD = {
    "a shard below all": (-1, b"", "", 5.0),
    "a shard beyond all": (2**32, b"", "", 5.0),
    "a request id that is no text": (0, b"", "\udc80", 5.0),
    "no time": (0, b"", "", 0.0),
    "less than no time": (0, b"", "", -1.0),
    "a time that is no number": (0, b"", "", float("nan")),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_wrong_argument_is_its_callers_alone(fakes: Fakes, name: str) -> None:
    server = await fakes.start(echo)
    shard_id, message, request_id, timeout_s = BAD[name]
    async with RaftClient([server.node_id], timeout_s=PATIENCE_S) as client:
        others = [asyncio.ensure_future(client.read(0, b"x")) for _ in range(5)]
        with pytest.raises(RequestFailed) as failed:
            await client.write(shard_id, message, request_id=request_id, timeout_s=timeout_s)
        assert failed.value.code == "INVALID_ARGUMENT"
        assert failed.value.outcome_known
        assert await asyncio.gather(*others) == [b"x"] * 5
        assert await client.read(0, b"after") == b"after"


async def test_a_message_is_bytes_of_any_kind_and_nothing_else(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        assert await client.read(0, bytearray(b"a")) == b"a"
        assert await client.read(0, memoryview(b"b")) == b"b"  # type: ignore[arg-type]
        for wrong in ("text", 5, None):
            with pytest.raises(TypeError, match="bytes"):
                await client.write(0, wrong)  # type: ignore[arg-type]
        assert await client.read(0, b"c") == b"c"


async def test_numbers_that_fit_no_request_are_refused_here(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        for asking in (
            client.add_server(-1, "http://a:1"),
            client.remove_server(2**32, "http://a:1"),
            client.transfer_leadership(-1),
            client.timeout_now(server.node_id, -1),
            anext(client.get_snapshot(server.node_id, 0, -1)),
        ):
            with pytest.raises(RequestFailed, match="INVALID_ARGUMENT"):
                await asking


async def test_a_long_message_is_refused_without_harm_to_the_others(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id], timeout_s=PATIENCE_S) as client:
        others = [asyncio.ensure_future(client.read(0, b"%d" % n)) for n in range(50)]
        with pytest.raises(RequestFailed, match="INVALID_ARGUMENT"):
            await client.write(0, bytes(9 * 1024 * 1024))
        assert await asyncio.gather(*others) == [b"%d" % n for n in range(50)]
        assert server.streams == 2, "the long one had a stream of its own"


# --- servers that are of no use ------------------------------------------------------------------


async def test_a_stream_that_ends_is_opened_again_and_the_id_stays(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    server.ends_streams_after = 2
    async with RaftClient([server.node_id]) as client:
        assert await client.write(0, b"first", request_id="1") == b"first"
        assert await client.write(0, b"second", request_id="2") == b"second"
    assert server.streams == 2
    assert [one.request_id for one in server.asked] == ["1", "2"]


async def test_a_silent_server_is_left_for_another(fakes: Fakes) -> None:
    dumb, sound = await fakes.start(silent), await fakes.start(echo)
    async with RaftClient([dumb.node_id, sound.node_id]) as client:
        client._next = 0  # The silent one first.
        assert await client.write(0, b"x") == b"x"
    assert len(dumb.asked) == len(sound.asked) == 1
    assert dumb.asked[0].request_id == sound.asked[0].request_id


async def test_nobody_answers_within_the_deadline(fakes: Fakes) -> None:
    dumb = await fakes.start(silent)
    async with RaftClient([dumb.node_id]) as client:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(RequestFailed) as failed:
                await client.write(0, b"x", timeout_s=0.2)
            assert (failed.value.code, failed.value.outcome_known) == ("DEADLINE_EXCEEDED", False)
            with pytest.raises(RequestFailed) as failed:
                await client.read(0, b"x", timeout_s=0.2)
            assert failed.value.outcome_known, "a read changes nothing"


async def test_answers_that_make_no_sense_are_a_break(fakes: Fakes) -> None:
    bent, sound = await fakes.start(echo), await fakes.start(echo)
    bent.bent = True
    async with RaftClient([bent.node_id, sound.node_id], timeout_s=1.5) as client:
        client._next = 0
        assert await client.read(0, b"x") == b"x"
    assert len(bent.asked) == 1


async def test_two_that_name_each_other_are_not_asked_in_a_spin(fakes: Fakes) -> None:
    first = await fakes.start(silent)
    second = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", first.node_id))
    first.say = lambda _: Told(UNAVAILABLE, b"not I", second.node_id)
    async with RaftClient([first.node_id, second.node_id]) as client:
        with pytest.raises(RequestFailed, match="not I"):
            await client.read(0, b"x", timeout_s=1.0)
    assert 2 <= len(first.asked) + len(second.asked) < 60


async def test_a_hint_is_followed_at_once_and_remembered(fakes: Fakes) -> None:
    leader = await fakes.start(echo)
    other = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", leader.node_id))
    async with RaftClient([other.node_id]) as client:
        for n in range(5):
            assert await client.write(0, b"%d" % n) == b"%d" % n
    assert len(other.asked) == 1
    assert len(leader.asked) == 5


async def test_who_was_answered_by_way_of_another_goes_to_the_leader_next(fakes: Fakes) -> None:
    leader = await fakes.start(echo)
    other = await fakes.start(lambda asked: Told(message=asked.message, leader_id=leader.node_id))
    async with RaftClient([other.node_id]) as client:
        answers = [await client.read(0, b"%d" % n) for n in range(5)]
    assert answers == [b"%d" % n for n in range(5)]
    assert (len(other.asked), len(leader.asked)) == (1, 4)


async def test_a_leader_out_of_reach_is_left_to_the_servers_that_reach_it(fakes: Fakes) -> None:
    nowhere = "http://127.0.0.1:1"
    other = await fakes.start(lambda asked: Told(message=asked.message, leader_id=nowhere))
    async with RaftClient([other.node_id]) as client:
        answers = [await client.read(0, b"%d" % n) for n in range(5)]
        tried = [server for server in client._nodes if server != other.node_id]
    assert answers == [b"%d" % n for n in range(5)]
    assert (len(other.asked), tried) == (5, [nowhere])


async def test_a_no_of_the_leader_is_the_groups(fakes: Fakes) -> None:
    leader = await fakes.start(lambda _: Told(FAILED_PRECONDITION, b"no", leader.node_id))
    other = await fakes.start(lambda _: Told(UNAVAILABLE, b"not I", leader.node_id))
    async with RaftClient([other.node_id]) as client:
        with pytest.raises(RequestFailed, match="FAILED_PRECONDITION: no"):
            await client.write(0, b"x")
        with pytest.raises(RequestFailed, match="FAILED_PRECONDITION: no"):
            await client.write(0, b"x")
    assert len(leader.asked) == 2


async def test_the_leaders_reason_is_told_not_that_of_a_broken_line(fakes: Fakes) -> None:
    def moves_then_hangs(_: Asked) -> Told | None:
        return Told(UNAVAILABLE, b"it moves", leader.node_id) if len(leader.asked) == 1 else None

    leader = await fakes.start(moves_then_hangs)
    async with RaftClient([leader.node_id], timeout_s=0.5) as client:
        with pytest.raises(RequestFailed, match="UNAVAILABLE: it moves"):
            await client.write(0, b"x")


async def test_all_are_asked_before_a_no_is_believed(fakes: Fakes) -> None:
    strangers = [await fakes.start(lambda _: Told(FAILED_PRECONDITION, b"no")) for _ in range(3)]
    async with RaftClient([one.node_id for one in strangers]) as client:
        with pytest.raises(RequestFailed, match="FAILED_PRECONDITION: no"):
            await client.write(0, b"x")
    assert [len(one.asked) for one in strangers] == [1, 1, 1]


async def test_a_write_without_an_id_is_not_sent_again(fakes: Fakes) -> None:
    server = await fakes.start(lambda _: Told(UNAVAILABLE, b"perhaps"))
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed) as failed:
            await client.write(0, b"x", request_id="")
    assert not failed.value.outcome_known
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("least_s", "reason"), [(60.0, "UNAVAILABLE: no leader"), (0.0, "DEADLINE_EXCEEDED")]
)
async def test_a_last_try_that_was_too_short_hides_no_reason(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, least_s: float, reason: str
) -> None:
    monkeypatch.setattr(client_module, "LEAST_TRY_S", least_s)
    server = await fakes.start(
        lambda _: Told(UNAVAILABLE, b"no leader") if len(server.asked) == 1 else None
    )
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed, match=reason):
            await client.read(0, b"x", timeout_s=0.3)
    assert len(server.asked) == 2


# --- the end -------------------------------------------------------------------------------------


async def test_closing_ends_every_call(fakes: Fakes) -> None:
    dumb = await fakes.start(silent)
    client = RaftClient([dumb.node_id])
    calls = [client.write(0, b"%d" % n) for n in range(200)]
    calls += [
        client.write(0, bytes(3 * 1024 * 1024)),
        client.transfer_leadership(0),  # type: ignore[list-item]
        client.add_server(0, "http://a:1"),  # type: ignore[list-item]
        client.replace_server(0, "http://a:1", "http://b:1"),  # type: ignore[list-item]
        client.timeout_now(dumb.node_id, 0),  # type: ignore[list-item]
        anext(client.get_snapshot(dumb.node_id, 0, 1)),  # type: ignore[list-item]
    ]
    asked = [asyncio.ensure_future(call) for call in calls]
    async with asyncio.timeout(PATIENCE_S):
        while len(dumb.asked) < 201 or dumb.holding < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await client.close()
        ends = await asyncio.gather(*asked, return_exceptions=True)
    assert {(type(end), getattr(end, "code", "")) for end in ends} == {(RequestFailed, "CANCELLED")}
    assert client._nodes == {}, "nothing is dialled again"
    await client.close()
    for late in (client.add_server(0, "http://a:1"), client.timeout_now(dumb.node_id, 0)):
        with pytest.raises(RequestFailed, match="closed"):
            await late
    with pytest.raises(RequestFailed, match="closed"):
        await anext(client.get_snapshot(dumb.node_id, 0, 1))


async def test_who_is_cancelled_is_cancelled(fakes: Fakes) -> None:
    dumb = await fakes.start(silent)
    async with RaftClient([dumb.node_id]) as client:
        for call in (client.write(0, b"x"), client.transfer_leadership(0)):
            task = asyncio.ensure_future(call)
            while not dumb.asked:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
