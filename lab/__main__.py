"""`python -m lab`, which `./log` runs: the terminal lab."""

from __future__ import annotations

import argparse
import asyncio
import sys

from lab.cluster.interface import ClusterError
from lab.options import Wishes, parse
from lab.reload import backend_of
from lab.report.write import from_recording
from lab.rooms.headless import tell_rooms
from lab.rooms.session import enter
from lab.scenarios.headless import tell_scenarios
from lab.scenarios.script import ScenarioError
from lab.serve.tab import end_with_parent
from lab.session import heal_all, memory_of, must_be_terminal, say, show
from lolraft.cli_tls import tls_of
from lolraft.config import Tls, parse_shards
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
    headless = options.headless or options.scenario == "list"
    if options.scenario is not None and headless and not options.reload:
        return tell_scenarios(
            options.scenario, options.backend, options.seed, options.record, options.report
        )
    try:
        if not 1 <= options.nodes <= MOST_NODES:
            raise ConfigError(f"--nodes is a number from 1 to {MOST_NODES}, not {options.nodes}")
        parse_shards(options.shards)
        lines = "json" if options.json else "plain" if options.plain else ""
        is_seen = options.serve is not None or options.tab is not None
        if not lines and not is_seen and options.replay is None:
            must_be_terminal()
        if options.for_s is not None and not (lines and options.for_s > 0):
            raise ConfigError("--for is a number of seconds for --plain or --json, more than 0")
        wishes = Wishes(
            backend=backend_of(options),
            nodes=options.nodes,
            shards=options.shards,
            app=options.app,
            connect=tuple(options.connect),
            tls=_tls_of(options),
            fresh=options.new,
            reload=options.reload,
            ascii_glyphs=options.ascii,
            theme=options.theme,
            seed=options.seed,
            scenario=options.scenario,
            record=options.record,
            report=options.report,
            lines=lines,
            for_s=options.for_s,
            replay=options.replay,
            serve=options.serve,
            tab=options.tab,
        )
        if wishes.tab is not None:
            end_with_parent()
        return asyncio.run(show(wishes, say if wishes.tab is None else _to_nobody))
    except (ClusterError, LolraftError, ScenarioError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _tls_of(options: argparse.Namespace) -> Tls | None:
    """Return the TLS files, which are for nodes that somebody else runs."""
    tls = tls_of(options)
    if tls is not None and not (options.connect or options.tab):
        raise ConfigError(
            "the TLS files are for --connect https://...; nodes that the lab starts take none"
        )
    return tls


def _to_nobody(line: str) -> None:
    """Say nothing: a browser has no place for it."""


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
        looks = Wishes(ascii_glyphs=options.ascii, theme=options.theme)
        return enter(name, backend, options.seed, say, memory=memory_of(looks))
    except (ClusterError, LolraftError, ScenarioError) as broken:
        print(f"./log: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
