"""The link matrix is the phi matrix: what each receiver believes, and where it is cut."""

from __future__ import annotations

from lab.observe.why import Question
from lab.tui.keys import press
from lab.tui.paint import Line, ink, phi_text, span_s
from lab.tui.scene import Scene
from lab.tui.widgets.panel import Page, Panel

_LEFT = 9


class LinksPanel(Panel):
    """Rows send, columns receive; a cell is the receiver's phi of the sender."""

    KEYS = "links"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._cell = 6
        self._names: list[str] = []
        self._top = 0

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on phi as written, cuts and the cursor."""
        return (
            tuple((pair, phi_text(link.phi)) for pair, link in scene.view.links.items()),
            tuple((name, c.reporting) for name, c in scene.summary.conditions.items()),
            scene.summary.cut_links,
            scene.link,
            scene.view.links.get(scene.link) if scene.link else None,
            scene.view.faults and int(scene.view.now_s),
        )

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint the matrix; more nodes make narrower cells."""
        look = scene.look
        self._names = names = [node.name for node in scene.view.nodes]
        whose = " of sender" if width >= 34 else ""
        title = Line(f"links · receiver’s {look.glyphs.phi}{whose}", look.text)
        if len(names) < 2:
            words = (
                f" one node has no links: {press(look, 'add_here')} adds another"
                if names
                else " no nodes yet"
            )
            return Page(lines=[Line(words, look.dim)], title=title)
        self._cell = max(4, min(8, (width - _LEFT) // len(names)))
        head = Line(" from╲to" if look.glyphs.dashed == "╌" else " from\\to", look.dim).to(_LEFT)
        for name in names:
            head.add(_middle(name, self._cell), ink(look.palette.dim, None, True))
        lines = [head]
        for sender in names:
            line = Line(_middle(sender, _LEFT), ink(look.palette.dim, None, True))
            for receiver in names:
                self._paint_cell(line, scene, sender, receiver)
            lines.append(line)
        room = height - len(lines)
        if room >= 1:
            if room > 3 and width >= 34:
                lines.append(Line())
            keys = (("cut", "cut"), ("cut_both", "both"), ("isolate", "isolate"), ("heal", "heal"))
            foot = Line(" ")
            for name, word in () if scene.hands_off else keys:
                key = press(look, name)
                if foot.width + len(word) + 4 <= width:
                    foot.add(key, look.key).add(f" {word}  ", look.dim)
            lines.append(foot)
        beside = _LEFT + self._cell * len(names) + 4
        if width - beside >= 34:
            for line, part in zip(lines, _about(scene), strict=False):
                line.to(beside).extend(part)
        elif height - len(lines) >= 6:
            lines += [Line(), *(Line(" ").extend(part) for part in _about(scene))]
        return Page(lines=lines, title=title)

    def _paint_cell(self, line: Line, scene: Scene, sender: str, receiver: str) -> None:
        look, cell = scene.look, self._cell
        here = scene.link == (sender, receiver)
        if sender == receiver:
            line.add(_middle(look.glyphs.nothing, cell), look.faint)
            return
        link = scene.view.links.get((sender, receiver))
        if (sender, receiver) in scene.summary.cut_links:
            sign = _middle(look.glyphs.cut, cell - 2)
            line.add(f"[{sign}]" if here else f" {sign} ", look.alarm("harm"))
            return
        if link is None or not scene.condition(receiver).reporting:
            text, style = look.glyphs.absent, look.faint
        else:
            text = phi_text(link.phi)
            style = look.ranked(link.phi, link.threshold)
        if here:
            text = f"[{text}]" if cell > len(text) + 1 else text
            style = ink(style.color.name if style.color else None, look.palette.you_ground, True)
        line.add(_middle(text, cell), style)

    def question(self, scene: Scene) -> Question:
        """Ask why the receiver thinks so of the sender."""
        return Question(about="link", link=scene.link, shard_id=scene.shard_id)

    def move(self, dx: int, dy: int) -> None:
        """Move over the matrix, skipping the diagonal."""
        names = self._names
        if self.scene is None or len(names) < 2:
            return
        sender, receiver = self.scene.link or (names[0], names[1])
        row = names.index(sender) if sender in names else 0
        column = names.index(receiver) if receiver in names else 1
        row, column = row + dy, column + dx
        if row == column:
            row, column = row + dy, column + dx
        if 0 <= row < len(names) and 0 <= column < len(names):
            self.post_message(self.Chose("link", (names[row], names[column])))

    def enter(self) -> None:
        """Show phi of this link at full width."""
        if self.scene is not None and self.scene.link is not None:
            self.post_message(self.Chose("link", self.scene.link, open=True))

    def press(self, x: int, y: int) -> None:
        """Pick the cell that was clicked."""
        row, column = y - 1, (x - _LEFT) // self._cell
        names = self._names
        if 0 <= row < len(names) and 0 <= column < len(names) and row != column:
            self.post_message(self.Chose("link", (names[row], names[column])))


def _about(scene: Scene) -> list[Line]:
    """Say all that is known of the link under the cursor."""
    look = scene.look
    if scene.link is None:
        return []
    sender, receiver = scene.link
    lines = [Line(f"{sender} {look.glyphs.arrow} {receiver}", look.strong)]
    link = scene.view.links.get(scene.link)
    if link is None:
        return [*lines, Line(f"{receiver} has not reported on {sender}", look.dim)]
    trip = f"{link.round_trip_s * 1000:.1f} ms" if link.round_trip_s else "unknown"
    heard = "never"
    if link.last_heard_s != float("inf"):
        heard = f"{span_s(link.last_heard_s)} before report"
    facts = [
        (look.glyphs.phi, f"{phi_text(link.phi)}, limit {link.threshold:g}"),
        ("beats", f"every {link.mean_s * 1000:.0f} ms ± {link.deviation_s * 1000:.0f}"),
        ("heard", heard),
        ("trip", f"{trip} there and back"),
    ]
    for fault in scene.view.faults:
        if scene.link in fault.links:
            who = "by chance" if fault.by_chance else "by you"
            facts[3] = ("cut", f"{who} {span_s(scene.view.now_s - fault.since_s)} ago")
            facts.append(("by", fault.mechanism))
    for word, value in facts:
        lines.append(Line(f"{word:<6}", look.dim).add(value, look.text))
    return lines


def _middle(text: str, width: int) -> str:
    return f"{text:^{width}}"
