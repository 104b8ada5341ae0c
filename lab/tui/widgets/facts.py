"""What is known of one shard: its replicas side by side."""

from __future__ import annotations

from lab.observe.view import NodeView, ReplicaView, ShardView
from lab.tui.keys import own_keys
from lab.tui.paint import Line, Look, cut, span_s
from lab.tui.scene import Scene, lag, replica_sign, shard_name
from lab.tui.widgets.panel import Page, Panel

_WIDE = 76


class ShardFacts(Panel):
    """The shard's replicas side by side: role, term, vote, commit, applied, last, snapshot, lag."""

    KEYS = "shard"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the shard and who reports."""
        conditions = tuple((n, c.word) for n, c in scene.summary.conditions.items())
        return (scene.shard, scene.shard_id, scene.node, conditions, _since(scene))

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint a sentence, then a row a replica."""
        look, shard = scene.look, scene.shard
        if shard is None:
            words = " no shard is selected: it appears with a node's first report"
            return Page(lines=[Line(words, look.dim)], title=Line("shard", look.text))
        lines = [_sentence(scene, shard, width)]
        wide = width >= _WIDE
        head = Line("      node  role", look.dim).to(23).add("  term", look.dim)
        if wide:
            head.add("  voted", look.dim)
        head.add("   commit  applied     last", look.dim)
        if wide:
            head.add("   snap", look.dim)
        lines.append(head.add("    lag", look.dim))
        for node in scene.view.nodes:
            lines.append(_replica(scene, shard, node, shard.replicas.get(node.name), wide))
        if height > len(lines):
            lines.append(_members(look, shard))
        title = Line(shard_name(shard.shard_id), look.strong).add(" · replicas", look.text)
        hint = "" if scene.hands_off else "t transfer · W write · e read"
        return Page(lines=lines, title=title, hint=hint)

    def move(self, dx: int, dy: int) -> None:
        """Walk over the replicas."""
        if self.scene is None or not self.scene.view.nodes:
            return
        names = [node.name for node in self.scene.view.nodes]
        here = names.index(self.scene.node) if self.scene.node in names else 0
        self.post_message(self.Chose("node", names[max(0, min(len(names) - 1, here + dy))]))

    def press(self, x: int, y: int) -> None:
        """Pick the replica's node."""
        if self.scene is not None and 0 <= y - 2 < len(self.scene.view.nodes):
            self.post_message(self.Chose("node", self.scene.view.nodes[y - 2].name))

    def enter(self) -> None:
        """Open the selected node."""
        if self.scene is not None and self.scene.node is not None:
            self.post_message(self.Chose("node", self.scene.node, open=True))


def _since(scene: Scene) -> str:
    shard = scene.shard
    if shard is None:
        return ""
    now_s = scene.view.now_s
    return shard.why_at(now_s) or span_s(now_s - shard.since_s)


def _sentence(scene: Scene, shard: ShardView, width: int) -> Line:
    look = scene.look
    since = span_s(scene.view.now_s - shard.since_s)
    line = Line(" ")
    if shard.status == "ok":
        line.add(f"{look.glyphs.good} led by {shard.leader}", look.well)
        line.add(f" for {since}", look.dim)
        members = f"{len(shard.voters)} voters, {len(shard.voters) // 2 + 1} make a majority"
        if line.width + len(members) + 3 <= width:
            line.add(f" · {members}", look.dim)
        return line
    harm = shard.status in ("no-quorum", "no-leader")
    why = own_keys(look, shard.why_at(scene.view.now_s)) or shard.status
    return line.add(cut(why, width - 2), look.harm if harm else look.warn)


def _replica(
    scene: Scene, shard: ShardView, node: NodeView, replica: ReplicaView | None, wide: bool
) -> Line:
    look, glyphs = scene.look, scene.look.glyphs
    condition = scene.condition(node.name)
    live = condition.reporting
    plain = look.text if live else look.faint
    line = Line(glyphs.cursor if scene.node == node.name else " ", look.warn)
    line.add(f" {scene.digit(node.name)} ", look.node(scene.number(node.name), live=live))
    line.add(f"  {node.name:<5} ", plain)
    if replica is None:
        return line.add("holds no replica of this shard", look.faint)
    role = replica.role.replace("pre-candidate", "pre-vote") if live else condition.word
    sign = replica_sign(scene, replica)
    tone = look.warn if live and replica.role == "leader" else plain
    line.add(f"{sign} {role:<9}", tone).to(23).add(f"{replica.term:>6}", plain)
    if wide:
        line.add(f"{replica.voted_for or glyphs.absent:>7}", plain)
    line.add(f"{replica.commit_index:>9}{replica.applied_index:>9}{replica.last_index:>9}", plain)
    if wide:
        line.add(f"{replica.snapshot_index:>7}", plain)
    behind = lag(shard, replica)
    return line.add(f"{behind or glyphs.nothing:>7}", look.warn if behind and live else look.faint)


def _members(look: Look, shard: ShardView) -> Line:
    """Name voters, and what a change in progress adds or takes away."""
    line = Line(" voters ", look.dim).add(" ".join(shard.voters) or "none", look.text)
    leader = shard.replicas.get(shard.leader or "")
    if leader is not None and leader.outgoing:
        line.add("  joint with ", look.warn).add(" ".join(leader.outgoing), look.text)
    if leader is not None and leader.learners:
        line.add("  learners ", look.dim).add(" ".join(leader.learners), look.text)
    return line
