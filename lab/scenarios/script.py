"""
Read a scenario: a text file with a head, then one step a line.

    title    The leader dies
    shows    A majority elects another one, and nothing acknowledged is lost (§3.4).
    nodes    3

    # A line that begins with # is said to who watches.
    call leader old
    kill old
    expect leader is not old within 5s

`steps.py` has the steps, `expectations.py` what can be expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STORIES = Path(__file__).with_name("stories")
HEAD = ("title", "shows", "nodes", "shards", "snapshot-entries", "tail-entries")


class ScenarioError(Exception):
    """A scenario cannot be read, or asks for something that there is not; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a scenario."""

    number: int  # Of the line, from 1.
    verb: str  # `#` for a caption.
    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return the line."""
        return " ".join((self.verb, *self.words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A scenario as it was written."""

    name: str
    title: str
    shows: str
    nodes: int = 3
    shards: str = "0"
    snapshot_entries: int | None = None
    tail_entries: int | None = None
    steps: tuple[Step, ...] = ()


def names() -> tuple[str, ...]:
    """Return the names of all scenarios, sorted."""
    return tuple(sorted(path.stem for path in STORIES.glob("*.txt")))


def load(name: str) -> Script:
    """
    Return a scenario by its name, or by the path of a file.

    Raises:
        ScenarioError: there is none, or it cannot be read.
    """
    is_path = name.endswith(".txt") or "/" in name
    path = Path(name) if is_path else STORIES / f"{name}.txt"
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise ScenarioError(
            f"there is no scenario {name!r}; --scenario list names them,"
            " a path has a / or ends in .txt"
        ) from None
    return parse(path.stem, text)


def parse(name: str, text: str) -> Script:
    """
    Read the text of a scenario.

    Raises:
        ScenarioError: a line makes no sense; the text says which.
    """
    head, steps = split(text)
    missing = [word for word in ("title", "shows") if not head.get(word)]
    if missing or not steps:
        raise ScenarioError(f"{name}: a scenario has {', '.join(missing) or 'steps'} too")
    return of_head(name, head, steps)


def of_head(name: str, head: Mapping[str, str], steps: Sequence[Step]) -> Script:
    """
    Return the scenario of a head that is whole, and its steps.

    Raises:
        ScenarioError: a number of the head is none.
    """
    return Script(
        name=name,
        title=head["title"],
        shows=head["shows"],
        nodes=_number(name, head, "nodes") or 3,
        shards=head.get("shards", "0"),
        snapshot_entries=_number(name, head, "snapshot-entries"),
        tail_entries=_number(name, head, "tail-entries"),
        steps=tuple(steps),
    )


def split(text: str, words: Sequence[str] = HEAD) -> tuple[dict[str, str], list[Step]]:
    """Return the head of a text, whose lines begin with one of *words*, and the steps after it."""
    head: dict[str, str] = {}
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        verb, _, rest = line.strip().partition(" ")
        if not verb:
            continue
        if verb in words and not steps:
            head[verb] = rest.strip()
        else:
            said = (rest,) if verb == "#" else tuple(rest.split())
            steps.append(Step(number=number, verb=verb, words=said))
    return head, steps


def _number(name: str, head: Mapping[str, str], word: str) -> int | None:
    text = head.get(word)
    if text is None:
        return None
    if not text.isdigit():
        raise ScenarioError(f"{name}: {word} is a number, not {text!r}")
    return int(text)
