"""Why? The causal chain behind what has the cursor, over the picture that it was asked of."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from lab.observe.why import Answer
from lab.tui.paint import ASCII, Look, spelled, tame
from lab.tui.widgets.node import clock


class WhyScreen(ModalScreen[None]):
    """One reason a line, what is so first; esc or `w` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,w,q,enter", "dismiss", "close"),
        Binding("j,down", "scroll(1)", "down"),
        Binding("k,up", "scroll(-1)", "up"),
    ]

    def __init__(self, answer: Answer, look: Look, at_s: float) -> None:
        super().__init__(classes="dialog why")
        self._answer, self._look, self._at_s = answer, look, at_s

    def compose(self) -> ComposeResult:
        """Show the chain over the moment that it is true of."""
        with VerticalScroll(id="box") as box:
            box.border_title = self._answer.title.replace("[", r"\[")
            yield Static(self._rows(), id="words")
            yield Static(f"as of {clock(self._at_s)} UTC · esc closes", id="more", markup=False)

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one("#box").scroll_relative(y=rows, animate=False)

    def _rows(self) -> Table:
        look, glyphs = self._look, self._look.glyphs
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(width=1, no_wrap=True)
        table.add_column()
        tones: dict[str, tuple[str, Style]] = {
            "text": (glyphs.nothing, look.text),
            "harm": (glyphs.no_leader, look.harm),
            "you": (glyphs.cut, look.you),
            "unknown": ("?", look.dim),
        }
        for reason in self._answer.reasons:
            sign, style = tones[reason.tone]
            text = tame(reason.text)
            if glyphs is ASCII:
                sign, text = spelled(sign), spelled(text)
            table.add_row(Text(sign, style), Text(text, style))
        return table
