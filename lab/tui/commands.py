"""The command palette: the key table once more, with titles filled by the selection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from lab.cluster.steer import Steerable
from lab.tui.keys import Key, filled, table
from lab.tui.scene import Scene, shard_name
from lab.tui.themes import PALETTES

if TYPE_CHECKING:
    from lab.tui.app import LabApp

_GROUP_OF_PANEL = {
    "nodes": "node", "facts": "node", "map": "shard", "logs": "shard", "shard": "shard",
    "table": "shard", "attention": "shard", "roles": "shard", "links": "link",
    "phi": "link", "load": "load", "throughput": "load", "latency": "load", "faults": "link",
    "timeline": "time", "events": "time",
}  # fmt: skip

_ORDER = ("node", "link", "shard", "load", "time", "sim", "view", "go")

Command = tuple[str, str, Callable[[], object]]  # Title, help, what it does.


class LabCommands(Provider):
    """Titles are `Group: verb object`; the help line starts with the key, and so teaches it."""

    @property
    def _lab(self) -> LabApp:
        return cast("LabApp", self.app)

    async def discover(self) -> Hits:
        """Show first what fits the panel that has focus."""
        for title, says, call in self._commands():
            yield DiscoveryHit(title, call, help=says)

    async def search(self, query: str) -> Hits:
        """Show what matches the words."""
        matcher = self.matcher(query)
        async for title, says, call in self._all(query):
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), call, help=says)

    async def _all(self, query: str) -> AsyncIterator[Command]:
        for command in (*self._commands(), *self._views(), *self._places(query)):
            yield command

    def _commands(self) -> list[Command]:
        scene = self._lab.scene()
        words = filled(scene)
        panel = self._lab.focused_name
        first = _GROUP_OF_PANEL.get(panel or "", "node")
        order = [first, *(group for group in _ORDER if group != first)]
        is_sim = isinstance(self._lab.cluster, Steerable)
        offered = (
            key for key in table(self._lab.keymap) if key.title and (is_sim or not key.only_sim)
        )
        keys = sorted(offered, key=lambda key: order.index(key.group))
        steps: list[Command] = [
            ("Sim: step", "hold time, and do the next thing that happens anywhere",
             self._lab.action_sim_step),
            ("Sim: to next election", "hold time, and go on until somebody is elected",
             self._lab.action_sim_election),
        ]  # fmt: skip
        return [self._command(key, dict(words)) for key in keys] + steps * is_sim

    def _command(self, key: Key, words: dict[str, str]) -> Command:
        title = _sentence(key.title.format(**words))
        says = f"{key.first} · {key.says.format(**words)}"
        return title, says, partial(self._lab.run_action, key.action)

    def _views(self) -> list[Command]:
        lab = self._lab
        views: list[Command] = [
            (f"View: theme {name}", "colours", partial(setattr, lab, "theme", name))
            for name in PALETTES
        ]
        views.append(("View: ASCII glyphs on or off", "for terminals without the signs",
                      lab.switch_glyphs))  # fmt: skip
        views.append(("View: save a picture of the screen", "raft-lab.svg here, and a PNG",
                      lab.save_picture))  # fmt: skip
        return views

    def _places(self, query: str) -> list[Command]:
        """Offer every node, and the shards whose name holds a number of the query."""
        scene: Scene | None = self._lab.scene()
        if scene is None:
            return []
        places: list[Command] = [
            (f"Node: go to {node.name}", f"its page · {node.node_id}",
             partial(self._lab.choose, "node", node.name, open_it=True))
            for node in scene.view.nodes
        ]  # fmt: skip
        digits = "".join(sign for sign in query if sign.isdigit())
        if digits:
            wanted = [number for number in scene.view.shards if digits in shard_name(number)][:8]
            places += [
                (f"Shard: go to {shard_name(number)}", "its page: logs and replicas",
                 partial(self._lab.choose, "shard", number, open_it=True))
                for number in wanted
            ]  # fmt: skip
        return places


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]
