"""`lolraft serve`: one node as a process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from lolraft.app import RaftApp
from lolraft.config import (
    Config,
    Tls,
    host_and_port,
    normalise_node_id,
    parse_servers,
    parse_shards,
)
from lolraft.errors import ConfigError, LolraftError
from lolraft.node import RaftNode
from lolraft.raft.types import ShardId
from lolraft.storage.interface import StorageError

GROUP = "lolraft.apps"
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to serve."""

    config: Config
    app: type[RaftApp]


def settings_of(options: argparse.Namespace, tls: Tls | None) -> Settings:
    """
    Return what the command line and the environment ask for.

    Raises:
        ConfigError: something makes no sense; the sentence says what would.
    """
    text = options.id or os.environ.get("address")  # noqa: SIM112  # The name in 0.10.2's container.
    if not text:
        raise ConfigError("which node? lolraft serve http://127.0.0.1:50000, or set $address")
    node_id = normalise_node_id(text)
    host, port = host_and_port(node_id)
    data = options.data or Path("lolraft-data") / f"{host.strip('[]').replace(':', '_')}-{port}"
    config = Config(
        node_id=node_id,
        listen=options.listen,
        data=None if options.memory else data,
        shards=parse_shards(options.shards),
        members=parse_servers(options.members),
        enable_faults=options.enable_faults,
        snapshot_entries=options.snapshot_entries,
        tail_entries=options.tail_entries,
        priority=options.priority,
        lease_s=options.lease,
        clock_drift=options.clock_drift,
        tls=tls,
        app_name=options.app,
    )
    return Settings(config=config, app=find_app(options.app))


def find_app(name: str) -> type[RaftApp]:
    """
    Return an app's class: by MODULE:CLASS, or by its entry point in the group `lolraft.apps`.

    Raises:
        ConfigError: there is none of that name; the sentence lists what there is.
    """
    if ":" in name:
        module, _, attribute = name.partition(":")
        sys.path.insert(0, os.getcwd())
        return _checked(name, _load(name, module, attribute))
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        there = ", ".join(app_names()) or "none: pip install lolraft first"
        raise ConfigError(f"no app {name!r}; installed are {there}. Or give MODULE:CLASS")
    point = known[name]
    return _checked(name, _load(name, point.module, point.attr))


def app_names() -> list[str]:
    """Return the names of the apps that are installed, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def _load(name: str, module: str, attribute: str) -> Any:  # noqa: ANN401  # Checked by the caller.
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as broken:
        raise ConfigError(f"cannot load the app {name!r}: {broken}") from broken
    except (Exception, SystemExit) as broken:  # Whatever its module does when it is imported.
        raise ConfigError(f"cannot load the app {name!r}: {_where(broken)}") from broken


def _checked(name: str, found: object) -> type[RaftApp]:
    if not isinstance(found, type) or not issubclass(found, RaftApp):
        raise ConfigError(f"{name!r} is no subclass of lolraft.RaftApp")
    missing = ", ".join(sorted(found.__abstractmethods__))
    if missing:
        raise ConfigError(f"the app {name!r} does not define {missing}")
    return found


def _where(broken: BaseException) -> str:
    """Return what an app raised, and where: its author wants the line, not our whole stack."""
    last = traceback.extract_tb(broken.__traceback__)[-1]
    text = f"{type(broken).__name__}: {broken}"
    if last.filename == __file__:
        return f"{text}; its constructor takes one argument, a directory"
    return text if isinstance(broken, SyntaxError) else f"{text} ({last.filename}:{last.lineno})"


async def serve(settings: Settings) -> int:
    """Run the node until SIGTERM or SIGINT; 0 when it stopped in order."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    config, app = settings.config, settings.app
    make: Any = app  # An app's constructor takes its directory; RaftApp itself does not say so.

    def build(shard_id: ShardId, directory: Path) -> RaftApp:
        try:
            built: RaftApp = make(directory)
        except (Exception, SystemExit) as broken:
            text = f"cannot make the app {config.app_name!r} of shard {shard_id}: {_where(broken)}"
            raise ConfigError(text) from broken
        return built

    node = RaftNode(config, build, extra_services=getattr(app, "add_services", None))
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    try:
        await node.start()
    except (LolraftError, StorageError):
        raise
    except Exception as broken:  # The app's, when it is brought to its snapshot, or ours.
        raise LolraftError(f"the node could not start: {_where(broken)}") from broken
    where = f"data in {config.data}" if config.data is not None else "data in memory only"
    logging.getLogger("lolraft").info(
        "serving %s on %s, %d shards, %s", config.app_name, config.listen, len(config.shards), where
    )
    stopping = loop.create_task(asked_to_stop.wait())
    stopped = loop.create_task(node.wait_stopped())
    await asyncio.wait((stopping, stopped), return_when=asyncio.FIRST_COMPLETED)
    try:
        if stopped.done():
            stopped.result()
        await node.stop("the node was told to stop")
    except LolraftError as broken:
        print(f"lolraft: {broken}", file=sys.stderr)
        return 1
    finally:
        stopping.cancel()
        stopped.cancel()
    return 0
