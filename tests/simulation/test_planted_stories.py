"""Every planted mistake that names a story is caught by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.planted import Mistake
from tests.simulation.planting import ALL, plant, tell

TOLD = [mistake for mistake in ALL if mistake.story]


@pytest.mark.parametrize("mistake", TOLD, ids=lambda mistake: mistake.name)
def test_the_story_catches_the_mistake(mistake: Mistake, tmp_path: Path) -> None:
    plant(mistake, tmp_path)
    assert tell(mistake, tmp_path), f"{mistake.story} passes although {mistake.name}"
