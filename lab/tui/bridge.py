"""`F`: go on from a past picture in the simulator, or open the story of other nodes in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from lab.cluster.interface import ClusterError
from lab.observe.happenings import Ticked
from lab.observe.view import EventView
from lab.report.gather import gathered
from lab.scenarios import script
from lab.scenarios.saved import NOT_THE_SCHEDULE, scenario, why_not
from lab.tui.paint import span_s
from lab.tui.ports import Leaving, Onward
from lab.tui.rewind import LONG_S, Rewind
from lab.tui.screens.dialogs import Choose

if TYPE_CHECKING:
    from lab.observe.deck import Recorded
    from lab.scenarios.script import Script

SEEDED = (
    "this world is played by its seed: it goes on in the one way it can; z and . do that, "
    "./log --backend sim has one with another future"
)


class Returned(Protocol):
    """What came of a return to the past."""

    @property
    def steps(self) -> int:
        """Return how many steps of the world were done again."""

    @property
    def took_s(self) -> float:
        """Return for how long, in real time."""

    @property
    def dropped_s(self) -> float:
        """Return how much of the cluster's time has not happened now."""

    @property
    def recorded(self) -> Recorded | None:
        """Return a file that ended with the dropped future in it."""


class CanReturn(Protocol):
    """Who makes a world again: `lab.sim.past.Past`."""

    def why_not(self, position: int) -> str:
        """Return why *position* of the tape cannot be returned to, or nothing."""

    async def return_to(self, position: int, tell: Callable[[str], None]) -> Returned:
        """Return to *position*; ClusterError says why not."""


class Bridge(Rewind):
    """The way from what is seen into another future of it."""

    past: CanReturn | None = None  # Set by who runs a simulated cluster.

    def action_onward(self) -> None:
        """Go on from the picture on the screen, one way or the other."""
        if self.past is not None:
            self._go_on(self.past)
        elif self.cluster.backend == "sim":
            self.notify(SEEDED, title="one future", severity="warning")
        else:
            self._open_story()

    # In the simulator.

    def _go_on(self, past: CanReturn) -> None:
        if not self.is_past:
            self.notify("This is now, and goes on anyway: , goes back, F goes on from there.")
            return
        reason = past.why_not(self._at)
        if reason:
            self.notify(f"It cannot be gone on from here: {reason}.", severity="warning")
            return
        self.run_worker(
            self._return(past, self._at), group="return", exclusive=True, exit_on_error=False
        )

    async def _return(self, past: CanReturn, position: int) -> None:
        self._hold()
        await self.load.forget()
        try:
            done = await past.return_to(position, self.notify)
        except ClusterError as broken:
            self.notify(f"It cannot be gone on from here: {broken}.", severity="error")
            return
        dropped = span_s(done.dropped_s)
        text = f"you: went on from here; {dropped} of another future have not happened"
        self.source.note(EventView(at_s=0.0, node=None, kind="you", text=text, by_you=True))
        self._alarmed = self.source.view.violation
        self.show_at()
        words = f"{done.steps:,} steps done again in {done.took_s:.1f} s; z lets time go on"
        if done.recorded is not None:
            words += f"\n{done.recorded.path} has the future that was dropped"
        self.clear_notifications()
        self.notify(words, title=f"{dropped} dropped")

    def stand_still(self) -> None:
        """Hold time here, where a story of other nodes was left; later it passes as usual."""
        self.held, self.chosen, self._is_known = True, 1.0, True
        self.keep_pace()
        if self.is_running:
            self.show_at()
            words = "This is where the story was left: z goes on, , goes back, F from there."
            self.notify(words, title=NOT_THE_SCHEDULE, timeout=LONG_S)

    # From other nodes into the simulator.

    def story_until_now(self) -> Script | str:
        """Return the story up to the picture on the screen as a scenario, or why there is none."""
        tape = self.tape
        if tape is None:
            return "nothing was taped here"
        position = self._at if self.is_past else tape.end
        gather, view = gathered(tape.happenings(position)), tape.view_at(position)
        gather.take(Ticked(at_s=view.now_s), view)  # It looks at ticks, the picture may be older.
        report = gather.report()
        reason = why_not(report)
        return reason or script.parse("story", scenario(report, ends=False))

    def _open_story(self) -> None:
        story = self.story_until_now()
        if isinstance(story, str):
            self.notify(f"No story to open: {story}.", severity="warning")
            return
        if self.replay is not None:
            self.exit(Onward(story=story, leaving=None))
            return
        deeds = sum(step.words[1:2] != ("#",) for step in story.steps)
        ours = self.cluster.backend != "connect"
        answers: list[tuple[str, str, Leaving | None]] = [
            ("l", "leave it running, healed", Leaving.KEEP),
            ("c", "cancel", None),
        ]
        if ours:
            answers.insert(0, ("e", "end the cluster: nodes, network and faults", Leaving.END))
        words = (
            f"{deeds} deeds on {story.nodes} nodes, played in a simulated cluster of as many."
            f" {NOT_THE_SCHEDULE}. What becomes of {self.cluster.title}?"
        )

        def then(leaving: Leaving | None) -> None:
            if leaving is not None:
                self.exit(Onward(story=story, leaving=leaving))

        self.push_screen(Choose("open this story in the simulator", words, answers), then)
