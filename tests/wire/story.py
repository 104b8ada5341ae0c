"""What a client of lolraft 0.10.2 does with a cluster of three, whatever the nodes run in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import pytest

from tests.wire.stub import Stub

PATIENCE_S = 15.0
TRIES = 3


@dataclass(frozen=True)
class Server:
    """One server: its id, where it is reached from here, and how to stop it."""

    server_id: str
    address: str
    stop: Callable[[], None]


def insist(ask: Callable[[], object]) -> object:
    """Ask again while there is no leader for a moment; all that is asked here may be repeated."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except grpc.RpcError as refused:
            if time.monotonic() > until_s:
                raise AssertionError(f"never done: {refused}") from refused
            time.sleep(0.05)


def play(servers: Sequence[Server]) -> None:
    """Bootstrap, grow, write, read, snapshot, lose the leader by removal, lose the quorum."""
    stubs = [Stub(server.address) for server in servers]
    try:
        _play(servers, stubs)
    finally:
        for stub in stubs:
            stub.close()


def _play(servers: Sequence[Server], stubs: Sequence[Stub]) -> None:
    first, second, third = stubs
    for stub in stubs:
        insist(stub.ping)
        with pytest.raises(grpc.RpcError) as empty:
            stub.fetch_add(1, "too early")
        assert empty.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    first.add_server(servers[0].server_id)
    assert first.fetch_add(3, "a") == 0
    second_id, third_id = servers[1].server_id, servers[2].server_id
    first.add_server(second_id + "/")  # As the Rust side writes it.
    assert second.fetch_add(4, "b") == 3, "through the new member, at once"
    second.add_server(third_id.replace("http://", "HTTP://"))
    assert third.fetch_add(5, "c") == 7
    assert [stub.read() for stub in stubs] == [12, 12, 12]
    _duplicates(stubs)
    _snapshots(stubs)
    _leaders(servers, stubs)


def _duplicates(stubs: Sequence[Stub]) -> None:
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(stubs[n % 3].fetch_add, 8, "same") for n in range(100)]
        answers = {item.result() for item in asked}
    assert answers == {12}, "one execution, one answer for all"
    assert stubs[0].read() == 20
    assert stubs[1].fetch_add(8, "same") == 12, "a late duplicate too"


def _snapshots(stubs: Sequence[Stub]) -> None:
    first = stubs[0]
    assert b"".join(first.get_snapshot(1)) == bytes(8), "the initial state is snapshot 1"
    assert first.make_snapshot() == 20
    with pytest.raises(grpc.RpcError) as none:
        list(first.get_snapshot(10**9))
    assert none.value.code() is grpc.StatusCode.NOT_FOUND


def _leaders(servers: Sequence[Server], stubs: Sequence[Stub]) -> None:
    first, second, third = stubs
    third.timeout_now()
    assert insist(lambda: second.fetch_add(1, "d")) == 20
    # The third leads now, most likely; whoever does, all three are removed and added again.
    for server, stub in zip(servers, stubs, strict=True):
        other = stubs[(stubs.index(stub) + 1) % 3]
        insist(lambda other=other, server=server: other.remove_server(server.server_id))  # type: ignore[misc]
        assert insist(other.read) == 21
        insist(lambda other=other, server=server: other.add_server(server.server_id))  # type: ignore[misc]
        assert insist(stub.read) == 21
    servers[1].stop()
    assert insist(lambda: first.fetch_add(2, "e")) == 21
    servers[2].stop()
    for n in range(TRIES):
        with pytest.raises(grpc.RpcError) as refused:
            first.fetch_add(1, f"f{n}")
        assert refused.value.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
