"""The driver with a machine that does what the test says."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from lolraft.multiraft.effects import Effect, Persist, Respond, RunApply, RunRead, Tell
from lolraft.multiraft.events import (
    Applied,
    ClientGone,
    ClientRequest,
    Event,
    FrameWritten,
    HostShard,
    Persisted,
    PersistFailed,
    ReadDone,
    Shutdown,
    SnapshotFound,
)
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.effects import Code, Save
from lolraft.raft.types import Clock, Configuration, NodeId, SnapshotMeta
from lolraft.runtime.tickets import Tickets
from lolraft.runtime.transport import SnapshotUnavailable
from tests.unit.runtime.scripted import (
    NODE,
    Node,
    echo_requests,
    rounds,
)


async def test_what_arrives_in_one_iteration_is_one_turn(node: Node) -> None:
    for shard_id in range(100):
        node.driver.post(HostShard(shard_id=shard_id))
    assert node.machine.turns == []
    await rounds()
    assert node.machine.turns == [[HostShard(shard_id=shard_id) for shard_id in range(100)]]


async def test_a_written_frame_brings_a_turn_only_where_another_waits(node: Node) -> None:
    written = FrameWritten(peer=NodeId("http://n2:1"))
    node.driver.post(written)
    await rounds()
    assert node.machine.turns == []
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    assert node.machine.turns == [[written, HostShard(shard_id=1)]], "in the order of arrival"
    node.machine.waiting.add(written.peer)
    node.driver.post(written)
    await rounds()
    assert node.machine.turns[1:] == [[written]]


async def test_an_idle_node_takes_no_turn(node: Node) -> None:
    node.driver.post(HostShard(shard_id=1))
    await asyncio.sleep(0.15)  # Nothing to wait for: that nothing happens is what is tested.
    assert len(node.machine.turns) == 1


async def test_a_deadline_brings_one_turn_and_not_before(node: Node) -> None:
    deadline_s = time.monotonic() + 0.03
    node.machine.deadline_s = deadline_s
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    node.machine.turned.clear()
    async with asyncio.timeout(10):
        await node.machine.turned.wait()
    await rounds()
    assert node.machine.turns[1:] == [[]]
    assert node.machine.times_s[1] >= deadline_s


async def test_a_deadline_that_moves_moves_the_timer(node: Node) -> None:
    node.machine.deadline_s = time.monotonic() + 3600
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    node.machine.deadline_s = time.monotonic() + 0.01
    node.driver.post(HostShard(shard_id=2))
    await rounds()
    node.machine.turned.clear()
    async with asyncio.timeout(10):
        await node.machine.turned.wait()
    assert node.machine.turns[2:] == [[]]


async def test_a_late_timer_lets_what_has_arrived_go_first(node: Node) -> None:
    node.machine.deadline_s = time.monotonic() + 0.01
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    loop = asyncio.get_running_loop()
    # In the sockets while the loop is held up; read an iteration or two after it goes on.
    loop.call_later(0.011, lambda: loop.call_soon(node.driver.post, HostShard(shard_id=2)))
    time.sleep(0.08)  # noqa: ASYNC251 - the loop is to be held up.
    node.machine.turned.clear()
    async with asyncio.timeout(10):
        await node.machine.turned.wait()
    assert node.machine.turns[1] == [HostShard(shard_id=2)]


async def test_a_mistake_of_the_machine_ends_the_node_and_answers_all(node: Node) -> None:
    waiting = asyncio.ensure_future(node.driver.ask(RequestKind.WRITE, 7, b"x"))
    await rounds()

    def break_down(events: list[Event]) -> list[Effect]:
        raise AssertionError("a commit is for ever")

    node.machine.answer = break_down
    node.driver.post(HostShard(shard_id=1))
    assert (await waiting).code is Code.UNAVAILABLE
    with pytest.raises(AssertionError, match="a commit is for ever"):
        await node.driver.failed
    assert (await node.driver.ask(RequestKind.WRITE, 7, b"x")).code is Code.UNAVAILABLE
    assert "ClientRequest" in node.driver.trace.text()


# --- the disk ------------------------------------------------------------------------------------


async def test_a_batch_is_written_then_reported_and_always_in_one_thread(node: Node) -> None:
    node.machine.answer = lambda events: [
        Persist(batch=Batch(number=event.shard_id))
        for event in events
        if isinstance(event, HostShard)
    ]
    for number in (1, 2, 3):
        node.driver.post(HostShard(shard_id=number))
        await node.machine.until(Persisted, number)
        assert [batch.number for batch in node.storage.batches][-1] == number
    await node.driver.stop()
    assert node.storage.closed == 1
    assert len(node.storage.threads) == 1
    assert threading.get_ident() not in node.storage.threads


async def test_nothing_is_written_after_a_failed_write(node: Node) -> None:
    node.machine.answer = lambda events: [
        Persist(batch=Batch(number=event.shard_id))
        for event in events
        if isinstance(event, HostShard)
    ]
    node.storage.fails = True
    node.driver.post(HostShard(shard_id=1))
    first = await node.machine.until(PersistFailed)
    assert first == PersistFailed(number=1, reason="StorageError: the disk is full")
    node.storage.fails = False
    node.driver.post(HostShard(shard_id=2))
    await node.machine.until(PersistFailed, 2)
    assert node.storage.batches == []


# --- requests ------------------------------------------------------------------------------------


async def test_a_request_is_answered_once(node: Node) -> None:
    answers: list[Respond] = []
    node.machine.answer = lambda events: echo_requests(events) * 2  # A machine that repeats itself.
    ticket = node.driver.request(RequestKind.WRITE, 7, b"x", on_done=answers.append)
    assert answers == []
    await rounds()
    assert answers == [Respond(ticket=ticket, code=Code.OK, message=b"x")]


async def test_tickets_differ(node: Node) -> None:
    node.machine.answer = echo_requests
    asks = [node.driver.ask(RequestKind.READ, 7, b"%d" % n) for n in range(50)]
    answers = await asyncio.gather(*asks)
    assert [answer.message for answer in answers] == [b"%d" % n for n in range(50)]


async def test_who_stops_waiting_is_forgotten(node: Node) -> None:
    waiting = asyncio.ensure_future(node.driver.ask(RequestKind.WRITE, 7, b"x"))
    await rounds()
    request = node.machine.turns[0][0]
    assert isinstance(request, ClientRequest)
    waiting.cancel()
    await rounds()
    assert node.machine.turns[1] == [ClientGone(ticket=request.ticket)]
    node.machine.answer = lambda events: [Respond(ticket=request.ticket, code=Code.OK)]
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    assert len(node.machine.turns) == 3


async def test_a_callback_that_raises_harms_nobody(node: Node) -> None:
    node.machine.answer = echo_requests

    def broken(respond: Respond) -> None:
        raise ValueError("mine")

    node.driver.request(RequestKind.WRITE, 7, b"x", on_done=broken)
    assert (await node.driver.ask(RequestKind.WRITE, 7, b"y")).message == b"y"


async def test_too_many_waiting_requests_are_refused() -> None:
    answers: list[Respond] = []
    tickets = Tickets(most=1)
    first, admitted = tickets.new(answers.append)
    assert admitted
    second, admitted = tickets.new(answers.append)
    assert not admitted
    await rounds()
    assert [(a.ticket, a.code) for a in answers] == [(second, Code.RESOURCE_EXHAUSTED)]
    tickets.end(Respond(ticket=first, code=Code.OK))
    assert tickets.new(answers.append)[1]


# --- stopping ------------------------------------------------------------------------------------


async def test_stopping_tells_the_machine_answers_all_and_flushes(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.driver.start()

    def answer(events: list[Event]) -> list[Effect]:
        effects: list[Effect] = []
        for event in events:
            match event:
                case Shutdown():
                    effects.append(Persist(batch=Batch(number=5)))
                case Persisted():
                    effects.append(Respond(ticket=1, code=Code.OK, message=b"late"))
        return effects

    node.machine.answer = answer
    first = asyncio.ensure_future(node.driver.ask(RequestKind.WRITE, 7, b"x"))
    second = asyncio.ensure_future(node.driver.ask(RequestKind.WRITE, 7, b"y"))
    await rounds()
    await node.driver.stop("good night")
    assert (await first).message == b"late"
    assert (await second) == Respond(ticket=2, code=Code.UNAVAILABLE, message=b"good night")
    assert [batch.number for batch in node.storage.batches] == [5]
    assert node.storage.closed == 1
    turns = len(node.machine.turns)
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    assert len(node.machine.turns) == turns


async def test_a_crash_says_nothing_to_the_machine(node: Node) -> None:
    await node.driver.crash()
    assert not any(isinstance(event, Shutdown) for event in node.machine.events)
    assert node.storage.closed == 1


# --- apps and watchers ---------------------------------------------------------------------------


async def test_applies_and_reads_go_through_the_app_in_order(node: Node) -> None:
    node.machine.answer = lambda events: (
        [
            RunApply(shard_id=7, last_index=4, items=((2, b"a"), (4, b"b"))),
            RunRead(shard_id=7, ticket=9, message=b"", index=4),
        ]
        if HostShard(shard_id=7) in events
        else []
    )
    node.driver.post(HostShard(shard_id=7))
    await node.machine.until(ReadDone)
    assert node.machine.events[1:] == [
        Applied(shard_id=7, last_index=4, answers=((Code.OK, b"A"), (Code.OK, b"B"))),
        ReadDone(shard_id=7, ticket=9, code=Code.OK, message=b"4"),
    ]
    assert node.driver.facts().commits == 2


async def test_configured_shards_are_hosted_at_the_start(tmp_path: Path) -> None:
    node = Node(tmp_path, shards=(3, 8))
    await node.driver.start()
    record = NodeRecord(node_id=NODE, incarnation=1, epoch=1, hosted=(3, 8))
    assert node.made_from == (record, {3: ShardRecord(), 8: ShardRecord()})
    assert [batch.node for batch in node.storage.batches] == [record]  # Durable before it serves.
    assert (tmp_path / "8").is_dir()
    await node.driver.stop()


async def test_watchers_hear_of_events_until_they_end_it(node: Node) -> None:
    heard: list[Tell] = []
    tell = Tell(kind="elected", text="by two votes", shard_id=7, term=3)
    node.machine.answer = lambda events: [tell] if events else []
    node.driver.subscribe(lambda tell: [][0])  # A watcher that raises harms no other.
    end = node.driver.subscribe(heard.append)
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    assert heard == [tell]
    end()
    node.driver.post(HostShard(shard_id=1))
    await rounds()
    assert heard == [tell]


META = SnapshotMeta(
    clock=Clock(3, 4),
    configuration=Configuration(voters=(NODE,), group_id=(5 << 64) | 6),
    configuration_index=1,
)


async def serve(node: Node, clock: Clock, group: int) -> bytes:
    pieces = [piece async for piece in node.driver.serve_snapshot(7, clock, group, 0)]
    assert pieces[0].meta == META
    return b"".join(piece.data for piece in pieces)


async def test_a_snapshot_is_served_when_both_halves_are_durable(node: Node) -> None:
    def answer(events: list[Event]) -> list[Effect]:
        effects: list[Effect] = []
        for event in events:
            match event:
                case HostShard():
                    effects.append(RunApply(shard_id=7, last_index=4, items=()))
                    effects.append(RunRead(shard_id=7, ticket=9, message=b"snapshot", index=4))
                case SnapshotFound(index=4):
                    save = Save(number=1, snapshot=META, log_starts_after=META.clock)
                    effects.append(Persist(batch=Batch(number=1, saves=((7, save),))))
        return effects

    node.machine.answer = answer
    node.storage.gate.clear()
    node.driver.post(HostShard(shard_id=7))
    await node.machine.until(SnapshotFound)
    with pytest.raises(SnapshotUnavailable):
        await serve(node, META.clock, 6)
    node.storage.gate.set()
    await node.machine.until(Persisted)
    assert await serve(node, META.clock, 6) == b"snapshot"
    assert await serve(node, META.clock, 0) == b"snapshot"  # Of a server that joins.
    with pytest.raises(SnapshotUnavailable, match="another group"):
        await serve(node, META.clock, 7)
    with pytest.raises(SnapshotUnavailable):
        await serve(node, Clock(3, 5), 6)
    assert b"".join([chunk async for chunk in node.driver.open_snapshot(7, 4)]) == b"snapshot"
    with pytest.raises(LookupError):
        [chunk async for chunk in node.driver.open_snapshot(7, 3)]
    with pytest.raises(LookupError):
        [chunk async for chunk in node.driver.open_snapshot(8, 4)]
