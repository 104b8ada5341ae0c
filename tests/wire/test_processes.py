"""The wire of lolraft 0.10.2 against nodes that run as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.integration.cluster import free_id
from tests.wire.story import Server, insist, play
from tests.wire.stub import Stub

ROOT = Path(__file__).parents[2]
CLOSED = {
    "ProcessKernRequest": "KernRequest",
    "RequestVote": "VoteRequest",
    "SendHeartbeat": "Heartbeat",
}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Three empty nodes, each told its id by the environment, as 0.10.2's container is."""
    processes = []
    found = []
    for number in range(3):
        node_id = free_id()
        process = subprocess.Popen(
            (
                *(sys.executable, "-m", "lolraft", "serve", "--app", "counter"),
                *("--shards", "777", "--data", str(tmp_path / str(number))),
            ),
            env={**os.environ, "address": node_id, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stderr=(tmp_path / f"{number}.log").open("wb"),
        )
        processes.append(process)

        def stop(process: subprocess.Popen[bytes] = process) -> None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0, "a clean stop"

        found.append(Server(node_id, node_id.removeprefix("http://"), stop))
    yield found
    for process in processes:
        process.kill()
        process.wait(10)


def test_a_client_of_0_10_2_does_all_it_did(servers: list[Server]) -> None:
    play(servers)


def test_what_only_rust_nodes_say_to_each_other_is_unimplemented(servers: list[Server]) -> None:
    stub = Stub(servers[0].address)
    try:
        insist(stub.ping)
        for method, request in CLOSED.items():
            with pytest.raises(grpc.RpcError) as refused:
                stub.ask(method, request, None)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert len(refused.value.details()) > 20, "a sentence, not a shrug"
    finally:
        stub.close()
