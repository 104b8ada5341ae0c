"""`./log --scenario NAME --headless`: scenarios without a screen, to an exit status."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

from lab.chronicle import Chronicle
from lab.cluster.interface import ClusterError
from lab.report.gather import Report
from lab.report.write import write, write_index
from lab.scenarios import script
from lab.scenarios.run import run
from lolraft.errors import LolraftError

PASSED, FAILED, BROKEN = 0, 1, 2


def tell_scenarios(
    name: str,
    backend: str,
    seed: int | None,
    record: Path | None = None,
    report: Path | None = None,
) -> int:
    """
    List all scenarios, or play one, or `all` of them, and say how each ended.

    Those that fail leave a recording in the folder *record*. Each leaves its report in the folder
    *report*; several have a folder each within it, and an index.

    Returns 0 where all passed, 1 where one failed, 2 where one could not be played.
    """
    try:
        if name == "list":
            return _list()
        if record is not None:
            record.mkdir(parents=True, exist_ok=True)
        chosen = [script.load(one) for one in (script.names() if name == "all" else (name,))]
        backend = "local" if backend == "auto" else backend
        return asyncio.run(_play(chosen, backend, seed, record, report))
    except (script.ScenarioError, ClusterError, LolraftError, OSError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return BROKEN
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _list() -> int:
    with suppress(BrokenPipeError):
        for name in script.names():
            one = script.load(name)
            print(f"{name:22} {one.title}: {one.shows}")
    return PASSED


async def _play(
    chosen: list[script.Script],
    backend: str,
    seed: int | None,
    folder: Path | None,
    report: Path | None,
) -> int:
    task = asyncio.current_task()
    assert task is not None, "a task runs this"
    for number in (signal.SIGTERM, signal.SIGHUP):  # SIGINT does so already.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    failed = 0
    told: list[tuple[str, Report]] = []
    for one in chosen:
        print(f"{one.title}  ({one.name} on {backend})\n{one.shows}", flush=True)
        record = None
        if folder is not None:
            record = folder / f"{Path(one.name).stem}-{backend}.recording"
        chronicle = Chronicle()
        try:
            outcome = await run(one, backend, _say, seed, record, chronicle)
        finally:  # Also when it is cut short: what happened until then is what one wants to see.
            if report is not None:
                name = f"{Path(one.name).stem}-{backend}"
                told.append((name, chronicle.gather.report()))
                page = write(told[-1][1], report / name if len(chosen) > 1 else report)
                if len(chosen) > 1:
                    write_index(report, told)
                _say(f"report: {page}")
        if record is not None and outcome.passed:
            record.unlink()
        elif record is not None:
            print(f"  recorded: {record}")
        if outcome.verdict is not None:
            print(f"  {outcome.verdict}")
        failed += not outcome.passed
        print(flush=True)
    if len(chosen) > 1:
        if report is not None:
            print(f"reports: {report / 'index.html'}")
        print(f"{len(chosen) - failed} of {len(chosen)} passed")
    return FAILED if failed else PASSED


def _say(line: str) -> None:
    print(f"  {line}", flush=True)
