"""Containers that are killed, paused and cut for real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cluster.docker import DockerCluster
from lab.cluster.docker_filter import FILTER
from lab.cluster.interface import ClusterError, NodeState
from lab.cluster.runs import known_runs
from tests.docker.cluster import left_of, open_lab

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]


def states(cluster: DockerCluster) -> dict[str, NodeState]:
    return {node.name: node.state for node in cluster.nodes()}


async def test_killing_the_leader_and_then_everybody_loses_nothing() -> None:
    async with open_lab() as lab:
        await lab.write("a")
        old = await lab.leader()
        await lab.cluster.kill(old)
        assert states(lab.cluster)[old] is NodeState.KILLED
        await lab.write("b")
        assert await lab.leader(other_than=old) != old
        await lab.cluster.restart(old)
        await lab.check()
        names = list(states(lab.cluster))
        await asyncio.gather(*(lab.cluster.kill(name) for name in names))
        await asyncio.gather(*(lab.cluster.restart(name) for name in names))
        await lab.write("c")
        await lab.check()
        assert lab.cluster.faults() == ()
        run = lab.cluster.title.partition(":")[2]
    assert left_of(run) == []


async def test_a_paused_leader_is_replaced_and_steps_down_when_it_thaws() -> None:
    async with open_lab() as lab:
        old = await lab.leader()
        await lab.cluster.pause(old)
        assert states(lab.cluster)[old] is NodeState.PAUSED
        await lab.write("while it is frozen")
        await lab.leader(other_than=old)
        await lab.cluster.resume(old)
        await lab.until(lambda: lab.replica(old).role == "follower")
        await lab.check()
        await lab.cluster.pause(old)
        await lab.cluster.kill(old)
        assert states(lab.cluster)[old] is NodeState.KILLED
        with pytest.raises(ClusterError, match="r starts it"):
            await lab.cluster.pause(old)


async def test_an_isolated_leader_steps_down_while_it_is_watched() -> None:
    async with open_lab() as lab:
        await lab.write("a")
        old = await lab.leader()
        fault = await lab.cluster.isolate(old)
        assert fault.mechanism == FILTER
        await lab.leader(other_than=old)
        await lab.until(lambda: lab.replica(old).role != "leader")
        await lab.write("b")
        asked_at_s = lab.watcher.view.now_s
        await lab.until(lambda: (lab.watcher.view.node(old).reported_at_s or 0) > asked_at_s)
        # A container that starts has a new network: the cut holds there too.
        await lab.cluster.restart(old)
        await lab.write("c")
        last = lab.shard.commit_index
        assert lab.replica(old).commit_index < last
        await lab.cluster.heal()
        await lab.check()


async def test_one_way_and_sides() -> None:
    async with open_lab() as lab:
        old = await lab.leader()
        one, other = (name for name in states(lab.cluster) if name != old)
        fault = await lab.cluster.cut(old, one)
        assert "rule" in fault.mechanism
        await lab.until(lambda: lab.phi(old, one) >= 12)
        assert lab.phi(one, old) < 12, "only one way"
        await lab.write("a")
        await lab.cluster.heal(fault)
        await lab.until(lambda: lab.phi(old, one) < 12)
        old = await lab.leader()
        one, other = (name for name in states(lab.cluster) if name != old)
        await lab.cluster.partition(((old,), (one, other)))
        await lab.leader(other_than=old)
        await lab.write("b")
        await lab.cluster.heal()
        await lab.check()


async def test_a_node_is_added_and_one_killed_from_outside_is_noticed() -> None:
    async with open_lab() as lab:
        await lab.write("a")
        added = await lab.cluster.add_node()
        await lab.client.add_server(0, added.node_id, timeout_s=30)
        await lab.until(lambda: len(lab.shard.voters) == 4)
        await lab.check()
        run = lab.cluster.title.partition(":")[2]
        await asyncio.to_thread(subprocess.check_call, ["docker", "kill", f"{run}-{added.name}"])
        await lab.until(lambda: states(lab.cluster)[added.name] is NodeState.KILLED)
        await lab.cluster.stop("n1")
        assert states(lab.cluster)["n1"] is NodeState.STOPPED
        await lab.cluster.restart("n1")
        await lab.write("b")


async def test_a_cluster_left_running_is_gone_on_with() -> None:
    cluster = DockerCluster.begin(nodes=3)
    try:
        await cluster.start(print)
        await cluster.isolate("n1")
        await cluster.close(leave_running=True)
        (run,) = known_runs()
        assert run.kept
    except BaseException:
        await cluster.close()
        raise
    async with open_lab(DockerCluster(run)) as lab:
        await lab.write("still here")
        await lab.check()
    assert left_of(run.name) == []
    assert known_runs() == []


async def test_heal_removes_what_a_killed_lab_left() -> None:
    program = (
        "import asyncio, sys\n"
        "from lab.cluster.docker import DockerCluster\n"
        "async def main():\n"
        "    cluster = DockerCluster.begin(nodes=3)\n"
        "    await cluster.start(lambda line: None)\n"
        "    await cluster.isolate('n1')\n"
        "    print(cluster.title, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    lab = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert lab.stdout is not None
    title = (await asyncio.wait_for(lab.stdout.readline(), 120)).decode().strip()
    run = title.partition(":")[2]
    assert len(left_of(run)) == 8
    lab.send_signal(signal.SIGKILL)
    await lab.wait()
    healing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab", "heal"), env=environment
    )
    assert await healing.wait() == 0
    assert left_of(run) == []
    assert known_runs() == []
