"""What `RaftClient.read` sends for each consistency, to whom, and what it refuses to send."""

from __future__ import annotations

import asyncio
import math

import pytest

from lolraft import Consistency
from lolraft.client import RaftClient
from lolraft.errors import RequestFailed
from tests.unit.client.servers import FAILED_PRECONDITION, UNAVAILABLE, Fakes, Told, echo


async def test_the_safe_one_is_the_default(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        await client.read(0, b"x")
        await client.read(0, b"x", consistency=Consistency.LINEARIZABLE)
    assert [(one.kind, one.bounds_s) for one in server.asked] == [(1, ()), (1, ())]


async def test_each_has_a_kind_and_stale_ones_a_bound(fakes: Fakes) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        await client.read(0, b"x", consistency=Consistency.LEASE)
        await client.read(0, b"x", consistency=Consistency.LOCAL)
        await asyncio.gather(
            client.read(0, b"x"),
            client.read(0, b"x", consistency=Consistency.STALE, max_staleness_s=1.5),
            client.read(0, b"x", consistency=Consistency.STALE, max_staleness_s=math.inf),
        )
    assert [one.kind for one in server.asked] == [2, 3, 1, 4, 4]
    assert server.asked[-1].bounds_s == (0.0, 1.5, math.inf)


@pytest.mark.parametrize(
    ("consistency", "bound_s"),
    [
        (Consistency.STALE, None),
        (Consistency.STALE, -1.0),
        (Consistency.STALE, math.nan),
        (Consistency.LINEARIZABLE, 1.0),
        (Consistency.LOCAL, 1.0),
    ],
)
async def test_bounds_that_make_no_sense(
    fakes: Fakes, consistency: Consistency, bound_s: float | None
) -> None:
    server = await fakes.start(echo)
    async with RaftClient([server.node_id]) as client:
        with pytest.raises(RequestFailed, match="max_staleness_s") as failed:
            await client.read(0, b"x", consistency=consistency, max_staleness_s=bound_s)
    assert failed.value.code == "INVALID_ARGUMENT"
    assert not server.asked


async def test_a_local_read_goes_to_a_given_server_not_to_the_leader(fakes: Fakes) -> None:
    leader = await fakes.start(echo)
    near = await fakes.start(lambda asked: Told(message=b"near", leader_id=leader.node_id))
    async with RaftClient([near.node_id]) as client:
        await client.read(0, b"x")  # Its answer names the leader.
        await client.read(0, b"x")
        assert len(leader.asked) == 1
        answer = await client.read(0, b"x", consistency=Consistency.LOCAL)
    assert answer == b"near"
    assert len(leader.asked) == 1


@pytest.mark.parametrize("code", [UNAVAILABLE, FAILED_PRECONDITION])
async def test_a_local_read_that_is_refused_goes_to_another_given_server(
    fakes: Fakes, code: int
) -> None:
    leader = await fakes.start(echo)
    bad = await fakes.start(lambda asked: Told(code, b"no", leader.node_id))
    good = await fakes.start(echo)
    async with RaftClient([bad.node_id, good.node_id]) as client:
        for _ in range(4):
            assert await client.read(0, b"x", consistency=Consistency.LOCAL) == b"x"
    assert not leader.asked
    assert len(bad.asked) <= 1
