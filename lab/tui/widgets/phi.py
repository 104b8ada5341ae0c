"""The phi chart: how the suspicion of one node by another grew, with the threshold through it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style

from lab.observe.trial import trial
from lab.observe.view import LinkView
from lab.observe.why import Question
from lab.tui.paint import Line, Look, bar, ink
from lab.tui.scene import Scene, suspect_link
from lab.tui.widgets.panel import Page, Panel

_LEFT = 6


class PhiPanel(Panel):
    """One bar a second; the threshold is a dotted line, and the scale is shared by all pairs."""

    KEYS = "phi"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the history of one pair, by the second, and on what is tried."""
        link = suspect_link(scene)
        pair = (link.sender, link.receiver, link.threshold) if link else None
        track = scene.phi.tracks.get((link.sender, link.receiver)) if link else None
        trials = (scene.tried, scene.phi.silences, scene.account.spans)
        on_its_page = scene.page == "phi"
        return (pair, track, int(scene.view.now_s), on_its_page, trials if on_its_page else None)

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
            words = " no node has heard another yet: phi starts with the first heartbeat"
            return Page(lines=[Line(words, look.dim)], title=Line(look.glyphs.phi, look.text))
        title = Line(f"{look.glyphs.phi} of ", look.text).add(link.sender, look.strong)
        title.add(" seen by ", look.text).add(link.receiver, look.strong)
        title.add(f" · threshold {link.threshold:g}", look.text)
        tried = scene.tried if scene.page == "phi" else None
        if tried is not None:
            title.add(f" · tried {tried:g}", look.you)
        room = max(4, width - _LEFT - 1)
        stretch = 2 if room >= 100 else 1
        seconds = room // stretch
        bars = scene.phi.bars((link.sender, link.receiver), scene.view.now_s, seconds)
        wide = [bar for bar in bars for _ in range(stretch)]
        told = _trials(scene, link, tried, height) if scene.page == "phi" else []
        rows = max(1, height - 1 - len(told))
        scale = _Scale(look, link.threshold, tried, rows)
        lines = [_row(scale, wide, row) for row in range(rows)]
        return Page(
            lines=[*told, *lines, _axis(look, seconds, stretch)], title=title, hint=_words(link)
        )


@dataclass(frozen=True, slots=True)
class _Scale:
    """What the height of a cell stands for."""

    look: Look
    threshold: float  # In force.
    tried: float | None
    rows: int

    @property
    def top(self) -> float:
        return max(self.threshold, self.tried or 0.0) * 1.5

    def span(self, row: int) -> tuple[float, float]:
        """Return phi at the lower and at the upper edge of *row*, counted from above."""
        left = self.rows - 1 - row
        return self.top * left / self.rows, self.top * (left + 1) / self.rows

    def line_in(self, row: int) -> tuple[float, Style] | None:
        """Return the threshold that lies in *row*: the tried one before the one in force."""
        low, high = self.span(row)
        look = self.look
        for value, style in ((self.tried, look.you), (self.threshold, look.warn)):
            if value is not None and low <= value < high:
                return value, style
        return None


def _trials(scene: Scene, link: LinkView, tried: float | None, height: int) -> list[Line]:
    """Say what the threshold in force and the tried one make of what was seen."""
    look = scene.look
    pair = (link.sender, link.receiver)
    wanted = [(link.threshold, " in force", look.warn)]
    if tried is not None and tried != link.threshold:
        wanted.append((tried, " tried", look.you))
    lines = []
    for threshold, word, style in wanted:
        found = trial(scene.phi, scene.account, scene.view.now_s, threshold, pair)
        line = Line(f" at {threshold:g}", style).add(f"{word}: ", look.dim).to(16)
        lines.append(line.add(str(found), look.text))
        if height >= 16:
            found = trial(scene.phi, scene.account, scene.view.now_s, threshold)
            lines.append(Line(" every pair:", look.dim).to(16).add(str(found), look.dim))
    if tried is None and not scene.hands_off:
        more = Line(" [ ]", look.key).add(" tries another threshold on the silences that were seen",
                                          look.dim)  # fmt: skip
        lines.append(more)
    return lines if height >= len(lines) + 5 else []


def _words(link: LinkView) -> str:
    return f"beats every {link.mean_s * 1000:.0f} ms ± {link.deviation_s * 1000:.0f}"


def _row(scale: _Scale, bars: list[float | None], row: int) -> Line:
    """Paint one row of cells; each holds an eighth to a whole."""
    look, rows = scale.look, scale.rows
    low, high = scale.span(row)
    here = scale.line_in(row)
    line = Line()
    if here is not None:
        line.add(f"{here[0]:>4g} ", here[1]).add(look.glyphs.gauge, here[1])
    elif row == 0:
        line.add(f"{scale.top:>4g}", look.faint).to(_LEFT)
    elif row == rows - 1:
        line.add("   0", look.faint).to(_LEFT)
    else:
        line.to(_LEFT)
    for value in bars:
        sign = "" if value is None else bar(value, low, high, look.glyphs)
        if value is not None and row == rows - 1:
            sign = sign or look.glyphs.sparks[0]
        if sign:
            line.add(sign, phi_tone(look, value or 0.0, scale.threshold))
        elif here is not None:
            line.add(look.glyphs.dotted, here[1])
        else:
            line.add(" ")
    return line


def phi_tone(look: Look, phi: float, threshold: float) -> Style:
    """Return the ink of a bar: well, doubtful from a quarter of the threshold, harm."""
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
