"""What the process that has the cluster and a tab tell one another: a line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from lab.cluster.interface import NodeHandle
from lab.faults import Fault, FaultKind, Trouble
from lab.observe.plain import from_plain, to_plain
from lab.observe.view import EventView

MOST_BYTES = 1 << 24  # Of a line.


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The cluster as it is now; a tab hears it at once, and after every change."""

    backend: str
    title: str
    hands_off: str | None
    ended: str | None
    nodes: tuple[NodeHandle, ...]
    faults: tuple[Fault, ...]
    cannot: Mapping[FaultKind, str]  # Why this backend cannot do it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A tab wants something done, once."""

    ticket: int
    what: str  # A method of `Cluster` that acts.
    names: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()  # `partition`
    kind: FaultKind | None = None  # `disturb`
    trouble: Trouble | None = None
    fault: int | None = None  # `heal`: the number of the fault; None ends all.


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How it ended."""

    ticket: int
    refused: str | None = None  # Why it could not be done.
    fault: Fault | None = None
    node: NodeHandle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line for the timeline: somebody in a tab did something."""

    event: EventView


Word: TypeAlias = Told | Asked | Done | Said


def line_of(word: Word) -> bytes:
    """Return *word* as a line."""
    return json.dumps(to_plain(word), separators=(",", ":")).encode() + b"\n"


def word_of(line: bytes) -> Any:  # noqa: ANN401  # One of `Word`, as the hint is built at run time.
    """
    Return the word that `line_of` made *line* of.

    Raises:
        ValueError, TypeError, KeyError: there is none in it.
    """
    return from_plain(Told | Asked | Done | Said, json.loads(line))
