"""Run a story: commands above `----`, what happened below it (STYLE section 5)."""

from __future__ import annotations

import inspect

from tests.scenarios import wishes
from tests.scenarios.table import Table
from tests.scenarios.words import WORDS

LINE = "----"
assert wishes, "its words are registered by importing it"


class StoryError(Exception):
    """The story itself is wrong; says the line."""


def run_scenario(text: str) -> str:
    """
    Return the story with what happened now below each `----`.

    Raises:
        StoryError: a word is unknown, or is used wrongly; names the line.
        AssertionError: the group broke an invariant.
    """
    table = Table()
    blocks: list[str] = []
    number = 1
    for block in text.rstrip("\n").split("\n\n"):
        rows = block.split("\n")
        asked = rows[: rows.index(LINE)] if LINE in rows else rows
        blocks.append(_run_block(table, asked, number))
        number += len(rows) + 1
    return "\n\n".join(blocks) + "\n"


def _run_block(table: Table, asked: list[str], number: int) -> str:
    if all(not row or row.startswith("#") for row in asked):
        return "\n".join(asked)
    table.told = []
    for offset, row in enumerate(asked):
        if not row.startswith("#"):
            _run_command(table, row, number + offset)
    return "\n".join([*asked, LINE, *table.told])


def _run_command(table: Table, row: str, number: int) -> None:
    name, *rest = row.split()
    action = WORDS.get(name)
    if action is None:
        raise StoryError(f"line {number}: unknown word {name!r}")
    plain = [item for item in rest if "=" not in item]
    keyed = dict(item.split("=", 1) for item in rest if "=" in item)
    try:
        inspect.signature(action).bind(table, *plain, **keyed)
    except TypeError as wrong:
        raise StoryError(f"line {number}: {row!r}: {wrong}; {action.__doc__}") from None
    try:
        action(table, *plain, **keyed)
    except (KeyError, ValueError) as wrong:
        raise StoryError(f"line {number}: {row!r}: {wrong!r}; {action.__doc__}") from wrong
    except AssertionError as broken:
        broken.add_note(f"line {number}: {row}\n" + "\n".join(table.told[-20:]))
        raise
