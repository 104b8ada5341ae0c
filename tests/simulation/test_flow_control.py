"""Who is slow costs his own shard, and nobody is dropped without a word (DESIGN 5 and 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.node import Node, Shard
from lolraft.raft.effects import Code
from lolraft.sim import Plan
from lolraft.sim.node import SimNode
from lolraft.sim.weather import Rule
from tests.simulation.stage import Stage

KIB = 1024
MANY = 200


def inner(node: SimNode) -> Node:
    assert node.machine is not None, "it runs"
    return node.machine.node


def hang(node: SimNode, shard_id: int = 0) -> None:
    """Let the app of one shard hang, until `go_on` is called on its queue."""
    node.queues[shard_id].put(lambda: False)


def send(
    stage: Stage, node: SimNode, count: int, shard_id: int = 0, size: int = 1
) -> list[list[Respond | None]]:
    """Ask for some writes at once."""
    return [
        stage.ask(
            node, RequestKind.WRITE, f"s{shard_id}.{n} k {'v' * size}", f"{n}", shard_id=shard_id
        )
        for n in range(count)
    ]


def ends(answers: list[list[Respond | None]]) -> list[Respond]:
    return [answer[0] for answer in answers if answer and answer[0] is not None]


def test_a_hanging_app_fills_its_own_queue_and_no_other_shard_waits() -> None:
    stage = Stage(Plan(seed=1, shards=(0, 1), apply_entries=8, proposal_entries=50))
    leader = stage.leader(0)
    for shard_id in (0, 1):
        stage.write(stage.leader(shard_id), "first", shard_id)
    hang(leader)
    asked = send(stage, leader, MANY)
    stage.run(1.0)
    refused = ends(asked)
    assert len(refused) == MANY - 50, "what was admitted waits, the others were told"
    assert {answer.code for answer in refused} == {Code.RESOURCE_EXHAUSTED}
    assert all(b"try again" in answer.message for answer in refused)
    shard: Shard = inner(leader).shards[0]
    assert shard.state.commit_index == shard.committed, "they are committed,"
    assert 0 < shard.queued <= 8, "and lie in the log, not in the app's queue"
    began_s = stage.world.clock.now_s
    stage.write(stage.leader(1), "other", 1)
    assert stage.world.clock.now_s - began_s < 0.1, "in virtual time, where only waiting counts"
    leader.queues[0].go_on()
    stage.until(lambda: len(ends(asked)) == MANY)
    assert sum(answer.code is Code.OK for answer in ends(asked)) == 50
    assert (shard.pending, shard.pending_bytes, shard.queued, shard.queued_bytes) == (0, 0, 0, 0)
    stage.write(leader, "after")


def test_reads_that_a_hanging_app_does_not_answer_have_a_bound_too() -> None:
    stage = Stage(Plan(seed=9, shards=(0, 1), proposal_entries=50))
    leader = stage.leader(0)
    stage.write(leader, "first")
    hang(leader)
    asked = [stage.ask(leader, RequestKind.READ, "*") for _ in range(MANY)]
    stage.run(0.5)
    assert len(ends(asked)) == MANY - 50
    assert {answer.code for answer in ends(asked)} == {Code.RESOURCE_EXHAUSTED}
    stage.write(stage.leader(1), "other", 1)
    leader.queues[0].go_on()
    stage.until(lambda: len(ends(asked)) == MANY)
    assert inner(leader).shards[0].pending == 0


def test_a_read_waits_for_what_lies_in_the_log_before_it() -> None:
    stage = Stage(Plan(seed=2, apply_entries=2))
    leader = stage.leader()
    stage.write(leader, "first")
    hang(leader)
    send(stage, leader, 20)
    stage.run(0.5)
    read = stage.ask(leader, RequestKind.READ, "*")
    stage.run(0.5)
    assert not read
    leader.queues[0].go_on()
    assert stage.told(read).message.count(b'"s0.') == 20


def test_the_app_gets_no_more_bytes_than_have_room() -> None:
    stage = Stage(Plan(seed=3))
    leader = stage.leader()
    stage.write(leader, "first")
    node = inner(leader)
    node.config = replace(node.config, apply_bytes=10 * KIB)
    hang(leader)
    asked = send(stage, leader, 100, size=KIB)
    stage.run(0.5)
    assert 5 * KIB < node.shards[0].queued_bytes <= 12 * KIB
    leader.queues[0].go_on()
    stage.until(lambda: len(ends(asked)) == 100)
    assert {answer.code for answer in ends(asked)} == {Code.OK}


def test_a_follower_with_a_hanging_app_delays_no_commit_and_catches_up() -> None:
    stage = Stage(Plan(seed=4, apply_entries=8))
    leader, slow = stage.leader(), stage.followers()[0]
    stage.write(leader, "first")
    stage.until(lambda: 0 in slow.queues)
    hang(slow)
    asked = send(stage, leader, MANY)
    stage.until(lambda: len(ends(asked)) == MANY, 1.0)
    stage.run(0.5)
    shard = inner(slow).shards[0]
    assert shard.queued <= 8
    assert shard.handed < shard.committed
    slow.queues[0].go_on()
    stage.until(lambda: shard.applied_index == inner(leader).shards[0].applied_index)


def test_reads_behind_the_log_are_refused_when_their_app_breaks() -> None:
    stage = Stage(Plan(seed=5, apply_entries=2))
    leader = stage.leader()
    stage.write(leader, "first")
    hang(leader)
    send(stage, leader, 20)
    stage.run(0.5)
    read = stage.ask(leader, RequestKind.READ, "*")
    stage.run(0.5)
    leader.broken_apps[0] = 1
    leader.queues[0].go_on()
    assert stage.told(read).code is Code.UNAVAILABLE


@pytest.mark.parametrize("bound", [("proposal_entries", 40), ("proposal_bytes", 40 * KIB)])
def test_all_shards_of_a_node_together_have_a_bound(bound: tuple[str, int]) -> None:
    stage = Stage(Plan(seed=6, nodes=1, shards=(0, 1)))
    only = stage.leader()
    for shard_id in (0, 1):
        stage.write(only, "first", shard_id)
        hang(only, shard_id)
    node = inner(only)
    node.config = replace(node.config, **dict([bound]))  # type: ignore[arg-type]
    asked = [answer for shard_id in (0, 1) for answer in send(stage, only, 30, shard_id, KIB)]
    stage.run(0.5)
    refused = ends(asked)
    assert {answer.code for answer in refused} == {Code.RESOURCE_EXHAUSTED}
    assert all(b"of all shards" in answer.message for answer in refused)
    assert 30 < 60 - len(refused) <= 40, "one shard may use what the others leave"
    assert node.pending == 60 - len(refused)
    for shard_id in (0, 1):
        only.queues[shard_id].go_on()
    stage.until(lambda: len(ends(asked)) == 60)
    assert (node.pending, node.pending_bytes) == (0, 0)


def test_an_entry_that_is_too_long_is_refused_alone_by_whichever_door_it_came() -> None:
    stage = Stage(Plan(seed=7))
    leader, follower = stage.leader(), stage.followers()[0]
    most = inner(leader).config.limits.entry_bytes
    for node in (leader, follower):
        beside = stage.ask(node, RequestKind.WRITE, f"{node.node_id} k v", node.node_id)
        answers: list[Respond | None] = []
        request = ClientRequest(
            ticket=0, kind=RequestKind.WRITE, shard_id=0, message=bytes(most), request_id="long"
        )
        node.ask(request, answers.append)
        assert stage.told(answers).code is Code.INVALID_ARGUMENT
        assert stage.told(beside).code is Code.OK


def test_a_follower_that_is_cut_off_costs_bounded_memory_and_no_time() -> None:
    stage = Stage(Plan(seed=8))
    leader, gone = stage.leader(), stage.followers()[0]
    stage.write(leader, "first")
    gone.pause()  # It does not read its sockets: nothing says that it is gone.
    rule = stage.world.network.put(stage.links(leader, gone), Rule(kind="frame", delay_s=60.0))
    most_waits = 0
    outbox = inner(leader).peer(gone.node_id).outbox
    limits = inner(leader).config.limits
    for number in range(20):
        asked = stage.ask(leader, RequestKind.WRITE, f"w{number} k {'v' * 100 * KIB}", f"{number}")
        began_s = stage.world.clock.now_s
        assert stage.told(asked).code is Code.OK
        assert stage.world.clock.now_s - began_s < 0.1
        progress = inner(leader).shards[0].state.progress[gone.node_id]
        assert progress.in_flight <= limits.window
        most_waits = max(most_waits, outbox.size_bytes)
    assert most_waits <= outbox.limit_bytes
    stage.world.network.take(rule)
    gone.resume()
    shard = inner(gone).shards[0]
    stage.until(lambda: shard.applied_index == inner(leader).shards[0].applied_index, 80.0)
