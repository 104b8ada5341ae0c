"""The one line that says what to press first."""

from __future__ import annotations

from lab.tui.keys import filled
from lab.tui.paint import Line
from lab.tui.scene import Pace, Place, Scene, majority_lost_by
from lab.tui.widgets.panel import Page, Panel

STORY_S = 6.0  # What a scenario says stands for so long.
STORY_EVENTS = 40


def hint_line(scene: Scene, room: int) -> Line:
    """Return the hint: what the first keys would do now, as many as there is room for."""
    look = scene.look
    told = _story(scene)
    if told:
        return Line().add(" ", look.faint).add(told[: room - 2], look.key)
    if scene.place is not None and scene.is_past:
        return _of_the_past(scene, scene.place, room)
    if scene.pace is not None and scene.hands_off:
        return _of_a_seed(scene, scene.pace, room)
    words = filled(scene)
    node = scene.view.node(scene.node or "")
    parts: list[tuple[str, str]] = []
    if node is None:
        parts.append(("", "waiting for the first node to report"))
    elif node.state == "paused":
        parts.append(("p", f"resumes {node.name}"))
    elif node.state in ("killed", "stopped", "exited"):
        parts.append(("r", f"restarts {node.name}"))
    else:
        shard = scene.shard
        leads = shard is not None and shard.leader == node.name
        parts.append(("K", f"kills {'the leader ' if leads else ''}{node.name}"))
    if len(scene.view.nodes) > 1:
        verb = "heals" if words["cut"] == "heal" else "cuts"
        parts.append(("x", f"{verb} {words['link']}"))
    if scene.view.faults:
        parts.append(("u", "undoes"))
    parts.append(("?", "all keys"))
    line = Line()
    while len(parts) > 2 and sum(len(key) + len(text) + 4 for key, text in parts) + 4 > room:
        del parts[-2]
    for place, (key, text) in enumerate(parts):
        line.add(f" {look.glyphs.separator} " if place else ("press " if key else ""), look.faint)
        line.add(key, look.key).add(f" {text}" if key else text, look.dim)
    if node is not None and room - line.width > 40 and node.state == "running":
        line.extend(_consequence(scene, node.name))
    return line


def _of_the_past(scene: Scene, place: Place, room: int) -> Line:
    """Return how to move in time; nothing else can be done here."""
    look = scene.look
    line = Line()
    if place.ends_early and not place.age_s:
        line.add(f"{ends_early(place.length_s)} ", look.warn)
    plays = "stops" if place.playing else "plays" if place.replay else "returns to now"
    parts = [("z", plays), (", .", "events"), ("< >", "elections"), ("?", "all keys")]
    while len(parts) > 1 and sum(len(k) + len(t) + 4 for k, t in parts) + 3 > room - line.width:
        del parts[-1]
    for number, (key, text) in enumerate(parts):
        line.add(f" {look.glyphs.separator} " if number else "press ", look.faint)
        line.add(key, look.key).add(f" {text}", look.dim)
    return line


def ends_early(length_s: float) -> str:
    """Return what is to be known of a recording whose end is damaged."""
    minutes, seconds = divmod(int(length_s), 60)
    at = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return f"Ends early at {at} (last block damaged)."


def _of_a_seed(scene: Scene, pace: Pace, room: int) -> Line:
    """Return what can be done where nothing may be touched: time."""
    if pace.ended:
        return Line(pace.ended[:room], scene.look.dim)
    line = Line("press ", scene.look.faint)
    stops = "lets time go on" if scene.held else "stops time"
    for key, text in (("z", stops), ("{ }", "slower, faster"), ("?", "all keys")):
        gap = f" {scene.look.glyphs.separator} " if line.width > 6 else ""
        line.add(gap, scene.look.faint).add(key, scene.look.key).add(f" {text}", scene.look.dim)
    return line


def _story(scene: Scene) -> str:
    """Return what a scenario has just said or done."""
    events = scene.view.events[-STORY_EVENTS:]
    for event in reversed(events):
        if event.kind in ("story", "verdict"):
            return event.text if scene.view.now_s - event.at_s <= STORY_S else ""
    return ""


def _consequence(scene: Scene, name: str) -> Line:
    """Say before: what a kill of the selected node would do."""
    look = scene.look
    lost = majority_lost_by(scene.view, scene.summary, name)
    leads = scene.summary.leads.get(name, 0)
    line = Line(f"     {look.glyphs.arrow} without {name}: ", look.faint)
    if lost and len(scene.view.shards) == 1:
        return line.add("no majority, so no leader and no writes", look.harm)
    if lost:
        return line.add(f"{lost} of {len(scene.view.shards)} shards lose their majority", look.harm)
    if not leads:
        return line.add("no election, no majority lost", look.dim)
    word = "election" if leads == 1 else "elections"
    return line.add(f"{leads} {word}, every majority stays", look.dim)


class HintLine(Panel, can_focus=False):
    """The hint on a line of its own."""

    FRAMED = False

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the selection and what it may lose."""
        node = scene.view.node(scene.node or "")
        return (
            _story(scene), scene.pace, scene.held, scene.place,
            node.state if node else "", scene.node, scene.link,
            len(scene.view.faults),
            scene.summary.cut_links, scene.shard_id, scene.shard and scene.shard.leader,
            scene.summary.leads, len(scene.view.nodes), len(scene.view.shards),
            tuple(c.reporting for c in scene.summary.conditions.values()),
        )  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint the one line."""
        return Page(lines=[Line(" ").extend(hint_line(scene, width - 2))])
