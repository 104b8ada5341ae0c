"""`./log --connect` to nodes that speak mutual TLS: seen, written to, cut, and not lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.cluster.connect import ConnectedCluster
from lolraft.config import Tls
from tests.integration.certificates import NEEDS_OPENSSL, Authority, flags_of
from tests.integration.local_lab import Lab
from tests.integration.processes import ROOT, Processes

pytestmark = pytest.mark.skipif(NEEDS_OPENSSL, reason="needs openssl for keys")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Tls:
    return authority.sign("lab")


@asynccontextmanager
async def nodes(place: Path, authority: Authority) -> AsyncIterator[Processes]:
    """Run three nodes, which share one certificate: they are all on this host."""
    more = ("--app", "kv", "--enable-faults", *flags_of(authority.sign("node")))
    async with Processes(place, scheme="https", more=more) as theirs:
        await theirs.processes[theirs.ids[0]].says("serving kv")
        yield theirs


@asynccontextmanager
async def connected(theirs: Processes, ours: Tls) -> AsyncIterator[Lab]:
    """Look at all of them by the address of one."""
    cluster = ConnectedCluster((theirs.ids[0].removeprefix("https://"),), ours)
    await cluster.start(lambda line: None)
    lab = Lab(cluster)
    try:
        await lab.until(lambda: 0 in lab.view.shards and len(lab.shard.replicas) == 3)
        await lab.until(lab.all_follow)
        yield lab
    finally:
        await lab.close()
        await cluster.close()


async def test_nodes_of_tls_are_seen_written_to_and_cut(
    tmp_path: Path, authority: Authority, ours: Tls
) -> None:
    async with nodes(tmp_path, authority) as theirs, connected(theirs, ours) as lab:
        assert {node.node_id for node in lab.cluster.nodes()} == set(theirs.ids)
        await lab.until(lab.all_hear)
        leader = await lab.leader()
        await lab.put("a", "1")
        assert await lab.get("a") == "1"
        lab.watcher.select(0, None, 20)
        await lab.until(lambda: len(lab.view.logs) == 3)
        assert any("put a" in entry.text for entry in lab.view.logs[leader].entries)
        fault = await lab.cluster.isolate(leader)
        await lab.leader(other_than=leader)
        await lab.put("b", "2")
        await lab.cluster.heal(fault)
        await lab.until(lab.all_follow)
        assert lab.view.verdict == "SAFE", lab.view.verdict_why


async def test_nodes_of_tls_that_all_restart_are_seen_again(
    tmp_path: Path, authority: Authority, ours: Tls
) -> None:
    async with nodes(tmp_path, authority) as theirs, connected(theirs, ours) as lab:
        await lab.put("a", "1")
        ends = (process.signal(signal.SIGTERM) for process in theirs.processes.values())
        assert await asyncio.gather(*ends) == [0, 0, 0]
        for process in theirs.processes.values():
            await process.start()
        await lab.until(lambda: [node.epoch for node in lab.view.nodes] == [2, 2, 2])
        await lab.until(lab.all_follow)
        assert await lab.get("a") == "1", "the client finds them again too"
        assert await lab.cluster.isolate(await lab.leader()), "and so do the rules"


async def test_files_that_do_not_fit_are_said_on_the_command_line(
    tmp_path: Path, authority: Authority, ours: Tls
) -> None:
    stranger = Authority(tmp_path / "other").sign("stranger")
    wrong = Tls(certificate=ours.certificate, key=ours.key, ca=stranger.ca)
    (tmp_path / "nodes").mkdir()
    async with nodes(tmp_path / "nodes", authority) as theirs:
        one = str(theirs.ids[0])
        for arguments, why in (
            (("--connect", one, *flags_of(wrong)), f"a certificate that {stranger.ca} did not"),
            (("--connect", one), "give --tls-certificate, --tls-key and --tls-ca"),
            (("--connect", one, *flags_of(ours)[2:]), "--tls-ca go together"),
            (("--backend", "local", *flags_of(ours)), "the TLS files are for --connect"),
        ):
            status, out, err = await run(*arguments, "--plain", "--for", "1")
            assert status == 1
            assert len(out.splitlines()) <= 1, "a stream that has begun says why it ends"
            assert why in err
            assert err.splitlines()[-1].startswith("./log: "), err
            assert "handshake" not in err.lower(), "gRPC writes across no screen"
        arguments = ("--connect", one, *flags_of(ours), "--plain", "--for", "2")
        status, out, err = await run(*arguments)
        assert status == 0, err
        assert all(f"n{number} reports" in out for number in (1, 2, 3)), out


async def run(*arguments: str) -> tuple[int, str, str]:
    """Run `./log` to its end; return status, lines and what it said beside them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
