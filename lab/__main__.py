"""`python -m lab`, which `./log` runs: the terminal lab."""

from __future__ import annotations

import argparse
import asyncio
import sys

from lab.cluster.interface import ClusterError
from lab.report.write import from_recording
from lab.rooms.headless import tell_rooms
from lab.rooms.session import enter
from lab.scenarios.headless import tell_scenarios
from lab.scenarios.script import ScenarioError
from lab.session import Wishes, heal_all, must_be_terminal, parse, say, show
from lolraft.config import parse_shards
from lolraft.errors import ConfigError, LolraftError

MOST_NODES = 9


def main(arguments: list[str] | None = None) -> int:
    """Run the lab, or clean up after one; bad input is a sentence."""
    options = parse(arguments)
    if options.command == "heal":
        return heal_all(say)
    if options.command == "report":
        return _report(options)
    if options.command == "play":
        return _play(options)
    if options.scenario is not None and (options.headless or options.scenario == "list"):
        return tell_scenarios(
            options.scenario, options.backend, options.seed, options.record, options.report
        )
    try:
        if not 1 <= options.nodes <= MOST_NODES:
            raise ConfigError(f"--nodes is a number from 1 to {MOST_NODES}, not {options.nodes}")
        parse_shards(options.shards)
        lines = "json" if options.json else "plain" if options.plain else ""
        if not lines and options.replay is None:
            must_be_terminal()
        if options.for_s is not None and not (lines and options.for_s > 0):
            raise ConfigError("--for is a number of seconds for --plain or --json, more than 0")
        wishes = Wishes(
            backend=options.backend,
            nodes=options.nodes,
            shards=options.shards,
            app=options.app,
            connect=tuple(options.connect),
            fresh=options.new,
            ascii_glyphs=options.ascii,
            seed=options.seed,
            scenario=options.scenario,
            record=options.record,
            report=options.report,
            lines=lines,
            for_s=options.for_s,
            replay=options.replay,
        )
        return asyncio.run(show(wishes, say))
    except (ClusterError, LolraftError, ScenarioError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _report(options: argparse.Namespace) -> int:
    """Make the report of a recording, and say where it is."""
    try:
        if options.file is None:
            raise ConfigError("which recording? ./log report F, where --record F wrote it")
        print(from_recording(options.file, options.report))
    except (LolraftError, OSError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return 1
    return 0


def _play(options: argparse.Namespace) -> int:
    """Play a room, without a screen where that is asked for; with no name, offer them."""
    name = None if options.file is None else str(options.file)
    backend = "sim" if options.backend == "auto" else options.backend
    if options.headless:
        return tell_rooms(name or "all", backend, options.seed)
    try:
        return enter(name, backend, options.seed, say, ascii_glyphs=options.ascii)
    except (ClusterError, LolraftError, ScenarioError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
