"""Frames and heartbeats that no peer of ours sends: the same node serves a write after each."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lab.apps.counter import CounterApp
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import ShardId
from lolraft.rpc.pb import peer_pb2 as pb
from tests.integration.cluster import Cluster

ADD_ONE = struct.pack("<IQ", 0, 1) + b"x"
STRANGER = "http://127.0.0.1:9"
MOST = 2**64 - 1
LED, SILENT = 0, 5
"""Shards: the node leads the first alone; the second waits for its first append."""


class Target:
    """One node that leads, and what a stranger could have learned of it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.node_id = cluster.ids[0]
        self.group = cluster.shard(self.node_id, LED).group
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(self.node_id[7:], options=options)

    async def send(self, method: str, *messages: pb.PeerFrame | pb.NodeHeartbeat) -> None:
        """Send the messages on one stream, and wait until the node has taken or refused them."""
        call = self.channel.stream_stream(f"/lolraft.Peer/{method}")()
        try:
            async with asyncio.timeout(5):
                for message in messages:
                    await call.write(message.SerializeToString())
                await call.done_writing()
                while await call.read() is not grpc.aio.EOF:
                    pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        finally:
            call.cancel()

    async def goes_on(self) -> None:
        """Write: what arrived has neither stopped the node nor its shard."""
        assert not self.cluster.nodes[self.node_id].driver.failed.done()
        answer = await self.cluster.write(ADD_ONE, shard_id=LED)
        assert len(answer) == 8
        assert self.cluster.shard(self.node_id, SILENT).role in ("silent", "learner", "follower")


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    def counter(shard_id: ShardId, directory: Path) -> CounterApp:
        return CounterApp(directory)

    async with Cluster(tmp_path, 1, app=counter, shards=(LED, SILENT), static=False) as cluster:
        (only,) = cluster.ids
        await cluster.add(only, to=only, shard_id=LED)
        target = Target(cluster)
        yield target
        await target.channel.close()


Make = Callable[[Target], pb.PeerFrame]


def frame(sender: str = STRANGER, **fields: object) -> pb.PeerFrame:
    return pb.PeerFrame(sender=sender, incarnation=1, epoch=1, **fields)  # type: ignore[arg-type]


def forward(kind: int, message: bytes, request_id: str = "") -> Make:
    item = pb.Forward(number=1, kind=kind, shard_id=LED, message=message, request_id=request_id)
    return lambda target: frame(forwards=[item])


def message(
    shard_id: int = LED,
    *,
    term: int = 1,
    of_its_group: bool = True,
    sender: str = "",
    **body: object,
) -> Make:
    def make(target: Target) -> pb.PeerFrame:
        group = target.group if of_its_group else 77
        item = pb.ShardMessage(shard_id=shard_id, group=group, term=term, **body)  # type: ignore[arg-type]
        name = target.node_id if sender == "the node itself" else STRANGER
        return frame(name, messages=[item])

    return make


def append(kinds: bytes, *payloads: bytes, term: int = 1, prev: int = 0) -> pb.Append:
    return pb.Append(
        prev_index=prev,
        first=prev + 1,
        terms=[term] * len(kinds),
        kinds=kinds,
        payloads=payloads,
        commit_index=prev + len(kinds),
    )


ITSELF = "the node itself"
FRAMES: dict[str, Make] = {
    "a write, forwarded by a stranger": forward(0, ADD_ONE),
    "a forwarded write that is no command": forward(0, b"\xff"),
    "a forwarded write with a long request id": forward(0, ADD_ONE, "x" * 70_000),
    "a forwarded write that is too large": forward(0, bytes(5 * 1024 * 1024)),
    "add-server of bytes": forward(2, b"\xff\xfe"),
    "add-server of a word": forward(2, b"n1"),
    "remove-server of bytes": forward(3, b"\xff"),
    "transfer to bytes": forward(4, b"\xff"),
    "a probe": forward(5, b"\xff"),
    "a vote request of the last term": message(
        term=MOST, vote_request=pb.AskVote(last_term=MOST, last_index=MOST, force_vote=True)
    ),
    "a forced vote request": message(
        term=7, vote_request=pb.AskVote(last_term=9, last_index=99, force_vote=True)
    ),
    "a vote nobody asked for": message(vote_response=pb.TellVote(granted=True, asked_term=1)),
    "a removal of the last index": message(
        vote_response=pb.TellVote(refusal=3, removed_at=MOST, asked_term=1)
    ),
    "an append of term zero": message(term=0, append_request=pb.Append()),
    "an append of the last term": message(term=MOST, append_request=pb.Append(prev_index=MOST)),
    "an append of the last index": message(
        term=3, append_request=append(b"\1", b"\0\0", prev=MOST - 1)
    ),
    "an append of its own term": message(append_request=pb.Append(commit_index=9)),
    "an append by itself": message(append_request=append(b"\0", b""), sender=ITSELF),
    "success at the last index": message(
        append_response=pb.AppendAnswer(success=True, match_index=MOST)
    ),
    "success without an append": message(
        append_response=pb.AppendAnswer(success=True, match_index=50, commit_index=50)
    ),
    "rejection at the last index": message(
        append_response=pb.AppendAnswer(rejected_index=MOST, conflict_index=MOST)
    ),
    "success by itself": message(
        append_response=pb.AppendAnswer(success=True, match_index=50), sender=ITSELF
    ),
    "a snapshot of the last index": message(
        term=3, snapshot_offer=pb.OfferSnapshot(clock_term=MOST, clock_index=MOST)
    ),
    "a timeout of the last term": message(term=MOST, timeout_now=True),
    "another group": message(group_mismatch=True, of_its_group=False),
    "a command of nothing": message(SILENT, append_request=append(b"\1", b"")),
    "a command whose id is cut": message(SILENT, append_request=append(b"\1", b"\xff\xff")),
    "a configuration of bytes": message(SILENT, append_request=append(b"\2", b"\xff")),
    "a configuration of numbers": message(SILENT, append_request=append(b"\2", b'{"voters":1}')),
    "a snapshot for an empty replica": message(
        SILENT, snapshot_offer=pb.OfferSnapshot(clock_term=1, clock_index=10**9)
    ),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_bad_frame_stops_nothing(target: Target, name: str) -> None:
    await target.send("Exchange", FRAMES[name](target))
    await target.goes_on()


def beat(target: Target, **fields: object) -> pb.NodeHeartbeat:
    known: dict[str, object] = {"sender": STRANGER, "incarnation": 1, "epoch": 1, "seq": 1}
    return pb.NodeHeartbeat(**(known | {"is_beat": True} | fields))  # type: ignore[arg-type]


BEATS: dict[str, Callable[[Target], pb.NodeHeartbeat]] = {
    "a claim of the last term": lambda target: beat(
        target, ledger_version=2, claim_shards=[0], claim_terms=[MOST], claim_groups=[target.group]
    ),
    "a claim on a shard that is not here": lambda target: beat(
        target, ledger_version=2, claim_shards=[99], claim_terms=[1], claim_groups=[1]
    ),
    "a claim on the silent shard": lambda target: beat(
        target, ledger_version=2, claim_shards=[SILENT], claim_terms=[7], claim_groups=[7]
    ),
    "the last of all numbers": lambda target: beat(
        target, incarnation=MOST, epoch=MOST, seq=MOST, ledger_version=MOST, base_version=MOST
    ),
    "itself": lambda target: beat(
        target,
        sender=target.node_id,
        epoch=5,
        ledger_version=2,
        claim_shards=[LED],
        claim_terms=[1],
        claim_groups=[target.group],
    ),
}


@pytest.mark.parametrize("name", BEATS)
async def test_a_bad_heartbeat_stops_nothing(target: Target, name: str) -> None:
    await target.send("Beat", BEATS[name](target))
    await target.goes_on()


async def test_a_request_that_a_stranger_forwards_is_no_probe_of_ours(target: Target) -> None:
    respond = await target.cluster.ask(target.node_id, RequestKind.PROBE, shard_id=LED)
    assert respond.code is Code.INVALID_ARGUMENT
    await target.goes_on()
