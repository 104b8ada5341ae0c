"""How local nodes come and go: added, ended by somebody else, left running, found again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from lab.cluster import runs
from lab.cluster.connect import ConnectedCluster
from lab.cluster.interface import Cluster, ClusterError, NodeState
from lab.cluster.local import LocalCluster, end_processes, sweep
from lab.faults import FaultKind
from tests.integration.local_lab import Lab, left_over, local_lab, node_processes


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def pid_of(name: str) -> int:
    """Return a node's process, as the run's file has it."""
    (run,) = runs.known_runs()
    return next(node.pid for node in run.nodes if node.name == name)


async def test_an_added_node_becomes_a_member_and_can_be_removed() -> None:
    async with local_lab() as lab:
        await lab.put("before", "1")
        handle = await lab.cluster.add_node()
        assert (handle.name, handle.state) == ("n4", NodeState.RUNNING)
        await lab.client.add_server(0, handle.node_id, timeout_s=20.0)
        await lab.until(lambda: lab.shard.voters == ("n1", "n2", "n3", "n4"))
        await lab.logs_agree()
        await lab.put("after", "2")
        await lab.client.remove_server(0, handle.node_id, timeout_s=20.0)
        await lab.until(lambda: lab.shard.voters == ("n1", "n2", "n3"))
        # Removed, cleaned up and added again in one life: its commit begins anew, rightly.
        await lab.client.add_server(0, handle.node_id, timeout_s=20.0)
        await lab.until(lambda: lab.shard.voters == ("n1", "n2", "n3", "n4"))
        await lab.logs_agree()
        assert lab.view.verdict == "SAFE", lab.view.verdict_why


async def test_a_node_that_ends_by_itself_says_how() -> None:
    async with local_lab() as lab:
        leader = await lab.leader()
        name = next(name for name in lab.names if name != leader)
        os.kill(pid_of(name), signal.SIGTERM)  # Not by the lab.
        await lab.until(lambda: lab.state(name) is NodeState.EXITED)
        detail = lab.node(name).detail
        assert detail
        (run,) = runs.known_runs()
        log = Path(run.directory) / name / "log.txt"
        assert detail == log.read_text().splitlines()[-1][-200:]
        assert lab.cluster.faults() == ()
        await lab.cluster.restart(name)
        assert (lab.state(name), lab.node(name).detail) == (NodeState.RUNNING, "")
        await lab.logs_agree()
        # One that cannot start says why: its directory belongs to another node.
        await lab.cluster.kill(name)
        data = log.parent / "data"
        data.rename(log.parent / "old")
        data.write_text("in the way")
        await lab.cluster.restart(name)
        await lab.until(lambda: lab.state(name) is NodeState.EXITED)
        assert "data directory" in lab.node(name).detail


async def test_two_who_restart_a_node_start_it_once() -> None:
    async with local_lab() as lab:
        await asyncio.gather(lab.cluster.restart("n1"), lab.cluster.restart("n1"))
        await lab.until(lambda: lab.node("n1").epoch == 2)
        await lab.until(lab.all_hear)
        assert len(node_processes(runs.state_directory())) == 3
        assert lab.state("n1") is NodeState.RUNNING


async def left_running() -> runs.Run:
    """Start a cluster, write, cut and pause, and let go of it."""
    cluster = LocalCluster.begin()
    await cluster.start(lambda line: None)
    lab = Lab(cluster)
    try:
        leader = await lab.leader()
        await lab.put("kept", "1")
        await lab.cluster.isolate(leader)
        other = next(name for name in lab.names if name != leader)
        await lab.cluster.pause(other)
        await lab.cluster.kill(next(name for name in lab.names if name not in (leader, other)))
        # Just started, not even listening yet: it is left running as well.
        await lab.cluster.add_node()
    finally:
        await lab.close()
    await cluster.close(leave_running=True)
    (run,) = runs.known_runs()
    return run


async def test_a_cluster_left_running_is_healed_and_found_again() -> None:
    run = await left_running()
    assert run.kept
    assert len(node_processes(runs.state_directory())) == 3
    cluster: Cluster = LocalCluster(run)
    await cluster.start(lambda line: None)
    lab = Lab(cluster)
    try:
        states = sorted(node.state.value for node in cluster.nodes())
        assert states == ["exited", "running", "running", "running"]
        dead = next(node.name for node in cluster.nodes() if node.state is NodeState.EXITED)
        await lab.leader()  # Healed and resumed: two of three are a quorum.
        await lab.until(lambda: lab.node("n4").reported_at_s is not None)
        assert await lab.get("kept") == "1"
        await lab.cluster.restart(dead)
        await lab.logs_agree("n1", "n2", "n3")
        await lab.cluster.kill("n1")
        assert lab.state("n1") is NodeState.KILLED
    finally:
        await lab.close()
        await cluster.close()
    assert left_over() == ([], [], [])


async def test_nodes_that_have_only_just_been_started_are_left_running_too() -> None:
    first = LocalCluster.begin()
    await first.start(lambda line: None)
    await first.close(leave_running=True)
    (run,) = runs.known_runs()
    cluster = LocalCluster(run)
    await cluster.start(lambda line: None)
    lab = Lab(cluster)
    try:
        await lab.leader()
        assert {lab.state(name) for name in lab.names} == {NodeState.RUNNING}
    finally:
        await lab.close()
        await cluster.close()


async def test_what_a_dead_lab_left_can_be_ended_by_its_file() -> None:
    await left_running()
    (run,) = runs.known_runs()
    assert end_processes(run) == 3
    sweep(run)
    async with asyncio.timeout(10):
        while node_processes(runs.state_directory()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert left_over() == ([], [], [])


async def test_nodes_of_somebody_else_are_watched_cut_and_left_alone() -> None:
    async with local_lab() as theirs:
        await theirs.put("a", "1")
        leader = await theirs.leader()
        one = theirs.cluster.nodes()[0].watch_address
        cluster = ConnectedCluster((f"http://{one}",))
        await cluster.start(lambda line: None)
        assert cluster.title == f"connect:http://{one}"
        ids = {node.name: node.node_id for node in theirs.cluster.nodes()}
        assert {node.node_id for node in cluster.nodes()} == set(ids.values())
        lab = Lab(cluster)
        try:
            await lab.leader()
            assert await lab.get("a") == "1"
            old = next(node.name for node in cluster.nodes() if node.node_id == ids[leader])
            for kind in (FaultKind.KILL, FaultKind.STOP, FaultKind.PAUSE):
                assert "not started by this lab" in (cluster.why_not(kind) or "")
            for refused in (cluster.kill(old), cluster.stop(old), cluster.pause(old)):
                with pytest.raises(ClusterError, match="not started by this lab"):
                    await refused
            assert cluster.why_not(FaultKind.ISOLATE) is None
            await lab.cluster.isolate(old)
            await lab.leader(other_than=old)
        finally:
            await lab.close()
            await cluster.close()
        await theirs.logs_agree()  # Healed when it let go.
        assert {theirs.state(name) for name in theirs.names} == {NodeState.RUNNING}


async def test_a_node_that_is_down_is_in_the_picture_of_who_connects() -> None:
    async with local_lab() as theirs:
        leader = await theirs.leader()
        down = next(name for name in theirs.names if name != leader)
        await theirs.cluster.kill(down)
        address = next(n.watch_address for n in theirs.cluster.nodes() if n.name == leader)
        cluster = ConnectedCluster((address,))
        await cluster.start(lambda line: None)
        lab = Lab(cluster)
        try:
            theirs_by_id = {node.node_id: node.name for node in theirs.cluster.nodes()}
            assert {node.node_id for node in cluster.nodes()} == set(theirs_by_id)
            name = next(n.name for n in cluster.nodes() if theirs_by_id[n.node_id] == down)
            await lab.until(lambda: lab.node(name).reported_at_s is None and 0 in lab.view.shards)
            await theirs.cluster.restart(down)
            await lab.until(lambda: lab.node(name).epoch == 2)
        finally:
            await lab.close()
            await cluster.close()


async def test_nodes_of_somebody_else_that_all_restart_are_seen_again() -> None:
    async with local_lab() as theirs:
        await theirs.put("a", "1")
        cluster = ConnectedCluster((theirs.cluster.nodes()[0].watch_address,))
        await cluster.start(lambda line: None)
        lab = Lab(cluster)
        try:
            await lab.until(lambda: [node.epoch for node in lab.view.nodes] == [1, 1, 1])
            await asyncio.gather(*(theirs.cluster.kill(name) for name in theirs.names))
            await lab.until(lambda: 0 in lab.view.shards and lab.shard.status == "no-quorum")
            await asyncio.gather(*(theirs.cluster.restart(name) for name in theirs.names))
            await lab.until(lambda: [node.epoch for node in lab.view.nodes] == [2, 2, 2])
            await lab.leader()
            assert await lab.get("a") == "1", "the client finds them again too"
            assert lab.view.verdict == "SAFE", lab.view.verdict_why
        finally:
            await lab.close()
            await cluster.close()


async def test_an_address_where_nobody_answers_is_a_sentence() -> None:
    cluster = ConnectedCluster(("127.0.0.1:1",))
    with pytest.raises(ClusterError, match=r"no node answers at http://127.0.0.1:1"):
        await cluster.start(lambda line: None)
    await cluster.close()
