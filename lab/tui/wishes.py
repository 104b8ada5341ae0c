"""What each key wishes of the cluster: asked here, done by `Deeds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.faults import FaultKind
from lab.tui.filters import Filter
from lab.tui.foretell import of_link, of_node, of_sides, say_before, sides
from lab.tui.keys import filled, press
from lab.tui.menu import MENU, MENU_WIDTH, Entry, foretold_of, lines
from lab.tui.paint import Look
from lab.tui.scene import Scene, is_down
from lab.tui.screens.dialogs import (
    Ask,
    Choose,
    ask_how_to_leave,
    ask_to_kill,
)
from lab.tui.words import speaks_key_value

if TYPE_CHECKING:
    from textual.app import App

    from lab.cluster.interface import Cluster
    from lab.tui.deeds import Deeds
    from lab.tui.desk import Desk
    from lab.workload.beside import LoadBeside

    _Base = App[Any]
else:
    _Base = object


class Wishes(_Base):
    """What is selected, and the actions that reach the cluster."""

    page = "cluster"
    alone: str | None = None
    at_node: str | None = None
    at_shard: int | None = None
    at_link: tuple[str, str] | None = None
    at_index: int | None = None
    at_fault: int | None = None
    tried: float | None = None
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
        load: LoadBeside

        @property
        def desk(self) -> Desk | None:
            """Return the desk."""

        def scene(self) -> Scene | None:
            """Return the scene."""

        def redraw(self) -> None:
            """Draw."""

        def tick(self) -> None:
            """Take a picture."""

    # Nodes.

    def _node(self) -> str | None:
        scene = self.scene()
        if scene is None or scene.view.node(self.at_node or "") is None:
            self.notify("No node is selected yet.", severity="warning")
            return None
        return self.at_node

    def action_kill(self) -> None:
        """Kill the node; ask first only where that takes a majority of real nodes."""
        name, scene = self._node(), self.scene()
        if name is None or scene is None:
            return
        expected = of_node(scene, FaultKind.KILL)
        if expected is None or not expected.harms or self.cluster.backend == "sim":
            self._say_before(FaultKind.KILL)
            self.deeds.kill(name)
            return
        self.push_screen(
            ask_to_kill(name, expected), lambda sure: self.deeds.kill(name) if sure else None
        )

    def _say_before(self, kind: FaultKind) -> None:
        """Say what is expected of the selected node or link, before a key acts on it at once."""
        scene = self.scene()
        if scene is None or self.cluster.why_not(kind) is not None:
            return
        if kind in (FaultKind.CUT, FaultKind.CUT_BOTH):
            where, expected = " ".join(scene.link or ()), of_link(scene, kind)
        else:
            where, expected = scene.node or "", of_node(scene, kind)
        say_before(self, f"{kind.value} {where}", expected)

    def action_stop(self) -> None:
        """Stop the node, or start it."""
        name, scene = self._node(), self.scene()
        node = scene.view.node(name or "") if scene else None
        if name is None or node is None:
            return
        if is_down(node):
            self.deeds.restart(name, "start")
        else:
            self._say_before(FaultKind.STOP)
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
            key = press(self._look, "restart")
            self.notify(f"{name} is {node.state}: {key} starts it again.", severity="warning")
        else:
            self._say_before(FaultKind.PAUSE)
            self.deeds.pause(name)

    def action_restart(self) -> None:
        """Restart the node."""
        if (name := self._node()) is not None:
            self.deeds.restart(name)

    def action_isolate(self) -> None:
        """Isolate the node."""
        if (name := self._node()) is not None:
            self._say_before(FaultKind.ISOLATE)
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
        self._say_before(FaultKind.CUT)
        self.deeds.cut(*link)

    def action_cut_both(self) -> None:
        """Cut the link both ways."""
        if (link := self._link()) is not None:
            self._say_before(FaultKind.CUT_BOTH)
            self.deeds.cut_both(*link)

    def action_partition(self) -> None:
        """Ask for the sides, and part them."""
        scene = self.scene()
        names = [node.name for node in scene.view.nodes] if scene else []
        if scene is None or len(names) < 2:
            self.notify("A partition needs two nodes: a adds another.", severity="warning")
            return
        small = (len(names) - 1) // 2 or 1
        first = sorted(names, key=lambda name: (name != self.at_node, names.index(name)))[:small]
        value = f"{' '.join(first)} | {' '.join(name for name in names if name not in first)}"
        self.push_screen(
            Ask(
                "partition", "Which nodes on which side? They no longer hear the other sides.",
                value=value, more="a node that is not named hears everybody",
                foretell=of_sides(scene),
            ),
            lambda text: self._part(text, names),
        )  # fmt: skip

    def _part(self, text: str | None, names: list[str]) -> None:
        if text is None:
            return
        try:
            groups = sides(text, names)
        except ValueError as broken:
            self.notify(str(broken), title="partition", severity="warning")
        else:
            self.deeds.partition(groups)

    def action_faults(self) -> None:
        """Show every fault, with what to expect of it."""
        scene = self.scene()
        if scene is None:
            return
        words = dict(filled(scene))
        dialog = Choose(
            "faults", "What shall go wrong?",
            lines(scene, self.cluster, words, min(MENU_WIDTH, self.size.width - 14)),
        )  # fmt: skip
        dialog.add_class("wide")
        self.push_screen(dialog, lambda entry: self._chosen(entry, words) if entry else None)

    def action_disturb(self, key: str) -> None:
        """Do what the menu has under a key."""
        scene = self.scene()
        if scene is not None:
            entry = next(item for item in MENU if item.key == key)
            self._chosen(entry, dict(filled(scene)))

    def _chosen(self, entry: Entry, words: dict[str, str]) -> None:
        if entry.action:
            self.call_later(self.run_action, entry.action)
            return
        where = self._link() if entry.on_link else (self._node() or "",)
        make, kind = entry.make, entry.kind
        if not where or not where[0] or make is None or kind is None:
            return
        label = entry.label.format_map(words)

        def then(text: str | None) -> None:
            if text is None:
                return
            try:
                trouble = make(text)
            except ValueError as broken:
                self.notify(f"{label}: {broken}.", severity="warning")
                return
            self.deeds.disturb(label, kind, where, trouble)

        scene = self.scene()
        if entry.asks and scene is not None:
            self.push_screen(
                Ask(
                    label, entry.asks, value=entry.value,
                    foretell=lambda text: foretold_of(scene, entry, words, text),
                ),
                then,
            )  # fmt: skip
        else:
            self._say_before(kind)
            then("")

    def action_heal(self) -> None:
        """End all network faults."""
        self.deeds.heal()

    def action_undo(self) -> None:
        """Take back the newest fault, or the one under the cursor of the list of faults."""
        chosen = self.at_fault if self.page == "faults" else None
        self.deeds.undo(chosen)

    # The load.

    def action_load(self) -> None:
        """Start the load, or stop it and judge."""
        scene = self.scene()
        if self.load.is_running:
            self.run_worker(self._end_load(), group="load", exit_on_error=False)
        elif scene is not None and scene.view.shards and self._asked_shard() is not None:
            self.load.start(tuple(sorted(scene.view.shards)))
            self.notify("The load runs: 6 shows it, L ends it.")

    async def _end_load(self) -> None:
        verdict = await self.load.stop()
        self.notify(
            str(verdict), title="load", severity="error" if verdict.broken else "information"
        )
        self.redraw()

    def action_load_adjust(self, what: str, step: int) -> None:
        """Change what is asked; only where it is seen."""
        if self.page == "load":
            self.load.adjust(what, step)
            self.redraw()

    # Shards.

    def _shard(self) -> int | None:
        if self.at_shard is None:
            self.notify("No shard has reported yet.", severity="warning")
        return self.at_shard

    def _asked_shard(self) -> int | None:
        """Return the shard to write to or read from; only a key-value store is spoken to."""
        scene = self.scene()
        strange = {node.app for node in scene.view.nodes if node.app} if scene else set()
        strange = {app for app in strange if not speaks_key_value(app)}
        if strange:
            self.notify(
                f"These nodes run {', '.join(sorted(strange))}, which has no keys and values: "
                "use `lolraft write` and `lolraft read` with its own messages.",
                severity="warning",
            )
            return None
        return self._shard()

    def action_leave(self) -> None:
        """Ask what becomes of the cluster, then quit."""
        if self.screen.id == "leaving":
            return  # It is asked already.
        if self.cluster.backend == "replay" or self.cluster.is_shared:
            self.exit(None)  # Nothing runs, or it runs on as it is.
            return
        nodes, faults = self.cluster.nodes(), self.cluster.faults()
        backend = self.cluster.backend
        dialog = ask_how_to_leave(
            self.cluster.title, len(nodes), len(faults),
            ours=backend != "connect", stays=backend != "sim",
        )  # fmt: skip
        dialog.id = "leaving"
        self.push_screen(
            dialog, lambda leaving: self.exit(leaving) if leaving is not None else None
        )

    def action_help_quit(self) -> None:
        """Ask on ctrl+c, too: who presses it wants to leave, not to read about another key."""
        self.action_leave()

    async def action_quit(self) -> None:
        """Ask on ctrl+q, too, and from the palette: a cluster is not ended by one key."""
        self.action_leave()
