"""The one queue into each app: order, fairness, errors, and when it is asked for snapshots."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lolraft.multiraft.effects import RunFetch, RunForget, RunInstall
from lolraft.multiraft.events import (
    AppFailed,
    Applied,
    ReadDone,
    SnapshotArrived,
    SnapshotFound,
    SnapshotLost,
)
from lolraft.raft.effects import Code
from lolraft.raft.types import Clock, SnapshotMeta
from lolraft.runtime import apps as apps_module
from lolraft.runtime import fetch as fetch_module
from lolraft.runtime.apps import FOR_EVER
from lolraft.runtime.transport import SnapshotPiece, SnapshotUnavailable, TransportError
from tests.unit.runtime.bench import META, SOURCE, Bench, apply, read


async def test_a_new_shard_starts_with_the_initial_state(bench: Bench) -> None:
    bench.host.apply(apply(b"x"))
    await bench.get(1)
    assert bench.apps[1][0].calls == [("install", 1), ("write", 2)]


@pytest.mark.parametrize("kind", [b"", b"later "])
async def test_answers_come_in_order_and_rejected_is_one(bench: Bench, kind: bytes) -> None:
    bench.host.apply(apply(kind + b"a", kind + b"reject", kind + b"c"))
    assert await bench.get(1) == [
        Applied(
            shard_id=1,
            last_index=4,
            answers=(
                (Code.OK, kind + b"a"),
                (Code.ABORTED, b"no such thing"),
                (Code.OK, kind + b"c"),
            ),
        )
    ]
    assert bench.host.executed == 3


@pytest.mark.parametrize("kind", [b"", b"later "])
@pytest.mark.parametrize("fault", [b"break", b"text"])
async def test_an_app_that_raises_stops_at_that_entry(
    bench: Bench, kind: bytes, fault: bytes
) -> None:
    bench.host.apply(apply(kind + b"a", kind + b"b", kind + fault, kind + b"d"))
    bench.host.read(read(b"r", 5, ticket=8))
    applied, failed, refused = await bench.get(3)
    answers = ((Code.OK, kind + b"a"), (Code.OK, kind + b"b"))
    assert applied == Applied(shard_id=1, last_index=3, answers=answers)
    assert isinstance(failed, AppFailed)
    assert (failed.shard_id, failed.index) == (1, 4)
    assert ("oops" if fault == b"break" else "not str") in failed.reason
    assert isinstance(refused, ReadDone)
    assert (refused.ticket, refused.code) == (8, Code.UNAVAILABLE)
    assert ("write", 5) not in bench.apps[1][0].calls
    bench.host.apply(apply(b"z", first=6))
    bench.host.read(read(b"r", 6, ticket=9))
    assert len(await bench.get(4)) == 4
    assert ("write", 6) not in bench.apps[1][0].calls


async def test_the_other_shards_go_on(bench: Bench) -> None:
    bench.host.apply(apply(b"break", shard_id=1))
    bench.host.apply(apply(b"x", shard_id=2))
    failed, applied = await bench.get(2)
    assert isinstance(failed, AppFailed)
    assert applied == Applied(shard_id=2, last_index=2, answers=((Code.OK, b"x"),))


async def test_a_read_that_raises_stops_nothing(bench: Bench) -> None:
    bench.host.read(read(b"break", 1, ticket=1))
    bench.host.read(read(b"later break", 1, ticket=2))
    bench.host.read(read(b"reject", 1, ticket=3))
    bench.host.read(read(b"fine", 1, ticket=4))
    done = [(e.ticket, e.code) for e in await bench.get(4) if isinstance(e, ReadDone)]
    assert done == [
        (1, Code.INTERNAL),
        (2, Code.INTERNAL),
        (3, Code.ABORTED),
        (4, Code.OK),
    ]


async def test_everything_keeps_its_place_behind_an_async_write(bench: Bench) -> None:
    bench.host.apply(apply(b"later a", b"later b"))
    bench.host.read(read(b"r", 3))
    bench.host.install(RunInstall(shard_id=1, meta=META))
    bench.host.apply(apply(b"c", first=41))
    bench.host.forget(RunForget(shard_id=1, index=40))
    await bench.until(lambda: ("delete", 40) in bench.apps[1][0].calls)
    assert [call for call in bench.apps[1][0].calls if call != "latest?"] == [
        ("install", 1),
        ("write", 2),
        ("write", 3),
        ("read", 3),
        ("install", 40),
        ("write", 41),
        ("delete", 40),
    ]


async def test_a_long_batch_leaves_the_loop_and_the_other_shards_their_share(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps_module, "SLICE_S", 0.001)
    bench.host.apply(apply(*[b"slow"] * 20, shard_id=1))
    bench.host.apply(apply(b"quick", shard_id=2))
    iterations = 0
    async with asyncio.timeout(10):
        while len(bench.events) < 2:
            iterations += 1
            await asyncio.sleep(0)
    assert iterations >= 10
    assert [e.shard_id for e in bench.events if isinstance(e, Applied)] == [2, 1]


async def test_a_batch_that_was_paused_keeps_its_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps_module, "SLICE_S", 0.001)
    bench.host.apply(apply(*[b"slow"] * 3))
    bench.host.read(read(b"r", 4))
    bench.host.apply(apply(b"x", first=5))
    await bench.get(3)
    assert [call for call in bench.apps[1][0].calls if call != "latest?"] == [
        ("install", 1),
        ("write", 2),
        ("write", 3),
        ("write", 4),
        ("read", 4),
        ("write", 5),
    ]


# --- asking for snapshots (P5) -------------------------------------------------------------------


async def test_a_snapshot_born_in_a_read_is_found(bench: Bench) -> None:
    bench.host.apply(apply(b"a", b"b"))
    bench.host.read(read(b"snapshot", 3))
    events = await bench.get(3)
    assert events[2] == SnapshotFound(shard_id=1, index=3)
    bench.host.read(read(b"x", 3))
    assert len(await bench.get(4)) == 4  # Not found a second time.


async def test_an_app_is_asked_every_thousand_entries_and_not_for_each(bench: Bench) -> None:
    for n in range(25):
        bench.host.apply(apply(*[b"x"] * 100, first=2 + 100 * n))
    await bench.get(25)
    assert bench.apps[1][0].calls.count("latest?") == 2


async def test_a_snapshot_ahead_of_the_state_waits_for_its_index(bench: Bench) -> None:
    bench.host.queue(1)
    bench.apps[1][0].latest = 4
    bench.host.apply(apply(b"a", b"b"))
    bench.host.read(read(b"x", 3))
    await bench.get(2)
    bench.host.apply(apply(b"c", first=4))
    bench.host.read(read(b"x", 4))
    assert (await bench.get(5))[4] == SnapshotFound(shard_id=1, index=4)


# --- fetching ------------------------------------------------------------------------------------

BODY = b"0123456789" * 5
FETCH = RunFetch(shard_id=1, source=SOURCE, clock=META.clock, group=5)


def piece(offset: int, data: bytes, *, last: bool = False) -> SnapshotPiece:
    return SnapshotPiece(
        offset=offset,
        data=data,
        crc32=zlib.crc32(data),
        meta=META,
        last=last,
        total_crc32=zlib.crc32(BODY) if last else 0,
    )


async def test_a_snapshot_is_saved_and_then_reported(bench: Bench) -> None:
    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        yield piece(0, BODY[:20])
        yield piece(20, BODY[20:], last=True)

    bench.pieces = pieces
    bench.host.fetch(FETCH)
    assert await bench.get(1) == [SnapshotArrived(shard_id=1, meta=META)]
    assert ("save", 40, BODY) in bench.apps[1][0].calls


async def test_a_broken_stream_goes_on_where_it_broke(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "RETRY_S", 0.0)
    offsets: list[int] = []

    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        offsets.append(offset)
        yield piece(offset, BODY[offset : offset + 20], last=offset + 20 >= len(BODY))
        if len(offsets) == 1:
            raise TransportError("cut")

    bench.pieces = pieces
    bench.host.fetch(FETCH)
    assert await bench.get(1) == [SnapshotArrived(shard_id=1, meta=META)]
    assert offsets == [0, 20, 40]
    assert ("save", 40, BODY) in bench.apps[1][0].calls


BAD: dict[str, list[SnapshotPiece]] = {
    "checksum of a piece": [
        SnapshotPiece(offset=0, data=BODY, crc32=1, meta=META, last=True, total_crc32=0)
    ],
    "checksum of the whole": [
        SnapshotPiece(
            offset=0, data=b"x", crc32=zlib.crc32(b"x"), meta=META, last=True, total_crc32=5
        )
    ],
    "a gap": [piece(0, BODY[:10]), piece(20, BODY[20:], last=True)],
    "no envelope": [SnapshotPiece(offset=0, data=b"", crc32=0, last=True)],
    "another clock": [
        SnapshotPiece(
            offset=0,
            data=b"",
            crc32=0,
            last=True,
            meta=SnapshotMeta(
                clock=Clock(3, 41), configuration=META.configuration, configuration_index=1
            ),
        )
    ],
}


@pytest.mark.parametrize("name", BAD)
async def test_what_does_not_fit_together_is_lost(bench: Bench, name: str) -> None:
    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        for one in BAD[name]:
            yield one

    bench.pieces = pieces
    bench.host.fetch(FETCH)
    (lost,) = await bench.get(1)
    assert isinstance(lost, SnapshotLost)
    assert (lost.shard_id, lost.clock) == (1, META.clock)
    assert "BadSnapshot" in lost.reason
    assert not any(call[0] == "save" for call in bench.apps[1][0].calls)  # type: ignore[index]


async def test_a_snapshot_that_the_source_does_not_have_is_lost(bench: Bench) -> None:
    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        raise SnapshotUnavailable("gone")
        yield  # An async generator, as the real one is.

    bench.pieces = pieces
    bench.host.fetch(FETCH)
    (lost,) = await bench.get(1)
    assert isinstance(lost, SnapshotLost)
    assert "gone" in lost.reason


async def test_a_silent_source_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "RETRY_S", 0.0)
    monkeypatch.setattr(fetch_module, "PATIENCE_S", 0.05)

    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        raise TransportError("away")
        yield  # An async generator, as the real one is.

    bench.pieces = pieces
    bench.host.fetch(FETCH)
    (lost,) = await bench.get(1)
    assert isinstance(lost, SnapshotLost)


async def test_another_wish_replaces_a_fetch_under_way(bench: Bench) -> None:
    started = asyncio.Event()

    async def stuck(offset: int) -> AsyncIterator[SnapshotPiece]:
        yield piece(0, BODY[:20])
        started.set()
        await asyncio.Event().wait()

    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        yield piece(0, BODY, last=True)

    bench.pieces = stuck
    bench.host.fetch(replace(FETCH, group=6))
    async with asyncio.timeout(10):
        await started.wait()
    bench.pieces = pieces
    bench.host.fetch(FETCH)
    lost, arrived = await bench.get(2)
    assert isinstance(lost, SnapshotLost)
    assert arrived == SnapshotArrived(shard_id=1, meta=META)


async def test_the_same_wish_again_lets_a_fetch_go_on(bench: Bench) -> None:
    """Replaced by its like, it would be lost, wished for again, and so on for ever."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    times = 0

    async def pieces(offset: int) -> AsyncIterator[SnapshotPiece]:
        nonlocal times
        times += 1
        yield piece(0, BODY[:20])
        begun.set()
        await go_on.wait()
        yield piece(20, BODY[20:], last=True)

    bench.pieces = pieces
    bench.host.fetch(FETCH)
    async with asyncio.timeout(10):
        await begun.wait()
    bench.host.fetch(FETCH)
    go_on.set()
    assert await bench.get(1) == [SnapshotArrived(shard_id=1, meta=META)]
    assert times == 1
    bench.host.fetch(FETCH)  # One that has ended may be wanted again.
    assert await bench.get(2) == [SnapshotArrived(shard_id=1, meta=META)] * 2
    assert times == 2


# --- the end of a replica ------------------------------------------------------------------------


async def test_dropping_deletes_what_the_app_has_and_starts_anew(bench: Bench) -> None:
    bench.host.apply(apply(b"a"))
    await bench.get(1)
    bench.host.drop(1)
    (old,) = bench.apps[1]
    await bench.until(lambda: not bench.host.directory_of(1).exists())
    assert old.calls[-1] == ("delete", FOR_EVER)
    bench.host.apply(apply(b"b"))
    await bench.get(2)
    assert bench.apps[1][1].calls == [("install", 1), ("write", 2)]
    assert bench.host.executed == 2


async def test_dropping_an_app_that_failed_cleans_up_too(bench: Bench) -> None:
    bench.host.apply(apply(b"break"))
    await bench.get(1)
    bench.host.drop(1)
    await bench.until(lambda: not bench.host.directory_of(1).exists())
    assert bench.apps[1][0].calls[-1] == ("delete", FOR_EVER)


async def test_opening_a_snapshot_that_is_not_there(bench: Bench) -> None:
    bench.host.queue(1)
    with pytest.raises(LookupError, match="no 13"):
        await bench.host.open_snapshot(1, 13)
    with pytest.raises(LookupError, match="not hosted"):
        await bench.host.open_snapshot(2, 3)
    chunks = await bench.host.open_snapshot(1, 3)
    assert [chunk async for chunk in chunks] == [b"a", b"b"]
