"""
Scenarios whose failure leaves something to look at: a recording and a report.

Where `LOLRAFT_ARTIFACTS` names a folder, as `.ci/run` makes it, each scenario that fails leaves
`NAME.recording` and `NAME/report.html` there; those that pass leave nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lab.chronicle import Chronicle
from lab.report.write import write
from lab.scenarios.play import Outcome
from lab.scenarios.run import run
from lab.scenarios.script import Script

ARTIFACTS = "LOLRAFT_ARTIFACTS"


async def run_kept(
    script: Script, backend: str, tell: Callable[[str], None], seed: int | None = None
) -> Outcome:
    """Run a scenario; keep what was seen of one that fails, or that breaks off."""
    folder = os.environ.get(ARTIFACTS)
    if not folder:
        return await run(script, backend, tell, seed)
    place = Path(folder) / f"{script.name}-{backend}"
    place.parent.mkdir(parents=True, exist_ok=True)
    recording, chronicle = place.with_suffix(".recording"), Chronicle()
    passed = False
    try:
        outcome = await run(script, backend, tell, seed, recording, chronicle)
        passed = outcome.passed
        return outcome
    finally:
        if passed:
            recording.unlink()
        else:
            write(chronicle.gather.report(), place)
