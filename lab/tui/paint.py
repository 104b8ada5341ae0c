"""Ink on lines: cached styles, glyph sets, spans of text that become Textual strips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from lab.observe.words import span_s as span_s
from lab.tui.themes import DARK, Palette


@lru_cache(maxsize=4096)
def ink(text: str | None, ground: str | None = None, bold: bool = False) -> Style:
    """Return the one `Style` for these colours; making styles was half the cost of a frame."""
    return Style(color=text, bgcolor=ground, bold=bold or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The signs on the screen, each one cell wide."""

    up: str = "●"
    slow: str = "◐"
    silent: str = "◌"
    paused: str = "‖"
    dead: str = "✗"
    stopped: str = "■"
    lead: str = "★"
    follow: str = "○"
    learner: str = "◇"
    candidate: str = "?"
    phi: str = "φ"
    no_leader: str = "!"
    electing: str = "?"
    lagging: str = "▽"
    cut: str = "✂"
    slow_link: str = "≈"
    move: str = "⇄"
    arrow: str = "→"
    clash: str = "≠"
    behind: str = "░"
    nothing: str = "·"
    absent: str = "–"
    good: str = "✔"
    add: str = "+"
    heal: str = "♥"
    reload: str = "↻"
    write: str = "✎"
    wire: str = "─"
    dashed: str = "╌"
    gauge: str = "━"
    tick: str = "┃"
    dotted: str = "┄"
    cursor: str = "▌"
    sparks: str = "▁▂▃▄▅▆▇█"
    corners: str = "╭╮╰╯"
    sides: str = "─│"
    ellipsis: str = "…"
    separator: str = "·"
    thumb: str = "┃"
    lane: str = "│"
    right: str = "▶"
    left: str = "◀"
    lost: str = "╳"


UNICODE = Glyphs()
ASCII = Glyphs(
    up="*",
    slow="%",
    silent="o",
    paused='"',
    dead="x",
    stopped="#",
    lead="*",
    follow="o",
    learner="+",
    phi="f",
    lagging="v",
    cut="X",
    slow_link="~",
    move="<",
    arrow=">",
    clash="#",
    behind=":",
    nothing=".",
    absent="-",
    good="=",
    heal="+",
    reload="@",
    write="w",
    wire="-",
    dashed=".",
    gauge="=",
    tick="|",
    dotted=".",
    cursor=">",
    sparks="_.-:=+*#",
    corners="++++",
    sides="-|",
    ellipsis="~",
    separator="-",
    thumb="#",
    lane="|",
    right=">",
    left="<",
    lost="X",
)


Keymap: TypeAlias = tuple[tuple[str, str], ...]
"""A user's own keys: the id of what they do, and Textual's names of the keys."""


@dataclass(frozen=True, slots=True)
class Look:
    """A palette, a glyph set and the keys to name: what a panel paints with."""

    palette: Palette = DARK
    glyphs: Glyphs = UNICODE
    keymap: Keymap = ()
    text: Style = field(init=False, repr=False)
    strong: Style = field(init=False, repr=False)
    dim: Style = field(init=False, repr=False)
    faint: Style = field(init=False, repr=False)
    warn: Style = field(init=False, repr=False)
    harm: Style = field(init=False, repr=False)
    well: Style = field(init=False, repr=False)
    you: Style = field(init=False, repr=False)
    key: Style = field(init=False, repr=False)

    def __post_init__(self) -> None:
        palette = self.palette
        for name, style in (
            ("text", ink(palette.text)),
            ("strong", ink(palette.text, None, True)),
            ("dim", ink(palette.dim)),
            ("faint", ink(palette.faint)),
            ("warn", ink(palette.warn, None, True)),
            ("harm", ink(palette.harm, None, True)),
            ("well", ink(palette.well)),
            ("you", ink(palette.you)),
            ("key", ink(palette.warn, None, True)),
        ):
            object.__setattr__(self, name, style)

    def bold(self, name: str) -> Style:
        """Return the palette's ink *name*, bold."""
        return ink(getattr(self.palette, name), None, True)

    def alarm(self, name: str) -> Style:
        """Return text on a strong ground: `harm` or `warn`."""
        return ink(self.palette.on_strong, getattr(self.palette, name), True)

    def node(self, number: int, *, live: bool = True) -> Style:
        """Return the label of node *number* (from 0)."""
        mine = self.palette.nodes[number % len(self.palette.nodes)]
        ground, text = mine if live else self.palette.old
        return ink(text, ground, live)

    def cell(self, number: int) -> Style:
        """Return the deep ground that a node's shards have in the map."""
        ground, text = self.palette.cells[number % len(self.palette.cells)]
        return ink(text, ground)

    def term(self, age: int) -> Style:
        """Return a committed entry's ground; *age* 0 is the newest term in sight."""
        ground, text = self.palette.terms[min(age, len(self.palette.terms) - 1)]
        return ink(text, ground, True)

    def open_term(self, age: int) -> Style:
        """Return an uncommitted entry's ink: the term's hue without the ground."""
        return ink(self.palette.open_terms[min(age, len(self.palette.open_terms) - 1)])

    def ranked(self, phi: float, threshold: float) -> Style:
        """Return the ink for a phi: well, doubtful from a quarter of the threshold, harm."""
        if phi >= threshold:
            return self.harm
        return self.warn if phi >= threshold / 4 else self.well


class Line:
    """One line being written, from left to right."""

    __slots__ = ("spans", "width")

    def __init__(self, text: str = "", style: Style | None = None) -> None:
        self.spans: list[Segment] = []
        self.width = 0
        if text:
            self.add(text, style)

    def add(self, text: str, style: Style | None = None) -> Line:
        """Append *text*; runs of one style become one segment."""
        if not text:
            return self
        if not text.isprintable():
            text = tame(text)  # A name or a reason may hold anything; a line stays one line.
        self.width += len(text) if text.isascii() else cell_len(text)
        if self.spans and self.spans[-1].style is style:
            text = self.spans.pop().text + text
        self.spans.append(Segment(text, style))
        return self

    def to(self, column: int, style: Style | None = None, fill: str = " ") -> Line:
        """Fill up to *column*; one already past it stays."""
        if column > self.width:
            self.add(fill * (column - self.width), style)
        return self

    def extend(self, other: Line) -> Line:
        """Append the spans of *other*."""
        for span in other.spans:
            self.add(span.text, span.style)
        return self

    def right(self, other: Line, width: int) -> Line:
        """Put *other* flush right in *width*, where there is room for it."""
        if self.width + other.width <= width:
            self.to(width - other.width).extend(other)
        return self

    def strip(self, width: int, ground: Style | None = None) -> Strip:
        """Return exactly *width* cells, on *ground* where a span has none of its own."""
        strip = Strip(self.spans, self.width).adjust_cell_length(width)
        return strip.apply_style(ground) if ground is not None else strip

    @property
    def plain(self) -> str:
        """Return the text without its ink."""
        return "".join(span.text for span in self.spans)


_PLAIN = str.maketrans("φ≥≤’·→←×–—±…ᵏ★", "f><'.><x--~~k*")


def in_ascii(strip: Strip) -> Strip:
    """Return *strip* with every sign beyond ASCII spelled with one within it."""
    return Strip([Segment(spelled(text), style) for text, style, _ in strip], strip.cell_length)


def spelled(text: str) -> str:
    """Return *text* with every sign beyond ASCII spelled with one within it."""
    if text.isascii():
        return text
    text = text.translate(_PLAIN)
    return "".join(sign if sign.isascii() else "?" * cell_len(sign) for sign in text)


def tame(text: str) -> str:
    """Return one printable line: what an app or a log says may hold anything."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "·" for character in text)


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """Shorten *text* to *width* cells, saying that it was."""
    text = tame(text)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ellipsis if width > 0 else ""


def spark(values: Sequence[float], width: int, top: float, glyphs: Glyphs) -> str:
    """Return the newest *width* values as bars between 0 and *top*."""
    steps = len(glyphs.sparks) - 1
    newest = values[-width:] if width > 0 else ()
    bars = (min(max(value, 0.0), top) / top for value in newest)
    return "".join(glyphs.sparks[int(bar * steps + 0.5)] for bar in bars).rjust(width)


def bar(value: float, low: float, high: float, glyphs: Glyphs) -> str:
    """Return the sign of a cell between *low* and *high* of a bar that is *value* high."""
    steps = len(glyphs.sparks)
    part = (value - low) / (high - low) if high > low else 0.0
    filled = int(min(part, 1.0) * steps + 0.5) if part > 0 else 0  # Neither of what is no number.
    return glyphs.sparks[filled - 1] if filled > 0 else ""


def finite(values: Sequence[float]) -> list[float]:
    """Return *values* with 0 for what is no number: a report may hold anything."""
    return [value if math.isfinite(value) else 0.0 for value in values]


def count(number: int) -> str:
    """Return *number* with thousands apart: 9,412."""
    return f"{number:,}"


def short(number: int) -> str:
    """Return *number* in at most four signs: 9412, 10k."""
    return str(number) if number < 10_000 else f"{number // 1000}k"


def rate(per_s: float) -> str:
    """Return a rate in four or five signs: 0, 87, 3.42k."""
    return f"{per_s / 1000:.2f}k" if per_s >= 1000 else f"{per_s:.0f}"


def size(number: int) -> str:
    """Return bytes in four signs: 70M, 1.2G."""
    if number >= 1 << 30:
        return f"{number / (1 << 30):.1f}G"
    return f"{number >> 20}M" if number >= 1 << 20 else f"{number >> 10}K"


def watch_s(seconds: float, *, tenths: bool = False) -> str:
    """Return a duration as a stopwatch shows it: 03:12, 1:03:12, 00:12.3."""
    whole = int(seconds * 10 + 0.5) if tenths else int(max(0.0, seconds)) * 10
    minutes, rest = divmod(max(0, whole), 600)
    text = f"{minutes:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}"
    return f"{text}:{rest // 10:02}" + (f".{rest % 10}" if tenths else "")


def megabytes(number: int) -> str:
    """Return the size of a file: 312 kB, 4.1 MB."""
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


def phi_text(phi: float) -> str:
    """Return phi in at most four signs; beyond 16 the number says nothing more."""
    return "≥16" if phi >= 16 else f"{phi:.1f}"


def known_phi(phi: float | None) -> str:
    """Return phi, or a dash where nobody has an opinion yet."""
    return "–" if phi is None else phi_text(phi)
