"""Whatever is called at a node's port: a status code comes out, and the node goes on (DESIGN 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.effort import effort
from tests.fuzz.port import METHODS, Method, Port, requests_for

CALLS = 12  # At the same time.


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    port = Port(tmp_path_factory.mktemp("port"))
    yield port
    port.close()


@effort(25)
@given(st.integers(0, 2**64 - 1))
def test_calls_that_make_no_sense(port: Port, seed: int) -> None:
    chance = Random(seed)
    asked = [chance.choice(METHODS) for _ in range(CALLS)]

    async def call_all() -> None:
        requests = [requests_for(method, chance, port.node_id) for method in asked]
        await asyncio.gather(
            *(
                port.call(method, raw, cut=chance.random() < 0.2)
                for method, raw in zip(asked, requests, strict=True)
            )
        )
        await port.goes_on()

    port.runner.run(call_all())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bytes_that_are_no_message(port: Port, method: Method) -> None:
    """Every method refuses them as what they are, those of libraries too."""

    async def call() -> None:
        port.codes.clear()
        await port.call(method, [b"\xff" * 9], cut=False)
        await port.goes_on()

    port.runner.run(call())
    (_, code) = next(iter(port.codes))
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED)
