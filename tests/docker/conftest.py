from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run files of tests are apart from the user's, and so is what `heal` sweeps."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
