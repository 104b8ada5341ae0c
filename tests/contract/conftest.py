from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.world import GrpcWorld, MemoryWorld, World


@pytest.fixture(params=["memory", "grpc"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    over_grpc = GrpcWorld()
    yield over_grpc
    await over_grpc.stop_all()
