"""The entries of the selected shard as a list: what each says, and who holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.style import Style

from lab.observe.view import EntryView, LogView
from lab.observe.why import Question
from lab.tui.paint import Line, cut, ink
from lab.tui.scene import Scene
from lab.tui.widgets.panel import ListPanel


class EntriesPanel(ListPanel):
    """One line an index; under each node's digit its term, filled where it is committed."""

    TITLE = "entries"
    KEYS = "logs"
    FOLLOWS = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._known: Mapping[str, LogView] | None = None
        self._indexes: list[int] = []
        self._entries: dict[str, dict[int, EntryView]] = {}

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the logs, the leader and the cursor."""
        leader = scene.shard.leader if scene.shard else None
        names = tuple(scene.summary.numbers)
        return (scene.view.logs, scene.view.logs_shard, scene.shard_id, leader, scene.index, names,
                scene.is_past)  # fmt: skip

    def rows(self, scene: Scene) -> Sequence[int]:
        """Return the indexes that any log has, in order."""
        if scene.view.logs_shard != scene.shard_id:
            return []
        if scene.view.logs is not self._known:
            self._known = scene.view.logs
            self._entries = {
                name: {entry.index: entry for entry in log.entries}
                for name, log in scene.view.logs.items()
            }
            self._indexes = sorted({index for known in self._entries.values() for index in known})
        return self._indexes

    def place(self, scene: Scene, rows: Sequence[object]) -> int:
        """Return the row of the log cursor: both panels walk together."""
        if scene.index in self._indexes:
            return self._indexes.index(scene.index)
        return len(rows) - 1

    def header(self, scene: Scene, width: int) -> list[Line]:
        """Name the columns."""
        look = scene.look
        line = Line("    index  ", look.dim)
        for node in scene.view.nodes:
            style = look.node(scene.number(node.name), live=scene.condition(node.name).reporting)
            line.add(scene.digit(node.name), style).add(" ")
        return [line.add("  kind           what", look.dim)]

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint one index over all nodes."""
        assert isinstance(item, int), "the rows of this list are indexes"
        look = scene.look
        chosen = item == scene.index
        line = Line(look.glyphs.cursor if here or chosen else " ", look.warn)
        line.add(f"{item:>8}  ", look.strong if chosen else look.dim)
        shown: EntryView | None = None
        truth = self._entries.get(scene.shard.leader or "", {}) if scene.shard else {}
        newest = max(e.term for known in self._entries.values() for e in known.values())
        for node in scene.view.nodes:
            log = scene.view.logs.get(node.name)
            entry = self._entries.get(node.name, {}).get(item)
            shown = truth.get(item) or shown or entry
            sign, style = self._cell(scene, log, entry, truth.get(item), newest)
            line.add(sign, style).add(" ")
        if shown is None:
            return line
        line.add(f"  {shown.kind[:13]:<13}  ", look.dim)
        return line.add(cut(shown.text, max(1, width - line.width)), look.text)

    def _cell(
        self,
        scene: Scene,
        log: LogView | None,
        entry: EntryView | None,
        truth: EntryView | None,
        newest: int,
    ) -> tuple[str, Style]:
        look = scene.look
        if log is None or entry is None:
            return look.glyphs.nothing, look.faint
        digit = str(entry.term % 10)
        if entry.index <= log.commit_index:
            return digit, look.term(min(newest - entry.term, 9))
        if truth is not None and truth.term != entry.term:
            return digit, ink("#ffffff", look.palette.clash, True)
        return digit, look.open_term(min(newest - entry.term, 9))

    def title(self, scene: Scene, total: int) -> Line:
        """Name the list."""
        return Line("entries ", scene.look.text).add(f"{total} read", scene.look.dim)

    def nothing(self, scene: Scene) -> str:
        """Say why there are none."""
        if scene.view.logs_shard == scene.shard_id:
            return "the logs that were read are empty"
        if scene.is_past:
            return "this shard was not selected then: its logs were not read"
        return "reading the logs …"

    def question(self, scene: Scene) -> Question:
        """Ask why the index under the cursor is committed or not."""
        return Question(about="index", shard_id=scene.shard_id, node=scene.node, index=scene.index)

    def moved(self, item: object) -> None:
        """Move the log cursor with this one."""
        if isinstance(item, int):
            newest = self._indexes[-1] if self._indexes else item
            self.post_message(self.Chose("index", None if item >= newest else item))
