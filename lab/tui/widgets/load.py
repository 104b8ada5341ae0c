"""The load: its verdict, and answers and latencies by the second with the faults behind them."""

from __future__ import annotations

import math

from rich.style import Style

from lab.faults import Fault
from lab.observe.account import Span
from lab.tui.keys import press
from lab.tui.paint import Line, Look, count, cut, ink, rate, span_s
from lab.tui.scene import Scene
from lab.tui.widgets.node import clock
from lab.tui.widgets.panel import Page, Panel
from lab.workload.measure import Moment, unavailable_s

_LEFT = 8
_LOWEST_S, _HIGHEST_S = 1e-4, 10.0


class LoadFacts(Panel):
    """What is asked, the verdict so far, and how long each fault kept clients waiting."""

    TITLE = "load"
    KEYS = "load"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the load and on the faults."""
        return (scene.load, scene.account.spans, int(scene.view.now_s), scene.is_past)

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint settings, verdict, then a line a fault, the newest first."""
        look, load = scene.look, scene.load
        state = "running" if load.running else "reading every key again" if load.ending else "off"
        title = Line("load ", look.text).add(state, look.well if load.running else look.dim)
        asked = Line(f" {load.rate:g}/s wanted · {load.reads:.0%} reads · {load.keys} keys")
        asked.add(" at a time", look.dim)
        if scene.is_past:
            words = " the load is not taped"
            words += (
                ""
                if scene.place and scene.place.replay
                else f": {press(look, 'hold')} returns to now and to it"
            )
            return Page(lines=[Line(words, look.dim)], title=Line("load", look.text))
        if load.began_s is None:
            words = f" no load yet: {press(look, 'load')} starts clients that write and read"
            words += " while you break things"
            return Page(lines=[asked, Line(cut(words, width), look.dim)], title=title)
        verdict = load.verdict
        told = Line(f" {count(verdict.acknowledged)} writes acknowledged, ", look.text)
        told.add(f"{verdict.lost} lost", look.harm if verdict.lost else look.well)
        told.add(f" · {count(verdict.read)} reads · {verdict.unknown} unknown", look.dim)
        slow = Line(f" slowest {span_s(verdict.slowest_s)}", look.text)
        slow.add(f" {verdict.slowest} · {verdict.waiting} wait for an answer", look.dim)
        lines = [asked, verdict_line(scene), told, slow]
        spans = [span for span in reversed(scene.account.spans)
                 if span.until_s is None or span.until_s >= load.began_s]  # fmt: skip
        lines += [_fault_line(scene, span, width) for span in spans[: max(0, height - 4)]]
        return Page(lines=lines, title=title, hint=_hint(look))


def _hint(look: Look) -> str:
    keys = {
        ("load",): "on/off",
        ("load_more", "load_less"): "rate",
        ("turn_down", "turn_up"): "reads",
        ("load_crowd", "load_spread"): "keys",
    }
    named = (
        f"{' '.join(press(look, name) for name in names)} {what}" for names, what in keys.items()
    )
    return " · ".join(named)


def verdict_line(scene: Scene) -> Line:
    """Return the verdict on all answers, and up to when it holds."""
    look, verdict = scene.look, scene.load.verdict
    if verdict.broken:
        return Line(f" {verdict.word}: {verdict.broken.splitlines()[0]}", look.harm)
    until = clock(verdict.judged_until_s)
    if verdict.word == "UNKNOWN":
        why = f"{verdict.too_hard} keys are too hard to judge" if verdict.too_hard else "no answer"
        return Line(f" ? UNKNOWN: {why}", look.warn)
    line = Line(f" {look.glyphs.good} {verdict.word}", look.well)
    return line.add(f" up to {until}, {count(verdict.judged)} operations judged", look.dim)


def _fault_line(scene: Scene, span: Span, width: int) -> Line:
    look = scene.look
    until_s = scene.view.now_s if span.until_s is None else span.until_s
    out_s = unavailable_s(scene.load.outages, span.fault.since_s, until_s)
    line = Line(f" {clock(span.fault.since_s)} ", look.faint)
    line.add(cut(str(span.fault), max(10, width - 40)), look.you).add("  ")
    if not out_s:
        return line.add("no shard kept a client waiting", look.dim)
    return line.add(f"unavailable {out_s:.2f} s", look.warn)


class _Chart(Panel):
    """Columns of seconds, newest at the right; the time of a fault has a ground of its own."""

    KEYS = "load"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the seconds so far and the faults."""
        return (scene.load.moments, scene.account.spans, int(scene.view.now_s))

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint rows from the top, a lane of faults, then the axis."""
        look = scene.look
        room = max(4, width - _LEFT - 1)
        rows = max(1, height - 2) if height > 4 else height  # Small: the chart below has the axis.
        now = int(scene.view.now_s)
        known = {moment.at_s: moment for moment in scene.load.moments[-room - 60 :]}
        seconds = range(now - room + 1, now + 1)
        columns = [known.get(second) for second in seconds]
        faults = [_in_force(scene, second) for second in seconds]
        shade = Style(bgcolor=look.palette.you_ground)
        lines = []
        for row in range(rows):
            line = Line(self.label(scene, row, rows), look.faint).to(_LEFT)
            for moment, fault in zip(columns, faults, strict=True):
                sign, style = self.cell(scene, moment, row, rows)
                line.add(sign, style + shade if fault else style)
            lines.append(line)
        if height > 4:
            lines += [_lane(look, faults), _axis(look, room)]
        return Page(lines=lines, title=self.head(scene))

    def head(self, scene: Scene) -> Line:
        """Return the words on the upper edge."""
        raise NotImplementedError

    def label(self, scene: Scene, row: int, rows: int) -> str:
        """Return the scale at a row."""
        raise NotImplementedError

    def cell(self, scene: Scene, moment: Moment | None, row: int, rows: int) -> tuple[str, Style]:
        """Return what is seen of one second at a row."""
        raise NotImplementedError


class ThroughputPanel(_Chart):
    """Answers a second; a second in which all failed has a cross."""

    def _top(self, scene: Scene) -> float:
        return max([1.0, *(moment.answered for moment in scene.load.moments[-240:])])

    def head(self, scene: Scene) -> Line:
        """Name the chart and the last whole second."""
        last = scene.load.moments[-2] if len(scene.load.moments) > 1 else None
        line = Line("answers a second", scene.look.text)
        return line.add(f" {rate(last.answered)}", scene.look.strong) if last else line

    def label(self, scene: Scene, row: int, rows: int) -> str:
        """Return the top, and zero."""
        return f"{rate(self._top(scene)):>6}" if row == 0 else "     0" if row == rows - 1 else ""

    def cell(self, scene: Scene, moment: Moment | None, row: int, rows: int) -> tuple[str, Style]:
        """Return eighths of a cell."""
        look = scene.look
        if moment is None:
            return " ", look.faint
        if not moment.answered:
            return (look.glyphs.dead, look.harm) if row == rows - 1 else (" ", look.faint)
        steps = len(look.glyphs.sparks)
        filled = moment.answered / self._top(scene) * rows - (rows - 1 - row)
        eighths = min(steps, math.ceil(filled * steps))
        if eighths <= 0:
            return " ", look.faint
        return look.glyphs.sparks[eighths - 1], look.warn if moment.failed else look.well


class LatencyPanel(_Chart):
    """Latency on a logarithmic scale: filled to p50, shaded to p99, dotted to the slowest."""

    def head(self, scene: Scene) -> Line:
        """Name the series by their signs, with the last whole second's values."""
        look = scene.look
        block = look.glyphs.sparks[-1]
        line = Line(f"latency  {block} p50  {look.glyphs.behind} p99  ", look.text)
        line.add(f"{look.glyphs.nothing} max", look.text)
        if len(scene.load.moments) > 1:
            last = scene.load.moments[-2]
            values = (last.p50_s, last.p99_s, last.max_s)
            line.add("   " + "  ".join(f"{value * 1e3:.1f}" for value in values), look.strong)
            line.add(" ms", look.dim)
        return line

    def label(self, scene: Scene, row: int, rows: int) -> str:
        """Return the top of the row where it is a power of ten, or near it."""
        value_s = _LOWEST_S * (_HIGHEST_S / _LOWEST_S) ** ((rows - row) / rows)
        if row and row % 3:
            return ""
        text = f"{value_s:.0f} s" if value_s >= 1 else _ms(value_s * 1e3)
        return f"{text:>7}"

    def cell(self, scene: Scene, moment: Moment | None, row: int, rows: int) -> tuple[str, Style]:
        """Return the series that reaches this high."""
        look = scene.look
        if moment is None or not moment.answered:
            return " ", look.faint
        below = rows - 1 - row
        if _height(moment.p50_s, rows) > below:
            return look.glyphs.sparks[-1], look.well
        if _height(moment.p99_s, rows) > below:
            return look.glyphs.behind, ink(look.palette.warn)
        return (look.glyphs.nothing, look.dim) if _height(moment.max_s, rows) > below else (
            " ", look.faint)  # fmt: skip


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"


def _height(value_s: float, rows: int) -> float:
    if value_s <= _LOWEST_S:
        return 0.5
    return rows * math.log(value_s / _LOWEST_S) / math.log(_HIGHEST_S / _LOWEST_S)


def _in_force(scene: Scene, second: int) -> Fault | None:
    """Return the newest fault in force at a second."""
    for span in reversed(scene.account.spans):
        until_s = math.inf if span.until_s is None else span.until_s
        if int(span.fault.since_s) <= second <= until_s:
            return span.fault
    return None


def _lane(look: Look, faults: list[Fault | None]) -> Line:
    """Name each fault where it began: so shading speaks without colour."""
    line, before = Line(" faults ", look.faint), None
    for place, fault in enumerate(faults):
        if fault is not None and fault is not before:
            room = len(faults) - place
            name = f"{look.glyphs.tick}{fault.kind.value} {' '.join(fault.nodes)}"
            if _LEFT + place >= line.width:
                line.to(_LEFT + place).add(cut(name, room, look.glyphs.ellipsis), look.you)
        elif fault is not None and _LEFT + place >= line.width:
            line.add(look.glyphs.dashed, look.you)
        before = fault
    return line


def _axis(look: Look, seconds: int) -> Line:
    line = Line()
    for back in range(seconds // 20 * 20, 0, -20):
        column = _LEFT + seconds - back - 2
        if column > line.width:
            line.to(column).add(f"-{back}s", look.faint)
    return line.to(_LEFT + seconds - 3).add("now", look.dim)
