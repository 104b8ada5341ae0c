"""The command line of `./log`, and what it asks for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

BACKENDS = ("auto", "docker", "local", "sim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    backend: str = "auto"  # auto, docker, local, sim
    nodes: int = 3
    shards: str = "0"
    app: str = "kv"
    connect: tuple[str, ...] = ()
    fresh: bool = False  # A new cluster though one was left running.
    ascii_glyphs: bool = False
    seed: int | None = None  # Of a world, or with `sim` of a cluster.
    scenario: str | None = None
    record: Path | None = None  # A file for what is seen.
    report: Path | None = None  # A folder for what is told of it in the end.
    lines: str = ""  # plain, json: a stream of lines instead of the screen.
    for_s: float | None = None  # How long to stream; None: until somebody ends it.
    replay: Path | None = None  # One to see again, with no cluster.


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line of `./log`."""
    parser = argparse.ArgumentParser(
        prog="./log", description="Watch a Raft cluster and break it; `./log heal` cleans up."
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("heal", "report"),
        help="heal: end what a dead lab left; report F: make the report of a recording",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="F", help="the recording to report")
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="1 to 9 (default 3)")
    parser.add_argument("--shards", default="0", metavar="0-9,777", help="default: 0")
    parser.add_argument("--app", default="kv", help="kv or counter")
    parser.add_argument("--connect", nargs="+", default=[], metavar="ADDRESS", help="running nodes")
    parser.add_argument(
        "--scenario", metavar="NAME", help="play one; `list` names them, `all` needs --headless"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="F",
        help="to a file; --headless: a folder, of what fails",
    )
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write a report of the run into this folder"
    )
    lines = parser.add_mutually_exclusive_group()
    lines.add_argument("--plain", action="store_true", help="no screen: a line for each event")
    lines.add_argument("--json", action="store_true", help="the same as JSON: see lab/stream.py")
    parser.add_argument(
        "--for", type=float, dest="for_s", metavar="SECONDS", help="end --plain and --json then"
    )
    parser.add_argument("--replay", type=Path, metavar="F", help="see a recording again")
    parser.add_argument("--headless", action="store_true", help="without a screen: pass or fail")
    parser.add_argument(
        "--seed",
        type=int,
        help="the world of this seed, as ./dev sim plays it; "
        "with --backend sim, a quiet simulated cluster",
    )
    parser.add_argument("--new", action="store_true", help="do not go on with one left running")
    parser.add_argument("--ascii", action="store_true", help="plain signs")
    options = parser.parse_args(arguments)
    if options.file is not None and options.command != "report":
        parser.error(f"what is {options.file} for? a file is for: ./log report F")
    if options.replay is not None and (others := _given_beside_replay(parser, options)):
        parser.error(f"--replay shows what was recorded, with no cluster: leave out {others}")
    return options


def _given_beside_replay(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Return what asks for a cluster, although a recording has none."""
    beside = ("--backend", "--nodes", "--shards", "--app", "--connect", "--scenario", "--record",
              "--headless", "--seed", "--new", "--report", "--plain", "--json")  # fmt: skip
    given = [name for name in beside if getattr(options, name[2:]) != parser.get_default(name[2:])]
    if options.command is not None:
        given.append(options.command)
    return ", ".join(given)
