"""`--print-completion SHELL`: what a shell needs to complete a command line (shtab)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NoReturn

SHELLS = ("bash", "zsh", "fish")
MISSING = "completion needs the package shtab: pip install 'lolraft[completion]'"
Names = Callable[[], Sequence[str]]


def add_completion(parser: argparse.ArgumentParser, known: Mapping[str, Names]) -> None:
    """Add the option; *known* says which words an argument takes, by its `dest`."""
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        action=_Print,
        known=known,
        help='eval "$(%(prog)s --print-completion bash)" completes it',
    )


class _Print(argparse.Action):
    """Print the script and end, as `--help` does."""

    def __init__(self, *args: Any, known: Mapping[str, Names], **more: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **more)
        self._known = known

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print it."""
        try:
            import shtab
        except ModuleNotFoundError:
            parser.error(MISSING)
        _tell(parser, self._known, shtab.FILE, shtab.DIRECTORY)
        if values != "bash":  # The others know a program in this directory by its last name.
            parser.prog = PurePath(parser.prog).name
        print(shtab.complete(parser, str(values)))
        parser.exit()


def _tell(
    parser: argparse.ArgumentParser, known: Mapping[str, Names], files: object, folders: object
) -> None:
    """Say of each argument what completes it: words, or files, or directories."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _tell(command, known, files, folders)
        elif action.dest in known:
            action.choices = known[action.dest]()
        elif action.type is Path:
            vars(action)["complete"] = folders if action.metavar == "DIR" else files
