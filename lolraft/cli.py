"""The command `lolraft`: serve a node, and ask a cluster."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lolraft import cli_ask, cli_backup, cli_recover, cli_serve
from lolraft.cli_completion import add_completion
from lolraft.cli_tls import add_tls_arguments, tls_of
from lolraft.consistency import Consistency
from lolraft.errors import ConfigError, LolraftError
from lolraft.runtime.loop import run
from lolraft.storage.interface import StorageError

OK, FAILED, USAGE = 0, 1, 2

EPILOG = """\
exit codes: 0 done, 1 the cluster or the node said no (the sentence is on standard error),
2 the command line makes no sense"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; bad input is a sentence, never a traceback."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "serve":
            return _serve(options)
        if options.command == "recover":
            return cli_recover.recover(options)
        if options.command == "backup":
            return run(cli_backup.backup(options, tls_of(options)))
        if options.command == "restore":
            return run(cli_backup.restore(options))
        return run(cli_ask.ask(options, tls_of(options)))
    except ConfigError as broken:
        return _say(broken, USAGE)
    except (LolraftError, StorageError) as broken:
        return _say(broken, FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _serve(options: argparse.Namespace) -> int:
    settings = cli_serve.settings_of(options, tls_of(options))
    return run(cli_serve.serve(settings))


def _say(broken: Exception, code: int) -> int:
    print(f"lolraft: {broken}", file=sys.stderr)
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="lolraft",
        description="Multi-Raft for Python.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run one node until SIGTERM or ctrl-c"))
    status = commands.add_parser("status", help="show nodes, shards, leaders and phi")
    _add_common(status)
    for name, text in (("write", "replicate and apply a message"), ("read", "ask the app")):
        message = commands.add_parser(name, help=text)
        _add_common(message)
        message.add_argument("message", help="text, or - for standard input")
        message.add_argument("--hex", action="store_true", help="the message is hexadecimal")
        if name == "write":
            message.add_argument("--request-id", help="execute once, however often it is sent")
        else:
            _add_consistency(message)
    _add_operators(commands)
    _add_saving(commands)
    add_completion(parser, {"app": cli_serve.app_names})
    return parser


def _add_operators(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add what changes members and leaders; a change answers when it is committed."""
    for name, text, flags in (
        (
            "add-server",
            "make a server a member, or bootstrap an empty one with its own id",
            {"server": "http://host:port"},
        ),
        ("remove-server", "take a server out of the group", {"server": "http://host:port"}),
        (
            "replace-server",
            "let one server vote in the place of another, in one change",
            {"old": "the server that leaves, dead or alive", "new": "the server that joins"},
        ),
        (
            "change-members",
            "make these the members, in one change; whoever is not named leaves",
            {"voters": "ID,ID,ID"},
        ),
        ("transfer", "hand leadership to a server, or to the best one", {}),
    ):
        change = commands.add_parser(name, help=text)
        _add_common(change)
        for flag, meaning in flags.items():
            change.add_argument(f"--{flag}", required=True, metavar="ID", help=meaning)
        if name == "add-server":
            keep = "it receives every entry and does not vote (a read replica)"
            change.add_argument("--as-learner", action="store_true", help=keep)
        elif name == "change-members":
            change.add_argument("--learners", default="", metavar="ID", help="ID,ID: do not vote")
        elif name == "transfer":
            change.add_argument("--to", default="", metavar="ID", help="the server to lead")


def _add_saving(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add what an operator does for, and after, a disaster."""
    saved = commands.add_parser("backup", help="write shards to a file while they run")
    _add_common(saved)
    cli_backup.add_backup_arguments(saved)
    cli_backup.add_restore_arguments(
        commands.add_parser("restore", help="begin new groups with a backup (offline)")
    )
    cli_recover.add_arguments(
        commands.add_parser("recover", help="go on after a majority was lost for ever (offline)")
    )


def _add_consistency(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--consistency",
        choices=[item.value for item in Consistency],
        default=Consistency.LINEARIZABLE.value,
        help="who answers: the leader (default), any replica (local), the leader by its lease,"
        " any replica that is not too old (stale)",
    )
    parser.add_argument(
        "--max-staleness",
        type=float,
        metavar="SECONDS",
        help="with --consistency stale: how old the answer may be; inf takes any age",
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", metavar="ID", help="http://host:port; else $address")
    parser.add_argument("--listen", default="", metavar="HOST:PORT", help="default: the id's port")
    parser.add_argument("--data", type=Path, metavar="DIR", help="default: lolraft-data/HOST-PORT")
    parser.add_argument("--memory", action="store_true", help="keep nothing on disk (for tests)")
    parser.add_argument("--app", default="kv", metavar="NAME|MODULE:CLASS", help="default: kv")
    parser.add_argument("--shards", default="0", metavar="0-9,777", help="default: 0")
    parser.add_argument("--members", default="", metavar="ID,ID,ID", help="begin as this group")
    parser.add_argument(
        "--snapshot-entries", type=int, default=100_000, metavar="N", help="default: 100000"
    )
    parser.add_argument("--tail-entries", type=int, default=10_000, metavar="N", help="see Config")
    parser.add_argument(
        "--priority",
        type=int,
        default=0,
        metavar="N",
        help="above 0 prefers to lead, below avoids it",
    )
    parser.add_argument(
        "--lease", type=float, default=0.0, metavar="SECONDS", help="of a leader; 0, default: none"
    )
    parser.add_argument(
        "--clock-drift",
        type=float,
        default=0.05,
        metavar="RATIO",
        help="how far the rates of two clocks differ at most, for leases; default: 0.05",
    )
    parser.add_argument("--enable-faults", action="store_true", help="let lolraft.Faults break it")
    add_tls_arguments(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS", help="host:port of a server")
    parser.add_argument("--shard", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_tls_arguments(parser)
