"""What tests of the client share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.client.servers import Fakes


@pytest.fixture
async def fakes() -> AsyncIterator[Fakes]:
    """Return a room for servers that answer as a test wants."""
    fakes = Fakes()
    yield fakes
    await fakes.stop()
