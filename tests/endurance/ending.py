"""What must be true in the end: nothing acknowledged is lost, all nodes are equal, one order."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import grpc.aio

from lab.apps import kv
from lab.attach import client_of
from lab.cluster.interface import Cluster, NodeHandle
from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from lolraft.raft.types import ShardId
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from lolraft.sim.history import History
from lolraft.sim.linearizable import TooHard, why_not_linearizable
from tests.endurance.workload import Workload

PATIENCE_S = 60.0
ENTRIES = 1024  # A call.
Log = dict[int, tuple[int, int, bytes]]


async def conclude(cluster: Cluster, workload: Workload) -> None:
    """Add every node's own state to the histories; all states, and all logs, are equal."""
    async with client_of(cluster) as client:
        for shard_id in workload.histories:
            states = []
            for number, node in enumerate(cluster.nodes()):
                states.append(await state_of(client, node, shard_id))
                workload.conclude(shard_id, states[-1], -1 - number)
            assert all(state == states[0] for state in states), f"states of {shard_id} differ"
            await logs_are_equal(cluster, shard_id)


async def state_of(client: RaftClient, node: NodeHandle, shard_id: ShardId) -> dict[str, str]:
    """Return what one node's own app holds: it is made the leader, and makes a snapshot."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            await client.transfer_leadership(shard_id, node.node_id, timeout_s=PATIENCE_S)
            made = kv.decode_answer(await client.read(shard_id, kv.make_snapshot()))
            pieces = client.get_snapshot(node.node_id, shard_id, made["index"])
            state: dict[str, str] = json.loads(b"".join([piece async for piece in pieces]))
            return state
        except RequestFailed:  # Another leads meanwhile, or it is not caught up yet.
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.1)


async def logs_are_equal(cluster: Cluster, shard_id: ShardId) -> None:
    """Compare the logs of all nodes where they overlap; the last entry is the same (§3.5)."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        logs = [await log_of(node, shard_id) for node in cluster.nodes()]
        common = set.intersection(*(set(log) for log in logs))
        for index in common:
            assert len({log[index] for log in logs}) == 1, f"logs differ at {index}"
        if len({max(log) for log in logs}) == 1:
            return  # Nobody is on its way any more.
        assert time.monotonic() < deadline_s, f"logs end at {[max(log) for log in logs]}"
        await asyncio.sleep(0.2)


async def log_of(node: NodeHandle, shard_id: ShardId) -> Log:
    """Return every entry that a node still holds: term, kind and payload by index."""
    found: Log = {}
    async with grpc.aio.insecure_channel(node.watch_address) as channel:
        stub: Any = observe_pb2_grpc.ObserveStub(channel)
        first = 1
        while True:
            request = observe_pb2.LogRequest(shard_id=shard_id, first=first, count=ENTRIES)
            part = await stub.Log(request, timeout=10.0, wait_for_ready=True)
            rows = zip(part.terms, part.kinds, part.payloads, strict=True)
            found |= dict(enumerate(rows, part.first))
            first = part.first + len(part.terms)
            if first > part.last_index:
                return found


def judge(histories: dict[ShardId, History]) -> tuple[int, int]:
    """
    Return how many keys and operations were judged.

    Raises:
        AssertionError: no order of one copy explains the answers, or a history is too long.
    """
    keys = operations = 0
    for shard_id, history in histories.items():
        for key, done in history.by_key().items():
            try:
                why_not = why_not_linearizable(done)
            except TooHard as hard:
                raise AssertionError(
                    f"shard {shard_id} key {key} cannot be judged: {hard}"
                ) from hard
            assert why_not is None, f"shard {shard_id}: {why_not}"
            keys += 1
            operations += len(done)
    return keys, operations
