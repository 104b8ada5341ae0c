"""A room that is being played: what came before, what goes on beside, and how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lab.cluster.interface import ClusterError
from lab.observe.happenings import Happening, Ticked
from lab.observe.view import ClusterView
from lab.rooms.judge import Judge, Standing
from lab.rooms.room import Room
from lab.scenarios.script import Step
from lab.scenarios.stage import Failed, Stage
from lab.scenarios.steps import do
from lab.workload.view import LoadView, view_of

LOG_ENTRIES = 64  # Of the shard's logs are looked at, where no screen asks for more.


class Trial:
    """
    Play a room: `prepare` it, then it is the player's turn, and `standing` says how it goes.

    Whoever has the chronicle adds `hear` to its listeners.
    """

    def __init__(self, room: Room, stage: Stage) -> None:
        self.room = room
        self.trouble = ""  # Why it cannot be played on.
        self._stage = stage
        self._judge: Judge | None = None
        self._storm: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Return whether it is the player's turn."""
        return self._judge is not None

    @property
    def standing(self) -> Standing:
        """Return how it stands."""
        return self._judge.standing if self._judge is not None else Standing()

    @property
    def load(self) -> LoadView:
        """Return what there is to see of the load that belongs to the room."""
        return view_of(self._stage.loaded, self._stage.cluster.now_s())

    async def prepare(self) -> None:
        """
        Do what comes before the player's turn, and begin it.

        Raises:
            Failed: the cluster did not come to where the trial begins.
            ScenarioError: the room makes no sense.
        """
        stage, room = self._stage, self.room
        stage.watching.select(stage.shard.shard_id, None, LOG_ENTRIES)
        for step in room.script.steps:
            await do(stage, step)
        self._judge = Judge(room, stage)
        stage.say(f"{room.script.title}: {room.task}", "scenario")
        self._judge.look()
        if room.storm:
            self._storm = asyncio.ensure_future(self._blow(self._judge, room.storm))

    async def _blow(self, judge: Judge, storm: Sequence[Step]) -> None:
        for step in storm:
            judge.storms = step.verb != "wait"
            try:
                await do(self._stage, step)
            except (Failed, ClusterError) as failed:
                self.trouble = f"line {step.number}, `{step}`: {failed}"
            finally:
                judge.storms = False
        judge.storm_is_over = True

    def hear(self, happening: Happening, view: ClusterView) -> None:
        """Judge every picture."""
        if isinstance(happening, Ticked) and self._judge is not None:
            before = self._judge.standing.word
            after = self._judge.look()
            if after.word != before:
                self._stage.say(str(after), "verdict")

    async def play(self, steps: Sequence[Step], tell: Callable[[str], None]) -> Standing:
        """
        Do the steps of a player, and say how it stands when the storm is over too.

        Raises:
            Failed: a step of theirs cannot be done, or what it expects does not come.
        """
        for step in steps:
            tell(str(step))
            await do(self._stage, step)
        if self._storm is not None:
            await self._storm
        longest_s = max(map(_lasting_s, self.room.goals), default=0.0)
        await self._stage.cluster.sleep(longest_s + 1.0)
        return self.standing

    async def end(self) -> None:
        """Let nothing go on."""
        if self._storm is not None:
            self._storm.cancel()
            await asyncio.gather(self._storm, return_exceptions=True)
        await self._stage.end()


def _lasting_s(goal: Step) -> float:
    words = goal.words
    return float(words[-1].removesuffix("s")) if words[-2:-1] == ("for",) else 0.0
