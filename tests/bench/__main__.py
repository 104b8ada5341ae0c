"""
`./dev bench`: measure our cluster and its peers, side by side, in interleaved rounds.

Three nodes of each run on loopback; each does the same work in turn. Prints tables with ratios and
saves them as Markdown, JSON and plots. Nothing is asserted: a loaded machine is not a mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lolraft.runtime.loop import run
from tests.bench import ladder, plot, proc
from tests.bench.cases import CASES, SYSTEMS
from tests.bench.children import BenchError, workplace
from tests.bench.idle import measure_idle, measure_shards
from tests.bench.lineup import Lineup, open_lineup
from tests.bench.outage import measure_outages
from tests.bench.results import Results
from tests.bench.rounds import QUICK, Settings, measure_case
from tests.bench.tables import tables

PARTS = ("idle", *(case.key for case in CASES), "open-loop", "failover", "shards")
FULL_SHARDS = 10_000


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"parts: {' '.join(PARTS)}",
    )
    parser.add_argument("--quick", action="store_true", help="see that all works; no numbers")
    parser.add_argument("--full", action="store_true", help=f"{FULL_SHARDS:,} shards, too")
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 3")
    parser.add_argument("--tries", type=int, metavar="N", help="failovers of each; default: 3")
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help="such as 'write-*'")
    parser.add_argument(
        "--systems", nargs="+", default=[], metavar="NAME", help="such as lolraft etcd"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="seen from the checkout; default: a temporary folder",
    )
    options = parser.parse_args(arguments)
    for part in options.only:
        if not fnmatch.filter(PARTS, part):
            parser.error(f"no part is called {part!r}; there are {', '.join(PARTS)}")
    names = [system.name for system in SYSTEMS]
    for wish in options.systems:
        if not any(name.lower().startswith(wish.lower()) for name in names):
            parser.error(f"no system begins with {wish!r}; there are {'; '.join(names)}")
    return options


def settings_of(options: argparse.Namespace) -> Settings:
    """Return how long and how often, as the command line says."""
    settings = QUICK if options.quick else Settings()
    if options.rounds:
        settings = replace(settings, rounds=options.rounds)
    if options.tries:
        settings = replace(settings, tries=options.tries)
    if options.full:
        settings = replace(settings, shards=(*settings.shards, FULL_SHARDS))
    return settings


def say(line: str) -> None:
    """Print progress."""
    print(f"  {line}", file=sys.stderr, flush=True)


def machine(place: Path) -> dict[str, object]:
    """Return what one has to know of the machine to read the numbers."""
    return {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "filesystem": proc.filesystem(place.resolve()),
        "append_and_fdatasync_ms": round(proc.fdatasync_s(place) * 1e3, 3),
    }


async def measure(options: argparse.Namespace, place: Path, results: Results) -> None:
    """Measure all parts that are wanted; *results* holds what there is, should it be cut short."""
    settings = settings_of(options)
    results.machine = machine(place)

    def wanted(*parts: str) -> bool:
        return not options.only or any(fnmatch.filter(parts, name) for name in options.only)

    async def attempt(part: str, what: Callable[[], Awaitable[None]], *for_: str) -> None:
        try:
            if wanted(part, *for_):
                await what()
        except (BenchError, TimeoutError) as broken:
            say(f"{part}: {broken or 'took too long'}")
            results.missing[part] = str(broken) or "took too long"

    async with open_lineup(place, options.systems, say) as lineup:
        results.versions, results.missing = lineup.versions, lineup.missing

        async def idle() -> None:
            results.idle += await measure_idle(lineup, settings, say)

        async def ladders() -> None:
            results.ladders += await ladder.measure_ladders(lineup, settings, say)

        async def outages() -> None:
            results.outages += await measure_outages(lineup, settings, say)

        await attempt("idle", idle, "shards")  # Which are compared with the empty node.
        for case in CASES:
            if wanted(case.key):
                results.rows += await measure_case(case, lineup, settings, say)
        await attempt("open-loop", ladders)
        await attempt("failover", outages)
        await attempt("shards", lambda: _many_shards(lineup, settings, results))


async def _many_shards(lineup: Lineup, settings: Settings, results: Results) -> None:
    """Host many shards on clusters of their own, the others out of the way."""
    empty = next((one for one in results.idle if one.system.startswith("lolraft")), None)
    if not any(one.system.name.startswith("lolraft") for one in lineup.running):
        return
    await lineup.end_clusters()
    for shards in settings.shards:
        found = await measure_shards(lineup, shards, empty, settings, say)
        results.idle += found.idle
        results.rows += found.rows
        results.recoveries.append(found.recovery)
        if found.why:
            results.missing[f"{shards:,} shards"] = found.why


def save(results: Results, folder: Path) -> str:
    """Write everything to *folder*; return the text for the terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tables(results)
    facts = [f"{name} {version}" for name, version in results.versions.items()]
    facts += [f"{name.replace('_', ' ')} {value}" for name, value in results.machine.items()]
    head = ", ".join(facts)
    missing = [f"{name}: {why}" for name, why in results.missing.items()]
    pictures = {"throughput.svg": plot.throughput(results), "latency.svg": plot.latency(results)}
    for name, picture in pictures.items():
        (folder / name).write_text(picture)
    (folder / "results.json").write_text(json.dumps(results.to_json(), indent=1) + "\n")
    parts = ["# Measured side by side", head, *missing, *(table.to_markdown() for table in made)]
    parts += [f"![{name}]({name})" for name in pictures]
    (folder / "results.md").write_text("\n\n".join(parts) + "\n")
    return "\n\n".join([head, *missing, *(table.to_text() for table in made)])


async def _until_told(work: Awaitable[None]) -> None:
    """Run, and end in an orderly way when the process is told to."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    await task


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save; return the exit status."""
    options = parse(arguments)
    began_s = time.monotonic()
    results = Results()
    status = 0
    try:
        with workplace() as place:
            if proc.filesystem(place.resolve()) == "tmpfs":
                say("data is in memory (tmpfs), where a sync costs nothing: set TMPDIR to a disk")
            run(_until_told(measure(options, place, results)))
    except (asyncio.CancelledError, KeyboardInterrupt):
        say("cut short; this is what there is")
        status = 130
    finally:  # Minutes of measuring are worth keeping, whatever went wrong in the end.
        folder = options.out or Path(tempfile.mkdtemp(prefix="lolraft-measured-"))
        print(save(results, folder))
        print(f"\nsaved in {folder} after {time.monotonic() - began_s:.0f} s")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
