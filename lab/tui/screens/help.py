"""Help: the keys of the focused panel first, then all, then what the signs mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from lab.tui.keys import GROUPS, Key, filled, table
from lab.tui.paint import Look
from lab.tui.scene import Scene


class HelpScreen(ModalScreen[None]):
    """All keys and the legend, made from the one table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "close"),
        Binding("j,down", "scroll(1)", "down"),
        Binding("k,up", "scroll(-1)", "up"),
        Binding("space,pagedown", "scroll(10)", "page down"),
        Binding("b,pageup", "scroll(-10)", "page up"),
    ]

    def __init__(self, scene: Scene | None, panel: str) -> None:
        super().__init__()
        self._scene, self._panel = scene, panel

    def compose(self) -> ComposeResult:
        """Show one scrolling page."""
        with VerticalScroll(id="help") as page:
            page.border_title = "keys"
            page.border_subtitle = "j k scroll · esc closes"
            yield Static(self._rows())

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one("#help").scroll_relative(y=rows, animate=False)

    def _rows(self) -> Table:
        look = self._scene.look if self._scene else Look()
        words = filled(self._scene)
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=10, no_wrap=True)
        grid.add_column(width=14, no_wrap=True)
        grid.add_column()
        keys = table(look.keymap)
        mine = [key for key in keys if self._panel in key.panels]
        if mine:
            _group(grid, look, f"here: {self._panel}", mine, words)
        for group, title in GROUPS.items():
            _group(grid, look, title, [key for key in keys if key.group == group], words)
        grid.add_row(Text("Signs", look.strong))
        for sign, style, meaning in legend(look):
            grid.add_row(Text(f"  {sign}", style), "", Text(meaning, look.dim))
        return grid


def _group(grid: Table, look: Look, title: str, keys: list[Key], words: Mapping[str, str]) -> None:
    grid.add_row(Text(title, look.strong))
    for key in keys:
        grid.add_row(
            Text(f"  {key.shown}", look.key),
            Text(key.label.format(**words), look.text),
            Text(key.says.format(**words), look.dim),
        )
    grid.add_row("")


def legend(look: Look) -> list[tuple[str, Style, str]]:
    """Return every sign with its ink and meaning."""
    glyphs = look.glyphs
    return [
        (f"{glyphs.up} {glyphs.slow}", look.well, "up; slow: φ is over a quarter of the threshold"),
        (glyphs.phi, look.harm, "suspect: its peers do not hear it, though we do"),
        (glyphs.paused, look.warn, "paused: frozen by you"),
        (glyphs.dead, look.harm, "killed, or exited by itself: known, not guessed"),
        (glyphs.stopped, look.dim, "stopped by you, in order"),
        (glyphs.silent, look.warn, "silent: it does not answer us; its values are old and grey"),
        (f"{glyphs.lead} {glyphs.follow} {glyphs.learner}", look.warn,
         "leader, follower, learner; ? stands for election"),
        (f"{glyphs.no_leader} {glyphs.electing} {glyphs.lagging}", look.harm,
         "a shard without leader, electing, with a lagging replica; the worst of a cell wins"),
        ("7 7' ≠6", look.text, "committed, open, clashing with the leader's entry"),
        (f"{glyphs.behind} {glyphs.nothing}", look.dim, "behind the snapshot; not there yet"),
        ("s a c", look.you, "snapshot, applied, commit"),
        (f"{glyphs.phi} 0–16", look.well,
         "suspicion: at φ = k a live peer is this late once in 10ᵏ beats"),
        (f"{glyphs.cut}", look.harm, "cut by you: the receiver hears nothing from the sender"),
        (f"{glyphs.absent}", look.dim, "the receiver does not report, so its belief is unknown"),
        ("blue", look.you, "done by you"),
    ]  # fmt: skip
