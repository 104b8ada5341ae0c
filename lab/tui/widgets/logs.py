"""One shard's logs: a row a replica, a column an index, the same index in the same column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.style import Style

from lab.observe.view import EntryView, LogView, ReplicaView
from lab.observe.why import Question
from lab.tui.paint import Line, Look, cut, ink, phi_text, size, spark
from lab.tui.scene import Scene, replica_sign, shard_name, suspect_link
from lab.tui.widgets.panel import Page, Panel

_LEFT = 14  # Label, role, term.


@dataclass(frozen=True, slots=True)
class _Window:
    """The indexes in sight, and what is needed to paint them."""

    first: int
    last: int
    ages: Mapping[int, int]  # Term -> 0 for the newest in sight.
    truth: Mapping[int, int]  # Index -> term in the leader's log.
    entries: Mapping[str, Mapping[int, EntryView]]


class LogsPanel(Panel):
    """Filled is committed, `7'` is open, `≠6` clashes with the leader, `░` is behind a snapshot."""

    KEYS = "logs"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._window: _Window | None = None
        self._newest = 0
        self._per_node = 1
        self._names: list[str] = []

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the shard, its logs, the cursor and who is alive."""
        conditions = tuple((n, c.word) for n, c in scene.summary.conditions.items())
        return (
            scene.shard, scene.shard_id, scene.view.logs, scene.view.logs_shard, scene.index,
            scene.node, scene.narrow, scene.page, scene.is_past, conditions,
            self._phi_text(scene) if scene.narrow else "",
        )  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint ruler, rows, marks, the entry under the cursor and the legend."""
        look, shard = scene.look, scene.shard
        if shard is None:
            words = "no shard has reported yet: logs follow"
            if scene.shard_id is not None:
                words = f"{shard_name(scene.shard_id)} is on no node that reports"
            return Page(lines=[Line(f" {words}", look.dim)], title=Line("logs", look.text))
        logs = scene.view.logs if scene.view.logs_shard == scene.shard_id else {}
        names = _in_sight([node.name for node in scene.view.nodes], scene.node, height - 1)
        self._names = names
        room = height - len(names) - 1  # Beside ruler and rows.
        self._per_node = 2 if room >= len(names) + 2 else 1
        room -= (self._per_node - 1) * len(names)
        columns = max(4, (width - _LEFT - 1) // 2)
        window = self._look_at(scene, logs, columns)
        lines = [_ruler(scene, window, self._cursor(scene))]
        for name in names:
            replica = shard.replicas.get(name)
            lines.extend(_row(scene, window, name, replica, logs.get(name), self._per_node == 2))
        self._foot(scene, window, lines, width, height)
        return Page(
            lines=lines,
            title=_title(scene, shard_name(shard.shard_id)),
            hint=_hint(scene),
        )

    def _foot(
        self, scene: Scene, window: _Window, lines: list[Line], width: int, height: int
    ) -> None:
        """Put phi, the entry and the legend at the bottom, as many as there is room for."""
        foot = [_entry(scene, window, self._cursor(scene), width), _legend(scene, window, width)]
        if scene.narrow and height - len(lines) >= 3:
            foot.insert(0, Line(" ").extend(_phi_line(scene, width - 2)))
        foot = foot[: max(0, height - len(lines))]
        lines.extend(Line() for _ in range(height - len(lines) - len(foot)))
        lines.extend(foot)

    def _phi_text(self, scene: Scene) -> object:
        link = suspect_link(scene)
        return (link.sender, link.receiver, phi_text(link.phi), scene.phi) if link else None

    def _cursor(self, scene: Scene) -> int:
        return scene.index if scene.index is not None else self._newest

    def _look_at(self, scene: Scene, logs: Mapping[str, LogView], columns: int) -> _Window:
        """Choose the window: the newest entries, or around the cursor once it was moved."""
        replicas = scene.shard.replicas.values() if scene.shard else ()
        lasts = [log.last_index for log in logs.values()] or [r.last_index for r in replicas]
        self._newest = max(lasts, default=0)
        first = max(1, self._newest - columns + 2)
        before = self._window
        if scene.index is not None and before is not None:
            first = max(1, before.first)
            if scene.index < first + 2:
                first = max(1, scene.index - columns // 3)
            elif scene.index > first + columns - 3:
                first = max(1, scene.index - columns * 2 // 3)
        last = first + columns - 1
        entries = {
            name: {entry.index: entry for entry in log.entries if first <= entry.index <= last}
            for name, log in logs.items()
        }
        terms = {entry.term for known in entries.values() for entry in known.values()}
        leader = scene.shard.leader if scene.shard else None
        truth = {index: entry.term for index, entry in entries.get(leader or "", {}).items()}
        ages = {term: age for age, term in enumerate(sorted(terms, reverse=True))}
        self._window = _Window(first, last, ages, truth, entries)
        return self._window

    def question(self, scene: Scene) -> Question:
        """Ask why the index under the cursor is committed or not."""
        return Question(about="index", shard_id=scene.shard_id, node=scene.node, index=scene.index)

    def move(self, dx: int, dy: int) -> None:
        """Move by index (h l) or replica (j k)."""
        if self.scene is None:
            return
        if dx:
            index = max(1, min(self._newest, self._cursor(self.scene) + dx))
            self.post_message(self.Chose("index", None if index >= self._newest else index))
            return
        names = [node.name for node in self.scene.view.nodes]
        if names:
            here = names.index(self.scene.node) if self.scene.node in names else 0
            self.post_message(self.Chose("node", names[max(0, min(len(names) - 1, here + dy))]))

    def enter(self) -> None:
        """Open the shard's own page."""
        if self.scene is not None and self.scene.shard_id is not None:
            self.post_message(self.Chose("shard", self.scene.shard_id, open=True))

    def press(self, x: int, y: int) -> None:
        """Pick the replica and the index that were clicked."""
        if self.scene is None or self._window is None:
            return
        row = (y - 1) // self._per_node
        if y >= 1 and row < len(self._names):
            self.post_message(self.Chose("node", self._names[row]))
        if x >= _LEFT:
            index = self._window.first + (x - _LEFT) // 2
            if index <= self._newest:
                self.post_message(self.Chose("index", index))

    def copied(self) -> str:
        """Return the entry under the cursor."""
        if self.scene is None or self._window is None:
            return ""
        return _entry(self.scene, self._window, self._cursor(self.scene), 200).plain.strip()


def _in_sight(names: list[str], chosen: str | None, rows: int) -> list[str]:
    """Return the nodes that there are rows for, the chosen one among them."""
    place = names.index(chosen) if chosen in names else 0
    first = max(0, min(place - rows // 2, len(names) - rows))
    return names[first : first + max(1, rows)]


def _hint(scene: Scene) -> str:
    enter = " · enter shard" if scene.page == "cluster" else ""
    return f"h l index · j k replica{enter}"


def _title(scene: Scene, name: str) -> Line:
    look, shard = scene.look, scene.shard
    assert shard is not None, "the title is painted for a shard"
    line = Line(name, look.strong)
    if shard.leader is None:
        line.add(" · no leader", look.harm)
    else:
        line.add(f" · leader {shard.leader}", look.text)
    return line.add(f" · term {shard.term} · commit {shard.commit_index}", look.text)


def _ruler(scene: Scene, window: _Window, cursor: int) -> Line:
    """Name every fifth index, ending over its column, and the one under the cursor."""
    cells = [" "] * (_LEFT + 2 * (window.last - window.first + 1))
    marks: list[tuple[int, int, bool]] = []
    for index in (*range(-(-window.first // 5) * 5, window.last + 1, 5), cursor):
        label = str(index)
        end = _LEFT + 2 * (index - window.first) + 1
        start = end - len(label)
        if start < 1 or end > len(cells):
            continue
        here = index == cursor
        if here:
            marks = [mark for mark in marks if mark[1] < start or mark[0] > end]
        marks.append((start, end, here))
    line = Line()
    for start, end, here in sorted(marks):
        index = window.first + (end - 1 - _LEFT) // 2
        line.to(start).add(str(index), scene.look.key if here else scene.look.faint)
    return line


def _row(
    scene: Scene,
    window: _Window,
    name: str,
    replica: ReplicaView | None,
    log: LogView | None,
    two: bool,
) -> list[Line]:
    look = scene.look
    condition = scene.condition(name)
    live = condition.reporting
    here = scene.node == name
    line = Line(look.glyphs.cursor if here else " ", look.warn)
    line.add(f" {scene.digit(name)} ", look.node(scene.number(name), live=live)).add(" ")
    if replica is None:
        line.add(f"{look.glyphs.absent} ", look.faint).to(_LEFT)
        line.add("holds no replica of this shard", look.faint)
        return [line, Line()] if two else [line]
    role_tone = look.warn if replica.role == "leader" else look.text
    tone = role_tone if live else getattr(look, condition.tone)
    line.add(replica_sign(scene, replica), tone)
    line.add(f" t{replica.term}", look.text if live else look.faint).to(_LEFT)
    if log is None:
        words = f"log not read · last {replica.last_index} · commit {replica.commit_index}"
        line.add(words if live else f"no answer · {words[15:]}", look.faint)
        return [line, Line()] if two else [line]
    cursor = scene.index if here else None
    _cells(line, look, window, log, window.entries.get(name, {}), marked=not two, cursor=cursor)
    return [line, _marks(look, window, log)] if two else [line]


def _cells(
    line: Line,
    look: Look,
    window: _Window,
    log: LogView,
    entries: Mapping[int, EntryView],
    *,
    marked: bool,
    cursor: int | None,
) -> None:
    glyphs = look.glyphs
    behind = ink(look.palette.faint, look.palette.ground)
    for index in range(window.first, window.last + 1):
        entry = entries.get(index)
        mark = _mark(log, index) if marked else ""
        if index == cursor:
            text = _cell(look, window, log, entry)[0] if entry else "  "
            line.add(text, ink(look.palette.cursor[1], look.palette.cursor[0], True))
        elif index <= log.base_index:
            line.add(glyphs.behind * 2, behind)
        elif entry is None:
            blank = glyphs.nothing if index > log.last_index else glyphs.behind
            line.add(f"{blank} ", look.faint)
        else:
            text, style = _cell(look, window, log, entry)
            if mark and text[0] != glyphs.clash:
                line.add(text[0], style).add(mark, style)
            else:
                line.add(text, style)


def _cell(look: Look, window: _Window, log: LogView, entry: EntryView) -> tuple[str, Style]:
    digit = str(entry.term % 10)
    age = window.ages.get(entry.term, 0)
    truth = window.truth.get(entry.index)
    committed = entry.index <= log.commit_index
    if truth is not None and truth != entry.term and not committed:
        return look.glyphs.clash + digit, ink("#ffffff", look.palette.clash, True)
    if committed:
        return f"{digit} ", look.term(age)
    return f"{digit}'", look.open_term(age)


def _mark(log: LogView, index: int) -> str:
    if index == log.commit_index:
        return "c"
    if index == log.applied_index:
        return "a"
    return "s" if index == log.base_index + 1 and log.base_index > 1 else ""


def _marks(look: Look, window: _Window, log: LogView) -> Line:
    """Put s, a and c under their columns."""
    places = {log.applied_index: ("a", "you"), log.commit_index: ("c", "well")}
    if log.base_index > 1:
        places.setdefault(log.base_index + 1, ("s", "snap"))
    line = Line()
    for index in sorted(places):
        sign, tone = places[index]
        if window.first <= index <= window.last:
            line.to(_LEFT + 2 * (index - window.first)).add(sign, look.bold(tone))
    return line


def _entry(scene: Scene, window: _Window, cursor: int, width: int) -> Line:
    """Say what is at the cursor, who holds it, and what it lacks to be committed."""
    look, shard = scene.look, scene.shard
    line = Line(" index ", look.dim).add(str(cursor), look.strong)
    owners = [shard.leader or ""] if shard else []
    owners += [scene.node or "", *window.entries]
    entry = next((e for name in owners if (e := window.entries.get(name, {}).get(cursor))), None)
    if entry is None or shard is None:
        reading = "not read then" if scene.is_past else "reading the log …"
        words = reading if not window.entries else "in no log that was read"
        return line.add(f"  {words}", look.dim)
    line.add("  term ", look.dim).add(str(entry.term), look.strong)
    holders = [
        name
        for name, known in window.entries.items()
        if name in shard.voters and cursor in known and known[cursor].term == entry.term
    ]
    need = len(shard.voters) // 2 + 1
    tail = Line("  on ", look.dim)
    for name in holders if width > 60 else holders[:5]:
        tail.add(scene.digit(name), look.node(scene.number(name)))
    held = f" {len(holders)}/{len(shard.voters)}"
    if cursor <= shard.commit_index:
        tail.add(f"{held} committed" if width > 60 else f"{held} ok", look.well)
    else:
        more = f", needs {need}" if len(holders) < need and width > 60 else ""
        tail.add(f"{held}{more}", look.warn)
    text = entry.text if width > 60 else entry.text.rsplit(" ", 2)[0]
    if entry.size_bytes and width > 76 and " B" not in text:
        text += f" {size(entry.size_bytes)}"
    room = width - line.width - tail.width - 3
    return line.add("  ").add(cut(text, room), look.text).extend(tail)


def _legend(scene: Scene, window: _Window, width: int) -> Line:
    look, glyphs = scene.look, scene.look.glyphs
    line = Line(" ")
    newest = sorted(window.ages, reverse=True)
    if width > 60:
        for term in newest[:4]:
            line.add(f" {term} ", look.term(window.ages[term]))
        line.add(" term ", look.dim)
    digit = str(newest[0] % 10) if newest else "7"
    line.add(f"{digit}'", look.open_term(0)).add(" open ", look.dim)
    line.add(f"{glyphs.clash}6", ink("#ffffff", look.palette.clash, True)).add(" clash ", look.dim)
    for word, tone in (("snap", "snap"), ("applied", "you"), ("commit", "well")):
        line.add(word[0], look.bold(tone)).add(word[1:] + " ", look.dim)
    if width > 68:
        line.add(glyphs.behind, look.faint).add(" behind", look.dim)
    return line


def _phi_line(scene: Scene, width: int) -> Line:
    look = scene.look
    link = suspect_link(scene)
    if link is None:
        return Line(f"{look.glyphs.phi}: no node has heard of another yet", look.dim)
    line = Line(f"{look.glyphs.phi} of {link.sender} by {link.receiver} ", look.dim)
    over = link.phi >= link.threshold
    tail = Line(f"  {phi_text(link.phi)}", look.ranked(link.phi, link.threshold))
    tail.add(f" {'≥' if over else '<'} {link.threshold:g}", look.dim)
    room = max(4, width - line.width - tail.width)
    bars = scene.phi.bars((link.sender, link.receiver), scene.view.now_s, room)
    values = [value if value is not None else 0.0 for value in bars]
    drawn = spark(values, room, link.threshold * 1.25, look.glyphs)
    shown = "".join(" " if bar is None else sign for bar, sign in zip(bars, drawn, strict=True))
    return line.add(shown, ink(look.palette.warn if over else look.palette.well)).extend(tail)
