"""The ground of every panel: paint lines, compare, refresh only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from lab.observe.why import Question
from lab.tui.paint import ASCII, Line, Look, in_ascii, ink
from lab.tui.scene import Scene

_BLANK = Style()  # Not None: the filter behind NO_COLOR wants a style.


@dataclass(slots=True)
class Page:
    """What a panel wants shown: its frame's words and the lines within."""

    lines: list[Line] = field(default_factory=list)
    title: Line | None = None
    hint: str = ""  # At the right of the lower edge.
    above: int = 0  # Rows scrolled away above, of `total`: drawn as a thumb on the right edge.
    total: int = 0


class Panel(Widget, can_focus=True):
    """
    A framed panel over the Line API; a function of the last `Scene` it was given.

    A subclass names what it depends on in `inputs` and paints in `paint`; no clock and no chance in
    either. `chose` messages go up; the screen owns selection and cluster.
    """

    DEFAULT_CSS = "Panel { width: 1fr; height: 1fr; }"
    FRAMED: ClassVar[bool] = True
    TITLE: ClassVar[str] = ""
    KEYS: ClassVar[str] = ""  # The group of keys that `?` lists first.

    @dataclass
    class Chose(Message):
        """Something was picked: a node, shard, link or log index; `open` when it was entered."""

        what: str
        value: object
        open: bool = False

    def __init__(self, name: str) -> None:
        super().__init__(id=name, name=name)
        self.scene: Scene | None = None
        self._inputs: tuple[object, ...] | None = None
        self._strips: list[Strip] = []

    # What a subclass says.

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Return the values that the painting depends on; equal ones paint nothing anew."""
        raise NotImplementedError

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Return the lines for a body of *width* x *height* cells."""
        raise NotImplementedError

    def framed(self) -> bool:
        """Say whether the panel has a frame at its present size."""
        return self.FRAMED

    def move(self, dx: int, dy: int) -> None:
        """Move the panel's cursor; ends beyond the edge stay at the edge."""

    def enter(self) -> None:
        """Open what is under the cursor."""

    def press(self, x: int, y: int) -> None:
        """Pick what is at body cell *x*, *y*."""

    def copied(self) -> str:
        """Return what `y` copies: the line under the cursor, or all that is seen."""
        return "\n".join(strip.text.strip("│ ").rstrip() for strip in self._strips[1:-1])

    def question(self, scene: Scene) -> Question:
        """Return what `w` asks when the panel has focus: why the selected shard is as it is."""
        return shard_question(scene)

    # What the panel does by itself.

    def show(self, scene: Scene) -> None:
        """Take a new scene; repaint only where it differs."""
        self.scene = scene
        if self.display and self.size.area:
            inputs = (scene.look, self.size, self.has_focus, *self.inputs(scene))
            if inputs != self._inputs:
                self._inputs = inputs
                self._repaint(scene)

    def again(self) -> None:
        """Repaint after a change of the panel's own state, such as a scroll."""
        if self.scene is not None:
            self._inputs = None
            self.show(self.scene)

    def _repaint(self, scene: Scene) -> None:
        strips = self._compose_strips(scene, self.size)
        old = self._strips
        self._strips = strips
        if len(old) != len(strips):
            self.refresh()
            return
        width = self.size.width
        changed = [Region(0, y, width, 1) for y, strip in enumerate(strips) if strip != old[y]]
        if changed:
            self.refresh(*changed)

    def _compose_strips(self, scene: Scene, size: Size) -> list[Strip]:
        strips = self._painted(scene, size)
        return [in_ascii(strip) for strip in strips] if scene.look.glyphs is ASCII else strips

    def _painted(self, scene: Scene, size: Size) -> list[Strip]:
        look = scene.look
        ground = ink(look.palette.text, look.palette.ground)
        if not self.framed():
            page = self.paint(scene, size.width, size.height)
            lines = [line.strip(size.width, ground) for line in page.lines[: size.height]]
            return lines + [Strip.blank(size.width, ground)] * (size.height - len(lines))
        page = self.paint(scene, max(0, size.width - 2), max(0, size.height - 2))
        return self._frame(page, look, size, ground)

    def _frame(self, page: Page, look: Look, size: Size, ground: Style) -> list[Strip]:
        glyphs, inner = look.glyphs, max(0, size.width - 2)
        edge = ink(look.palette.warn if self.has_focus else look.palette.line)
        wire, side = glyphs.sides[0], glyphs.sides[1]
        top = Line(glyphs.corners[0] + wire + " ", edge)
        top.extend(_clipped(page.title or Line(self.TITLE, look.text), inner - 4, look))
        top.add(" ", edge).to(size.width - 1, edge, wire).add(glyphs.corners[1], edge)
        strips = [top.strip(size.width, ground)]
        body = size.height - 2
        thumb = _thumb(page.above, page.total, body)
        for row in range(body):
            line = Line(side, edge)
            if row < len(page.lines):
                line.extend(_clipped(page.lines[row], inner, look))
            line.to(size.width - 1)
            line.add(glyphs.thumb if row in thumb else side, look.dim if row in thumb else edge)
            strips.append(line.strip(size.width, ground))
        low = Line(glyphs.corners[2], edge)
        if page.hint and len(page.hint) + 6 < size.width:
            low.to(size.width - len(page.hint) - 4, edge, wire).add(f" {page.hint} ", look.dim)
        low.to(size.width - 1, edge, wire).add(glyphs.corners[3], edge)
        return [*strips, low.strip(size.width, ground)]

    def render_line(self, y: int) -> Strip:
        """Return a line painted before; nothing is worked out here."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, _BLANK)

    def on_resize(self, _event: events.Resize) -> None:
        """Paint for the new size at once."""
        self.again()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Light the frame, or dim it."""
        super().watch_has_focus(has_focus)
        self.again()

    def on_click(self, event: events.Click) -> None:
        """Pick with the mouse; a second click opens."""
        inset = 1 if self.framed() else 0
        self.press(event.x - inset, event.y - inset)
        if event.chain == 2:
            self.enter()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll as the arrow keys do."""
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll as the arrow keys do."""
        event.stop()
        self.scroll_rows(-3)

    def scroll_rows(self, rows: int) -> None:
        """Scroll by *rows*; a panel without a list moves its cursor."""
        self.move(0, 1 if rows > 0 else -1)


def shard_question(scene: Scene) -> Question:
    """Ask why somebody leads the selected shard, or nobody does."""
    return Question(about="shard", shard_id=scene.shard_id, node=scene.node)


def node_question(scene: Scene) -> Question:
    """Ask why the selected node is as it is."""
    return Question(about="node", node=scene.node, shard_id=scene.shard_id)


def _clipped(line: Line, width: int, look: Look) -> Line:
    """Return *line* cut to *width*, ending in an ellipsis where something is lost."""
    if line.width <= width:
        return line
    short = Line()
    for span in Strip(line.spans, line.width).crop(0, max(0, width - 1)):
        short.add(span.text, span.style)
    return short.add(look.glyphs.ellipsis, look.faint)


def _thumb(above: int, total: int, seen: int) -> range:
    """Return the rows of the scroll thumb; empty when all is seen."""
    if total <= seen or seen < 2:
        return range(0)
    length = max(1, seen * seen // total)
    start = round((seen - length) * above / max(1, total - seen))
    return range(start, start + length)


class ListPanel(Panel):
    """A panel of many rows with a cursor; only the rows in sight are painted."""

    FOLLOWS: ClassVar[bool] = False  # At the newest row unless moved away.

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.cursor: int | None = None  # None: at the start, or at the end when it follows.
        self.top = 0

    def rows(self, scene: Scene) -> Sequence[object]:
        """Return the rows, cheaply: the painting is done row by row."""
        raise NotImplementedError

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one row."""
        raise NotImplementedError

    def header(self, scene: Scene, width: int) -> list[Line]:
        """Return lines that stay above the rows."""
        return []

    def nothing(self, scene: Scene) -> str:
        """Return the sentence for a list without rows."""
        return "nothing yet"

    def place(self, scene: Scene, rows: Sequence[object]) -> int:
        """Return the row under the cursor."""
        last = len(rows) - 1
        if self.cursor is None:
            return last if self.FOLLOWS else 0
        return max(0, min(last, self.cursor))

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint the window of rows around the cursor."""
        rows = self.rows(scene)
        head = self.header(scene, width)
        seen = max(0, height - len(head))
        if not rows:
            words = Line(" ").add(self.nothing(scene), scene.look.dim)
            return Page(lines=[*head, words], title=self.title(scene, 0))
        here = self.place(scene, rows)
        if here < self.top:
            self.top = here
        if here >= self.top + seen:
            self.top = here - seen + 1
        self.top = max(0, min(self.top, len(rows) - seen))
        window = rows[self.top : self.top + seen]
        lines = [
            self.row(scene, item, width, here=self.top + offset == here and self.has_focus)
            for offset, item in enumerate(window)
        ]
        return Page(
            lines=head + lines,
            title=self.title(scene, len(rows)),
            above=self.top,
            total=len(rows),
            hint=self.foot(scene, len(rows)),
        )

    def title(self, scene: Scene, total: int) -> Line:
        """Return the words on the upper edge."""
        return Line(self.TITLE, scene.look.text)

    def foot(self, scene: Scene, total: int) -> str:
        """Return the words on the lower edge."""
        return ""

    def move(self, dx: int, dy: int) -> None:
        """Move the cursor by *dy* rows; large steps reach the ends."""
        if self.scene is None:
            return
        rows = self.rows(self.scene)
        if not rows:
            return
        place = max(0, min(len(rows) - 1, self.place(self.scene, rows) + dy))
        self.cursor = None if self.FOLLOWS and place == len(rows) - 1 else place
        self.moved(rows[place])
        self.again()

    def moved(self, item: object) -> None:
        """Tell the screen what is under the cursor now."""

    def scroll_rows(self, rows: int) -> None:
        """Scroll as the wheel does."""
        self.move(0, rows)

    def press(self, x: int, y: int) -> None:
        """Put the cursor on the row that was clicked."""
        if self.scene is None:
            return
        rows = self.rows(self.scene)
        head = len(self.header(self.scene, self.size.width - 2))
        place = self.top + y - head
        if y >= head and 0 <= place < len(rows):
            self.move(0, place - self.place(self.scene, rows))

    def copied(self) -> str:
        """Return the row under the cursor as text."""
        if self.scene is None or not (rows := self.rows(self.scene)):
            return ""
        item = rows[self.place(self.scene, rows)]
        return self.row(self.scene, item, self.size.width - 2, here=False).plain.strip()
