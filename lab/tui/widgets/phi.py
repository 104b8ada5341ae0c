"""The phi chart: how the suspicion of one node by another grew, with the threshold through it."""

from __future__ import annotations

from rich.style import Style

from lab.observe.view import LinkView
from lab.observe.why import Question
from lab.tui.paint import Line, Look, ink
from lab.tui.scene import Scene, suspect_link
from lab.tui.widgets.panel import Page, Panel

_LEFT = 6


class PhiPanel(Panel):
    """One bar a second; the threshold is a dotted line, and the scale is shared by all pairs."""

    KEYS = "phi"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the history of one pair, by the second."""
        link = suspect_link(scene)
        pair = (link.sender, link.receiver, link.threshold) if link else None
        track = scene.phi.tracks.get((link.sender, link.receiver)) if link else None
        return (pair, track, int(scene.view.now_s))

    def question(self, scene: Scene) -> Question:
        """Ask about the pair of the chart."""
        link = suspect_link(scene)
        pair = (link.sender, link.receiver) if link is not None else scene.link
        return Question(about="link", link=pair, shard_id=scene.shard_id)

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint bars from left (past) to right (now)."""
        look = scene.look
        link = suspect_link(scene)
        if link is None:
            words = " no node has heard of another yet: phi starts with the first heartbeats"
            return Page(lines=[Line(words, look.dim)], title=Line(look.glyphs.phi, look.text))
        title = Line(f"{look.glyphs.phi} of ", look.text).add(link.sender, look.strong)
        title.add(" seen by ", look.text).add(link.receiver, look.strong)
        title.add(f" · threshold {link.threshold:g}", look.text)
        room = max(4, width - _LEFT - 1)
        stretch = 2 if room >= 100 else 1
        seconds = room // stretch
        bars = scene.phi.bars((link.sender, link.receiver), scene.view.now_s, seconds)
        wide = [bar for bar in bars for _ in range(stretch)]
        rows = max(1, height - 1)
        top = link.threshold * 1.5
        lines = [_row(look, link, wide, row, rows, top) for row in range(rows)]
        return Page(lines=[*lines, _axis(look, seconds, stretch)], title=title, hint=_words(link))


def _words(link: LinkView) -> str:
    return f"beats every {link.mean_s * 1000:.0f} ms ± {link.deviation_s * 1000:.0f}"


def _row(
    look: Look, link: LinkView, bars: list[float | None], row: int, rows: int, top: float
) -> Line:
    """Paint one row of cells; each holds an eighth to a whole."""
    low, high = top * (rows - 1 - row) / rows, top * (rows - row) / rows
    here = low <= link.threshold < high
    line = Line()
    if here:
        line.add(f"{link.threshold:>4g} ", look.warn).add(look.glyphs.gauge, look.warn)
    elif row == 0:
        line.add(f"{top:>4g}", look.faint).to(_LEFT)
    elif row == rows - 1:
        line.add("   0", look.faint).to(_LEFT)
    else:
        line.to(_LEFT)
    steps = len(look.glyphs.sparks)
    for value in bars:
        eighths = 0 if value is None else int((min(value, top) - low) / (high - low) * steps + 0.5)
        if value is not None and row == rows - 1:
            eighths = max(1, eighths)
        if eighths > 0:
            sign = look.glyphs.sparks[min(steps, eighths) - 1]
            line.add(sign, _tone(look, value or 0.0, link.threshold))
        elif here:
            line.add(look.glyphs.dotted, ink(look.palette.warn))
        else:
            line.add(" ")
    return line


def _tone(look: Look, phi: float, threshold: float) -> Style:
    palette = look.palette
    if phi >= threshold:
        return ink(palette.harm)
    return ink(palette.warn if phi >= threshold / 4 else palette.well)


def _axis(look: Look, seconds: int, stretch: int) -> Line:
    line = Line()
    for back in range(seconds // 20 * 20, 0, -20):
        label = f"-{back}s"
        column = _LEFT + (seconds - back) * stretch - len(label) // 2
        if column >= max(_LEFT, line.width + 1):
            line.to(column).add(label, look.faint)
    return line.to(_LEFT + seconds * stretch - 3).add("now", look.dim)
