"""One node: its own numbers, what its peers believe of it, its shards, its log lines."""

from __future__ import annotations

from collections.abc import Sequence

from lab.observe.view import LogLineView, NodeView, ShardView
from lab.observe.why import Question
from lab.tui.paint import Line, cut, finite, phi_text, size, span_s, spark
from lab.tui.scene import Scene, lag, replica_sign, shard_name
from lab.tui.widgets.panel import ListPanel, Page, Panel, node_question
from lab.tui.widgets.pulse import chart, scale_top

TREND = 10  # Values of a small chart.


class NodeFacts(Panel):
    """One node: its own numbers, and what every peer believes of it."""

    KEYS = "nodes"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the node and on the phis towards it."""
        node = scene.view.node(scene.node or "")
        towards = tuple(
            (link.receiver, phi_text(link.phi))
            for link in scene.view.links.values()
            if link.sender == scene.node
        )
        condition = scene.condition(scene.node or "")
        tracks = tuple(track for pair, track in scene.phi.tracks.items() if pair[0] == scene.node)
        return (node, towards, condition.word, span_s(condition.age_s), scene.summary.leads,
                tracks, int(scene.view.now_s))  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint facts at the left, beliefs at the right."""
        look = scene.look
        node = scene.view.node(scene.node or "")
        if node is None:
            return Page(lines=[Line(" no node is selected", look.dim)], title=Line("node"))
        split = max(width // 2, width - 29)
        facts = _facts(scene, node, split - 13)
        beliefs = _beliefs(scene, node.name)
        lines = []
        for row in range(min(height, max(len(facts), len(beliefs)))):
            line = Line(" ")
            if row < len(facts):
                word, value = facts[row]
                line.add(f"{word:<10}", look.dim).add(cut(value, split - 13), look.text)
            line.to(split)
            if row < len(beliefs):
                line.extend(beliefs[row])
            lines.append(line)
        condition = scene.condition(node.name)
        sign = getattr(look.glyphs, condition.sign)
        title = Line(f" {scene.digit(node.name)} ", look.node(scene.number(node.name)))
        title.add(f" {node.name} ", look.strong)
        title.add(f"{sign} {condition.word}", getattr(look, condition.tone))
        return Page(lines=lines, title=title, hint="K kill · s stop · p pause · r restart")

    def question(self, scene: Scene) -> Question:
        """Ask why the selected node is as it is."""
        return node_question(scene)

    def move(self, dx: int, dy: int) -> None:
        """Go to the next node."""
        if self.scene is None or not self.scene.view.nodes:
            return
        names = [node.name for node in self.scene.view.nodes]
        here = names.index(self.scene.node) if self.scene.node in names else 0
        step = dx or dy
        self.post_message(self.Chose("node", names[max(0, min(len(names) - 1, here + step))]))


def _facts(scene: Scene, node: NodeView, room: int) -> list[tuple[str, str]]:
    condition = scene.condition(node.name)
    seen = "never" if node.reported_at_s is None else f"{span_s(condition.age_s)} ago"
    leading = scene.summary.leads.get(node.name, 0)
    following = max(0, node.following + node.leading - leading)
    cpu = f"{node.cpu * 100:.0f}% of a core · {size(node.rss_bytes)}"
    facts = [
        ("id", node.node_id),
        ("report", f"{seen} · up {span_s(node.uptime_s)}"),
        ("shards", f"leads {leading:,}, follows {following:,}"),
        ("epoch", f"{node.epoch} · incarnation {node.incarnation & 0xFFFFFFFF:08x}"),
        ("runs", f"{node.app or 'no app'} · lolraft {node.version or 'unknown'}"),
        ("cpu, rss", _with_trend(scene, cpu, node.cpu_history, room)),
        ("disk", _with_trend(scene, _disk(node), node.fsync_history, room)),
        ("commits", f"{node.commits:,} · {node.commits_per_s:,.0f}/s"),
        ("queues", f"{size(node.queue_bytes)} to peers"),
    ]
    if node.detail:
        facts.insert(1, ("why", node.detail))
    return facts


def _with_trend(scene: Scene, text: str, history: Sequence[float], room: int) -> str:
    """Return *text* with the last values as bars up to the highest of them, where they fit."""
    seen = finite(history[-TREND:])
    top = max(seen, default=0.0)
    if top <= 0 or len(text) + TREND + 2 > room:
        return text
    return f"{text}  {spark(seen, TREND, top, scene.look.glyphs)}"


def _disk(node: NodeView) -> str:
    return f"fsync {node.fsync_s * 1000:.1f} ms · {'well' if node.disk_is_well else 'LATE'}"


def _beliefs(scene: Scene, name: str) -> list[Line]:
    """Return a line a peer: its phi of *name*, now and lately on one scale, and its rhythm."""
    look = scene.look
    line = Line(f"{look.glyphs.phi} of {name}, by", look.dim)
    lines = [line.add(f" · 0 to {scale_top(scene):g}", look.faint)]
    for peer in scene.view.nodes:
        link = scene.view.links.get((name, peer.name))
        if peer.name == name:
            continue
        live = scene.condition(peer.name).reporting
        line = Line(f" {scene.digit(peer.name)} ", look.node(scene.number(peer.name), live=live))
        if link is None or not live:
            line.add(f"   {look.glyphs.absent}   {scene.condition(peer.name).word}", look.faint)
        else:
            line.add(f" {phi_text(link.phi):>4} ", look.ranked(link.phi, link.threshold))
            line.extend(chart(scene, (name, peer.name), TREND)[0])
            cut_off = (name, peer.name) in scene.summary.cut_links
            heard = "cut" if cut_off else f"{link.mean_s * 1000:.0f}±{link.deviation_s * 1000:.0f}"
            line.add(f" {heard}", look.harm if cut_off else look.dim)
        lines.append(line)
    return lines


class RolesPanel(ListPanel):
    """The shards of one node, with its role in each."""

    TITLE = "shards of this node"
    KEYS = "table"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on shards, filter and node."""
        return (scene.view.shards, scene.node, scene.shards_filter, scene.shard_id)

    def rows(self, scene: Scene) -> Sequence[ShardView]:
        """Return the shards with a replica here that pass the filter."""
        name = scene.node or ""
        return [
            shard
            for number, shard in scene.view.shards.items()  # By their ids.
            if name in shard.replicas
            and (not scene.shards_filter or scene.shards_filter.shard(shard, shard_name(number)))
        ]

    def place(self, scene: Scene, rows: Sequence[object]) -> int:
        """Return the row of the selected shard."""
        for place, shard in enumerate(rows):
            if isinstance(shard, ShardView) and shard.shard_id == scene.shard_id:
                return place
        return super().place(scene, rows)

    def header(self, scene: Scene, width: int) -> list[Line]:
        """Name the columns."""
        return [Line("  shard    role           term   commit  applied     last    lag",
                     scene.look.dim)]  # fmt: skip

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one shard as this node has it."""
        assert isinstance(item, ShardView), "the rows of this list are shards"
        look = scene.look
        replica = item.replicas[scene.node or ""]
        chosen = item.shard_id == scene.shard_id
        live = scene.condition(replica.node).reporting
        plain = look.text if live else look.faint
        line = Line(look.glyphs.cursor if chosen else " ", look.warn)
        line.add(f" {shard_name(item.shard_id):<8}", look.strong if chosen else plain)
        leads = replica.role == "leader"
        tone = look.warn if leads and live else plain
        line.add(f" {replica_sign(scene, replica)} {replica.role:<13}", tone)
        behind = lag(item, replica)
        line.add(f"{replica.term:>4}{replica.commit_index:>9}{replica.applied_index:>9}", plain)
        line.add(f"{replica.last_index:>9}", plain)
        return line.add(f"{behind or look.glyphs.nothing:>7}", look.warn if behind else look.faint)

    def title(self, scene: Scene, total: int) -> Line:
        """Name the list."""
        line = Line(f"shards of {scene.node}", scene.look.text).add(f" {total:,}", scene.look.dim)
        if scene.shards_filter:
            line.add(f" · / {scene.shards_filter.text}", scene.look.warn)
        return line

    def nothing(self, scene: Scene) -> str:
        """Say why there are none."""
        if scene.shards_filter:
            return f"none passes /{scene.shards_filter.text} · esc clears the filter"
        return f"{scene.node} has reported no shard"

    def question(self, scene: Scene) -> Question:
        """Ask why the replica under the cursor is behind, or why its shard is led as it is."""
        return Question(about="replica", shard_id=scene.shard_id, node=scene.node)

    def moved(self, item: object) -> None:
        """Select the shard under the cursor."""
        if isinstance(item, ShardView):
            self.post_message(self.Chose("shard", item.shard_id))

    def enter(self) -> None:
        """Open the selected shard."""
        if self.scene is not None and self.scene.shard_id is not None:
            self.post_message(self.Chose("shard", self.scene.shard_id, open=True))


class LinesPanel(ListPanel):
    """What the node logged, newest at the bottom."""

    TITLE = "log lines"
    KEYS = "lines"
    FOLLOWS = True

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the lines, the node and the filter."""
        return (scene.view.log_lines, scene.node, scene.lines_filter)

    def rows(self, scene: Scene) -> Sequence[LogLineView]:
        """Return this node's lines that pass the filter."""
        mine = (line for line in scene.view.log_lines if line.node == scene.node)
        if scene.lines_filter:
            return [line for line in mine if scene.lines_filter.line(line)]
        return list(mine)

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one line: age, level, text."""
        assert isinstance(item, LogLineView), "the rows of this list are log lines"
        look = scene.look
        tones = {"ERROR": look.harm, "CRITICAL": look.harm, "WARNING": look.warn}
        line = Line(look.glyphs.cursor if here else " ", look.warn)
        line.add(f"{clock(item.at_s)} ", look.faint)
        level = item.level.upper()
        short = {"WARNING": "WARN", "CRITICAL": "CRIT"}.get(level, level[:5])
        line.add(f"{short:<6}", tones.get(level, look.dim))
        text = cut(item.text, max(4, width - line.width), look.glyphs.ellipsis)
        return line.add(text, look.dim if level == "DEBUG" else look.text)

    def title(self, scene: Scene, total: int) -> Line:
        """Name the list and its filter."""
        line = Line(f"log of {scene.node}", scene.look.text).add(f" {total:,}", scene.look.dim)
        if scene.lines_filter:
            line.add(f" · / {scene.lines_filter.text}", scene.look.warn)
        if self.cursor is not None:
            line.add(" · not following, G follows", scene.look.warn)
        return line

    def foot(self, scene: Scene, total: int) -> str:
        """Name the keys."""
        return "/ filter · y copy"

    def nothing(self, scene: Scene) -> str:
        """Say why there are none."""
        if scene.lines_filter:
            return f"no line passes /{scene.lines_filter.text} · esc clears the filter"
        return f"{scene.node} has logged nothing yet"


def clock(at_s: float) -> str:
    """Return the time of day in UTC, to the tenth: pure, whatever the machine's zone."""
    tenths = int(at_s * 10 + 0.5)
    seconds = tenths // 10 % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{tenths % 10}"


class SmallNote(Panel, can_focus=False):
    """What is shown where the screen is too small for the panels."""

    FRAMED = False

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on nothing but the size."""
        return ()

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Say how much room is missing; the keys still work."""
        room = self.app.size
        look = scene.look
        words = f" {room.width}x{room.height} is too small for the panels: they need 80x24."
        keys = Line(" K p r x 0 u ", look.key).add("work · ", look.dim).add("q ", look.key)
        return Page(lines=[Line(cut(words, width), look.warn), keys.add("quits", look.dim)])
