"""Plots as SVG: lines over two logarithmic axes, readable without colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.report.markup import Markup, element, joined
from tests.bench.cases import SYSTEMS
from tests.bench.results import Results
from tests.bench.work import READ, WRITE

WIDTH, HEIGHT = 880.0, 460.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 240.0, 48.0, 52.0
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")
DOT = 3.2

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A name, points of positive numbers, and how far each reaches down and up, where known."""

    name: str
    points: Sequence[Point]
    reach: Sequence[Point] = ()
    dashed: bool = False
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis between two powers, or parts, of ten."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], begin: float, end: float) -> Axis:
        """Return an axis that holds all *values*, from pixel *begin* to *end*."""
        low, high = 10 ** math.floor(math.log10(min(values))), max(values)
        top = 10 ** math.floor(math.log10(high))
        high = next(step * top for step in (1, 2, 5, 10) if step * top >= high)
        return cls(low, max(high, low * 10), begin, end)

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def marks(self) -> Iterator[float]:
        """Yield where lines of the grid lie: 1, 2 and 5 of every power of ten."""
        power = self.low
        while power <= self.high:
            yield from (step * power for step in (1, 2, 5) if step * power <= self.high * 1.001)
            power *= 10


def chart(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """Return an SVG document; lines without points are left out."""
    drawn = [line for line in lines if line.points]
    points = [point for line in drawn for point in line.points]
    heights = [y for _, y in points] + [y for line in drawn for pair in line.reach for y in pair]
    if not points:
        points, heights = [(1.0, 1.0)], [1.0]
    x = Axis.around([x for x, _ in points], LEFT, WIDTH - RIGHT)
    y = Axis.around(heights, HEIGHT - BOTTOM, TOP)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + element(
        "svg",
        element("rect", width=WIDTH, height=HEIGHT, fill="white"),
        _text(LEFT, TOP - 20, title, font_size=15, font_weight=600),
        _grid(x, y),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across, text_anchor="middle"),
        _text(LEFT - 6, TOP - 16, up, text_anchor="end"),
        *(_draw(line, x, y) for line in drawn),
        *(_legend(number, line) for number, line in enumerate(drawn)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        font_family="system-ui, sans-serif",
        font_size=12,
    )


def _text(x: float, y: float, text: str, **more: object) -> Markup:
    return element("text", text, x=round(x, 1), y=round(y, 1), **more)


def _grid(x: Axis, y: Axis) -> Markup:
    parts = []
    for mark in x.marks():
        at = x.place(mark)
        parts.append(element("path", d=f"M{at} {TOP}V{HEIGHT - BOTTOM}"))
        parts.append(
            _text(at, HEIGHT - BOTTOM + 16, f"{mark:,g}", text_anchor="middle", stroke="none")
        )
    for mark in y.marks():
        at = y.place(mark)
        parts.append(element("path", d=f"M{LEFT} {at}H{WIDTH - RIGHT}"))
        parts.append(_text(LEFT - 6, at + 4, f"{mark:,g}", text_anchor="end", stroke="none"))
    return element("g", joined(*parts), stroke="#d8d8d8", fill="#333", font_size=11)


def _draw(line: Line, x: Axis, y: Axis) -> Markup:
    places = [(x.place(across), y.place(up)) for across, up in line.points]
    path = "M" + "L".join(f"{across} {up}" for across, up in places)
    bars = "".join(
        f"M{across} {y.place(low)}V{y.place(high)}"
        for (across, _), (low, high) in zip(places, line.reach, strict=False)
    )
    colour = COLOURS[line.colour % len(COLOURS)]
    return element(
        "g",
        element("path", d=path, stroke_dasharray="6 4" if line.dashed else None, stroke_width=2),
        element("path", d=bars, stroke_width=1) if bars else "",
        *(element("circle", cx=across, cy=up, r=DOT, fill=colour) for across, up in places),
        stroke=colour,
        fill="none",
    )


def _legend(number: int, line: Line) -> Markup:
    left, at = WIDTH - RIGHT + 18, TOP + 12 + 20 * number
    colour = COLOURS[line.colour % len(COLOURS)]
    dash = "6 4" if line.dashed else None
    stroke = element(
        "path", d=f"M{left} {at - 4}h26", stroke=colour, stroke_width=2, stroke_dasharray=dash
    )
    return joined(stroke, _text(left + 32, at, line.name))


def throughput(results: Results) -> str:
    """Draw operations a second over callers; bars reach from the least to the most round."""
    lines = []
    for operation in (WRITE, READ):
        for number, system in enumerate(SYSTEMS):
            found = [
                (float(row.case.callers), rate)
                for row in results.rows
                if row.system == system.name
                and row.case.operation == operation
                and row.case.clients == row.case.shards == 1
                and (rate := row.rate()) is not None
                and rate.low > 0
            ]
            lines.append(
                Line(
                    name=f"{system.name}, {operation}s",
                    points=[(callers, rate.median) for callers, rate in found],
                    reach=[(rate.low, rate.high) for _, rate in found],
                    dashed=operation == READ,
                    colour=number,
                )
            )
    return chart("Operations a second", "callers on one client", "a second", lines)


def latency(results: Results) -> str:
    """Draw p50 and p99 of writes over the load that was offered, until each system bends."""
    lines = []
    for number, ladder in enumerate(results.ladders):
        for name, dashed in (("p50", False), ("p99", True)):
            found = [rung.p99_ms if dashed else rung.p50_ms for rung in ladder.rungs]
            offered = [rung.offered for rung in ladder.rungs]
            lines.append(
                Line(
                    name=f"{ladder.system}, {name}",
                    points=[(at, ms.median) for at, ms in zip(offered, found, strict=True)],
                    reach=[(ms.low, ms.high) for ms in found],
                    dashed=dashed,
                    colour=number,
                )
            )
    return chart("Latency of writes under load", "offered, writes a second", "ms", lines)
