"""The timeline: a lane a node; blue is by you, the star an election, vermilion harm."""

from __future__ import annotations

from rich.style import Style

from lab.faults import FaultKind
from lab.observe.view import EventView
from lab.observe.why import Question
from lab.tui.paint import Line, Look, ink
from lab.tui.scene import Scene, shard_name
from lab.tui.widgets.panel import Page, Panel, node_question

_LEFT = 5
_WORDS = (
    ("kill", "dead"), ("stop", "stopped"), ("pause", "paused"), ("freez", "paused"),
    ("cut", "cut"), ("isolate", "cut"), ("partition", "cut"), ("transfer", "move"),
    ("crash", "dead"), ("died", "dead"), ("power loss", "dead"),
    ("heal", "heal"), ("resume", "up"), ("restart", "up"), ("start", "up"), ("add", "add"),
    ("write", "write"), ("wrote", "write"), ("read", "write"),
)  # fmt: skip
_KINDS = {
    "elected": "lead", "election": "electing", "electing": "electing", "suspect": "phi",
    "trusted": "up", "heal": "heal", "stepped_down": "follow", "exited": "dead",
    "reload": "reload",
}  # fmt: skip
_WITH_TERM = ("elected", "election", "electing", "stepped_down")


def sign_of(event: EventView, look: Look) -> tuple[str, Style]:
    """Return an event's glyph and ink: what it did, and whether it was you."""
    glyphs = look.glyphs
    name = _KINDS.get(event.kind)
    if name is None:
        text = event.text.lower()
        name = next((sign for word, sign in _WORDS if word in text), None)
    sign = getattr(glyphs, name) if name else glyphs.nothing
    if event.kind == "failed" or event.kind == "error":
        return glyphs.no_leader, look.harm
    if event.by_you:
        return sign, ink(look.palette.you, None, True)
    if event.kind in ("suspect", "exited", "chance"):
        return sign, look.harm
    if event.kind in ("elected", "election", "electing"):
        return sign, look.warn
    return sign, look.dim


def words_of(event: EventView) -> str:
    """Return an event's sentence: like events are one line, so count and term are apart."""
    text = event.text
    if event.count > 1:
        text += f" in {event.count:,} shards"
    elif event.shard_id is not None and shard_name(event.shard_id) not in text:
        text += f" in {shard_name(event.shard_id)}"
    if event.term and event.kind in _WITH_TERM and "term" not in text:
        text += f" (term {event.term})"
    return text


class TimelinePanel(Panel):
    """Sixty seconds, or two minutes where there is room; a paused stretch is dashed."""

    TITLE = "timeline"
    KEYS = "timeline"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on events and faults, by the second."""
        return (scene.view.events, scene.view.faults, int(scene.view.now_s),
                tuple(scene.summary.numbers), scene.node)  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint the lanes and the scale."""
        look = scene.look
        room = max(10, width - _LEFT - 2)
        seconds = 120 if room > 90 else 60
        lanes = {node.name: _lane(scene, node.name, room, seconds) for node in scene.view.nodes}
        for event in sorted(scene.view.events, key=_hides_others):
            lane = lanes.get(lane_of(event) or "")
            back = scene.view.now_s - event.at_s
            if lane is None or not 0 <= back < seconds:
                continue
            column = min(room - 1, int((1 - back / seconds) * room))
            lane[column] = sign_of(event, look)
        lines = []
        for name, lane in lanes.items():
            here = name == scene.node
            live = scene.condition(name).reporting
            line = Line(look.glyphs.cursor if here else " ", look.warn)
            line.add(f" {scene.digit(name)} ", look.node(scene.number(name), live=live)).add(" ")
            for sign, style in lane:
                line.add(sign, style)
            lines.append(line)
        if len(lines) > height - 1:
            lines = lines[: height - 1]
        lines.append(_scale(look, room, seconds))
        if not scene.view.nodes:
            lines = [Line(" no nodes yet", look.dim)]
        return Page(lines=lines, title=Line(self.TITLE, look.text))

    def question(self, scene: Scene) -> Question:
        """Ask why the selected node is as it is."""
        return node_question(scene)

    def move(self, dx: int, dy: int) -> None:
        """Walk over the lanes."""
        if self.scene is None or not self.scene.view.nodes:
            return
        names = [node.name for node in self.scene.view.nodes]
        here = names.index(self.scene.node) if self.scene.node in names else 0
        self.post_message(self.Chose("node", names[max(0, min(len(names) - 1, here + dy))]))

    def press(self, x: int, y: int) -> None:
        """Pick the lane's node."""
        if self.scene is not None and 0 <= y < len(self.scene.view.nodes):
            self.post_message(self.Chose("node", self.scene.view.nodes[y].name))


def _hides_others(event: EventView) -> bool:
    """Return whether a newer event hides an older one of its cell: that all is well hides none."""
    return event.kind != "trusted"


def lane_of(event: EventView) -> str | None:
    """Return whose lane an event is on: a suspicion is on the suspect's, not on the observer's."""
    if event.kind in ("suspect", "trusted"):
        return event.text.split(" ", 1)[0]
    return event.node


def _lane(scene: Scene, name: str, room: int, seconds: int) -> list[tuple[str, Style]]:
    """Return the empty lane: dashed while paused, blank while dead."""
    look = scene.look
    wire = (look.glyphs.wire, look.faint)
    lane = [wire] * room
    for fault in scene.view.faults:
        if name not in fault.nodes:
            continue
        blank = {
            FaultKind.PAUSE: (look.glyphs.dashed, look.warn),
            FaultKind.KILL: (" ", look.faint),
            FaultKind.STOP: (" ", look.faint),
        }.get(fault.kind)
        if blank is not None:
            since = 1 - (scene.view.now_s - fault.since_s) / seconds
            start = max(0, min(room, int(since * room)))
            lane[start:] = [blank] * (room - start)
    return lane


def _scale(look: Look, room: int, seconds: int) -> Line:
    line = Line()
    step = 20 if seconds == 60 else 30
    for back in range(seconds, 0, -step):
        label = f"-{back}s"
        column = _LEFT + int((1 - back / seconds) * room)
        if column > line.width and column + len(label) < _LEFT + room - 3:
            line.to(column).add(label, look.faint)
    return line.to(_LEFT + room - 3).add("now", look.dim)
