"""A cluster of local processes as the lab runs it: kill, pause, cut, add, and leave nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.cluster.interface import ClusterError, NodeState
from lab.faults import FaultKind
from tests.integration.local_lab import local_lab


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run files and data lie below the test's own directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def test_a_killed_leader_is_followed_by_another_and_no_write_is_lost() -> None:
    async with local_lab() as lab:
        await lab.put("a", "1")
        assert await lab.get("a") == "1"
        old = await lab.leader()
        await lab.cluster.kill(old)
        assert lab.state(old) is NodeState.KILLED
        assert [fault.kind for fault in lab.cluster.faults()] == [FaultKind.KILL]
        new = await lab.leader(other_than=old)
        await lab.put("b", "2")
        assert (await lab.get("a"), await lab.get("b")) == ("1", "2")
        with pytest.raises(ClusterError, match=f"{old} does not run; r starts it"):
            await lab.cluster.kill(old)
        with pytest.raises(ClusterError, match="there is no node n9; there are n1, n2, n3"):
            await lab.cluster.kill("n9")
        await lab.cluster.restart(old)
        assert lab.state(old) is NodeState.RUNNING
        assert lab.cluster.faults() == ()
        await lab.until(lambda: lab.node(old).epoch == 2)
        await lab.logs_agree()
        await lab.cluster.stop(new)  # SIGTERM: in order.
        assert lab.state(new) is NodeState.STOPPED
        await lab.leader(other_than=new)
        assert await lab.get("b") == "2"
        assert lab.view.verdict == "SAFE"


async def test_all_nodes_killed_at_once_under_load_lose_no_acknowledged_write() -> None:
    async with local_lab() as lab:
        acknowledged: dict[str, str] = {}
        writers = [
            asyncio.create_task(lab.keep_writing(acknowledged, name)) for name in ("x", "y", "z")
        ]
        try:
            for _ in range(2):
                seen = len(acknowledged)
                await lab.until(lambda: len(acknowledged) > seen + 50)  # noqa: B023
                await asyncio.gather(*(lab.cluster.kill(name) for name in lab.names))
                assert {lab.state(name) for name in lab.names} == {NodeState.KILLED}
                await asyncio.gather(*(lab.cluster.restart(name) for name in lab.names))
            seen = len(acknowledged)
            await lab.until(lambda: len(acknowledged) > seen + 10)
            assert not any(writer.done() for writer in writers)
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
        await lab.check(acknowledged)
        await lab.logs_agree()
