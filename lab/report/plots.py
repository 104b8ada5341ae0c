"""Plots as inline SVG: throughput, latency, phi and the lanes of nodes, with the faults behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lab.report.gather import Report
from lab.report.markup import Markup, element, joined
from lab.report.words import length
from lab.workload.measure import Moment

WIDTH, HEIGHT = 960.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 18.0, 24.0
FEW_POINTS = 60  # So few are drawn with dots: one alone would not be seen.
MOST_LABELS = 24  # Faults with their number above the plot; more would be a blur.
TICKS = 8
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
DASHES = ("none", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 3", "6 2 2 2", "3 1")
"""Of the lines of nodes: who cannot tell colours apart tells these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where times and values lie in a plot."""

    from_s: float
    until_s: float
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False
    height: float = HEIGHT

    def x(self, at_s: float) -> float:
        """Return the place of a time, at the edge where it is outside."""
        share = (at_s - self.from_s) / max(self.until_s - self.from_s, 1e-9)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Return the place of a value, at the edge where it is outside."""
        if self.is_log:
            value = math.log(max(value, 1e-9) / self.low) / math.log(self.high / self.low)
        else:
            value = (value - self.low) / (self.high - self.low)
        room = self.height - TOP - BOTTOM
        return round(self.height - BOTTOM - min(1.0, max(0.0, value)) * room, 1)


Points = Sequence[tuple[float, float]]
"""(time, value)"""


def throughput(report: Report) -> Markup:
    """Draw answers and failures a second, stacked."""
    rates = [(at_s, one, _share_s(report, at_s)) for at_s, one in report.moments.points]
    most = max((one.answered + one.failed) / over_s for _, one, over_s in rates)
    frame = _frame(report, high=_nice(most))
    answered, failed = [], []
    for at_s, one, over_s in rates:
        until_s = min(at_s + report.moments.width_s, report.ended_s)
        low, high = one.answered / over_s, (one.answered + one.failed) / over_s
        answered.append(_bar(frame, at_s, until_s, 0.0, low))
        if one.failed:
            failed.append(_bar(frame, at_s, until_s, low, high))
    return _plot(
        frame,
        "answers a second",
        _shades(report, frame),
        _grid(frame, (0.0, frame.high / 2, frame.high), lambda value: f"{value:,.4g}"),
        element("path", d="".join(answered), class_="answered"),
        element("path", d="".join(failed), class_="failed"),
    )


def latency(report: Report) -> Markup:
    """Draw p50 and p99 of what was answered, over decades."""
    asked = [(at_s, one) for at_s, one in report.moments.points if one.answered]
    values = [value for _, one in asked for value in (one.p50_s, one.p99_s) if value > 0]
    low = 10 ** math.floor(math.log10(min(values, default=1e-3)))
    high = 10 ** math.ceil(math.log10(max(values, default=1.0)))
    frame = _frame(report, low=low, high=max(high, 10 * low), is_log=True)
    decades = [low * 10**power for power in range(round(math.log10(frame.high / low)) + 1)]
    half_s = report.moments.width_s / 2

    def points(value_of: Callable[[Moment], float]) -> Points:
        return [(at_s + half_s, value_of(one)) for at_s, one in asked]

    return _plot(
        frame,
        "latency, p50 and p99",
        _shades(report, frame),
        _grid(frame, decades, lambda value: f"{value:g} s" if value >= 1 else length(value)),
        _line(frame, points(lambda one: one.p99_s), 1.5 * report.moments.width_s, class_="p99"),
        _line(frame, points(lambda one: one.p50_s), 1.5 * report.moments.width_s, class_="p50"),
    )


def phi(report: Report, sender: str) -> Markup:
    """Draw how strongly each other node suspects *sender*; what is higher is cut off."""
    top = 2 * report.threshold if report.threshold else 16.0
    frame = _frame(report, high=top, height=130.0)
    numbers = {node.name: number for number, node in enumerate(report.nodes)}
    lines = [
        _line(
            frame,
            track.points,
            max(2.5 * track.width_s, 1.5),
            class_=f"node{numbers[receiver] % 9}",
            stroke_dasharray=DASHES[numbers[receiver] % 9],
        )
        for (who, receiver), track in report.phi.items()
        if who == sender and receiver in numbers
    ]
    threshold = Markup("")
    if report.threshold:
        y = frame.y(report.threshold)
        threshold = joined(
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="threshold"),
            element("text", "suspected", x=WIDTH - RIGHT - 4, y=y - 4, class_="end warn"),
        )
    return _plot(
        frame,
        f"phi of {sender}",
        _shades(report, frame),
        _grid(frame, (0.0, top / 2, top), lambda value: f"{value:g}"),
        *lines,
        threshold,
    )


def lanes(report: Report) -> Markup:
    """Draw a lane a node: what it was when, its elections, and the numbers of its faults."""
    row = 26.0
    frame = _frame(report, height=TOP + BOTTOM + row * len(report.nodes))
    parts: list[Markup] = []
    for place, node in enumerate(report.nodes):
        y = TOP + row * (place + 0.5)
        parts.append(element("text", node.name, x=LEFT - 8, y=y + 4, class_="end"))
        ends = [state.from_s for state in node.states[1:]] + [report.ended_s]
        for state, until_s in zip(node.states, ends, strict=False):
            said = f"{node.name} {state.word}, {length(until_s - state.from_s)}"
            x1, x2 = frame.x(state.from_s), frame.x(until_s)
            title = element("title", said)
            parts.append(element("line", title, x1=x1, x2=x2, y1=y, y2=y, class_=state.word))
        parts.append(_elections(report, frame, node.name, y))
        for number, fault in enumerate(report.faults, 1):
            if node.name in fault.span.fault.nodes:
                x = frame.x(fault.span.fault.since_s)
                title = element("title", str(fault.span.fault))
                parts.append(element("text", title, number, x=x, y=y - 6, class_="mark"))
    return _plot(frame, "states of all nodes", _shades(report, frame, numbered=False), *parts)


def swatch(number: int) -> Markup:
    """Return a piece of the line of a node, for a legend."""
    shape = element(
        "path", d="M0 4H34", class_=f"node{number % 9}", stroke_dasharray=DASHES[number % 9]
    )
    return element("svg", shape, class_="swatch line", viewBox="0 0 34 8", aria_hidden="true")


# --- parts ---------------------------------------------------------------------------------------


def _frame(
    report: Report,
    *,
    low: float = 0.0,
    high: float = 1.0,
    is_log: bool = False,
    height: float = HEIGHT,
) -> Frame:
    until_s = max(report.ended_s, report.began_s + 0.5)
    return Frame(
        from_s=report.began_s, until_s=until_s, low=low, high=high, is_log=is_log, height=height
    )


def _share_s(report: Report, at_s: float) -> float:
    """Return how much of a point's time a load could run: the first and last are not whole."""
    began_s = max((one.began_s for one in report.loads if one.began_s <= at_s + 1), default=0.0)
    until_s = min(at_s + report.moments.width_s, report.ended_s)
    return max(0.1, until_s - max(at_s, began_s))


def _nice(most: float) -> float:
    """Return the next of 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(max(most, 1e-9)))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= most))


def _plot(frame: Frame, label: str, *parts: object) -> Markup:
    return element(
        "svg",
        _times(frame),
        *parts,
        viewBox=f"0 0 {WIDTH:g} {frame.height:g}",
        role="img",
        aria_label=label,
        xmlns="http://www.w3.org/2000/svg",
    )


def _times(frame: Frame) -> Markup:
    span_s = frame.until_s - frame.from_s
    step_s = next((step for step in STEPS_S if span_s / step <= TICKS), span_s / TICKS)
    parts = []
    for number in range(int(span_s / step_s) + 1):
        x = frame.x(frame.from_s + number * step_s)
        bottom = frame.height - BOTTOM
        parts.append(element("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="grid"))
        text = _tick(number * step_s)
        parts.append(element("text", text, x=x, y=frame.height - 8, class_="middle"))
    return joined(*parts)


def _tick(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _grid(frame: Frame, values: Iterable[float], word: Callable[[float], str]) -> Markup:
    parts = []
    for value in values:
        y = frame.y(value)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(element("text", word(value), x=LEFT - 8, y=y + 4, class_="end"))
    return joined(*parts)


def _shades(report: Report, frame: Frame, *, numbered: bool = True) -> Markup:
    """Return a ground behind the time of each fault, with its number above."""
    parts, free_x = [], 0.0
    for number, story in enumerate(report.faults, 1):
        fault, until_s = story.span.fault, story.span.until_s
        x1 = frame.x(fault.since_s)
        x2 = frame.x(report.ended_s if until_s is None else until_s)
        title = element("title", f"{number}: {fault}")
        height = frame.height - TOP - BOTTOM
        shape = {"x": x1, "y": TOP, "width": max(1.5, round(x2 - x1, 1)), "height": height}
        parts.append(element("rect", title, class_="fault", **shape))
        if numbered and len(report.faults) <= MOST_LABELS:
            x = max(x1 + 1, free_x)  # Those that began together stand side by side.
            parts.append(element("text", number, x=x, y=TOP - 5, class_="mark"))
            free_x = x + 9 * len(str(number)) + 3
    return joined(*parts)


def _bar(frame: Frame, from_s: float, until_s: float, low: float, high: float) -> str:
    x1, x2, y1, y2 = frame.x(from_s), frame.x(until_s), frame.y(low), frame.y(high)
    return f"M{x1:g} {y1:g}V{y2:g}H{max(x2 - 0.5, x1 + 1):g}V{y1:g}Z"


def _line(frame: Frame, points: Points, gap_s: float, **attributes: object) -> Markup:
    """Return a line that breaks where more than *gap_s* is missing."""
    path, before_s = "", -math.inf
    for at_s, value in points:
        letter = "M" if at_s - before_s > gap_s else "L"
        path += f"{letter}{frame.x(at_s):g} {frame.y(value):g}"
        before_s = at_s
    drawn = element("path", d=path, fill="none", **attributes)
    if len(points) > FEW_POINTS:
        return drawn
    dots = (
        element("circle", cx=frame.x(at_s), cy=frame.y(value), r=2, class_=attributes["class_"])
        for at_s, value in points
    )
    return joined(drawn, *dots)


def _elections(report: Report, frame: Frame, name: str, y: float) -> Markup:
    """Return a star for each election won, but not two in one place."""
    parts, before_x = [], -math.inf
    for event in report.events:
        if event.kind != "elected" or event.node != name or event.at_s < report.began_s:
            continue
        x = frame.x(event.at_s)
        if x - before_x >= 6:
            title = element("title", event.text)
            parts.append(element("text", title, "★", x=x, y=y + 5, class_="middle star"))
            before_x = x
    return joined(*parts)
