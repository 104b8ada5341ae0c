"""What each key of the table does to the screen; a mixin of the app."""

from __future__ import annotations

from collections.abc import Callable

from textual.widgets import Input

from lab.observe.shards import Shards
from lab.observe.trial import stepped
from lab.observe.why import why
from lab.report.gather import Report
from lab.tui import story
from lab.tui.filters import Filter
from lab.tui.scene import shard_name, suspect_link
from lab.tui.screens.help import HelpScreen
from lab.tui.screens.why import WhyScreen
from lab.tui.single import Single
from lab.tui.widgets.panel import Panel, shard_question

ORDERS = ("shard", "trouble", "lag", "term", "leader", "commit")
COLOURINGS = ("leader", "term", "lag")
_LINE_PANELS = ("lines", "events", "timeline", "facts", "ladder")


class Actions(Single):
    """Selection, page and the actions of `keys.KEYS` that change only the screen."""

    report: Callable[[], Report] | None = None  # Set by who gathers one.
    hint = ""  # Of the room that is played.

    # Selection.

    def choose(self, what: str, value: object, *, open_it: bool = False) -> None:
        """Select a node, shard, link or index; an opened one gets its page."""
        if what == "node" and isinstance(value, str):
            self.at_node, self.picked = value, True
            scene = self.scene()
            if scene is not None:
                self.link_from(value, [node.name for node in scene.view.nodes])
            self.page = "node" if open_it else self.page
        elif what == "shard" and isinstance(value, int):
            if value != self.at_shard:
                self.at_index = None
            self.at_shard = value
            self.page = "shard" if open_it else self.page
        elif what == "link" and isinstance(value, tuple):
            self.at_link, self.picked = value, True
            self.page = "phi" if open_it else self.page
        elif what == "index" and (value is None or isinstance(value, int)):
            self.at_index = value
        elif what == "fault" and isinstance(value, int):
            self.at_fault = value
        elif what == "order" and isinstance(value, str):
            self.descending = not self.descending if self.order == value else False
            self.order = value
        if open_it:
            self.alone = None
        self.redraw()

    def link_from(self, name: str, names: list[str]) -> None:
        """Point the link cursor away from *name*: to the shard's leader, or to the next node."""
        if len(names) < 2 or (self.at_link is not None and self.at_link[0] == name):
            return
        scene = self.scene()
        leader = scene.shard.leader if scene and scene.shard else None
        if leader is not None and leader != name and leader in names:
            self.at_link = (name, leader)
        else:
            self.at_link = (name, names[(names.index(name) + 1) % len(names)])

    def _panel(self) -> Panel | None:
        focused = self.screen_stack[0].focused
        return focused if isinstance(focused, Panel) else None

    def action_move(self, dx: int, dy: int) -> None:
        """Move in the focused panel."""
        panel = self._panel()
        if panel is not None:
            panel.move(dx, dy)

    def action_panel(self, step: int) -> None:
        """Focus the next panel in sight."""
        if self.desk is None:
            return
        order = [panel for panel in self.desk.in_sight() if panel.can_focus]
        panel = self._panel()
        place = order.index(panel) + step if panel in order else 0
        if order:
            self.screen_stack[0].set_focus(order[place % len(order)])

    def action_open(self) -> None:
        """Open what is under the cursor."""
        panel = self._panel()
        if panel is not None:
            panel.enter()

    async def action_turn(self, step: int) -> None:
        """Turn what the page has to be turned: the load's share of reads, phi's threshold."""
        if self.page == "load":
            await self.run_action(f"load_adjust('reads', {step})")
            return
        scene = self.scene()
        link = suspect_link(scene) if scene is not None else None
        if self.page == "phi" and link is not None:
            self.tried = stepped(link.threshold if self.tried is None else self.tried, step)
            self.redraw()

    def action_step_back(self) -> None:
        """Close one thing: a large panel, a filter, a trial, a page, a log cursor."""
        if self.screen_stack[0].query_one("#filter").has_class("-open"):
            self.lines_filter = self.shards_filter = Filter()
            self.close_filter()
        elif self.alone is not None:
            self.alone = None
        elif self.lines_filter or self.shards_filter:
            self.lines_filter = self.shards_filter = Filter()
        elif self.page == "phi" and self.tried is not None:
            self.tried = None
        elif self.page != "cluster":
            self.page = "cluster"
        else:
            self.at_index = None
        self.redraw()

    def action_page(self, page: str) -> None:
        """Show another page."""
        self.page, self.alone = page, None
        self.redraw()

    # The screen.

    def action_filter(self) -> None:
        """Open the filter bar for what has focus: lines or shards."""
        panel = self._panel()
        lines = panel is not None and panel.name in _LINE_PANELS
        bar = self.screen_stack[0].query_one("#filter-bar", Input)
        bar.placeholder = (
            "any words, !word inverts" if lines else "electing  !ok  n2  term>8  lag>100  s0017"
        )
        bar.value = (self.lines_filter if lines else self.shards_filter).text
        self.screen_stack[0].query_one("#filter").add_class("-open")
        bar.focus()
        self._filtering = ("lines" if lines else "shards", panel)

    _filtering: tuple[str, Panel | None] = ("shards", None)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the words are typed."""
        if event.input.id != "filter-bar" or not event.input.has_focus:
            return
        if self._filtering[0] == "lines":
            self.lines_filter = Filter(event.value.strip())
        else:
            self.shards_filter = Filter(event.value.strip())
        self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close the bar; the filter stays."""
        if event.input.id == "filter-bar":
            self.close_filter()

    def close_filter(self) -> None:
        """Hide the bar and give the focus back."""
        self.screen_stack[0].query_one("#filter").remove_class("-open")
        self.screen_stack[0].set_focus(self._filtering[1])
        self.redraw()

    def action_match(self, step: int) -> None:
        """Go to the next shard that passes the filter, or that is in trouble."""
        scene = self.scene()
        if scene is None:
            return
        if scene.shards_filter:
            wanted = [
                number
                for number, shard in sorted(scene.view.shards.items())
                if scene.shards_filter.shard(shard, shard_name(number))
            ]
        else:
            wanted = sorted(Shards.of(scene.view.shards).sick)
        if not wanted:
            self.notify("No shard matches." if scene.shards_filter else "No shard is in trouble.")
            return
        here = self.at_shard if self.at_shard is not None else -1
        ahead = [number for number in wanted if (number > here if step > 0 else number < here)]
        order = ahead or wanted
        self.choose("shard", order[0] if step > 0 else order[-1])

    def action_order(self) -> None:
        """Order the table by the next column."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self.descending = False
        self.redraw()

    def action_colouring(self) -> None:
        """Colour the map by the next measure."""
        self.colouring = COLOURINGS[(COLOURINGS.index(self.colouring) + 1) % len(COLOURINGS)]
        self.redraw()

    def action_maximise(self) -> None:
        """Give the focused panel the whole screen, or take it back."""
        panel = self._panel()
        self.alone = None if self.alone is not None or panel is None else panel.name
        self.redraw()

    def action_copy(self) -> None:
        """Copy what is under the cursor."""
        panel = self._panel()
        text = panel.copied() if panel is not None else ""
        if text:
            self.copy_to_clipboard(text)
            first = text.splitlines()[0]
            self.notify(first[:60], title="copied")

    def action_save_story(self) -> None:
        """Write report and picture into a new folder here, and say where."""
        story.save(self, self.report)

    def action_why(self) -> None:
        """Say why what is under the cursor is as it is."""
        scene = self.scene()
        if scene is None:
            return
        panel = self._panel()
        question = panel.question(scene) if panel is not None else shard_question(scene)
        answer = why(scene.view, scene.account, question)
        self.push_screen(WhyScreen(answer, scene.look, scene.view.now_s))

    def action_room_hint(self) -> None:
        """Give the hint of the room, where there is one."""
        self.notify(self.hint or "Only a room has a hint: ./log play lists them.", title="hint")

    def action_keys(self) -> None:
        """Show all keys, those of the focused panel first, and the legend."""
        panel = self._panel()
        self.push_screen(HelpScreen(self.scene(), panel.KEYS if panel else ""))
