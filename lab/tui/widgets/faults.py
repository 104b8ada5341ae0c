"""Faults in force and before, each with its way to undo; what was expected and what happened."""

from __future__ import annotations

from collections.abc import Sequence

from lab.observe.account import Span
from lab.observe.lamps import Light, lamps
from lab.tui.keys import press
from lab.tui.paint import Line, cut, span_s
from lab.tui.scene import Scene
from lab.tui.widgets.node import clock
from lab.tui.widgets.panel import ListPanel, Page, Panel
from lab.workload.measure import unavailable_s

_LABEL = 11  # Cells before what is compared.


class FaultsPanel(ListPanel):
    """One line a fault, those in force first, the newest first of each."""

    TITLE = "faults"
    KEYS = "faults"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the faults, by the second."""
        return (scene.account.spans, int(scene.view.now_s))

    def rows(self, scene: Scene) -> Sequence[Span]:
        """Return those in force, then those that were."""
        return ordered(scene)

    def row(self, scene: Scene, item: object, width: int, *, here: bool) -> Line:
        """Paint since when, what, by which mechanism, and how long."""
        assert isinstance(item, Span), "the rows of this list are faults"
        look, fault = scene.look, item.fault
        on = item.until_s is None
        line = Line(look.glyphs.cursor if here else " ", look.warn)
        line.add(f"{look.glyphs.cut if on else ' '} ", look.you)
        line.add(f"{clock(fault.since_s)} ", look.faint)
        undo = "chance heals" if fault.by_chance else f"{press(look, 'undo')} undoes it"
        end_s = scene.view.now_s if item.until_s is None else item.until_s
        lasted = f"{'for' if on else 'was'} {span_s(end_s - fault.since_s)}"
        tail = f"{lasted:>10}  {'healed' if not on else undo:<12}"
        text = cut(str(fault), max(8, width - line.width - len(tail) - 1), look.glyphs.ellipsis)
        line.add(text, look.you if on else look.dim).to(width - len(tail))
        return line.add(tail, look.text if on else look.faint)

    def title(self, scene: Scene, total: int) -> Line:
        """Count what is in force."""
        on = sum(span.until_s is None for span in scene.account.spans)
        line = Line("faults ", scene.look.text).add(f"{on} in force", scene.look.strong)
        return line.add(f", {total - on} before", scene.look.dim)

    def foot(self, scene: Scene, total: int) -> str:
        """Name the keys."""
        undo, heal, menu = (press(scene.look, name) for name in ("undo", "heal", "faults"))
        foot = f"{undo} undoes this one · {heal} heals all cuts · {menu} menu"
        return "" if scene.hands_off else foot

    def nothing(self, scene: Scene) -> str:
        """Say how to begin."""
        return f"nothing was broken yet · {press(scene.look, 'faults')} shows what can be"

    def moved(self, item: object) -> None:
        """Let the comparison beside follow the cursor."""
        if isinstance(item, Span):
            self.post_message(self.Chose("fault", item.fault.number))

    @property
    def chosen(self) -> Span | None:
        """Return the fault under the cursor."""
        if self.scene is None or not (rows := self.rows(self.scene)):
            return None
        return rows[self.place(self.scene, rows)]


class ComparedPanel(Panel, can_focus=False):
    """Say before, compare after: the chosen fault's expectation beside what came of it."""

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on the chosen fault."""
        return (scene.account.spans, scene.fault, scene.load.outages, int(scene.view.now_s),
                lamps(scene.view))  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Paint the two sentences one over the other."""
        look = scene.look
        spans = ordered(scene)
        span = next((span for span in spans if span.fault.number == scene.fault), None)
        span = span or (spans[0] if spans else None)
        title = Line("expected and happened", look.text)
        if span is None:
            words = " what a fault should do is said before, and compared after"
            return Page(lines=[Line(words, look.dim), *_lamps(scene, width)], title=title)
        title.add(f" · {span.fault.kind.value} {' '.join(span.fault.nodes)}", look.strong)
        expected = look.harm if span.expected.harms else look.text
        lines = [
            Line(" expected  ", look.dim).add(cut(str(span.expected), width - 12), expected),
            Line(" happened  ", look.dim).add(cut(span.happened, width - 12), look.text),
        ]
        if scene.load.began_s is not None:
            end_s = scene.view.now_s if span.until_s is None else span.until_s
            out_s = unavailable_s(scene.load.outages, span.fault.since_s, end_s)
            told = f"unavailable {out_s:.2f} s" if out_s else "no shard kept a client waiting"
            line = Line(" the load  ", look.dim).add(told, look.warn if out_s else look.text)
            lost = scene.load.verdict.lost
            lines.append(line.add(f", {lost} writes lost", look.harm if lost else look.text))
        return Page(lines=[*lines, *_lamps(scene, width)], title=title)


def _lamps(scene: Scene, width: int) -> list[Line]:
    """Show which of Raft's five safety properties hold so far, and which nobody judges here."""
    look = scene.look
    signs = {
        Light.KEPT: (look.glyphs.good, look.well, look.text),
        Light.BROKEN: (look.glyphs.no_leader, look.alarm("harm"), look.harm),
        Light.DARK: (look.glyphs.nothing, look.faint, look.faint),
    }
    lines = [Line(" promises", look.dim).to(_LABEL)]
    found = [(*signs[lamp.light], lamp.name) for lamp in lamps(scene.view)]
    if any(lamp.light is Light.DARK for lamp in lamps(scene.view)):
        found.append(("", look.faint, look.faint, f"({look.glyphs.nothing} not judged)"))
    for sign, style, tone, words in found:
        if lines[-1].width + len(words) + 4 > width:
            lines.append(Line().to(_LABEL))
        lines[-1].add(f"{sign} " if sign else "", style).add(f"{words}  ", tone)
    return lines


def ordered(scene: Scene) -> list[Span]:
    """Return those in force, then those that were; the newest first of each."""
    newest = list(reversed(scene.account.spans))
    return [span for span in newest if span.until_s is None] + [
        span for span in newest if span.until_s is not None
    ]
