"""The shard map: one cell for k shards, and the worst of the k wins."""

from __future__ import annotations

from rich.style import Style

from lab.observe.view import ShardView
from lab.tui.keys import own_keys
from lab.tui.paint import Line, count, ink
from lab.tui.scene import Scene, replica_sign, shard_name, tenths, worst_lag
from lab.tui.widgets.panel import Page, Panel

STEPS = (1, 2, 3, 4, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200)
MOST_LISTED = 12  # More are a map.
_RANKS = {"no-quorum": 0, "no-leader": 0, "electing": 1, "lagging": 2, "empty": 3, "ok": 4}


class ShardMap(Panel):
    """A cell is the leader's digit on that node's dark ground; trouble stands out."""

    KEYS = "map"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._grid = (1, 1, 0, 1)  # Shards a cell, cells a row, gutter, cell's width.
        self._ids: list[int] = []
        self._known: object = None
        self._top = 0  # First row of cells in sight.

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the shards, the selected one, and what colours them."""
        return (
            scene.view.shards, scene.shard_id, scene.colouring, scene.shards_filter,
            scene.summary.leads, tuple(scene.summary.numbers), self._ages(scene),
        )  # fmt: skip

    def _ages(self, scene: Scene) -> int:
        shards = scene.view.shards
        return tenths(scene, shards.values()) if len(shards) <= MOST_LISTED else 0

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint a list of lines while they all fit, else the map."""
        if scene.view.shards is not self._known:
            self._known = scene.view.shards
            self._ids = sorted(scene.view.shards)
        if not self._ids:
            words = Line(" no shard has reported yet: a node that is up says what it hosts")
            words.spans = [*Line(words.plain, scene.look.dim).spans]
            return Page(lines=[words], title=Line("shards", scene.look.text))
        if len(self._ids) <= height and width >= 44 and len(self._ids) <= MOST_LISTED:
            self._grid = (1, 1, 0, width)
            lines = [_listed(scene, scene.view.shards[number], width) for number in self._ids]
            return Page(lines=lines, title=_title(scene, len(self._ids), 1, listed=True))
        return self._map(scene, width, height)

    def _map(self, scene: Scene, width: int, height: int) -> Page:
        total = len(self._ids)
        gutter = max(4, len(str(self._ids[-1])) + 1)
        rows = max(1, height - 1)
        per, columns, cell = _fit(total, width - gutter - 1, rows)
        self._grid = (per, columns, gutter, cell)
        here = self._cell_of(scene.shard_id)
        lines = []
        for row in range(min(rows, -(-total // (per * columns)))):
            first = row * columns * per
            line = Line(f"{self._ids[first]:>{gutter - 1}} ", scene.look.faint)
            for column in range(columns):
                start = first + column * per
                if start >= total:
                    break
                group = [scene.view.shards[n] for n in self._ids[start : start + per]]
                _paint_cell(line, scene, group, cell, here == row * columns + column)
            lines.append(line)
        while len(lines) < rows:
            lines.append(Line())
        lines.append(_legend(scene, width))
        return Page(lines=lines, title=_title(scene, total, per, listed=False))

    def _cell_of(self, shard_id: int | None) -> int | None:
        if shard_id is None or shard_id not in (self.scene.view.shards if self.scene else {}):
            return None
        return self._place(shard_id) // self._grid[0]

    def _place(self, shard_id: int) -> int:
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._ids[middle] < shard_id else (low, middle)
        return min(low, len(self._ids) - 1)

    def move(self, dx: int, dy: int) -> None:
        """Move by cells and rows; within a cell of several, by the cell."""
        if not self._ids or self.scene is None:
            return
        per, columns, _, _ = self._grid
        here = self._place(self.scene.shard_id if self.scene.shard_id is not None else 0)
        place = here + dx * per + dy * per * columns
        if abs(dy) == 1 and not 0 <= place < len(self._ids):
            return
        chosen = self._ids[max(0, min(len(self._ids) - 1, place))]
        self.post_message(self.Chose("shard", chosen))

    def enter(self) -> None:
        """Open the shard; a cell of several opens its worst."""
        if self.scene is None or not self._ids:
            return
        per = self._grid[0]
        start = self._place(self.scene.shard_id or 0) // per * per
        if per > 1:
            shards = [self.scene.view.shards[n] for n in self._ids[start : start + per]]
            worst = min(shards, key=_rank)
            if worst.status != "ok":
                self.post_message(self.Chose("shard", worst.shard_id, open=True))
                return
        if self.scene.shard_id is not None:
            self.post_message(self.Chose("shard", self.scene.shard_id, open=True))

    def press(self, x: int, y: int) -> None:
        """Pick the shard that was clicked; of several, the worst."""
        per, columns, gutter, cell = self._grid
        column = (x - gutter) // cell if gutter else 0
        if self.scene is None or y < 0 or not 0 <= column < columns:
            return
        start = (y * columns + column) * per
        group = [self.scene.view.shards[n] for n in self._ids[start : start + per]]
        if group:
            self.post_message(self.Chose("shard", min(group, key=_rank).shard_id))

    def copied(self) -> str:
        """Return the selected shard in words."""
        shard = self.scene.shard if self.scene else None
        return (
            _listed(self.scene, shard, 100).plain.lstrip("▌> ").rstrip()
            if self.scene and shard
            else ""
        )


def _fit(total: int, width: int, rows: int) -> tuple[int, int, int]:
    """Return shards a cell, cells a row and a cell's width: the least k that fits."""
    wide = width // 2
    step = 30 if wide >= 30 else 20 if wide >= 20 else max(1, wide)
    if total <= step * rows:
        return 1, step, 2
    narrow = width // 10 * 10 if width >= 20 else max(1, width)
    for per in STEPS:
        if total <= narrow * rows * per:
            return per, narrow, 1
    return -(-total // (narrow * rows)), narrow, 1


def _rank(shard: ShardView) -> int:
    return _RANKS.get(shard.status, 0)


def _paint_cell(line: Line, scene: Scene, group: list[ShardView], cell: int, here: bool) -> None:
    look = scene.look
    worst = min(group, key=_rank)
    rank = _rank(worst)
    if scene.shards_filter and not any(
        scene.shards_filter.shard(each, shard_name(each.shard_id)) for each in group
    ):
        sign, style = look.glyphs.nothing, look.faint
    elif rank < 3:
        sign = (look.glyphs.no_leader, look.glyphs.electing, look.glyphs.lagging)[rank]
        style = look.alarm("harm" if rank == 0 else "warn")
    elif rank == 3:
        sign, style = look.glyphs.nothing, look.dim
    elif scene.colouring == "leader":
        leader = _majority(group)
        sign, style = scene.digit(leader), look.cell(scene.number(leader))
    else:
        sign, style = _measured(scene, group)
    if here:
        style = ink(look.palette.cursor[1], look.palette.cursor[0], True)
    line.add(f"{sign} " if cell == 2 else sign, style)


def _majority(group: list[ShardView]) -> str:
    if len(group) == 1:
        return group[0].leader or ""
    leaders = [shard.leader or "" for shard in group]
    return max(sorted(set(leaders)), key=leaders.count)


def _measured(scene: Scene, group: list[ShardView]) -> tuple[str, Style]:
    """Return sign and style by term (its last digit) or by lag (its magnitude)."""
    look = scene.look
    if scene.colouring == "term":
        newest = max(shard.term for shard in scene.view.shards.values())
        term = max(shard.term for shard in group)
        return str(term % 10), look.term(newest - term)
    behind = max(worst_lag(shard) for shard in group)
    digits = 0 if behind == 0 else len(str(behind))
    return str(digits), look.cell(6) if digits == 0 else look.term(max(0, 4 - digits))


def _title(scene: Scene, total: int, per: int, *, listed: bool) -> Line:
    look = scene.look
    line = Line("shards ", look.text).add(count(total), look.dim)
    if scene.shards_filter:
        return line.add(f" · / {scene.shards_filter.text}", look.warn)
    if listed:
        return line
    meaning = {"leader": "leader", "term": "term's last digit", "lag": "digits of lag"}
    if scene.narrow and per > 1:
        few = f"{total // 1_000}k" if total >= 10_000 else count(total)
        return Line("shards ", look.text).add(few, look.dim).add(f" · worst of {per}", look.text)
    line.add(f" · cell = {meaning[scene.colouring]}", look.text)
    return line.add(f" · worst of {per} per cell", look.text) if per > 1 else line


def _legend(scene: Scene, width: int) -> Line:
    look, glyphs = scene.look, scene.look.glyphs
    line = Line(" ")
    names = [node.name for node in scene.view.nodes]
    counted = width >= 27 + 6 * len(names)
    for name in names:
        line.add(scene.digit(name), look.node(scene.number(name)))
        line.add(f"{count(scene.summary.leads.get(name, 0))} " if counted else " ", look.dim)
    lag = (glyphs.lagging, "lag", "warn")
    signs = ((glyphs.no_leader, "none", "harm"), (glyphs.electing, "vote", "warn"), lag)
    spelled = line.width + 16 <= width
    for sign, word, tone in signs:
        line.add(sign, look.alarm(tone)).add(f"{word} " if spelled else " ", look.dim)
    return line


def _listed(scene: Scene, shard: ShardView, width: int) -> Line:
    """Paint one shard as a line: few shards need no map."""
    look, glyphs = scene.look, scene.look.glyphs
    here = shard.shard_id == scene.shard_id
    line = Line(glyphs.cursor if here else " ", look.warn)
    line.add(shard_name(shard.shard_id), look.strong if here else look.text).add("  ")
    if shard.leader is not None:
        live = scene.condition(shard.leader).reporting
        line.add(f" {scene.digit(shard.leader)} ", look.node(scene.number(shard.leader), live=live))
        line.add(f" {glyphs.lead} {shard.leader:<3}", look.warn)
    else:
        line.add(" ! ", look.alarm("harm")).add(f"   {'none':<3}", look.harm)
    line.add("  term ", look.dim).add(f"{shard.term:<3}", look.strong)
    line.add(" commit ", look.dim).add(f"{shard.commit_index:<6}", look.strong)
    for name in shard.replicas:
        tone = look.text if scene.condition(name).reporting else look.faint
        line.add(f" {replica_sign(scene, shard.replicas[name])}", tone)
    return line.add("  ").extend(_status(scene, shard))


def _status(scene: Scene, shard: ShardView) -> Line:
    look, why = scene.look, shard.why_at(scene.view.now_s)
    if shard.status == "ok":
        return Line(f"{look.glyphs.good} ok", look.well)
    text = own_keys(look, why) or shard.status
    return Line(text, look.harm if _rank(shard) == 0 else look.warn)
