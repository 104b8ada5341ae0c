"""The desk that the panels lie on: a Textual layout that asks `plan` where each goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.widget import Widget

from lab.tui.plan import Plan
from lab.tui.scene import Scene
from lab.tui.widgets.attention import AttentionPanel
from lab.tui.widgets.caption import CaptionPanel
from lab.tui.widgets.entries import EntriesPanel
from lab.tui.widgets.events import EventsPanel
from lab.tui.widgets.facts import ShardFacts
from lab.tui.widgets.faults import ComparedPanel, FaultsPanel
from lab.tui.widgets.footer import KeyLine
from lab.tui.widgets.hint import HintLine
from lab.tui.widgets.ladder import LadderPanel
from lab.tui.widgets.links import LinksPanel
from lab.tui.widgets.load import LatencyPanel, LoadFacts, ThroughputPanel
from lab.tui.widgets.logs import LogsPanel
from lab.tui.widgets.node import LinesPanel, NodeFacts, RolesPanel, SmallNote
from lab.tui.widgets.nodes import NodesPanel
from lab.tui.widgets.panel import Panel
from lab.tui.widgets.phi import PhiPanel
from lab.tui.widgets.pulse import PulsePanel
from lab.tui.widgets.shardmap import ShardMap
from lab.tui.widgets.table import ShardTable
from lab.tui.widgets.timeline import TimelinePanel
from lab.tui.widgets.title import TitleLine

PANELS: dict[str, Callable[[str], Panel]] = {
    "title": TitleLine,
    "caption": CaptionPanel,
    "nodes": NodesPanel,
    "map": ShardMap,
    "attention": AttentionPanel,
    "logs": LogsPanel,
    "phi": PhiPanel,
    "links": LinksPanel,
    "timeline": TimelinePanel,
    "events": EventsPanel,
    "table": ShardTable,
    "shard": ShardFacts,
    "entries": EntriesPanel,
    "facts": NodeFacts,
    "roles": RolesPanel,
    "pulse": PulsePanel,
    "lines": LinesPanel,
    "load": LoadFacts,
    "throughput": ThroughputPanel,
    "latency": LatencyPanel,
    "faults": FaultsPanel,
    "compared": ComparedPanel,
    "ladder": LadderPanel,
    "small": SmallNote,
    "hint": HintLine,
    "footer": KeyLine,
}


class _Planned(Layout):
    """Put every child where the plan says."""

    name = "planned"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Return a placement for each child that the plan names."""
        assert isinstance(parent, Desk), "only the desk is laid out by a plan"
        return [
            WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if (region := parent.regions.get(child.name or "")) is not None
        ]


class Desk(Widget):
    """Hold all panels; those without a place in the plan are not displayed."""

    def __init__(self) -> None:
        super().__init__(id="desk")
        self.regions: dict[str, Region] = {}
        self._plan: Plan = {}
        self._planned = _Planned()
        self.panels = {name: build(name) for name, build in PANELS.items()}

    @property
    def layout(self) -> Layout:
        """Return the planned layout; CSS knows only layouts by name."""
        return self._planned

    @dataclass
    class Resized(Message):
        """The desk has another size: what lies on it must be planned anew."""

    def on_resize(self, _event: events.Resize) -> None:
        """Say so; at this moment the app still believes its old size."""
        self.post_message(self.Resized())

    def compose(self) -> ComposeResult:
        """Mount every panel once; pages only choose among them."""
        yield from self.panels.values()

    def follow(self, plan: Plan) -> None:
        """Lay the panels out by *plan*."""
        if plan == self._plan:
            return
        self._plan = plan
        self.regions = dict(plan)
        for name, panel in self.panels.items():
            if panel.display != (name in plan):
                panel.display = name in plan
        self._clear_arrangement_cache()  # A plan is no style: Textual cannot see it change.
        self.refresh(layout=True)

    def show(self, scene: Scene) -> None:
        """Give every panel in sight the scene."""
        for panel in self.in_sight():
            panel.show(scene)

    def in_sight(self) -> Iterator[Panel]:
        """Return the panels of the plan, in its order."""
        for name in self.regions:
            yield self.panels[name]
