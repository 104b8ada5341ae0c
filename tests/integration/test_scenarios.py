"""Every scenario of the lab on real processes; ./log --scenario all --headless does the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.scenarios import script
from tests.integration.local_lab import left_over
from tests.kept import run_kept


@pytest.mark.parametrize("name", script.names())
async def test_it_passes_on_local_processes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lines: list[str] = []
    outcome = await run_kept(script.load(name), "local", lines.append)
    assert outcome.passed, "\n".join(lines)
    assert left_over() == ([], [], []), "something was left behind"
