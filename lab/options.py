"""The command line of `./log`, and what it asks for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from lab.scenarios.script import Script, names
from lab.serve.where import Where, where_of
from lab.tui.themes import PALETTES
from lolraft.cli_completion import add_completion
from lolraft.cli_serve import app_names
from lolraft.cli_tls import add_tls_arguments, tls_arguments
from lolraft.config import Tls

BACKENDS = ("auto", "docker", "local", "sim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    backend: str = "auto"  # auto, docker, local, sim
    nodes: int = 3
    shards: str = "0"
    app: str = "kv"
    connect: tuple[str, ...] = ()
    tls: Tls | None = None  # With `connect`, and in a tab that shows such a cluster.
    fresh: bool = False  # A new cluster though one was left running.
    ascii_glyphs: bool | None = None  # None: as it was the last time.
    theme: str | None = None
    reload: bool = False  # Local nodes, when their code changes.
    seed: int | None = None  # Of a world, or with `sim` of a cluster.
    scenario: str | None = None
    record: Path | None = None  # A file for what is seen.
    report: Path | None = None  # A folder for what is told of it in the end.
    lines: str = ""  # plain, json: a stream of lines instead of the screen.
    for_s: float | None = None  # How long to stream; None: until somebody ends it.
    replay: Path | None = None  # One to see again, with no cluster.
    serve: Where | None = None  # To browsers, instead of on this terminal.
    story: Script | None = None  # Of other nodes, to tell again in the simulator.
    tab: str | None = None  # This is a tab: of the cluster at this socket, or of its own world.


def looks_of(wishes: Wishes) -> list[str]:
    """Return the part of a command line that a tab shares: how it looks, how it dials."""
    looks = [] if wishes.theme is None else ["--theme", wishes.theme]
    looks += tls_arguments(wishes.tls)
    if wishes.ascii_glyphs is not None:
        looks.append("--ascii" if wishes.ascii_glyphs else "--no-ascii")
    return looks


def world_of(wishes: Wishes) -> list[str] | None:
    """Return the command line of a lab that each tab can have for itself; None: they share one."""
    if wishes.replay is not None:
        return ["--replay", str(wishes.replay.resolve())]
    if not _is_simulated(wishes.backend, wishes.seed):
        return None
    world = ["--backend", wishes.backend, "--nodes", str(wishes.nodes), "--shards", wishes.shards]
    world += ["--app", wishes.app]
    world += ["--seed", str(wishes.seed)] if wishes.seed is not None else []
    return world + (["--scenario", wishes.scenario] if wishes.scenario is not None else [])


def _is_simulated(backend: str, seed: int | None) -> bool:
    return backend == "sim" or (backend == "auto" and seed is not None)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line of `./log`."""
    parser = argparse.ArgumentParser(
        prog="./log", description="Watch a Raft cluster and break it; `./log heal` cleans up."
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("heal", "report", "play"),
        help="heal: end what a dead lab left; report F: make the report of a recording;"
        " play [ROOM]: a room with a task, or which there are",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="F", help="the recording to report, the room to play"
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="1 to 9 (default 3)")
    parser.add_argument("--shards", default="0", metavar="0-9,777", help="default: 0")
    parser.add_argument("--app", default="kv", help="kv or counter")
    parser.add_argument("--connect", nargs="+", default=[], metavar="ADDRESS", help="running nodes")
    add_tls_arguments(parser)
    parser.add_argument("--reload", action="store_true", help="new code restarts local nodes")
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
    parser.add_argument(
        "--serve",
        type=_where,
        nargs="?",
        const=Where(),
        metavar="HOST:PORT",
        help=f"in a browser, with no password; default: {Where()}, for this machine alone",
    )
    parser.add_argument("--tab", metavar="SOCKET", help=argparse.SUPPRESS)  # What --serve runs.
    parser.add_argument("--new", action="store_true", help="do not go on with one left running")
    parser.add_argument(
        "--ascii", action=argparse.BooleanOptionalAction, help="plain signs; default: as last time"
    )
    parser.add_argument("--theme", choices=tuple(PALETTES), help="colours; default: as last time")
    add_completion(parser, {"scenario": _scenarios, "app": app_names})
    return _checked(parser, parser.parse_args(arguments))


def _checked(parser: argparse.ArgumentParser, options: argparse.Namespace) -> argparse.Namespace:
    """Refuse what does not go together, in a sentence."""
    if options.file is not None and options.command not in ("report", "play"):
        parser.error(f"what is {options.file} for? a file is for: ./log report F")
    if options.replay is not None and (others := _given_beside_replay(parser, options)):
        parser.error(f"--replay shows what was recorded, with no cluster: leave out {others}")
    if options.serve is not None and (others := _given_beside_serve(options)):
        parser.error(f"--serve shows the lab in browsers: leave out {others}")
    return options


def _scenarios() -> list[str]:
    return [*names(), "list", "all"]


def _where(text: str) -> Where:
    try:
        return where_of(text)
    except ValueError as broken:
        raise argparse.ArgumentTypeError(str(broken)) from broken


def _given_beside_serve(options: argparse.Namespace) -> str:
    """Return what --serve cannot do: it has no screen, and a tab's world is not recorded here."""
    own_world = options.replay is not None or _is_simulated(options.backend, options.seed)
    shared = not own_world
    given = {
        "heal, report, play": options.command is not None,
        "--plain": options.plain,
        "--json": options.json,
        "--headless": options.headless,
        "--record (in a tab R records)": own_world and options.record is not None,
        "--report (in a tab S reports)": own_world and options.report is not None,
        "--scenario (or play it with --backend sim)": shared and options.scenario is not None,
    }
    return ", ".join(name for name, is_given in given.items() if is_given)


def _given_beside_replay(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Return what asks for a cluster, although a recording has none."""
    beside = ("--backend", "--nodes", "--shards", "--app", "--connect", "--scenario",
              "--record", "--headless", "--reload", "--seed", "--new", "--report",
              "--plain", "--json")  # fmt: skip
    given = [name for name in beside if getattr(options, name[2:]) != parser.get_default(name[2:])]
    if options.command is not None:
        given.append(options.command)
    return ", ".join(given)
