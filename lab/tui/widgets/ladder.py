"""
The ladder of one shard: nodes as columns, one line for each message or event, and what it says.

In the simulator every message is known, and each has a line, placed by when it was sent. Elsewhere
nobody sees single messages: there the lines are the events that nodes told of themselves, and the
title says so. Heartbeats belong to nodes and not to shards; they have no lines (page 5 has phi).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from rich.style import Style

from lab.observe.view import EventView, MessageView
from lab.tui.paint import Line, cut
from lab.tui.scene import Scene, replica_sign, shard_name
from lab.tui.widgets.panel import ListPanel
from lab.tui.widgets.timeline import lane_of, sign_of, words_of

Rung: TypeAlias = MessageView | EventView

LEFT = 11  # Cells of the time.
LEAST_WORDS = 38
UNDER_WAY = ("flying", "held")
_BEGINS = {
    "flying": "under way: ",
    "held": "held up by a broken wire: ",
    "frozen": "{receiver} was frozen when it came: ",
}


class LadderPanel(ListPanel):
    """One line a message, newest at the bottom; it follows the newest until you move away."""

    TITLE = "ladder"
    KEYS = "ladder"
    FOLLOWS = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._known: tuple[object, ...] = ()
        self._rows: list[Rung] = []
        self._chosen: tuple[object, ...] | None = None  # What the cursor is on; None follows.

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on messages and events, on the shard, and on how its nodes are."""
        conditions = tuple(one.word for one in scene.summary.conditions.values())
        return (scene.view.messages, scene.view.messages_shard, scene.view.events,
                scene.lines_filter, scene.shard_id, scene.shard, scene.is_past, scene.held,
                conditions)  # fmt: skip

    def rows(self, scene: Scene) -> Sequence[Rung]:
        """Return messages and events of the shard that pass the filter, in the order of time."""
        view, wanted = scene.view, scene.lines_filter
        known = (view.messages, view.messages_shard, view.events, wanted, scene.shard_id)
        if len(self._known) != len(known) or any(
            one is not other for one, other in zip(known, self._known, strict=True)
        ):
            self._known = known
            rungs: list[Rung] = [
                event for event in view.events if event.shard_id in (None, scene.shard_id)
            ]
            if view.messages_shard == scene.shard_id:
                rungs.extend(view.messages)
            rungs = [rung for rung in rungs if not wanted or wanted.words(said(rung))]
            self._rows = sorted(rungs, key=when)
        return self._rows

    def place(self, scene: Scene, rows: Sequence[object]) -> int:
        """Return the row that was chosen, wherever it is by now."""
        last = len(rows) - 1
        if self._chosen is None:
            return last
        at_s = self._chosen[0]
        assert isinstance(at_s, float), "a key begins with a time"
        near = last
        for place, rung in enumerate(self._rows):
            if _key(rung) == self._chosen:
                return place
            if when(rung) >= at_s:
                near = min(near, place)
        return near

    def moved(self, item: object) -> None:
        """Remember what the cursor is on; rows move under it."""
        assert isinstance(item, MessageView | EventView), "the rows of this list are rungs"
        self._chosen = None if item is self._rows[-1] else _key(item)

    def message(self) -> MessageView | None:
        """Return the message under the cursor, if it is one."""
        rows = self.rows(self.scene) if self.scene is not None else ()
        if self.scene is None or not rows:
            return None
        rung = rows[self.place(self.scene, rows)]
        return rung if isinstance(rung, MessageView) else None

    # --- painting --------------------------------------------------------------------------------

    def header(self, scene: Scene, width: int) -> list[Line]:
        """Name the columns, and say what each replica reported: role and term, and its vote."""
        look = scene.look
        names = Line("   min:s", look.faint).to(LEFT)
        states = Line("   now", look.faint).to(LEFT)
        votes = Line("   voted", look.faint).to(LEFT)
        step, replicas = self._step(scene, width), scene.shard.replicas if scene.shard else {}
        for place, node in enumerate(scene.view.nodes):
            live = scene.condition(node.name).reporting
            end = LEFT + (place + 1) * step
            label = node.name[: step - 1]
            names.to(LEFT + place * step + (step - len(label) + 1) // 2)
            names.add(label, look.node(scene.number(node.name), live=live)).to(end)
            replica = replicas.get(node.name)
            text = f"{replica_sign(scene, replica)}{replica.term}" if replica else ""
            states.to(LEFT + place * step + (step - len(text) + 1) // 2)
            states.add(text, look.text if live else look.faint).to(end)
            vote = (replica.voted_for or look.glyphs.absent)[: step - 1] if replica else ""
            votes.to(LEFT + place * step + (step - len(vote) + 1) // 2).add(vote, look.dim).to(end)
        states.add("  role and term, as last reported", look.faint)
        votes.add("  in that term", look.faint)
        return [names, states] if _knows_messages(scene) else [names, states, votes]

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one rung."""
        assert isinstance(item, MessageView | EventView), "the rows of this list are rungs"
        look = scene.look
        at_s = when(item) % 3600
        line = Line(look.glyphs.cursor if here else " ", look.warn)
        line.add(f"{int(at_s // 60):02}:{at_s % 60:06.3f}", look.faint).to(LEFT)
        step = self._step(scene, width)
        cells = self._lanes(scene, step)
        if isinstance(item, MessageView):
            style, words = self._arrow(scene, item, cells, step)
        else:
            style, words = self._mark(scene, item, cells, step)
        for sign, ink in cells:
            line.add(sign, ink)
        line.add("  ")
        return line.add(cut(words, width - line.width, look.glyphs.ellipsis), style)

    def _step(self, scene: Scene, width: int) -> int:
        nodes = max(1, len(scene.view.nodes))
        return max(4, min(12, (width - LEFT - LEAST_WORDS) // nodes))

    def _lanes(self, scene: Scene, step: int) -> list[tuple[str, Style]]:
        look = scene.look
        cells = [(" ", look.faint)] * (step * len(scene.view.nodes))
        for place in range(len(scene.view.nodes)):
            cells[place * step + step // 2] = (look.glyphs.lane, look.faint)
        return cells

    def _column(self, scene: Scene, name: str | None, step: int) -> int | None:
        number = scene.summary.numbers.get(name or "")
        return None if number is None else number * step + step // 2

    def _arrow(
        self, scene: Scene, message: MessageView, cells: list[tuple[str, Style]], step: int
    ) -> tuple[Style, str]:
        """Draw a message over the lanes; return the ink and the words of its sentence."""
        look, fate = scene.look, message.fate
        glyphs = look.glyphs
        style = {"lost": look.harm, "flying": look.warn, "held": look.warn}.get(fate, look.text)
        if fate == "arrived" and message.kind in ("ack", "probe"):
            style = look.dim
        begin = self._column(scene, message.sender, step)
        end = self._column(scene, message.receiver, step)
        if begin is not None and end is not None:
            way = 1 if end > begin else -1
            stop = (begin + end) // 2 if fate in ("lost", "held") else end
            wire = glyphs.dashed if fate in UNDER_WAY else glyphs.wire
            for column in range(begin, stop, way):
                cells[column] = (wire, style)
            head = glyphs.right if way > 0 else glyphs.left
            ends = {"lost": glyphs.lost, "held": glyphs.paused, "frozen": glyphs.paused}
            cells[begin] = (glyphs.up, style)
            cells[stop if fate != "flying" else stop - way] = (ends.get(fate, head), style)
        return style, sentence(message)

    def _mark(
        self, scene: Scene, event: EventView, cells: list[tuple[str, Style]], step: int
    ) -> tuple[Style, str]:
        """Mark the lane of an event; return the ink and the words of its sentence."""
        sign, style = sign_of(event, scene.look)
        column = self._column(scene, lane_of(event), step)
        if column is not None:
            cells[column] = (sign, style)
        return style, words_of(replace(event, shard_id=None))  # The title says which shard.

    def title(self, scene: Scene, total: int) -> Line:
        """Say whose ladder it is, and what its lines are."""
        look = scene.look
        name = shard_name(scene.shard_id) if scene.shard_id is not None else "no shard"
        line = Line(f"ladder {look.glyphs.separator} {name} ", look.text)
        if _knows_messages(scene):
            line.add("every message, by when it was sent", look.dim)
        else:
            line.add("events as the nodes told them, not messages", look.warn)
        if scene.lines_filter:
            line.add(f" / {scene.lines_filter.text} ({total})", look.warn)
        if self._chosen is not None:
            line.add(" G follows", look.warn)
        return line

    def foot(self, scene: Scene, total: int) -> str:
        """Say what can be done to a single message, where something can."""
        if scene.pace is None or scene.hands_off or scene.is_past:
            return ""
        return "D drops, b brings what is under way" if scene.held else "z stops time"

    def nothing(self, scene: Scene) -> str:
        """Say why there is nothing."""
        if scene.lines_filter:
            return f"nothing passes the filter /{scene.lines_filter.text} · esc clears it"
        if scene.is_past and scene.view.messages_shard not in (None, scene.shard_id):
            return "this shard was not selected then: its messages were not taken"
        return "nothing was sent yet"


def _knows_messages(scene: Scene) -> bool:
    return scene.view.backend == "sim"


def when(rung: Rung) -> float:
    """Return where on the ladder a rung is: when it was sent, or happened; wall clock."""
    return rung.sent_s if isinstance(rung, MessageView) else rung.at_s


def _key(rung: Rung) -> tuple[object, ...]:
    if isinstance(rung, MessageView):
        return (rung.sent_s, rung.number)
    return (rung.at_s, rung.node, rung.kind, rung.text)


def sentence(message: MessageView) -> str:
    """Return what a message says, and what became of it where that is not what one expects."""
    begins = _BEGINS.get(message.fate, "").format(receiver=message.receiver)
    if message.fate == "lost":
        begins = f"lost, {message.why}: "
    took = ""
    if message.fate == "arrived" and message.at_s is not None:
        why = f", {message.why}" if message.why else ""
        took = f" ({(message.at_s - message.sent_s) * 1e3:.1f} ms{why})"
    return f"{begins}{message.text}{took}"


def said(rung: Rung) -> str:
    """Return all that a filter's words are looked for in."""
    if isinstance(rung, MessageView):
        way = f"{rung.sender}->{rung.receiver} {rung.sender} {rung.receiver}"
        return f"{rung.kind} {rung.fate} {way} {sentence(rung)}"
    return f"{rung.kind} {rung.node or ''} {words_of(rung)}"
