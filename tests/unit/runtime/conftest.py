from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.runtime.bench import Bench
from tests.unit.runtime.scripted import Node


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "apps")
    yield bench
    bench.host.stop()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    await node.driver.start()
    await asyncio.sleep(0)
    node.machine.turns.clear()
    node.machine.times_s.clear()
    yield node
    await node.driver.stop()
