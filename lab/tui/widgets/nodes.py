"""The nodes: cards where there is room, else one line each, else two columns of lines."""

from __future__ import annotations

from rich.style import Style

from lab.observe.view import NodeView
from lab.observe.why import Question
from lab.tui.keys import press
from lab.tui.paint import (
    Line,
    Look,
    count,
    cut,
    ink,
    known_phi,
    phi_text,
    short,
    size,
    span_s,
    spark,
)
from lab.tui.scene import Condition, Scene
from lab.tui.widgets.panel import Page, Panel, node_question

CARD_ROWS = 6
FADED_AFTER_S = 5.0


class NodesPanel(Panel):
    """One card or line a node; a silent node keeps its last values, greyed, with their age."""

    FRAMED = False
    TITLE = "nodes"
    KEYS = "nodes"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on nodes, their phi as shown, and the selected one."""
        return (
            scene.view.nodes,
            scene.node,
            tuple(phi_text(phi) for phi in scene.summary.phis.values()),
            tuple(
                (condition.word, span_s(condition.age_s) if not condition.reporting else "")
                for condition in scene.summary.conditions.values()
            ),
            scene.summary.leads,
        )

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Choose the form that fits."""
        nodes = scene.view.nodes
        if not nodes:
            return Page(lines=[Line("  no node has been started yet", scene.look.dim)])
        if height >= CARD_ROWS and width >= 100 and len(nodes) <= 5:
            return Page(lines=self._cards(scene, width))
        if len(nodes) > height:
            return Page(lines=self._columns(scene, width, height))
        return Page(lines=[_line(scene, node, width, self.has_focus) for node in nodes])

    def _columns(self, scene: Scene, width: int, height: int) -> list[Line]:
        half = width // 2
        lines = []
        for row in range(height):
            line = Line()
            for column, place in enumerate((row, row + height)):
                if place < len(scene.view.nodes):
                    line.to(column * half)
                    node = scene.view.nodes[place]
                    line.extend(_line(scene, node, half - 1, self.has_focus))
            lines.append(line)
        return lines

    def _cards(self, scene: Scene, width: int) -> list[Line]:
        nodes = scene.view.nodes
        lines = [Line() for _ in range(CARD_ROWS)]
        for place, node in enumerate(nodes):
            left = place * width // len(nodes)
            right = (place + 1) * width // len(nodes)
            for line, part in zip(lines, _card(scene, node, right - left), strict=True):
                line.to(left).extend(part)
        return lines

    def question(self, scene: Scene) -> Question:
        """Ask why the selected node is as it is."""
        return node_question(scene)

    def move(self, dx: int, dy: int) -> None:
        """Walk along the nodes; both axes do, because cards lie and lines stand."""
        if self.scene is None or not self.scene.view.nodes:
            return
        names = [node.name for node in self.scene.view.nodes]
        here = names.index(self.scene.node) if self.scene.node in names else 0
        step = dx or dy
        self.post_message(self.Chose("node", names[max(0, min(len(names) - 1, here + step))]))

    def enter(self) -> None:
        """Open the selected node."""
        if self.scene is not None and self.scene.node is not None:
            self.post_message(self.Chose("node", self.scene.node, open=True))

    def press(self, x: int, y: int) -> None:
        """Pick the node that was clicked."""
        nodes = self.scene.view.nodes if self.scene is not None else ()
        if not nodes:
            return
        width, height = self.size.width, self.size.height
        if height >= CARD_ROWS and width >= 100 and len(nodes) <= 5:
            place = x * len(nodes) // width
        else:
            place = y + (height if len(nodes) > height and x >= width // 2 else 0)
        if place < len(nodes):
            self.post_message(self.Chose("node", nodes[place].name))

    def copied(self) -> str:
        """Return the selected node's line."""
        node = self.scene.view.node(self.scene.node or "") if self.scene else None
        return (
            _line(self.scene, node, 120, False).plain.lstrip("▌> ").rstrip()
            if self.scene and node
            else ""
        )


def gauge(look: Look, phi: float, threshold: float, width: int) -> Line:
    """Draw phi from 0 to twice the threshold, with a white tick at the threshold."""
    glyphs = look.glyphs
    middle = width // 2
    filled = round(min(1.0, phi / (2 * threshold)) * width) if phi >= threshold / 40 else 0
    line = Line()
    tone = look.ranked(phi, threshold)
    for cell in range(width):
        if cell == middle:
            line.add(glyphs.tick, look.strong)
        elif cell < filled:
            line.add(glyphs.gauge, tone)
        else:
            line.add(glyphs.dashed, look.faint)
    return line


def _tone(scene: Scene, phi: float | None) -> Style:
    """Return phi's ink; one that nobody has an opinion of yet is faint."""
    if phi is None:
        return scene.look.faint
    return scene.look.ranked(phi, scene.summary.threshold)


def _inks(look: Look, condition: Condition) -> tuple[Style, Style, Style]:
    """Return strong, plain and star ink; they fade with the age of the last report."""
    if condition.reporting:
        return look.strong, look.dim, look.warn
    if condition.age_s < FADED_AFTER_S:
        return look.dim, look.faint, look.dim
    return look.faint, look.faint, look.faint


def _state(scene: Scene, node: NodeView, width: int) -> Line:
    condition = scene.condition(node.name)
    look = scene.look
    sign = getattr(look.glyphs, condition.sign)
    tone = getattr(look, condition.tone)
    style = ink(look.palette.well, None, True) if condition.tone == "well" else tone
    text = condition.word
    if condition.word == "silent":
        text = f"silent {span_s(condition.age_s)}" if width >= 14 else "silent"
    return Line(f"{sign} ", style).add(cut(text, width - 2), style)


def _card(scene: Scene, node: NodeView, width: int) -> list[Line]:
    look, glyphs = scene.look, scene.look.glyphs
    here = scene.node == node.name
    condition = scene.condition(node.name)
    live = condition.reporting
    strong, plain, star = _inks(look, condition)
    edge = ink(look.palette.warn if here else look.palette.line)
    wire, side = glyphs.sides[0], glyphs.sides[1]
    inner = width - 4
    number = scene.number(node.name)
    top = Line(glyphs.corners[0] + wire, edge).add(
        f" {scene.digit(node.name)} ", look.node(number, live=live)
    )
    top.add(f" {node.name} ", strong).extend(_state(scene, node, max(8, inner - 10))).add(" ", edge)
    top.to(width - 1, edge, wire).add(glyphs.corners[1], edge)
    leading = scene.summary.leads.get(node.name, 0) if live else 0
    phi = scene.summary.phis.get(node.name)
    first = Line(f"{glyphs.lead} ", star if leading else plain)
    first.add(f"{count(leading):>5}", star if leading else plain).add(" lead ", plain)
    first.add(f"{glyphs.follow} ", strong).add(f"{count(_followed(node, leading)):>5}", strong)
    first.add(" fol", plain)
    second = Line(f"{glyphs.phi} ", plain)
    second.add(f"{known_phi(phi):>4} ", _tone(scene, phi))
    second.extend(gauge(look, phi or 0.0, scene.summary.threshold, inner - 7))
    third = _cpu(look, node, inner, live=live)
    fourth = Line("rss ", plain).add(f"{size(node.rss_bytes):>5}", strong)
    fourth.add("  fsync ", plain).add(f"{node.fsync_s * 1000:.1f} ms", strong)
    if not live:
        fourth = _last_words(scene, node, inner)
    lines = [top]
    for part in (first, second, third, fourth):
        lines.append(Line(side, edge).add(" ").extend(part).to(width - 2).add(" ").add(side, edge))
    low = Line(glyphs.corners[2], edge).to(width - 1, edge, wire).add(glyphs.corners[3], edge)
    return [*lines, low]


def _followed(node: NodeView, leading: int) -> int:
    return max(0, node.following + node.leading - leading)


def _cpu(look: Look, node: NodeView, width: int, *, live: bool) -> Line:
    strong, plain = (look.strong, look.dim) if live else (look.dim, look.faint)
    percent = f"{node.cpu * 100:>3.0f}%" if live else "  – "
    line = Line("cpu ", plain).add(percent, strong).add(" ")
    top = max(0.6, *node.cpu_history) if node.cpu_history else 1.0
    bars = spark(node.cpu_history, width - 9, top, look.glyphs)
    return line.add(bars, ink(look.palette.spark) if live else look.faint)


def _last_words(scene: Scene, node: NodeView, width: int) -> Line:
    """Say why there are no fresh values, and what brings the node back."""
    look = scene.look
    condition = scene.condition(node.name)
    restarts = f"{press(look, 'restart')} restarts"
    keys = {
        "paused": f"{press(look, 'pause')} resumes",
        "killed": restarts,
        "stopped": f"{press(look, 'stop')} starts",
    }
    if node.state == "exited":
        return Line(cut(node.detail or f"ended by itself · {restarts}", width), look.harm)
    if condition.word == "booting":
        return Line("no report yet", look.dim)
    age = f"{span_s(condition.age_s)} ago" if condition.age_s < 1e9 else "never seen"
    key = "" if scene.hands_off else keys.get(node.state, "")
    line = Line(f"seen {age}" if len(key) + 16 < width - 2 else age, look.dim)
    return line.add("  ").add(key, look.warn) if line.width + len(key) + 2 <= width else line


def _line(scene: Scene, node: NodeView, width: int, focused: bool) -> Line:
    """Paint one node on one line; what does not fit falls off at the right."""
    look, glyphs = scene.look, scene.look.glyphs
    here = scene.node == node.name
    condition = scene.condition(node.name)
    live = condition.reporting
    strong, plain, star = _inks(look, condition)
    line = Line(glyphs.cursor if here else " ", look.warn if focused or here else look.dim)
    line.add(f" {scene.digit(node.name)} ", look.node(scene.number(node.name), live=live))
    line.add(f" {node.name:<3}", strong).add(" ")
    line.extend(_state(scene, node, 10 if width < 100 else 14)).to(18 if width < 100 else 22)
    leading = scene.summary.leads.get(node.name, 0) if live else 0
    digits, number = (6, count) if width >= 48 else (4, short)
    line.add(glyphs.lead, star if leading else plain)
    line.add(f"{number(leading):>{digits}} ", star if leading else plain)
    line.add(glyphs.follow, strong).add(f"{number(_followed(node, leading)):>{digits}}", strong)
    phi = scene.summary.phis.get(node.name)
    tone = _tone(scene, phi)
    if width - line.width >= 7:
        gap = "  " if width >= 48 else " "
        line.add(f"{gap}{glyphs.phi} ", plain).add(f"{known_phi(phi):>4}", tone)
    room = width - line.width
    if room >= 25:
        wide = 12 if room < 45 else 18
        line.add(" ").extend(gauge(look, phi or 0.0, scene.summary.threshold, wide)).add("  ")
        rest = width - line.width
        if live:
            line.extend(_cpu(look, node, rest, live=True))
        else:
            line.extend(_last_words(scene, node, rest - 2))
    elif room >= 6:
        line.add(" ").extend(gauge(look, phi or 0.0, scene.summary.threshold, room - 1))
    if here:
        line.spans = list(line.strip(width, ink(None, look.palette.bar)))
        line.width = width
    return line
