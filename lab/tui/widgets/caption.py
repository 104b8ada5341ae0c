"""The caption of a room: its task, what is allowed, and how it stands."""

from __future__ import annotations

from textwrap import wrap

from lab.tui.paint import Line, cut, ink
from lab.tui.scene import Caption, Scene
from lab.tui.widgets.panel import Page, Panel

KEYS = "H hint · esc leaves"


class CaptionPanel(Panel, can_focus=False):
    """Say what is to be done, and whether it is done."""

    FRAMED = False

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the caption only."""
        return (scene.caption,)

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint title, task and judgement."""
        caption = scene.caption
        if caption is None:
            return Page()
        look = scene.look
        lines = [self._title(scene, caption, width)]
        told, style = caption.task, look.text
        if caption.word == "won":
            told, style = caption.shows, ink(look.palette.well, None, True)
        elif caption.word == "lost":
            told, style = caption.lost, look.harm
        lines += [Line("   ").add(part, style) for part in wrap(told, width - 6)[: height - 2]]
        while len(lines) < height - 1:
            lines.append(Line())
        lines.append(self._judgement(scene, caption, width))
        return Page(lines=lines)

    def _title(self, scene: Scene, caption: Caption, width: int) -> Line:
        look = scene.look
        badge = {"won": "well", "lost": "harm"}.get(caption.word, "warn")
        line = Line(" ").add(f" {caption.word.upper()} ", look.alarm(badge))
        line.add(f"  room {caption.number} ", look.dim)
        used = Line(caption.used, look.you).add(" ")
        line.add(cut(caption.title, max(10, width - line.width - used.width - 2)), look.strong)
        return line.right(used, width)

    def _judgement(self, scene: Scene, caption: Caption, width: int) -> Line:
        look = scene.look
        keys = Line(KEYS, look.dim).add(" ")
        line = Line("   ")
        if caption.word == "not yet":
            room = width - keys.width - 6
            open_goals = [why for _, why in caption.goals if why]
            met = len(caption.goals) - len(open_goals)
            line.add(f"{met}/{len(caption.goals)} ", look.key)
            line.add(cut(" · ".join(open_goals), room - line.width), look.warn)
        elif caption.word == "won":
            line.add(f"{look.glyphs.good} you did it", look.well)
        elif caption.word == "lost":
            line.add("leave, and begin again", look.dim)
        return line.right(keys, width)
