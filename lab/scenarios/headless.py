"""`./log --scenario NAME --headless`: scenarios without a screen, to an exit status."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from lab.cluster.interface import ClusterError
from lab.scenarios import script
from lab.scenarios.run import run
from lolraft.errors import LolraftError

PASSED, FAILED, BROKEN = 0, 1, 2


def tell_scenarios(name: str, backend: str, seed: int | None, record: Path | None = None) -> int:
    """
    List all scenarios, or play one, or `all` of them, and say how each ended.

    Those that fail leave a recording in the folder *record*.

    Returns 0 where all passed, 1 where one failed, 2 where one could not be played.
    """
    try:
        if name == "list":
            return _list()
        if record is not None:
            record.mkdir(parents=True, exist_ok=True)
        chosen = [script.load(one) for one in (script.names() if name == "all" else (name,))]
        return asyncio.run(_play(chosen, "local" if backend == "auto" else backend, seed, record))
    except (script.ScenarioError, ClusterError, LolraftError, OSError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return BROKEN
    except KeyboardInterrupt:
        return 130


def _list() -> int:
    with suppress(BrokenPipeError):
        for name in script.names():
            one = script.load(name)
            print(f"{name:22} {one.title}: {one.shows}")
    return PASSED


async def _play(
    chosen: list[script.Script], backend: str, seed: int | None, folder: Path | None
) -> int:
    failed = 0
    for one in chosen:
        print(f"{one.title}  ({one.name} on {backend})\n{one.shows}", flush=True)
        record = None
        if folder is not None:
            record = folder / f"{Path(one.name).stem}-{backend}.recording"
        outcome = await run(one, backend, lambda line: print(f"  {line}", flush=True), seed, record)
        if record is not None and outcome.passed:
            record.unlink()
        elif record is not None:
            print(f"  recorded: {record}")
        if outcome.verdict is not None:
            print(f"  {outcome.verdict}")
        failed += not outcome.passed
        print(flush=True)
    if len(chosen) > 1:
        print(f"{len(chosen) - failed} of {len(chosen)} passed")
    return FAILED if failed else PASSED
