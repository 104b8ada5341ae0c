"""
Five lamps: Raft's five safety properties (§3.2, figure 3.2), over all that was seen.

A lamp is lit only where somebody judges it: the simulator's checkers judge all five at every turn,
the reports of real nodes three of them. The others say that they are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lab.observe import safety
from lab.observe.view import ClusterView, Violation


class Light(Enum):
    """What a lamp says."""

    KEPT = "kept"  # So far, as far as it is judged.
    BROKEN = "broken"
    DARK = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """One property."""

    name: str
    light: Light


PROPERTIES: dict[str, str | None] = {
    "election safety": safety.ONE_LEADER,
    "leader append-only": safety.APPEND_ONLY,
    "log matching": None,
    "leader completeness": None,
    "state machine safety": safety.SAME_PREFIX,
}
"""The rule by which reports judge each; the simulator names the property as it is written here."""


def lamps(view: ClusterView) -> tuple[Lamp, ...]:
    """Return the five, in the paper's order."""
    return tuple(Lamp(name=name, light=_light(view, name)) for name in PROPERTIES)


def _light(view: ClusterView, name: str) -> Light:
    rule = PROPERTIES[name]
    if view.violation is not None and _breaks(view.violation, name, rule):
        return Light.BROKEN
    judged = view.backend == "sim" or rule is not None
    return Light.KEPT if judged and view.promises else Light.DARK


def _breaks(violation: Violation, name: str, rule: str | None) -> bool:
    if violation.rule == safety.SIMULATOR:
        return violation.text.startswith(name)
    return violation.rule == rule
