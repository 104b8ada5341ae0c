"""The full table of shards: filtered, ordered, and only the rows in sight are painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.observe.view import ShardView
from lab.tui.keys import own_keys
from lab.tui.paint import Line, count, cut, ink
from lab.tui.scene import Scene, lag, replica_sign, shard_name, tenths, worst_lag
from lab.tui.widgets.panel import ListPanel

_RANK = {"no-quorum": 0, "no-leader": 1, "electing": 2, "lagging": 3, "empty": 4}
_ORDERS: dict[str, Callable[[ShardView], object]] = {
    "shard": lambda shard: shard.shard_id,
    "trouble": lambda shard: (_RANK.get(shard.status, 9), shard.shard_id),
    "lag": lambda shard: (-worst_lag(shard), shard.shard_id),
    "term": lambda shard: (-shard.term, shard.shard_id),
    "leader": lambda shard: (shard.leader or "", shard.shard_id),
    "commit": lambda shard: (-shard.commit_index, shard.shard_id),
}
_COLUMNS = (("shard", 2, 7), ("leader", 10, 8), ("term", 19, 6), ("commit", 26, 9), ("lag", 36, 6))
_ROLES = 43


class ShardTable(ListPanel):
    """One line a shard; the roles stand under the nodes' digits."""

    TITLE = "shards"
    KEYS = "table"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._sorted: list[ShardView] = []
        self._of: tuple[object, ...] = ()

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on shards, filter, order and the selected one."""
        conditions = tuple((n, c.reporting) for n, c in scene.summary.conditions.items())
        return (scene.view.shards, scene.shards_filter, scene.order, scene.descending,
                scene.shard_id, conditions, tenths(scene, self._in_sight(scene)))  # fmt: skip

    def _in_sight(self, scene: Scene) -> Sequence[ShardView]:
        return self.rows(scene)[self.top : self.top + self.size.height]

    def rows(self, scene: Scene) -> Sequence[ShardView]:
        """Return the shards that pass, in order; worked out once a picture."""
        of = (scene.view.shards, scene.shards_filter, scene.order, scene.descending)
        if len(self._of) != len(of) or any(
            new is not old for new, old in zip(of, self._of, strict=True)
        ):
            self._of = of
            shards = list(scene.view.shards.values())
            if scene.shards_filter:
                passes = scene.shards_filter.shard
                shards = [each for each in shards if passes(each, shard_name(each.shard_id))]
            order = _ORDERS[scene.order]
            shards.sort(key=order, reverse=scene.descending)  # type: ignore[arg-type]  # One type each.
            self._sorted = shards
        return self._sorted

    def place(self, scene: Scene, rows: Sequence[object]) -> int:
        """Return the row of the selected shard: the selection survives every refresh."""
        for place, shard in enumerate(self._sorted):
            if shard.shard_id == scene.shard_id:
                return place
        return min(super().place(scene, rows), len(rows) - 1)

    def header(self, scene: Scene, width: int) -> list[Line]:
        """Name the columns; the one that orders is lit."""
        look = scene.look
        line = Line(" ")
        arrow = "↑" if scene.descending else "↓"
        for name, column, size in _COLUMNS:
            here = scene.order == name
            text = f"{name} {arrow}" if here else name
            text = text if name == "shard" else f"{text:>{size}}"
            line.to(column).add(text, look.key if here else look.dim)
        line.to(_ROLES)
        if not scene.narrow:
            line.add("    last     snap    live  ", look.dim)
        for node in scene.view.nodes:
            style = look.node(scene.number(node.name), live=scene.condition(node.name).reporting)
            line.add(scene.digit(node.name), style).add(" ")
        trouble = scene.order == "trouble"
        words = f"state {arrow}" if trouble else "state"
        return [line.add("  ").add(words, look.key if trouble else look.dim)]

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one shard."""
        assert isinstance(item, ShardView), "the rows of this table are shards"
        look, glyphs = scene.look, scene.look.glyphs
        chosen = item.shard_id == scene.shard_id
        line = Line(glyphs.cursor if chosen else " ", look.warn)
        line.to(2).add(shard_name(item.shard_id), look.strong if chosen else look.text)
        if item.leader is None:
            line.to(13).add(" ! none", look.harm)
        else:
            live = scene.condition(item.leader).reporting
            line.to(11).add(
                f" {scene.digit(item.leader)} ", look.node(scene.number(item.leader), live=live)
            ).add(f" {item.leader}", look.text)
        behind = worst_lag(item)
        line.to(19).add(f"{item.term:>6} {item.commit_index:>9}", look.text)
        line.add(f" {count(behind) if behind else glyphs.nothing:>6} ",
                 look.warn if behind else look.faint)  # fmt: skip
        line.to(_ROLES)
        if not scene.narrow:
            _more(line, scene, item)
        for node in scene.view.nodes:
            replica = item.replicas.get(node.name)
            if replica is None:
                line.add(f"{glyphs.absent} ", look.faint)
                continue
            live = scene.condition(node.name).reporting
            leads = replica.role == "leader"
            style = look.faint if not live else look.warn if leads else look.text
            if live and lag(item, replica) > 0 and not leads:
                style = look.dim
            line.add(f"{replica_sign(scene, replica)} ", style)
        line.add("  ")
        if item.status == "ok":
            line.add(f"{glyphs.good} ok", look.well)
        else:
            harm = item.status in ("no-quorum", "no-leader")
            sign = glyphs.no_leader if harm else glyphs.electing
            sign = glyphs.lagging if item.status == "lagging" else sign
            line.add(f"{sign} ", look.harm if harm else look.warn)
            why = own_keys(look, item.why_at(scene.view.now_s)) or item.status
            line.add(cut(why, max(8, width - line.width)), look.text)
        if chosen:
            line.spans = list(line.strip(width, ink(None, look.palette.bar)))
            line.width = width
        return line

    def title(self, scene: Scene, total: int) -> Line:
        """Name the table, the filter and the order."""
        look = scene.look
        everything = len(scene.view.shards)
        line = Line("shards ", look.text).add(count(everything), look.dim)
        if scene.shards_filter:
            line.add(f" · / {scene.shards_filter.text} · {count(total)} pass", look.warn)
        return line.add(f" · ordered by {scene.order}", look.text)

    def foot(self, scene: Scene, total: int) -> str:
        """Name the keys of this table."""
        return "/ filter · O order · n next · enter shard"

    def nothing(self, scene: Scene) -> str:
        """Say why no shard is listed."""
        if scene.shards_filter and scene.view.shards:
            return f"no shard passes /{scene.shards_filter.text} · esc clears the filter"
        return "no shard has reported yet"

    def moved(self, item: object) -> None:
        """Select the shard under the cursor."""
        if isinstance(item, ShardView):
            self.post_message(self.Chose("shard", item.shard_id))

    def enter(self) -> None:
        """Open the selected shard."""
        if self.scene is not None and self.scene.shard_id is not None:
            self.post_message(self.Chose("shard", self.scene.shard_id, open=True))

    def press(self, x: int, y: int) -> None:
        """Pick a row, or order by the column whose head was clicked."""
        if y > 0:
            super().press(x, y)
            return
        for name, column, size in _COLUMNS:
            if column <= x < column + size + 1:
                self.post_message(self.Chose("order", name))
                return
        if x >= _ROLES:
            self.post_message(self.Chose("order", "trouble"))


def _more(line: Line, scene: Scene, shard: ShardView) -> None:
    """Add the newest index, the oldest snapshot and how many voters live."""
    look = scene.look
    replicas = shard.replicas.values()
    last = max((replica.last_index for replica in replicas), default=0)
    snap = min((replica.snapshot_index for replica in replicas), default=0)
    live = sum(scene.condition(name).reporting for name in shard.voters)
    enough = live > len(shard.voters) // 2
    line.add(f"{last:>8} {snap:>8}", look.text)
    line.add(f"{f'{live}/{len(shard.voters)}':>8}  ", look.dim if enough else look.harm)
