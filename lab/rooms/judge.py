"""Is it won? Goals looked at in every picture, and faults counted, from the player's turn on."""

from __future__ import annotations

from dataclasses import dataclass

from lab.faults import Fault
from lab.rooms.room import Room
from lab.scenarios.expectations import sight
from lab.scenarios.script import ScenarioError, Step
from lab.scenarios.sights import Why, seconds
from lab.scenarios.stage import Failed, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a trial stands."""

    won: bool = False
    lost: str = ""  # Which means were used that are not allowed.
    used: int = 0  # Faults.
    goals: tuple[tuple[str, str], ...] = ()  # Each, and why it is not so yet.

    @property
    def word(self) -> str:
        """Return it in a word."""
        return "won" if self.won else "lost" if self.lost else "not yet"

    def __str__(self) -> str:
        """Return one line."""
        if self.won:
            return "won"
        if self.lost:
            return f"lost: {self.lost}"
        return "not yet: " + "; ".join(why for _, why in self.goals if why)


class Judge:
    """
    Look at pictures and faults from now on.

    Raises:
        ScenarioError: a goal is none that can be told from pictures.
    """

    def __init__(self, room: Room, stage: Stage) -> None:
        self.storms = False  # What begins now is the storm's, not the player's.
        self.storm_is_over = not room.storm
        self.standing = Standing()
        self._room, self._stage = room, stage
        self._goals = [_Goal(step, stage) for step in room.goals]
        self._known = {fault.number for fault in stage.cluster.faults()}
        self._used = 0
        self._lost = ""
        stage.cluster.on_change(self.count)

    def count(self) -> None:
        """Count faults that are new: also one that is over before the next picture."""
        for fault in self._stage.cluster.faults():
            if fault.number not in self._known:
                self._known.add(fault.number)
                if not self.storms:
                    self._take(fault)

    def _take(self, fault: Fault) -> None:
        self._used += 1
        room = self._room
        if room.kinds and fault.kind not in room.kinds:
            self._lost = self._lost or f"{fault.kind.value} is not allowed here: {room.means}"
        if room.faults is not None and self._used > room.faults:
            what = "no fault is allowed" if not room.faults else f"only {room.faults} are allowed"
            self._lost = self._lost or f"that was fault {self._used}, and {what}"

    def look(self) -> Standing:
        """Judge the newest picture; what is won stays won."""
        if self.standing.won:
            return self.standing
        goals = tuple((str(goal), goal.why()) for goal in self._goals)
        if not self.storm_is_over:
            goals = (*goals, ("the storm is over", "the storm goes on"))
        won = not self._lost and not any(why for _, why in goals)
        self.standing = Standing(won=won, lost=self._lost, used=self._used, goals=goals)
        return self.standing


class _Goal:
    """One goal, which may have to be so for some time, or only once."""

    def __init__(self, step: Step, stage: Stage) -> None:
        words = (step.verb, *step.words)
        self._text = " ".join(words)
        self._once = words[0] == "once"
        words = words[self._once :]
        self._for_s = 0.0
        if len(words) > 2 and words[-2] == "for":
            self._for_s, words = seconds(words[-1]), words[:-2]
        why = sight(stage, " ".join(words))
        if why is None:
            raise ScenarioError(f"line {step.number}: {self._text!r} is seen on no picture")
        self._sight: Why = why
        self._stage = stage
        self._since_s: float | None = None
        self._is_met = False

    def __str__(self) -> str:
        """Return the goal as it was written."""
        return self._text

    def why(self) -> str:
        """Return why it is not so yet."""
        if self._is_met:
            return ""
        try:
            why = self._sight()
        except Failed as failed:
            why = str(failed)
        now_s = self._stage.view.now_s
        if why:
            self._since_s = None
            return why
        self._since_s = now_s if self._since_s is None else self._since_s
        lasted_s = now_s - self._since_s
        if lasted_s < self._for_s:
            return f"{self._text}: {lasted_s:.1f} s so far"
        self._is_met = self._once
        return ""
