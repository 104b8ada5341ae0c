"""Five of the lab's scenarios on containers, with packet filters for their cuts."""

from __future__ import annotations

import pytest

from lab.cluster.runs import known_runs
from lab.scenarios import script
from tests.kept import run_kept

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
CHOSEN = ("leader_dies", "minority_leader", "one_way_partition", "lost_quorum", "removed_leader")


@pytest.mark.parametrize("name", CHOSEN)
async def test_it_passes_on_containers(name: str) -> None:
    lines: list[str] = []
    outcome = await run_kept(script.load(name), "docker", lines.append)
    assert outcome.passed, "\n".join(lines)
    assert known_runs() == [], "something was left behind"
