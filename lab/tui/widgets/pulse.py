"""The pulse of one node: phi between it and every peer, its CPU and its disk, over time."""

from __future__ import annotations

from collections.abc import Sequence

from lab.tui.paint import Line, bar, cut, finite, ink, phi_text, spark
from lab.tui.scene import Scene
from lab.tui.widgets.panel import Page, Panel
from lab.tui.widgets.phi import phi_tone

_LABEL = 16
_ABOVE = 1.25  # How much of the scale lies above the threshold, so that a crossing is seen.


def scale_top(scene: Scene) -> float:
    """Return the top of the one scale that all small charts of phi share."""
    return scene.summary.threshold * _ABOVE


def chart(scene: Scene, pair: tuple[str, str], width: int, rows: int = 1) -> list[Line]:
    """Return the last *width* seconds of phi of a pair, *rows* high, on the shared scale."""
    look, top = scene.look, scale_top(scene)
    lines = []
    bars = scene.phi.bars(pair, scene.view.now_s, width)
    for row in range(rows):
        low, high = top * (rows - 1 - row) / rows, top * (rows - row) / rows
        line = Line()
        for value in bars:
            sign = " " if value is None else bar(min(value, top), low, high, look.glyphs)
            if value is not None and row == rows - 1:
                sign = sign or look.glyphs.sparks[0]
            line.add(sign or " ", phi_tone(look, value or 0.0, scene.summary.threshold))
        lines.append(line)
    return lines


class PulsePanel(Panel, can_focus=False):
    """A pair of small charts a peer: what it believes of the node, and the node of it."""

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the histories of this node, by the second."""
        name = scene.node or ""
        node = scene.view.node(name)
        tracks = tuple(
            (pair, scene.phi.tracks.get(pair)) for pair in scene.view.links if name in pair
        )
        conditions = tuple((n, c.reporting) for n, c in scene.summary.conditions.items())
        histories = (node.cpu_history, node.fsync_history) if node is not None else None
        return (name, tracks, histories, conditions, int(scene.view.now_s), scene.summary.threshold)

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint a line or two a peer, then CPU and disk on scales of their own."""
        look, name = scene.look, scene.node or ""
        node = scene.view.node(name)
        title = Line(f"{look.glyphs.phi} with every peer", look.text)
        title.add(f" \u00b7 one scale, 0 to {scale_top(scene):g}", look.dim)
        peers = [peer.name for peer in scene.view.nodes if peer.name != name]
        if node is None or not peers:
            words = " one node has no peers: a adds another" if node else " no node is selected"
            return Page(lines=[Line(words, look.dim)], title=title)
        rows = max(1, min(3, (height - 2) // len(peers)))
        half = width // 2
        lines: list[Line] = []
        for peer in peers:
            left = _labelled(scene, (name, peer), half - 1, rows)
            right = _labelled(scene, (peer, name), width - half - 1, rows)
            for one, other in zip(left, right, strict=True):
                lines.append(one.to(half).extend(other))
        lines = lines[: max(0, height - 2)]
        live = scene.condition(name).reporting
        cpu = f"{node.cpu * 100:.0f}%" if live else look.glyphs.absent
        fsync = f"{node.fsync_s * 1e3:.1f} ms" if live else look.glyphs.absent
        lines.append(_own(scene, "cpu", cpu, node.cpu_history, width, 100, "%"))
        lines.append(_own(scene, "fsync", fsync, node.fsync_history, width, 1e3, " ms"))
        return Page(lines=lines, title=title)


def _labelled(scene: Scene, pair: tuple[str, str], width: int, rows: int) -> list[Line]:
    """Return the chart of a pair with its name and newest value before it."""
    look = scene.look
    sender, receiver = pair
    link = scene.view.links.get(pair)
    known = link is not None and scene.condition(receiver).reporting
    lines = chart(scene, pair, max(4, width - _LABEL), rows)
    label = Line(f" {sender} by {receiver}", look.dim).to(10)
    if link is not None and known:
        label.add(f"{phi_text(link.phi):>4}", look.ranked(link.phi, link.threshold))
    else:
        label.add(f"{look.glyphs.absent:>4}", look.faint)
    heads = [Line() for _ in lines[:-1]] + [label]
    return [head.to(_LABEL).extend(line) for head, line in zip(heads, lines, strict=True)]


def _own(
    scene: Scene, word: str, value: str, history: Sequence[float], width: int, by: float, unit: str
) -> Line:
    """Return what a node told of itself, on a scale up to the highest value in sight."""
    look = scene.look
    line = Line(f" {word:<6}", look.dim).add(f"{value:>7}", look.text).to(_LABEL)
    room = max(4, width - _LABEL - 14)
    seen = finite(history[-room:])
    top = max(seen, default=0.0)
    if top <= 0:
        return line.add("nothing was reported yet" if not seen else "nothing to speak of", look.dim)
    line.add(spark(seen, room, top, look.glyphs), ink(look.palette.spark))
    return line.add(cut(f"  to {top * by:.3g}{unit}", 14), look.dim)
