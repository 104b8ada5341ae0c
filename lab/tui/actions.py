"""What each key of the table does; a mixin of the app, beside the state that keys change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from lab.faults import FaultKind
from lab.tui.filters import Filter
from lab.tui.keys import transfer_target
from lab.tui.paint import Look
from lab.tui.scene import Scene, is_down, majority_lost_by, shard_name
from lab.tui.screens.dialogs import Ask, ask_how_to_leave, ask_to_kill
from lab.tui.screens.help import HelpScreen
from lab.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from textual.app import App

    from lab.cluster.interface import Cluster
    from lab.tui.deeds import Deeds
    from lab.tui.desk import Desk

    _Base = App[Any]
else:
    _Base = object

ORDERS = ("shard", "trouble", "lag", "term", "leader", "commit")
COLOURINGS = ("leader", "term", "lag")
_LINE_PANELS = ("lines", "events")


class Actions(_Base):
    """Selection, page and the actions of `keys.KEYS`."""

    page = "cluster"
    alone: str | None = None
    at_node: str | None = None
    at_shard: int | None = None
    at_link: tuple[str, str] | None = None
    at_index: int | None = None
    picked = False
    held = False
    order = "shard"
    descending = False
    colouring = "leader"
    shards_filter = Filter()
    lines_filter = Filter()
    _look = Look()

    if TYPE_CHECKING:
        deeds: Deeds
        cluster: Cluster

        @property
        def desk(self) -> Desk | None:
            """Return the desk."""

        def scene(self) -> Scene | None:
            """Return the scene."""

        def redraw(self) -> None:
            """Draw."""

        def tick(self) -> None:
            """Take a picture."""

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

    def action_step_back(self) -> None:
        """Close one thing: a large panel, a filter, a page, a log cursor."""
        if self.alone is not None:
            self.alone = None
        elif self.lines_filter or self.shards_filter:
            self.lines_filter = self.shards_filter = Filter()
        elif self.page != "cluster":
            self.page = "cluster"
        else:
            self.at_index = None
        self.redraw()

    def action_page(self, page: str) -> None:
        """Show another page."""
        self.page, self.alone = page, None
        self.redraw()

    # Nodes.

    def _node(self) -> str | None:
        scene = self.scene()
        if scene is None or scene.view.node(self.at_node or "") is None:
            self.notify("No node is selected yet.", severity="warning")
            return None
        return self.at_node

    def action_kill(self) -> None:
        """Kill the node; ask first only where that takes a majority."""
        name, scene = self._node(), self.scene()
        if name is None or scene is None:
            return
        lost = majority_lost_by(scene.view, scene.summary, name)
        if not lost:
            self.deeds.kill(name)
            return
        self.push_screen(
            ask_to_kill(name, lost, len(scene.view.shards)),
            lambda sure: self.deeds.kill(name) if sure else None,
        )

    def action_stop(self) -> None:
        """Stop the node, or start it."""
        name, scene = self._node(), self.scene()
        node = scene.view.node(name or "") if scene else None
        if name is None or node is None:
            return
        if is_down(node):
            self.deeds.restart(name, "start")
        else:
            self.deeds.stop(name)

    def action_pause(self) -> None:
        """Pause the node, or let it go on."""
        name, scene = self._node(), self.scene()
        node = scene.view.node(name or "") if scene else None
        if name is None or node is None:
            return
        if node.state == "paused":
            self.deeds.resume(name)
        elif is_down(node):
            self.notify(f"{name} is {node.state}: r starts it again.", severity="warning")
        else:
            self.deeds.pause(name)

    def action_restart(self) -> None:
        """Restart the node."""
        if (name := self._node()) is not None:
            self.deeds.restart(name)

    def action_isolate(self) -> None:
        """Isolate the node."""
        if (name := self._node()) is not None:
            self.deeds.isolate(name)

    def action_add_node(self, everywhere: bool) -> None:
        """Add a node to the selected shard, or to every one."""
        scene = self.scene()
        if scene is None or self.at_shard is None:
            self.notify("No shard has reported yet: there is nothing to join.", severity="warning")
            return
        self.deeds.add_node(sorted(scene.view.shards) if everywhere else [self.at_shard])

    # Links.

    def _link(self) -> tuple[str, str] | None:
        if self.at_link is None:
            self.notify("One node has no links: a adds another.", severity="warning")
        return self.at_link

    def action_cut(self) -> None:
        """Cut the link one way, or heal that cut."""
        link = self._link()
        if link is None:
            return
        for fault in self.cluster.faults():
            if fault.kind in (FaultKind.CUT, FaultKind.CUT_BOTH) and link in fault.links:
                self.deeds.heal(fault)
                return
        self.deeds.cut(*link)

    def action_cut_both(self) -> None:
        """Cut the link both ways."""
        if (link := self._link()) is not None:
            self.deeds.cut_both(*link)

    def action_partition(self) -> None:
        """Ask for the sides, and part them."""
        scene = self.scene()
        names = [node.name for node in scene.view.nodes] if scene else []
        if len(names) < 2:
            self.notify("A partition needs two nodes: a adds another.", severity="warning")
            return
        small = (len(names) - 1) // 2 or 1
        first = sorted(names, key=lambda name: (name != self.at_node, names.index(name)))[:small]
        value = f"{' '.join(first)} | {' '.join(name for name in names if name not in first)}"
        self.push_screen(
            Ask(
                "partition", "Which nodes on which side? They no longer hear the other sides.",
                value=value, more="a node that is not named hears everybody",
            ),
            lambda text: self._part(text, names),
        )  # fmt: skip

    def _part(self, text: str | None, names: list[str]) -> None:
        if text is None:
            return
        groups = tuple(tuple(side.split()) for side in text.split("|") if side.strip())
        named = [name for group in groups for name in group]
        unknown = [name for name in named if name not in names]
        if unknown:
            self.notify(f"No node {', '.join(unknown)}; there are {', '.join(names)}.",
                        title="partition", severity="warning")  # fmt: skip
        elif len(groups) < 2 or len(named) != len(set(named)):
            self.notify("Write two sides or more, each node once: n1 n2 | n3 n4 n5.",
                        title="partition", severity="warning")  # fmt: skip
        else:
            self.deeds.partition(groups)

    def action_heal(self) -> None:
        """End all network faults."""
        self.deeds.heal()

    def action_undo(self) -> None:
        """Take back the newest fault."""
        self.deeds.undo()

    # Shards.

    def _shard(self) -> int | None:
        if self.at_shard is None:
            self.notify("No shard has reported yet.", severity="warning")
        return self.at_shard

    def action_write(self) -> None:
        """Ask for key=value and put it."""
        shard_id = self._shard()
        if shard_id is None:
            return
        name = shard_name(shard_id)

        def then(text: str | None) -> None:
            if text is not None:
                key, _, value = text.partition("=")
                self.deeds.write(shard_id, name, key.strip(), value.strip())

        self.push_screen(
            Ask(f"write to {name}", "key=value", value="hello=world",
                more="acknowledged when a majority has it on disk"), then,
        )  # fmt: skip

    def action_read(self) -> None:
        """Ask for a key and get it."""
        shard_id = self._shard()
        if shard_id is None:
            return
        name = shard_name(shard_id)

        def then(text: str | None) -> None:
            if text is not None:
                self.deeds.read(shard_id, name, text)

        self.push_screen(
            Ask(f"read from {name}", "key", value="hello",
                more="linearizable: it sees every write acknowledged before"), then,
        )  # fmt: skip

    def action_transfer(self) -> None:
        """Hand the shard's leadership to the selected node, or the most caught-up voter."""
        shard_id, scene = self._shard(), self.scene()
        target = transfer_target(scene)
        node = scene.view.node(target) if scene and target else None
        if shard_id is None or scene is None:
            return
        if node is None:
            self.notify("No other live voter could lead it.", severity="warning")
            return
        self.deeds.transfer(shard_id, shard_name(shard_id), node.name, node.node_id)

    # The screen.

    def action_filter(self) -> None:
        """Open the filter bar for what has focus: lines or shards."""
        panel = self._panel()
        lines = panel is not None and panel.name in _LINE_PANELS
        bar = self.screen_stack[0].query_one("#filter-bar", Input)
        bar.placeholder = (
            "any words, !word inverts" if lines else "electing  !ok  n2  term>8  lag>100  s0017"
        )
        bar.name_of = "lines" if lines else "shards"  # type: ignore[attr-defined]  # Whose words.
        bar.value = (self.lines_filter if lines else self.shards_filter).text
        bar.add_class("-open")
        bar.focus()
        self._filtering = ("lines" if lines else "shards", panel)

    _filtering: tuple[str, Panel | None] = ("shards", None)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the words are typed."""
        if event.input.id != "filter-bar" or not event.input.has_class("-open"):
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
        bar = self.screen_stack[0].query_one("#filter-bar", Input)
        bar.remove_class("-open")
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
            sick = (trouble.shard_id for trouble in scene.summary.troubles)
            wanted = sorted(number for number in sick if number is not None)
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

    def action_hold(self) -> None:
        """Stop the picture, or let it go on."""
        self.held = not self.held
        self.tick()
        self.redraw()

    def action_copy(self) -> None:
        """Copy what is under the cursor."""
        panel = self._panel()
        text = panel.copied() if panel is not None else ""
        if text:
            self.copy_to_clipboard(text)
            first = text.splitlines()[0]
            self.notify(first[:60], title="copied")

    def action_keys(self) -> None:
        """Show all keys, those of the focused panel first, and the legend."""
        panel = self._panel()
        self.push_screen(HelpScreen(self.scene(), panel.KEYS if panel else ""))

    def action_leave(self) -> None:
        """Ask what becomes of the cluster, then quit."""
        nodes, faults = self.cluster.nodes(), self.cluster.faults()
        self.push_screen(
            ask_how_to_leave(self.cluster.title, len(nodes), len(faults)),
            lambda leaving: self.exit(leaving) if leaving is not None else None,
        )
