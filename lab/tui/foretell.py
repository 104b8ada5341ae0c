"""Say before: what the picture lets expect of a fault of what is selected, or of two sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lab.faults import FaultKind
from lab.observe.foresee import Consequence, between_groups, consequence
from lab.tui.scene import Scene

if TYPE_CHECKING:
    from textual.app import App


def of_node(scene: Scene, kind: FaultKind) -> Consequence | None:
    """Return what to expect of a fault of the selected node, while it is there to have one."""
    node = scene.view.node(scene.node or "")
    if node is None or node.state != "running":
        return None
    return consequence(scene.view, kind, (node.name,))


def of_link(scene: Scene, kind: FaultKind) -> Consequence | None:
    """Return what to expect of a fault of the selected link, while it is whole."""
    if scene.link is None or scene.link in scene.summary.cut_links:
        return None
    sender, receiver = scene.link
    both = kind in (FaultKind.CUT_BOTH, FaultKind.FLAP)
    links = (scene.link, (receiver, sender)) if both else (scene.link,)
    return consequence(scene.view, kind, (), links)


def sides(text: str, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """
    Read `n1 n2 | n3 n4 n5` as the groups of a partition.

    Raises:
        ValueError: a node is unknown or named twice, or there is only one side.
    """
    groups = tuple(tuple(side.split()) for side in text.split("|") if side.strip())
    named = [name for group in groups for name in group]
    unknown = [name for name in named if name not in names]
    if unknown:
        raise ValueError(f"No node {', '.join(unknown)}; there are {', '.join(names)}.")
    if len(groups) < 2 or len(named) != len(set(named)):
        raise ValueError("Write two sides or more, each node once: n1 n2 | n3 n4 n5.")
    return groups


def of_sides(scene: Scene) -> Callable[[str], Consequence | str]:
    """Return what tells of a partition that is being typed: what to expect, or what is wrong."""
    names = [node.name for node in scene.view.nodes]

    def foretell(text: str) -> Consequence | str:
        try:
            links = between_groups(sides(text, names))
        except ValueError as broken:
            return str(broken)
        return consequence(scene.view, FaultKind.PARTITION, (), links)

    return foretell


def say_before(app: App[Any], what: str, expected: Consequence | None) -> None:
    """Say what is expected of a key that acts at once; page 7 compares it with what came."""
    if expected is not None:
        harms = expected.harms
        words = f"expected: {expected.in_full}"
        app.notify(words, title=what, severity="error" if harms else "information")
