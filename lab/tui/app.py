"""The screen itself: takes pictures, keeps the selection, turns keys into deeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import Input, Label

from lab.cluster.interface import Cluster
from lab.observe.account import Account
from lab.observe.deck import Deck
from lab.observe.history import PhiHistory
from lab.observe.replay import Replay
from lab.observe.tape import Picture
from lab.observe.view import ClusterView
from lab.tui import keys
from lab.tui.actions import Actions
from lab.tui.commands import LabCommands
from lab.tui.deeds import Deeds
from lab.tui.desk import Desk
from lab.tui.memory import Memory
from lab.tui.paint import ASCII, UNICODE, Keymap, Look
from lab.tui.picture import portable, write
from lab.tui.plan import WIDE, Shape, plan
from lab.tui.ports import Client, Leaving, Onward, ViewSource, Words
from lab.tui.rate import Rate
from lab.tui.scene import Scene, Summary, summarise
from lab.tui.themes import DARK, own_variables, palette_of, themes
from lab.tui.widgets.footer import KeyLine
from lab.tui.widgets.panel import Panel
from lab.tui.words import KeyValueWords
from lab.workload.beside import LoadBeside
from lab.workload.view import LoadView

FRAMES_PER_S = 4


class MainScreen(Screen[None]):
    """The one screen under the dialogs: a desk, and the bar that `/` opens."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [  # A screen binds these itself, before the app.
        Binding("tab", "app.panel(1)", show=False, id="next_panel"),
        Binding("shift+tab", "app.panel(-1)", show=False, id="previous_panel"),
    ]

    def compose(self) -> ComposeResult:
        """Mount the desk and the closed filter bar."""
        yield Desk()
        with Horizontal(id="filter"):
            yield Label("/")
            yield Input(id="filter-bar", select_on_focus=False)


class LabApp(Actions, App[Leaving | Onward]):
    """
    Watch a cluster and break it.

    `run()` returns a `Leaving`, or an `Onward` with one in it, or None when it ended some other
    way: whoever runs it closes the cluster. The app never closes it, and calls it only from
    workers.
    """

    CSS_PATH = "lab.tcss"
    TITLE = "raft lab"
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings())
    COMMANDS: ClassVar[set[Any]] = {LabCommands}
    ESCAPE_TO_MINIMIZE = False

    def __init__(
        self,
        source: ViewSource,
        cluster: Cluster,
        client: Client,
        words: Words | None = None,
        *,
        ascii_glyphs: bool = False,
        frames_per_s: float = FRAMES_PER_S,
        deck: Deck | None = None,
        replay: Replay | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Show what *source* sees; with a *deck* also what it saw before, or only a *replay*."""
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "lab-dark"
        self.source, self.cluster = source, cluster
        self.deck, self.replay = deck, replay
        self.deeds = Deeds(self, source, cluster, client, words or KeyValueWords())
        self.load = LoadBeside(client, now=cluster.now_s, sleep=cluster.sleep)
        self._account = Account()
        self.glyphs = ASCII if ascii_glyphs else UNICODE
        self.frames_per_s = frames_per_s
        self.rate = Rate(frames_per_s)
        self._shown: tuple[ClusterView, Summary] | None = None
        self._phi = PhiHistory()
        self._asked: object = None
        self.keymap: Keymap = ()
        self.memory = memory
        if memory is not None:
            memory.dress(self)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own CSS variables for themes that are not ours."""
        return own_variables(DARK)

    def get_default_screen(self) -> Screen[None]:
        """Return the main screen; dialogs lie over it."""
        return MainScreen(id="main")

    def on_mount(self) -> None:
        """Dress, take the first picture, and look again four times a second."""
        self.theme_changed_signal.subscribe(self, lambda _theme: self.redraw())
        self.set_interval(1 / self.frames_per_s, self.tick)
        self.call_after_refresh(self.tick)
        if self.memory is not None:
            self.memory.begin(self)

    async def on_unmount(self) -> None:
        """End the load: its client is closed next."""
        if self.memory is not None:
            self.memory.keep(self, at_once=True)
        await self.load.cancel()

    @property
    def desk(self) -> Desk | None:
        """Return the desk, or None before it is mounted."""
        try:
            return self.screen_stack[0].query_one(Desk) if self.screen_stack else None
        except NoMatches:
            return None

    def tick(self) -> None:
        """Take the newest picture, unless held or nothing changed; a recording rolls on."""
        self.keep_pace()
        rate, is_due = self.rate.slow_hz, self.rate.tick()
        if self.rate.slow_hz != rate:
            self.redraw()
        if not is_due and self._shown is not None:
            return
        self.roll()
        self.tell_of_files()
        if self.memory is not None:
            self.memory.keep(self)
        if self._shown is None or (self.follows() and self.newest().view is not self._shown[0]):
            self.held = self.held or self.replay is not None  # It begins at its end.
            self.show_at()
        elif self.held or self.load.is_running:
            self.redraw()  # A held picture grows old.

    def newest(self) -> Picture:
        """Return the newest picture; where nothing is taped, phi and account grow from ours."""
        tape = self.tape
        if tape is not None:
            return tape.newest
        view = self.source.view
        if self._shown is not None and view is self._shown[0]:
            return Picture(view, self._phi, self._account)
        return Picture(view, self._phi.after(view), self._account.after(view))

    def present(self, picture: Picture) -> None:
        """Show *picture*."""
        view = picture.view
        self._shown = (view, summarise(view, self._shown))
        self._phi, self._account = picture.phi, picture.account
        self.alarm(view)
        self._settle()
        self.redraw()

    def _settle(self) -> None:
        """Select something where nothing is selected yet: a leader, its shard, its link."""
        assert self._shown is not None, "there is a picture"
        view = self._shown[0]
        if view.shards and self.at_shard not in view.shards:
            self.at_shard = view.logs_shard if view.logs_shard in view.shards else min(view.shards)
        names = [node.name for node in view.nodes]
        if names and self.at_node not in names:
            shard = view.shards.get(self.at_shard) if self.at_shard is not None else None
            leader = shard.leader if shard else None
            if leader in names:
                self.at_node = leader
            elif self.at_node is not None or shard is None or len(view.shards) > 0:
                self.at_node = names[0]
        if len(names) > 1 and (self.at_link is None or not set(self.at_link) <= set(names)):
            self.link_from(self.at_node or names[0], names)

    @property
    def focused_name(self) -> str | None:
        """Return the name of the panel that has focus under any dialog."""
        focused = self.screen_stack[0].focused
        return focused.name if isinstance(focused, Panel) else None

    def switch_glyphs(self) -> None:
        """Change between the signs and plain ASCII."""
        self.glyphs = ASCII if self.glyphs is UNICODE else UNICODE
        self.redraw()

    def save_picture(self) -> None:
        """Write the screen to raft-lab.svg, and a PNG where that can be made."""
        drawn = portable(self.export_screenshot(title=self.title))

        def write_it() -> None:
            paths = write(drawn, Path("raft-lab"))
            names = " and ".join(str(path.resolve()) for path in paths)
            self.call_from_thread(self.notify, names, title="saved")

        self.run_worker(write_it, thread=True, group="picture", exit_on_error=False)

    def scene(self) -> Scene | None:
        """Return what is to be seen now, or None before the first picture."""
        if self._shown is None:
            return None
        view, summary = self._shown
        palette = palette_of(self.theme, dark=self.current_theme.dark)
        look = Look(palette, self.glyphs, self.keymap)
        if self._look != look:
            self._look = look
        return Scene(
            view=view,
            summary=summary,
            phi=self._phi,
            look=self._look,
            page=self.page,
            narrow=self.size.width < WIDE,
            node=self.at_node,
            shard_id=self.at_shard,
            link=self.at_link,
            picked=self.picked,
            index=self.at_index,
            held=self.held,
            place=self.place(),
            recorded=self.deck.recorded if self.deck is not None else None,
            pace=self.pace(),
            slow_hz=self.rate.slow_hz,
            order=self.order,
            descending=self.descending,
            colouring=self.colouring,
            shards_filter=self.shards_filter,
            lines_filter=self.lines_filter,
            load=LoadView() if self.is_past else self.load.view,
            account=self._account,
            fault=self.at_fault,
            tried=self.tried,
        )

    def redraw(self) -> None:
        """Lay out and give the panels the scene; each repaints only what differs."""
        scene, desk = self.scene(), self.desk
        if scene is None or desk is None:
            return
        desk.follow(
            plan(
                Shape(
                    width=self.size.width,
                    height=self.size.height,
                    page=self.page,
                    nodes=len(scene.view.nodes),
                    shards=len(scene.view.shards),
                    alone=self.alone,
                    captioned=scene.caption is not None,
                )
            )
        )
        desk.show(scene)
        self._ask_for_logs(scene)
        self._keep_focus(desk)

    def _ask_for_logs(self, scene: Scene) -> None:
        """Tell the source whose logs are in sight; only theirs are fetched."""
        if scene.is_past:
            return  # What was not fetched then will not come.
        count = max(64, self.size.width)
        first = None if scene.index is None else max(1, scene.index - count)
        if first is not None:
            first = first // 32 * 32  # Not a new window for each step of the cursor.
        asked = (scene.shard_id, first, count if first is None else 2 * count)
        if asked != self._asked:
            self._asked = asked
            self.source.select(*asked)

    def _keep_focus(self, desk: Desk) -> None:
        """Focus a panel in sight when the focused one is not; dialogs keep theirs."""
        screen = self.screen_stack[0]
        focused = screen.focused
        if isinstance(focused, Panel) and focused.name in desk.regions:
            return
        if isinstance(focused, Input) and screen.query_one("#filter").has_class("-open"):
            return
        order = [panel for panel in desk.in_sight() if panel.can_focus]
        wanted = [panel for panel in order if panel.name != "nodes"] or order
        if wanted:
            screen.set_focus(wanted[0])

    def on_desk_resized(self) -> None:
        """Lay out anew for another size."""
        self.redraw()

    def on_key_line_pressed(self, event: KeyLine.Pressed) -> None:
        """Do what a clicked key of the footer does."""
        self.run_worker(self.run_action(event.action), group="footer", exit_on_error=False)

    def on_panel_chose(self, event: Panel.Chose) -> None:
        """Select, and open when asked to."""
        self.choose(event.what, event.value, open_it=event.open)
