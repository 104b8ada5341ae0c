"""The one table of keys: bindings, footer, help and palette are all made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from textual.binding import Binding
from textual.keys import key_to_character

from lab.tui.paint import Keymap, Look
from lab.tui.scene import Scene, is_down, shard_name

_SHOWN = {
    "question_mark": "?", "slash": "/", "space": "space", "ctrl+p": "^p", "colon": ":",
    "left": "←", "right": "→", "up": "↑", "down": "↓", "escape": "esc", "enter": "enter",
    "left_curly_bracket": "{", "right_curly_bracket": "}",
    "plus": "+", "minus": "-", "left_square_bracket": "[", "right_square_bracket": "]",
    "left_parenthesis": "(", "right_parenthesis": ")",
    "full_stop": ".", "comma": ",", "less_than_sign": "<", "greater_than_sign": ">",
    "shift+tab": "⇧tab", "pageup": "pgup", "pagedown": "pgdn",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing that a key does. Braces are filled with the selection: `kill {node}`."""

    id: str  # For a user's own keymap.
    keys: str  # Textual's names, separated by commas.
    action: str
    group: str  # move, go, node, link, shard, cluster, view
    label: str  # In the footer: short.
    says: str  # In the help, and under the palette's title: what it does, in a sentence.
    title: str = ""  # In the palette: `Group: verb object`; empty: not there.
    footer: int = 99  # Small numbers come first and survive on narrow screens; 99: not there.
    panels: tuple[str, ...] = ()  # Where it is the first thing to know.
    only_sim: bool = False  # Elsewhere it only says why not.

    @property
    def touches(self) -> bool:
        """Return whether it acts on the cluster, not only on the screen or on time."""
        return self.group in ("node", "link", "shard", "load")

    @property
    def shown(self) -> str:
        """Return the key as it is written on a keyboard."""
        return " ".join(map(shown_key, self.keys.split(",")))

    @property
    def first(self) -> str:
        """Return the key's first name, for the footer."""
        return self.shown.split(" ", 1)[0]


KEYS: tuple[Key, ...] = (
    # Moving.
    Key(id="left", keys="h,left", action="move(-1,0)", group="move", label="left",
        says="one to the left: cell, index, node", panels=("map", "logs", "links")),
    Key(id="down", keys="j,down", action="move(0,1)", group="move", label="down",
        says="one down: row, replica, line"),
    Key(id="up", keys="k,up", action="move(0,-1)", group="move", label="up",
        says="one up: row, replica, line"),
    Key(id="right", keys="l,right", action="move(1,0)", group="move", label="right",
        says="one to the right: cell, index, node", panels=("map", "logs", "links")),
    Key(id="first", keys="g,home", action="move(-1000000,-1000000)", group="move",
        label="first", says="to the first row or index"),
    Key(id="last", keys="G,end", action="move(1000000,1000000)", group="move", label="last",
        says="to the last row or index; lists follow again"),
    Key(id="page_up", keys="pageup", action="move(0,-10)", group="move", label="up",
        says="ten rows up"),
    Key(id="page_down", keys="pagedown", action="move(0,10)", group="move", label="down",
        says="ten rows down"),
    Key(id="next_panel", keys="tab", action="panel(1)", group="move", label="next panel",
        says="to the next panel", footer=60),
    Key(id="previous_panel", keys="shift+tab", action="panel(-1)", group="move",
        label="previous panel", says="to the panel before"),
    Key(id="open", keys="enter", action="open", group="move", label="open",
        says="into the shard, node or link under the cursor", footer=50,
        panels=("map", "attention", "nodes", "table", "links", "logs", "roles")),
    Key(id="back", keys="escape", action="step_back", group="move", label="back",
        says="back: clears a filter, leaves a page", footer=55),
    # Pages.
    Key(id="cluster", keys="1", action="page('cluster')", group="go", label="cluster",
        says="the cluster: everything at a glance", title="View: cluster"),
    Key(id="shards", keys="2", action="page('shards')", group="go", label="shards",
        says="all shards as a table", title="View: shards", footer=52),
    Key(id="timeline", keys="3", action="page('timeline')", group="go", label="timeline",
        says="lanes and events at full width", title="View: timeline and events"),
    Key(id="links", keys="4", action="page('links')", group="go", label="links",
        says="who hears whom, and phi of the chosen pair", title="View: links"),
    Key(id="phi", keys="5", action="page('phi')", group="go", label="phi",
        says="phi over time at full width", title="View: phi"),
    Key(id="load_page", keys="6", action="page('load')", group="go", label="load",
        says="a load beside the cluster: verdict, throughput, latency", title="View: load"),
    Key(id="faults_page", keys="7", action="page('faults')", group="go", label="faults",
        says="faults in force and before: expected beside happened", title="View: faults"),
    Key(id="ladder_page", keys="8", action="page('ladder')", group="go", label="ladder",
        says="who said what to whom in the selected shard, one line a message",
        title="View: message ladder"),
    # The load.
    Key(id="load", keys="L", action="load", group="load", label="load",
        says="start clients that write and read, or stop them and judge all answers",
        title="Load: start or stop", panels=("load",)),
    Key(id="load_more", keys="plus", action="load_adjust('rate', 1)", group="load",
        label="faster", says="more operations a second, on page 6", panels=("load",)),
    Key(id="load_less", keys="minus", action="load_adjust('rate', -1)", group="load",
        label="slower", says="fewer operations a second, on page 6", panels=("load",)),
    Key(id="turn_up", keys="right_square_bracket", action="turn(1)", group="view",
        label="more", panels=("load", "phi"),
        says="page 6: more reads, fewer writes; page 5: try a higher threshold"),
    Key(id="turn_down", keys="left_square_bracket", action="turn(-1)", group="view",
        label="less", panels=("load", "phi"),
        says="page 6: more writes, fewer reads; page 5: try a lower threshold"),
    Key(id="load_spread", keys="right_parenthesis", action="load_adjust('keys', 1)",
        group="load", label="keys", says="more keys at a time, on page 6", panels=("load",)),
    Key(id="load_crowd", keys="left_parenthesis", action="load_adjust('keys', -1)",
        group="load", label="keys", says="fewer keys: more clients at one, on page 6",
        panels=("load",)),
    # Nodes.
    Key(id="kill", keys="K", action="kill", group="node", label="kill {node}",
        says="SIGKILL: no goodbye; what was acknowledged survives", title="Node: kill {node}",
        footer=1, panels=("nodes",)),
    Key(id="stop", keys="s", action="stop", group="node", label="{stop}",
        says="SIGTERM and wait, or start a stopped node", title="Node: {stop} {node}",
        footer=9, panels=("nodes",)),
    Key(id="pause", keys="p", action="pause", group="node", label="{pause}",
        says="freeze its threads, or let them go on: peers hear silence",
        title="Node: {pause} {node}", footer=2, panels=("nodes",)),
    Key(id="restart", keys="r", action="restart", group="node", label="restart",
        says="start again on the same data; a running node is stopped first",
        title="Node: restart {node}", footer=3, panels=("nodes",)),
    Key(id="isolate", keys="i", action="isolate", group="node", label="isolate",
        says="cut it off from all others, both ways; watching goes on",
        title="Node: isolate {node}", footer=11, panels=("nodes", "links")),
    Key(id="add_here", keys="a", action="add_node(False)", group="node", label="add node",
        says="start an empty node and make it a member of the selected shard",
        title="Node: add one to {shard}", footer=30),
    Key(id="add_all", keys="A", action="add_node(True)", group="node", label="add to all",
        says="start an empty node and make it a member of every shard",
        title="Node: add one to every shard"),
    # Links.
    Key(id="cut", keys="x", action="cut", group="link", label="{cut} {link}",
        says="one way: {receiver} no longer hears {sender}; again heals it",
        title="Link: {cut} {link}", footer=4, panels=("links",)),
    Key(id="cut_both", keys="X", action="cut_both", group="link", label="cut {both}",
        says="both ways between the two", title="Link: cut {both}", footer=40,
        panels=("links",)),
    Key(id="partition", keys="P", action="partition", group="link", label="partition",
        says="by sides, such as n1 n2 | n3 n4 n5", title="Partition: by sides …", footer=35),
    Key(id="delay", keys="d", action="disturb('d')", group="link", label="delay {link}",
        says="so many milliseconds later, perhaps ± some", title="Link: delay {link} …",
        footer=41, panels=("links",)),
    Key(id="faults", keys="f", action="faults", group="link", label="faults",
        says="every fault, with its values and what to expect of it", title="Fault: menu …",
        footer=5),
    Key(id="heal", keys="0", action="heal", group="link", label="heal",
        says="end every cut; paused and dead nodes stay so", title="Partition: heal all",
        footer=5, panels=("links",)),
    Key(id="undo", keys="u", action="undo", group="link", label="undo",
        says="take back the newest fault: heal, restart or resume", title="Fault: undo the last",
        footer=6),
    # Why.
    Key(id="why", keys="w", action="why", group="view", label="why",
        says="why it is so: this leader, open index, lag, suspicion, refusal",
        title="View: why is it so?",
        panels=("nodes", "map", "attention", "logs", "links", "phi", "shard", "table", "events")),
    # Shards.
    Key(id="write", keys="W", action="write", group="shard", label="write",
        says="put a value through the client", title="Shard: write to {shard} …", footer=8,
        panels=("logs", "map", "shard")),
    Key(id="read", keys="e", action="read", group="shard", label="read",
        says="get a value, linearizably", title="Shard: read from {shard} …", footer=10,
        panels=("logs", "map", "shard")),
    Key(id="transfer", keys="t", action="transfer", group="shard", label="transfer",
        says="hand leadership of {shard} to {target}",
        title="Shard: transfer leadership of {shard} to {target}", footer=32,
        panels=("logs", "map", "shard")),
    Key(id="drop_message", keys="D", action="message('drop')", group="shard", label="drop",
        says="simulator: lose the message under the ladder's cursor, while time stands",
        title="Shard: drop this message", panels=("ladder",), only_sim=True),
    Key(id="bring_message", keys="b", action="message('bring')", group="shard", label="bring",
        says="simulator: let the message under the ladder's cursor arrive now",
        title="Shard: let this message arrive now", panels=("ladder",), only_sim=True),
    Key(id="remove", keys="M", action="remove", group="shard", label="remove {node}",
        says="take {node} out of {shard}, after asking; it deletes its data of it",
        title="Shard: remove {node} from {shard}", panels=("shard",)),
    Key(id="snapshot", keys="T", action="snapshot", group="shard", label="snapshot",
        says="let the leader's app take a snapshot: the log before it may go",
        title="Shard: take a snapshot of {shard}", panels=("shard",)),
    # Time.
    Key(id="hold", keys="z,space", action="hold", group="time", label="{hold}",
        says="stop the picture (the cluster goes on, but simulated time stops); play a recording",
        title="Time: hold the picture", footer=33),
    Key(id="event_back", keys="comma", action="to_event(-1)", group="time", label="back",
        says="one event back: what was shown just after it", title="Time: one event back",
        footer=34, panels=("timeline", "events", "ladder")),
    Key(id="event_on", keys="full_stop", action="to_event(1)", group="time", label="on",
        says="one event on; in the simulator, at the newest, on to what happens next",
        title="Time: one event on",
        footer=35, panels=("timeline", "events", "ladder")),
    Key(id="election_back", keys="less_than_sign", action="to_election(-1)", group="time",
        label="election back", says="one election back", title="Time: one election back",
        footer=37, panels=("timeline", "events", "ladder")),
    Key(id="election_on", keys="greater_than_sign", action="to_election(1)", group="time",
        label="election on", says="one election on", title="Time: one election on",
        footer=38, panels=("timeline", "events", "ladder")),
    Key(id="onward", keys="F", action="onward", group="time", label="go on from here",
        says="simulator: from this past picture, dropping its future; else: this story, simulated",
        title="Time: go on from here, in the simulator"),
    Key(id="record", keys="R", action="record", group="time", label="record",
        says="to a file here, with what was taped so far; again ends it",
        title="Record: start or stop", footer=36),
    # The simulator's time.
    Key(id="faster", keys="right_curly_bracket", action="pace(1)", group="sim", label="faster",
        says="up to x16, then as fast as it can; z stops time", title="Sim: faster",
        footer=7, only_sim=True),
    Key(id="slower", keys="left_curly_bracket", action="pace(-1)", group="sim", label="slower",
        says="down to 1/64 of a second in a second", title="Sim: slower",
        footer=7, only_sim=True),
    # Views.
    Key(id="filter", keys="slash", action="filter", group="view", label="filter",
        says="shards: electing, !ok, n2, term>8, lag>100; lines: any words, ! inverts",
        title="View: filter …", footer=20,
        panels=("table", "attention", "lines", "events", "map", "ladder")),
    Key(id="next", keys="n", action="match(1)", group="view", label="next",
        says="to the next match of the filter, else the next shard in trouble"),
    Key(id="previous", keys="N", action="match(-1)", group="view", label="previous",
        says="to the match before"),
    Key(id="order", keys="O", action="order", group="view", label="order",
        says="order the table by shard, trouble, lag, term, leader, commit",
        title="View: order shards by the next column", panels=("table",)),
    Key(id="colour", keys="m", action="colouring", group="view", label="map",
        says="colour the map by leader, term or lag", title="View: colour the map by the next",
        panels=("map",)),
    Key(id="maximise", keys="o", action="maximise", group="view", label="large",
        says="this panel alone, and back", title="View: this panel alone"),
    Key(id="copy", keys="y", action="copy", group="view", label="copy",
        says="copy what is under the cursor", title="View: copy what is under the cursor"),
    Key(id="story", keys="S", action="save_story", group="view", label="save",
        says="save the story: report, picture and a scenario to play, in a new folder",
        title="Lab: save the story so far"),
    Key(id="palette", keys="colon,ctrl+p", action="command_palette", group="view",
        label="commands", says="find any of these by words", footer=12),
    Key(id="help", keys="question_mark", action="keys", group="view", label="keys",
        says="all keys, those of this panel first, and the legend", title="View: all keys",
        footer=0),
    Key(id="room_hint", keys="H", action="room_hint", group="view", label="hint",
        says="a hint, in a room (./log play)", title="Room: a hint"),
    Key(id="quit", keys="q", action="leave", group="view", label="quit",
        says="end the cluster, or leave it running", title="Lab: quit …", footer=7),
)  # fmt: skip

GROUPS = {
    "move": "Move", "go": "Pages", "node": "The node", "link": "Links and faults",
    "shard": "The shard", "load": "The load", "time": "Time", "sim": "The simulator's time",
    "view": "The screen",
}  # fmt: skip


def bindings() -> list[Binding]:
    """Return the table as Textual's bindings."""
    return [
        Binding(key.keys, key.action, key.label, show=False, id=key.id, tooltip=key.says)
        for key in KEYS
    ]


def shown_key(name: str) -> str:
    """Return how the key of Textual's *name* is written on a keyboard."""
    return _SHOWN.get(name) or key_to_character(name) or name


@lru_cache(maxsize=8)
def table(keymap: Keymap) -> tuple[Key, ...]:
    """Return the table with a user's own keys."""
    own = dict(keymap)
    return tuple(replace(key, keys=own.get(key.id, key.keys)) for key in KEYS)


@lru_cache(maxsize=8)
def _firsts(keymap: Keymap) -> Mapping[str, str]:
    return {key.id: key.first for key in table(keymap)}


def press(look: Look, name: str) -> str:
    """Return the key that does what *name* is the id of, for a sentence on the screen."""
    return _firsts(look.keymap)[name]


def own_keys(look: Look, text: str) -> str:
    """Return *text*, made where nobody knows the user's keys, with theirs for a restart."""
    return re.sub(r"(?<=· )r(?= (on|starts) )", press(look, "restart"), text)


def filled(scene: Scene | None) -> Mapping[str, str]:
    """Return what the braces stand for, given what is selected."""
    node = scene.view.node(scene.node or "") if scene else None
    link = scene.link if scene and scene.link else ("one node", "another")
    arrow = scene.look.glyphs.arrow if scene else "→"
    cut = scene is not None and link in scene.summary.cut_links
    return {
        "node": node.name if node else "node",
        "hold": _hold(scene),
        "pause": "resume" if node and node.state == "paused" else "pause",
        "stop": "start" if node and is_down(node) else "stop",
        "shard": shard_name(scene.shard_id) if scene and scene.shard_id is not None else "shard",
        "link": f"{link[0]}{arrow}{link[1]}" if scene and scene.link else "link",
        "cut": "heal" if cut else "cut",
        "both": f"{link[0]}{scene.look.glyphs.move}{link[1]}" if scene and scene.link else "link",
        "sender": link[0],
        "receiver": link[1],
        "target": transfer_target(scene) or "another voter",
    }


def _hold(scene: Scene | None) -> str:
    place = scene.place if scene else None
    if place is not None and place.replay:
        return "stop" if place.playing else "play"
    return "now" if scene is not None and scene.held else "hold"


def transfer_target(scene: Scene | None) -> str | None:
    """Return who gets leadership: the selected node, or the most caught-up other voter."""
    shard = scene.shard if scene else None
    if scene is None or shard is None:
        return None
    able = [
        name
        for name in shard.voters
        if name != shard.leader and name in shard.replicas and scene.condition(name).reporting
    ]
    if scene.node in able:
        return scene.node
    return max(able, key=lambda name: (shard.replicas[name].last_index, name), default=None)
