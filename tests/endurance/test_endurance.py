"""The short form of `./dev endure`: the same rounds, fewer of them, with a patience for CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cluster.docker import DockerCluster
from lab.cluster.local import LocalCluster
from tests.docker.cluster import left_of
from tests.endurance.rounds import Endurance
from tests.integration.local_lab import left_over


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_ten_rounds_of_kill_9_lose_nothing_and_the_history_is_linearizable() -> None:
    cluster = LocalCluster.begin(nodes=3, shards="0-1")
    endurance = Endurance(cluster, (0, 1), seed=3, patience_s=60.0)
    outcome = await endurance.run(10, clients=4, partitions=False, report=print)
    assert len(outcome.rounds) == 10
    assert outcome.acknowledged > 10
    assert left_over() == ([], [], [])


@pytest.mark.docker
@pytest.mark.timeout(300)
async def test_three_rounds_with_containers_and_partitions() -> None:
    cluster = DockerCluster.begin(nodes=3, shards="0-1")
    endurance = Endurance(cluster, (0, 1), seed=2, patience_s=60.0)
    outcome = await endurance.run(3, clients=4, partitions=True, report=print)
    assert len(outcome.rounds) == 3
    assert outcome.acknowledged > 3
    assert left_of(cluster.title.removeprefix("docker:")) == []
