"""The footer: keys with what they would do to what is selected; a click presses the key."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message

from lab.tui.keys import Key, filled, table
from lab.tui.paint import Keymap, Line, ink
from lab.tui.scene import Scene
from lab.tui.widgets.panel import Page, Panel

_TRAVEL = ("event_back", "event_on", "election_back", "election_on")
_PINNED = ("help", "palette")


class KeyLine(Panel, can_focus=False):
    """As many keys as fit, those that matter most first; `?` has them all."""

    FRAMED = False

    @dataclass
    class Pressed(Message):
        """A key of the footer was clicked."""

        action: str

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._spots: list[tuple[int, int, str]] = []

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the labels."""
        return (*filled(scene).values(), scene.is_past, scene.place is None, scene.pace)

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Lay keys from the left while they fit, and the pinned ones at the right."""
        look = scene.look
        words = filled(scene)
        self._spots = []
        tail = Line()
        pinned = [key for name in _PINNED for key in table(look.keymap) if key.id == name]
        for key in pinned:
            tail.add(key.first, look.key).add(f" {key.label} ", look.text)
        line = Line()
        chosen = sorted(
            (key for key in in_footer(look.keymap) if key not in pinned and _works(key, scene)),
            key=lambda key: (scene.is_past and key.group != "time", key.footer),
        )
        for key in chosen:
            label = key.label.format(**words)
            gap = "" if not line.width else " " if width < 120 else "  "
            if line.width + len(gap) + len(key.first) + len(label) + 1 > width - tail.width - 2:
                continue
            line.add(gap, look.text)
            start = line.width
            line.add(key.first, look.key).add(f" {label}", look.text)
            self._spots.append((start, line.width, key.action))
        start = width - tail.width
        for key in pinned:
            end = start + len(key.first) + len(key.label) + 2
            self._spots.append((start, end, key.action))
            start = end
        line.right(tail, width).to(width)
        line.spans = list(line.strip(width, ink(look.palette.text, look.palette.bar)))
        return Page(lines=[line])

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        for start, end, action in self._spots:
            if start <= event.x < end:
                self.post_message(self.Pressed(action))


def _works(key: Key, scene: Scene) -> bool:
    """Return whether a key does more than say why not, of this picture of this cluster."""
    if scene.place is None and key.id in _TRAVEL:
        return False  # It works, but first things first.
    if scene.pace is None and key.only_sim:
        return False
    return not ((scene.is_past or scene.hands_off) and key.touches)


def in_footer(keymap: Keymap = ()) -> list[Key]:
    """Return the keys that the footer may name."""
    return [key for key in table(keymap) if key.footer < 90]
