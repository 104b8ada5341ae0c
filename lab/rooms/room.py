"""
Read a room: a scenario whose end the player has to bring about.

    title    Stop a cluster of five
    shows    Five bear two dead nodes, and fewer when they are parted besides (§3.6).
    nodes    5
    task     Nobody may lead for three seconds.
    faults   2                      at most so many; `kinds` names those that are allowed
    hint     Kills alone will not do.

    setup                           steps before the player's turn
        write a=1
    storm                           steps that go on beside the player
        isolate n1
    goal                            what must be so at one moment: expectations of scenarios;
        no leader for 3s            `for` wants it so long, `once` is content to have seen it
    solution                        steps of a player who knows it
        kill n1

Head and steps are those of scenarios (`lab/scenarios`), with the words of `MORE` besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.faults import FaultKind
from lab.scenarios import script
from lab.scenarios.script import ScenarioError, Script, Step

TRIALS = Path(__file__).with_name("trials")
MORE = ("task", "faults", "kinds", "hint", "world")
SECTIONS = ("setup", "storm", "goal", "solution")
WORLDS = ("", "leases", "planted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room as it was written."""

    script: Script  # Its head, and the steps before the player's turn.
    number: int  # From 1; rooms are told in the order of their files.
    task: str
    hint: str
    faults: int | None = None  # So many at most; None: as many as you like.
    kinds: tuple[FaultKind, ...] = ()  # Only these; empty: all.
    world: str = ""  # What is special about it; only the simulator has such worlds.
    storm: tuple[Step, ...] = ()
    goals: tuple[Step, ...] = ()
    solution: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """Return the name on the command line."""
        return self.script.name

    @property
    def means(self) -> str:
        """Return what is allowed, in words."""
        kinds = " or ".join(kind.value for kind in self.kinds)
        if self.faults is None:
            return f"only {kinds}" if kinds else "any fault"
        if self.faults == 0:
            return "no fault at all"
        return f"{self.faults} {kinds or 'fault'}{'s' * (self.faults != 1)} at most"


def rooms() -> tuple[Room, ...]:
    """Return all rooms, in their order."""
    return tuple(
        parse(path.stem.partition("_")[2], path.read_text(), number)
        for number, path in enumerate(sorted(TRIALS.glob("*.txt")), 1)
    )


def load(name: str) -> Room:
    """
    Return a room by its name or number.

    Raises:
        ScenarioError: there is none.
    """
    for room in rooms():
        if name in (room.name, str(room.number)):
            return room
    raise ScenarioError(f"there is no room {name!r}; ./log play lists them")


def parse(name: str, text: str, number: int = 0) -> Room:
    """
    Read the text of a room.

    Raises:
        ScenarioError: it is not whole; the text says what is missing.
    """
    head, lines = script.split(text, (*script.HEAD, *MORE))
    parts = _parts(name, lines)
    wanted = ("title", "shows", "task", "hint")
    missing = [word for word in wanted if not head.get(word)]
    missing += [word for word in ("goal", "solution") if not parts[word]]
    if missing:
        raise ScenarioError(f"{name}: a room has {', '.join(missing)} too")
    if head.get("world", "") not in WORLDS:
        raise ScenarioError(f"{name}: there is no world {head['world']!r}")
    faults = head.get("faults", "")
    if faults and not faults.isdigit():
        raise ScenarioError(f"{name}: faults is a number, not {faults!r}")
    return Room(
        script=script.of_head(name, head, parts["setup"]),
        number=number,
        task=head["task"],
        hint=head["hint"],
        faults=int(faults) if faults else None,
        kinds=_kinds(name, head),
        world=head.get("world", ""),
        storm=tuple(parts["storm"]),
        goals=tuple(parts["goal"]),
        solution=tuple(parts["solution"]),
    )


def _parts(name: str, lines: list[Step]) -> dict[str, list[Step]]:
    parts: dict[str, list[Step]] = {section: [] for section in SECTIONS}
    section = ""
    for step in lines:
        if step.verb in SECTIONS and not step.words:
            section = step.verb
        elif not section:
            raise ScenarioError(f"{name}: line {step.number} belongs to none of {SECTIONS}")
        else:
            parts[section].append(step)
    return parts


def _kinds(name: str, head: Mapping[str, str]) -> tuple[FaultKind, ...]:
    words = [word.strip() for word in head.get("kinds", "").split(",") if word.strip()]
    try:
        return tuple(FaultKind(word) for word in words)
    except ValueError as broken:
        raise ScenarioError(f"{name}: {broken}") from broken
