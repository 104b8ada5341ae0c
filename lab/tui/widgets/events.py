"""Events, newest at the bottom; it follows the newest until you move away."""

from __future__ import annotations

from collections.abc import Sequence

from lab.observe.view import EventView
from lab.observe.why import Question
from lab.tui.paint import Line, cut
from lab.tui.scene import Scene
from lab.tui.widgets.hint import hint_line
from lab.tui.widgets.panel import ListPanel, Page, shard_question
from lab.tui.widgets.timeline import sign_of, words_of


class EventsPanel(ListPanel):
    """One line an event: how long ago, a sign, the words."""

    TITLE = "events"
    KEYS = "events"
    FOLLOWS = True

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the events and their ages by the tenth, then by the second."""
        young = scene.view.events[-1].at_s > scene.view.now_s - 10 if scene.view.events else False
        now = round(scene.view.now_s, 1) if young else int(scene.view.now_s)
        return (scene.view.events, now, scene.lines_filter, self.framed(), scene.node,
                scene.shard_id, scene.link, scene.page, scene.pace, scene.held,
                scene.place)  # fmt: skip

    def framed(self) -> bool:
        """Spare the frame where lines are scarce: a rule above will do, and holds the hint."""
        return self.size.height > 5 or self.size.width >= 120

    def rows(self, scene: Scene) -> Sequence[EventView]:
        """Return the events that pass the filter."""
        events = scene.view.events
        if scene.lines_filter:
            return [event for event in events if scene.lines_filter.line(event)]
        return events

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one event."""
        assert isinstance(item, EventView), "the rows of this list are events"
        look = scene.look
        line = Line(look.glyphs.cursor if here else " ", look.warn)
        line.add(f"{_ago(scene.view.now_s - item.at_s):>8} ", look.faint)
        sign, style = sign_of(item, look)
        line.add(f"{sign} ", style)
        text = cut(words_of(item), width - line.width, look.glyphs.ellipsis)
        if item.by_you:
            who, colon, rest = text.partition(": ")
            if colon and who == "you":
                return line.add("you: ", look.you).add(rest, look.text)
        quiet = item.kind in ("elected", "trusted", "stepped_down", "heal")
        return line.add(text, look.dim if quiet else look.text)

    def title(self, scene: Scene, total: int) -> Line:
        """Name the list, its filter, and whether it follows."""
        line = Line("events", scene.look.text)
        if scene.lines_filter:
            line.add(f" · / {scene.lines_filter.text} · {total}", scene.look.warn)
        if self.cursor is not None:
            line.add(" · not following, G follows", scene.look.warn)
        return line

    def question(self, scene: Scene) -> Question:
        """Ask about what the event under the cursor was about."""
        rows = self.rows(scene)
        event = rows[self.place(scene, rows)] if rows else None
        if event is None:
            return shard_question(scene)
        if event.kind in ("suspect", "trusted") and event.node is not None:
            return Question(about="link", link=(event.text.split(" ", 1)[0], event.node))
        if event.kind == "failed" and event.shard_id is not None:
            return Question(about="refusal", shard_id=event.shard_id)
        if event.shard_id is not None or event.node is None:
            shard_id = scene.shard_id if event.shard_id is None else event.shard_id
            return Question(about="shard", shard_id=shard_id)
        return Question(about="node", node=event.node)

    def nothing(self, scene: Scene) -> str:
        """Say why there is nothing."""
        if scene.view.events:
            return f"no event passes the filter /{scene.lines_filter.text} · esc clears it"
        return "nothing has happened yet"

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint with a rule instead of a frame where lines are scarce."""
        if self.framed():
            return super().paint(scene, width, height)
        page = super().paint(scene, width, height - 1)
        look = scene.look
        focus = look.warn if self.has_focus else look.faint
        wire = look.glyphs.wire
        rule = Line(wire, focus).extend(page.title or Line("events", look.text)).add(wire, focus)
        hint = hint_line(scene, width - rule.width - 3)
        rule.to(width - hint.width - 3, focus, wire).add(" ").extend(hint).add(" ").to(
            width, focus, wire
        )
        return Page(lines=[rule, *page.lines])


def _ago(seconds: float) -> str:
    if seconds < 100:
        return f"-{max(0.0, seconds):.1f}s"
    return f"-{seconds / 60:.0f}min" if seconds < 7200 else f"-{seconds / 3600:.0f}h"
