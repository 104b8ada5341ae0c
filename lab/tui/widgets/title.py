"""The title line: is it right, who is up, who leads, what is broken by us."""

from __future__ import annotations

import time

from lab.tui.keys import press
from lab.tui.paint import Line, Look, count, cut, ink, megabytes, rate, watch_s
from lab.tui.scene import Place, Scene
from lab.tui.widgets.node import clock
from lab.tui.widgets.panel import Page, Panel


class TitleLine(Panel, can_focus=False):
    """Answer "is it right?" before anything else."""

    FRAMED = False
    DEFAULT_CSS = "TitleLine { height: 1; }"

    def inputs(self, scene: Scene) -> tuple[object, ...]:
        """Depend on counts only."""
        view, summary = scene.view, scene.summary
        return (
            view.title, scene.held, scene.place, scene.pace, scene.slow_hz, scene.recorded,
            view.verdict, view.verdict_why, view.violation, summary.up, len(view.nodes),
            summary.led, len(view.shards), summary.sick, len(view.faults),
            rate(summary.commits_per_s), scene.load.running, scene.load.verdict.word,
            int(scene.load.verdict.judged_until_s),
        )  # fmt: skip

    def paint(self, scene: Scene, width: int, height: int) -> Page:
        """Lay the left part, then the right parts by worth while they fit."""
        look = scene.look
        if scene.view.verdict == "UNSAFE":
            return Page(lines=[self._alarm(scene, width)])
        left = self._left(scene)
        parts = self._right(scene)
        used = left.width + 3
        right = Line()
        kept = []
        for worth, part in sorted(parts, key=lambda each: each[0]):
            if used + part.width + 2 <= width:
                used += part.width + 2
                kept.append((worth, part))
        for _worth, part in parts:
            if any(part is other for _, other in kept):
                right.add("  " if right.width else "").extend(part)
        line = left.right(right.add(" "), width).to(width)
        line.spans = list(line.strip(width, ink(look.palette.text, look.palette.bar)))
        return Page(lines=[line])

    def _left(self, scene: Scene) -> Line:
        look, view = scene.look, scene.view
        line = Line(" raft lab ", look.alarm("warn"))
        backend, _, name = view.title.rpartition(":")
        line.add("  ").add(f"{backend}:" if backend else "", look.dim).add(name, look.strong)
        line.add("  ")
        if scene.pace is not None and scene.pace.ended and not scene.is_past:
            words = scene.pace.ended.rpartition(": ")[2] if scene.narrow else scene.pace.ended
            line.add(" OVER ", look.alarm("warn")).add(f" {words}", look.strong)
        elif scene.place is not None:
            _place(line, scene, scene.place)
        elif scene.held:
            what = f" {press(look, 'hold')} goes on"
            what = f" time stands ·{what}" if scene.pace is not None else what
            line.add(" HELD ", look.alarm("warn")).add(what, look.dim)
        elif not view.nodes:
            line.add(f"{look.glyphs.silent} WAITING", look.warn)
        else:
            word = "LIVE" if scene.pace is None else f"SIM {scene.pace}"
            slow = "" if scene.slow_hz is None else f"{scene.slow_hz:g} Hz"
            if slow and scene.narrow and scene.pace is None:
                word, slow = slow, ""
            line.add(f"{look.glyphs.up} {word}", ink(look.palette.well, None, True))
            line.add(f" {slow} (slow)" if slow and not scene.narrow else "", look.warn)
        if scene.recorded is not None:
            line.add("  REC ", look.harm).add(watch_s(scene.recorded.length_s), look.text)
            line.add(f" {megabytes(scene.recorded.size_bytes)}", look.dim)
        return line

    def _right(self, scene: Scene) -> list[tuple[int, Line]]:
        look, view, summary = scene.look, scene.view, scene.summary
        glyphs = look.glyphs
        verdict = self._verdict(scene)
        nodes = _ratio("nodes", summary.up, len(view.nodes), look)
        leaders = _ratio("leaders", summary.led, len(view.shards), look)
        troubles = summary.sick
        attention = Line(f"! {count(troubles)}", look.harm if troubles else look.well)
        parts = [(0, verdict)] if view.shards else []
        parts += [(1, nodes), (2, leaders), (3, attention)]
        if view.faults:
            faults = f"{glyphs.cut} {len(view.faults)} fault{'s' * (len(view.faults) != 1)}"
            parts.append((4, Line(faults, ink(look.palette.you, None, True))))
        commits = Line("commit ", look.dim).add(f"{rate(summary.commits_per_s)}/s", look.strong)
        if scene.load.running:
            parts.insert(1, (1, self._load(scene)))
        return [*parts, (5, commits)]

    def _load(self, scene: Scene) -> Line:
        """Say whether the answers of the load are linearizable, and up to when."""
        look, verdict = scene.look, scene.load.verdict
        if verdict.broken:
            return Line("NOT lin", look.harm)
        if verdict.word == "UNKNOWN":
            return Line("lin ?", look.warn)
        until = clock(verdict.judged_until_s)[:8]
        return Line(f"lin {look.glyphs.good} ", look.well).add(until, look.dim)

    def _verdict(self, scene: Scene) -> Line:
        look = scene.look
        if scene.view.verdict == "SAFE":
            return Line(f"{look.glyphs.good} SAFE", ink(look.palette.well, None, True))
        line = Line(f"? {scene.view.verdict}", look.warn)
        if scene.view.verdict_why and not scene.narrow:
            line.add(f" {cut(scene.view.verdict_why, 40)}", look.dim)
        return line

    def _alarm(self, scene: Scene, width: int) -> Line:
        look = scene.look
        broken, style = scene.view.violation, look.alarm("harm")
        *_, shortest = held = _held(scene) or ("",)
        room = width - len(shortest)
        line = Line(cut(f" ! UNSAFE  {scene.view.verdict_why}", room - 1), style)
        if broken is not None:
            for more, least in ((clock_time(broken.at_s), len(shortest)), (broken.rule, 12)):
                if line.width + len(more) + 2 + least <= width:
                    line.add(f"  {more}", style)
        for words in held:
            if line.width + len(words) <= width:
                return line.right(Line(words, style), width).to(width, style)
        return line.to(width, style)


def _place(line: Line, scene: Scene, place: Place) -> None:
    """Say that this is not now, how old it is, and which event it is of how many."""
    look = scene.look
    sign = look.glyphs.arrow if place.playing else look.glyphs.paused
    word = "REPLAY" if place.replay else "HELD"
    line.add(f" {sign} {word} ", look.alarm("warn"))
    when = f" -{watch_s(place.age_s, tenths=True)}"
    if scene.pace is not None and not place.is_past:
        when = " time stands"
    if place.replay:
        at = watch_s(place.at_s, tenths=True) if place.age_s else "end"
        when = f" {at} of {watch_s(place.length_s)}"
    line.add(when, look.strong).add(f" {look.glyphs.separator} ", look.dim)
    line.add(f"event {place.event}/{place.events}", look.text)


def _held(scene: Scene) -> tuple[str, ...]:
    """Return how a held alarm says so, the longest first."""
    place, on = scene.place, f"{press(scene.look, 'hold')} goes on "
    if scene.pace is not None and scene.pace.ended and not scene.is_past:
        return ("time stands for good ", "OVER ")
    if place is None:
        return (f"HELD {on}", "HELD ") if scene.held else ()
    if place.replay:
        of = f"{watch_s(place.at_s)} of {watch_s(place.length_s)}"
        return (f"REPLAY {of}  event {place.event}/{place.events} ", f"REPLAY {of} ", "REPLAY ")
    old = f"HELD -{watch_s(place.age_s, tenths=True)}"
    return (f"{old}  event {place.event}/{place.events}  {on}", f"{old} ", "HELD ")


def clock_time(at_s: float) -> str:
    """Return the time of day, as the clocks here show it."""
    return time.strftime("%H:%M:%S", time.localtime(at_s))


def _ratio(word: str, have: int, of: int, look: Look) -> Line:
    full = have == of and of > 0
    style = look.strong if full else look.warn
    return Line(f"{word} ", look.dim).add(f"{count(have)}/{count(of)}", style)
