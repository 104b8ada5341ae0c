"""Needs attention: the worst first, one line each, the reason in words."""

from __future__ import annotations

from collections.abc import Sequence

from lab.observe.view import AGE, ShardView
from lab.observe.why import Question
from lab.tui.keys import own_keys, press
from lab.tui.paint import Line, cut
from lab.tui.scene import Scene, Trouble, shard_name
from lab.tui.widgets.panel import ListPanel, shard_question


class AttentionPanel(ListPanel):
    """The list that a person reads; it never scrolls by itself."""

    TITLE = "needs attention"
    KEYS = "attention"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the troubles, on how old they look, and on the selected shard."""
        aged = any(AGE in trouble.text for trouble in self._in_sight(scene))
        return (scene.summary.troubles, scene.summary.sick, scene.shards_filter, scene.shard_id,
                scene.node, int(scene.view.now_s * 10) if aged else 0)  # fmt: skip

    def _in_sight(self, scene: Scene) -> Sequence[Trouble]:
        return self.rows(scene)[self.top : self.top + self.size.height]

    def rows(self, scene: Scene) -> Sequence[Trouble]:
        """Return the troubles that pass the filter."""
        troubles = scene.summary.troubles
        if scene.shards_filter:
            troubles = tuple(
                trouble
                for trouble in troubles
                if trouble.shard_id is None or self._passes(scene, trouble.shard_id)
            )
        return troubles

    def _passes(self, scene: Scene, shard_id: int) -> bool:
        shard = scene.view.shards.get(shard_id)
        return shard is not None and scene.shards_filter.shard(shard, shard_name(shard_id))

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one trouble."""
        assert isinstance(item, Trouble), "the rows of this list are troubles"
        look = scene.look
        ground = look.alarm("harm" if item.rank <= 1 else "warn")
        sign = getattr(look.glyphs, item.sign)
        line = Line(look.glyphs.cursor if here else " ", look.warn)
        line.add(f" {sign} ", ground).add(f" {item.name} ", look.strong)
        text = own_keys(look, item.text_at(scene.view.now_s))
        return line.add(cut(text, width - line.width), look.text if here else look.dim)

    def title(self, scene: Scene, total: int) -> Line:
        """Name the list and its length."""
        line = Line("needs attention", scene.look.text)
        total = total if scene.shards_filter else scene.summary.sick
        return line.add(f" · {total}", scene.look.harm) if total else line

    def nothing(self, scene: Scene) -> str:
        """Say that all is well, and why one may believe it."""
        if not scene.view.shards:
            return "no shard has reported yet"
        if scene.summary.troubles:
            return f"nothing passes the filter /{scene.shards_filter.text}"
        return "all led, none lagging, none silent"

    def foot(self, scene: Scene, total: int) -> str:
        """Say how many rows are out of sight."""
        total = total if scene.shards_filter else scene.summary.sick
        below = total - self.top - max(0, self.size.height - 2)
        return f"+ {below} more · {press(scene.look, 'filter')} filters" if below > 0 else ""

    def enter(self) -> None:
        """Open what the line is about."""
        if self.scene is None or not (rows := self.rows(self.scene)):
            return
        item = rows[self.place(self.scene, rows)]
        if item.shard_id is not None:
            self.post_message(self.Chose("shard", item.shard_id, open=True))
        else:
            self.post_message(self.Chose("node", item.node, open=True))

    def question(self, scene: Scene) -> Question:
        """Ask about the node or shard of the line."""
        rows = self.rows(scene)
        if not rows:
            return shard_question(scene)
        item = rows[self.place(scene, rows)]
        if item.shard_id is None:
            return Question(about="node", node=item.node)
        behind = scene.view.shards[item.shard_id].status == "lagging"
        node = _slowest(scene.view.shards[item.shard_id]) if behind else None
        return Question(about="replica", shard_id=item.shard_id, node=node)

    def moved(self, item: object) -> None:
        """Select the shard or node under the cursor, so that its logs are seen."""
        if isinstance(item, Trouble):
            what = ("shard", item.shard_id) if item.shard_id is not None else ("node", item.node)
            self.post_message(self.Chose(*what))


def _slowest(shard: ShardView) -> str | None:
    """Return whose log ends first of those that vote."""
    voters = [shard.replicas[name] for name in shard.voters if name in shard.replicas]
    return min(voters, key=lambda one: one.last_index).node if voters else None
