"""The contract of every transport: the memory network and gRPC pass the same tests."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest

from lolraft.multiraft.events import (
    AckArrived,
    FrameArrived,
    FrameWritten,
    HeartbeatArrived,
    StreamDown,
    StreamUp,
)
from lolraft.raft.types import Clock, NodeId
from lolraft.runtime.transport import (
    SnapshotPiece,
    SnapshotUnavailable,
    Transport,
    TransportError,
)
from tests.contract.world import (
    BODY,
    GROUP,
    META,
    FakeNode,
    World,
    ack_of,
    beat_of,
    frame_of,
    pair,
)


async def test_a_frame_arrives_as_the_value_that_was_sent(world: World) -> None:
    a, to_b, node_a, b, _, node_b = await pair(world)
    to_b.send_frame(b, frame_of(a))
    assert (await node_a.next(FrameWritten)).peer == b
    assert (await node_b.next(FrameArrived)).frame == frame_of(a)


async def test_frames_keep_their_order_and_large_ones_pass(world: World) -> None:
    a, to_b, node_a, b, _, node_b = await pair(world)
    for size in (1, 700_000, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11):
        to_b.send_frame(b, frame_of(a, size=size))
        await node_a.next(FrameWritten)
        assert (await node_b.next(FrameArrived)).frame == frame_of(a, size=size)


async def test_heartbeats_go_and_acks_come_back(world: World) -> None:
    a, to_b, node_a, b, to_a, node_b = await pair(world)

    for objections in (None, (), ((7, 5), (2**32 - 1, 0))):
        node_b.events.clear()
        await until_beat(to_b, a, b, node_b)
        to_a.send_ack(a, ack_of(b, objections))
        assert (await node_a.next(AckArrived)).ack == ack_of(b, objections)


async def until_beat(to_b: Transport, a: NodeId, b: NodeId, node_b: FakeNode) -> None:
    """Beat until one arrives: the beat stream may stand a moment after the other one."""
    async with asyncio.timeout(10):
        while not any(isinstance(event, HeartbeatArrived) for event in node_b.events):
            to_b.send_heartbeat(b, beat_of(a))
            await asyncio.sleep(0.02)
    event = next(event for event in node_b.events if isinstance(event, HeartbeatArrived))
    assert event.heartbeat == beat_of(a)


async def test_a_peer_that_starts_late_is_dialled_until_it_is_there(world: World) -> None:
    a, b = world.new_id(), world.new_id()
    to_b, node_a = await world.start(a)
    to_b.dial(b)
    to_b.send_frame(b, frame_of(a))  # Dropped: the stream is down.
    await asyncio.sleep(0)
    assert node_a.events == []
    _, node_b = await world.start(b)
    assert (await node_a.next(StreamUp)).peer == b
    assert node_b.events == []


async def test_a_peer_that_restarts_is_seen_down_and_up(world: World) -> None:
    a, to_b, node_a, b, transport_b, _ = await pair(world)
    await world.stop(transport_b)
    assert (await node_a.next(StreamDown)).peer == b
    _, node_b = await world.start(b)
    assert (await node_a.next(StreamUp)).peer == b
    to_b.send_frame(b, frame_of(a))
    assert (await node_b.next(FrameArrived)).frame == frame_of(a)


async def test_dialling_twice_is_dialling_once(world: World) -> None:
    a, to_b, node_a, b, _, node_b = await pair(world)
    to_b.dial(b)
    to_b.send_frame(b, frame_of(a))
    await node_a.next(FrameWritten)
    await node_b.next(FrameArrived)
    assert node_a.events == []
    assert node_b.events == []


async def test_after_hanging_up_nothing_is_posted_and_one_may_dial_again(world: World) -> None:
    a, to_b, node_a, b, _, node_b = await pair(world)
    to_b.hang_up(b)
    to_b.send_frame(b, frame_of(a))
    to_b.send_heartbeat(b, beat_of(a))
    to_b.dial(b)
    assert (await node_a.next(StreamUp)).peer == b  # And no StreamDown before it.
    to_b.send_frame(b, frame_of(a))
    await node_a.next(FrameWritten)
    assert (await node_b.next(FrameArrived)).frame == frame_of(a)


async def test_both_directions_are_apart(world: World) -> None:
    a, _, node_a, b, to_a, node_b = await pair(world)
    to_a.send_frame(a, frame_of(b))  # b has not dialled a.
    to_a.dial(a)
    assert (await node_b.next(StreamUp)).peer == a
    to_a.send_frame(a, frame_of(b))
    assert (await node_a.until(FrameArrived)).frame == frame_of(b)
    assert node_a.events == []


async def test_bytes_are_counted_at_both_ends(world: World) -> None:
    a, to_b, _, b, to_a, node_b = await pair(world)
    to_b.send_frame(b, frame_of(a, size=10_000))
    await node_b.next(FrameArrived)
    assert to_b.bytes_sent(b) >= 10_000
    assert to_b.bytes_sent(b) == to_a.bytes_received(a)
    assert to_a.bytes_sent(a) == 0


async def collect(pieces: AsyncIterator[SnapshotPiece]) -> list[SnapshotPiece]:
    return [piece async for piece in pieces]


@pytest.mark.parametrize("offset", [0, 50_001, len(BODY)])
async def test_a_snapshot_streams_from_an_offset(world: World, offset: int) -> None:
    _, to_b, _, b, _, _ = await pair(world)
    async with asyncio.timeout(10):
        pieces = await collect(to_b.fetch_snapshot(b, 7, META.clock, GROUP, offset))
    assert pieces[0].meta == META
    assert b"".join(piece.data for piece in pieces) == BODY[offset:]
    assert pieces[0].offset == offset
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].total_crc32 == zlib.crc32(BODY)


async def test_a_snapshot_that_is_not_there_is_refused_for_good(world: World) -> None:
    _, to_b, _, b, _, _ = await pair(world)
    with pytest.raises(SnapshotUnavailable, match="no such snapshot"):
        await collect(to_b.fetch_snapshot(b, 7, Clock(3, 41), GROUP, 0))
    with pytest.raises(SnapshotUnavailable, match="no such snapshot"):
        await collect(to_b.fetch_snapshot(b, 7, META.clock, GROUP + 1, 0))


async def test_a_reader_that_is_slow_holds_the_source_back(world: World) -> None:
    _, to_b, _, b, _, node_b = await pair(world)
    node_b.endless = True
    pieces = to_b.fetch_snapshot(b, 7, META.clock, GROUP, 0)
    async with asyncio.timeout(10):
        await anext(pieces)
        before, quiet = 0, 0
        while quiet < 10:  # Until nothing more is read for a while, which must come.
            await asyncio.sleep(0.01)
            quiet = quiet + 1 if node_b.served == before else 0
            before = node_b.served
            assert before < 200, "50 MiB are on their way to somebody who does not read"
    await pieces.aclose()  # type: ignore[attr-defined]  # A generator, as all of them are.


async def test_a_source_that_is_away_may_be_asked_again(world: World) -> None:
    a, nobody = world.new_id(), world.new_id()
    to_b, _ = await world.start(a)
    with pytest.raises(TransportError):
        async with asyncio.timeout(10):
            await collect(to_b.fetch_snapshot(nobody, 7, META.clock, GROUP, 0))


async def test_what_was_sent_before_stopping_arrives(world: World) -> None:
    a, to_b, _, b, _, node_b = await pair(world)
    await until_beat(to_b, a, b, node_b)
    to_b.send_frame(b, frame_of(a, size=500_000))
    for seq in range(70, 80):
        to_b.send_heartbeat(b, beat_of(a, seq=seq))
    await to_b.stop()
    assert FrameArrived(frame=frame_of(a, size=500_000)) in node_b.events
    for seq in range(70, 80):
        assert HeartbeatArrived(heartbeat=beat_of(a, seq=seq)) in node_b.events


async def test_a_stopped_transport_posts_nothing(world: World) -> None:
    a, to_b, node_a, b, transport_b, node_b = await pair(world)
    await to_b.stop()
    await to_b.stop()
    transport_b.dial(a)
    to_b.send_frame(b, frame_of(a))
    to_b.send_heartbeat(b, beat_of(a))
    to_b.dial(b)
    await asyncio.sleep(0.05)
    assert node_a.events == []
    assert not any(isinstance(event, FrameArrived) for event in node_b.events)
