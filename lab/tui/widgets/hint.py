"""The one line that says what to press first."""

from __future__ import annotations

from collections.abc import Iterable

from lab.faults import FaultKind
from lab.tui.foretell import of_link, of_node
from lab.tui.keys import filled, press
from lab.tui.paint import Line, Look, cut
from lab.tui.scene import Pace, Place, Scene
from lab.tui.widgets.panel import Page, Panel

STORY_S = 6.0  # What a scenario says stands for so long.
STORY_EVENTS = 40


def hint_line(scene: Scene, room: int) -> Line:
    """Return the hint: what the first keys would do now, as many as there is room for."""
    look = scene.look
    told = _story(scene)
    if told:
        return Line().add(" ", look.faint).add(cut(told, room - 3), look.key)
    if scene.place is not None and scene.is_past:
        return _of_the_past(scene, scene.place, room)
    if scene.pace is not None and scene.hands_off:
        return _of_a_seed(scene, scene.pace, room)
    parts = _first_keys(scene)
    while len(parts) > 2 and sum(len(key) + len(text) + 4 for key, text in parts) + 4 > room:
        del parts[-2]
    line = _told(Line(), look, parts)
    node = scene.view.node(scene.node or "")
    if node is not None and room - line.width > 40 and node.state == "running":
        line.extend(_consequence(scene, room - line.width))
    return line


def _first_keys(scene: Scene) -> list[tuple[str, str]]:
    """Return the keys that fit what is selected, with what they would do."""
    look, words = scene.look, filled(scene)
    node = scene.view.node(scene.node or "")
    parts: list[tuple[str, str]] = []
    if node is None:
        parts.append(("", "waiting for the first node to report"))
    elif node.state == "paused":
        parts.append((press(look, "pause"), f"resumes {node.name}"))
    elif node.state in ("killed", "stopped", "exited"):
        parts.append((press(look, "restart"), f"restarts {node.name}"))
    else:
        shard = scene.shard
        leads = shard is not None and shard.leader == node.name
        parts.append((press(look, "kill"), f"kills {'the leader ' if leads else ''}{node.name}"))
    if len(scene.view.nodes) > 1:
        verb = "heals" if words["cut"] == "heal" else "cuts"
        parts.append((press(look, "cut"), f"{verb} {words['link']}"))
    if scene.view.faults:
        parts.append((press(look, "undo"), "undoes"))
    if scene.summary.troubles:
        parts.append((press(look, "why"), "says why"))
    parts.append((press(look, "help"), "all keys"))
    return parts


def _of_the_past(scene: Scene, place: Place, room: int) -> Line:
    """Return how to move in time; nothing else can be done here."""
    look = scene.look
    line = Line()
    if place.ends_early and not place.age_s:
        line.add(f"{ends_early(place.length_s)} ", look.warn)
    plays = "stops" if place.playing else "plays" if place.replay else "returns to now"
    pairs = [("hold",), ("event_back", "event_on"), ("election_back", "election_on"), ("help",)]
    words = (plays, "events", "elections", "all keys")
    parts = [(_keys(look, names), word) for names, word in zip(pairs, words, strict=True)]
    while len(parts) > 1 and sum(len(k) + len(t) + 4 for k, t in parts) + 3 > room - line.width:
        del parts[-1]
    return _told(line, look, parts)


def ends_early(length_s: float) -> str:
    """Return what is to be known of a recording whose end is damaged."""
    minutes, seconds = divmod(int(length_s), 60)
    at = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return f"Ends early at {at} (last block damaged)."


def _of_a_seed(scene: Scene, pace: Pace, room: int) -> Line:
    """Return what can be done where nothing may be touched: time."""
    if pace.ended:
        return Line(pace.ended[:room], scene.look.dim)
    stops = "lets time go on" if scene.held else "stops time"
    pairs = ((("hold",), stops), (("slower", "faster"), "slower, faster"), (("help",), "all keys"))
    parts = [(_keys(scene.look, names), text) for names, text in pairs]
    return _told(Line(), scene.look, parts)


def _told(line: Line, look: Look, parts: Iterable[tuple[str, str]]) -> Line:
    """Add keys with what they do; a part without a key is only said."""
    for place, (key, text) in enumerate(parts):
        line.add(f" {look.glyphs.separator} " if place else ("press " if key else ""), look.faint)
        line.add(key, look.key).add(f" {text}" if key else text, look.dim)
    return line


def _keys(look: Look, names: Iterable[str]) -> str:
    return " ".join(press(look, name) for name in names)


def _story(scene: Scene) -> str:
    """Return what a scenario has just said or done."""
    events = scene.view.events[-STORY_EVENTS:]
    for event in reversed(events):
        if event.kind in ("story", "verdict"):
            return event.text if scene.view.now_s - event.at_s <= STORY_S else ""
    return ""


def _consequence(scene: Scene, room: int) -> Line:
    """Say before: what a cut of the selected link would do where links are seen, else a kill."""
    look = scene.look
    if scene.page in ("links", "phi"):
        what, expected = f"cut {filled(scene)['link']}", of_link(scene, FaultKind.CUT)
    else:
        what, expected = f"without {scene.node}", of_node(scene, FaultKind.KILL)
    if expected is None:
        return Line()
    line = Line(f"     {look.glyphs.arrow} {what}: ", look.faint)
    words = cut(str(expected), room - line.width, look.glyphs.ellipsis)
    return line.add(words, look.harm if expected.harms else look.dim)


class HintLine(Panel, can_focus=False):
    """The hint on a line of its own."""

    FRAMED = False

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the selection and what it may lose."""
        node = scene.view.node(scene.node or "")
        return (
            _story(scene), scene.pace, scene.held, scene.place,
            node.state if node else "", scene.node, scene.link,
            len(scene.view.faults), bool(scene.summary.troubles),
            scene.summary.cut_links, scene.shard_id, scene.shard and scene.shard.leader,
            scene.summary.leads, scene.page, len(scene.view.nodes), len(scene.view.shards),
            tuple(c.reporting for c in scene.summary.conditions.values()),
        )  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint the one line."""
        return Page(lines=[Line(" ").extend(hint_line(scene, width - 2))])
