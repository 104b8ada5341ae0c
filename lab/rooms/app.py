"""The screen in a room: the lab's own, with a caption over it, and a shorter way out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab import tui
from lab.cluster.interface import Cluster
from lab.observe.deck import Deck
from lab.rooms.judge import Standing
from lab.rooms.room import Room
from lab.rooms.trial import Trial
from lab.tui.app import LabApp
from lab.tui.memory import Memory
from lab.tui.ports import Client, Leaving, ViewSource
from lab.tui.scene import Caption, Scene

TOLD_S = 12.0


class RoomApp(LabApp):
    """Show a cluster, the task, and how it stands; leaving asks nothing, for nothing is lost."""

    CSS_PATH = str(Path(tui.__file__).with_name("lab.tcss"))  # Else it would be looked for here.

    def __init__(
        self,
        trial: Trial,
        source: ViewSource,
        cluster: Cluster,
        client: Client,
        *,
        deck: Deck | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Show *trial*; the rest is that of `LabApp`."""
        super().__init__(source, cluster, client, deck=deck, memory=memory)
        self._trial = trial
        self._last_word = "not yet"
        self.hint = trial.room.hint

    def scene(self) -> Scene | None:
        """Return what is to be seen, with the caption, and with the load of the room."""
        scene = super().scene()
        if scene is None:
            return None
        ours = scene.load.began_s is not None or scene.is_past
        load = scene.load if ours else self._trial.load
        return replace(scene, caption=caption_of(self._trial), load=load)

    def tick(self) -> None:
        """Look again, and say it aloud when it is won or lost."""
        super().tick()
        standing = self._trial.standing
        if standing.word != self._last_word:
            self._last_word = standing.word
            self.redraw()
            room = self._trial.room
            if standing.won:
                self.notify(room.script.shows, title=f"won: {room.script.title}", timeout=TOLD_S)
            else:
                self.notify(str(standing), severity="error", timeout=TOLD_S)

    def action_leave(self) -> None:
        """Leave at once."""
        self.exit(Leaving.END)

    def action_step_back(self) -> None:
        """Close one thing; where nothing is open, leave."""
        is_filtering = self.screen_stack[0].query_one("#filter").has_class("-open")
        before = self._open_things()
        super().action_step_back()
        if not is_filtering and self._open_things() == before:
            self.action_leave()

    def _open_things(self) -> tuple[object, ...]:
        return self.alone, self.lines_filter, self.shards_filter, self.page, self.at_index


def caption_of(trial: Trial) -> Caption:
    """Return what stands over the panels."""
    room, standing = trial.room, trial.standing
    word = standing.word
    if trial.trouble:
        standing, word = Standing(lost=trial.trouble), "lost"
    elif not trial.is_on:
        word = "getting ready"
    return Caption(
        number=room.number,
        title=room.script.title,
        task=room.task,
        shows=room.script.shows,
        used=_used(room, standing),
        word=word,
        lost=standing.lost,
        goals=standing.goals,
    )


def _used(room: Room, standing: Standing) -> str:
    if room.faults is None:
        return room.means
    return f"{room.means} · used {standing.used}" if room.faults else room.means
