"""The keys of time: hold, go back and on through what was taped, play a recording, record."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from lab.cluster.steer import Steerable
from lab.observe.recording import RecordingError
from lab.observe.tape import Picture, next_of, previous_of
from lab.tui.paint import megabytes, span_s, watch_s
from lab.tui.scene import Place
from lab.tui.steering import Steering

if TYPE_CHECKING:
    from lab.observe.deck import Deck
    from lab.observe.replay import Replay
    from lab.observe.tape import Tape
    from lab.observe.view import ClusterView, Violation
    from lab.tui.ports import ViewSource
    from lab.tui.scene import Summary

MOST_STEPS = 1_000  # Of a simulated world, in search of an event.
BREATH = 50  # Steps between two looks at the keyboard.
LONG_S = 30.0  # A notice of what nobody has asked for stays so long.


class Rewind(Steering):
    """
    Which moment of the tape is on the screen.

    Not held, it is the newest. A held picture of real nodes grows old while they go on; where time
    itself stands still, all that happens is what you do, and the held picture follows that.
    """

    _at = 0  # The position of the picture on the screen.
    _was_newest = True  # Nothing had happened since, when it was shown.
    _rolling: tuple[float, float] | None = None  # A recording plays: since when, and from when.
    _alarmed: Violation | None = None
    _told: tuple[object, str] = (None, "")  # Of the deck's files, what was said of them.

    if TYPE_CHECKING:
        source: ViewSource
        deck: Deck | None
        replay: Replay | None
        _shown: tuple[ClusterView, Summary] | None

        def present(self, picture: Picture) -> None:
            """Show a picture."""

        def newest(self) -> Picture:
            """Return the newest picture."""

    @property
    def tape(self) -> Tape | None:
        """Return what happenings are taped on, or None where they are not."""
        if self.replay is not None:
            return self.replay.tape
        return self.deck.tape if self.deck is not None else None

    @property
    def is_past(self) -> bool:
        """Return whether something has happened since what is on the screen."""
        if self._shown is None:
            return False
        return self.replay is not None or (self.held and self.source.view is not self._shown[0])

    def follows(self) -> bool:
        """Return whether the newest picture is what has to be on the screen."""
        if not self.held:
            return self.replay is None
        stands = isinstance(self.cluster, Steerable) and self.cluster.speed == 0
        return stands and self._was_newest

    def show_at(self, position: int | None = None) -> None:
        """Show the picture at *position* of the tape, or the newest."""
        tape = self.tape
        if tape is None or position is None or position >= tape.end:
            self._at, self._was_newest = tape.end if tape is not None else 0, True
            self.present(self.newest())
        else:
            self._at, self._was_newest = position, False
            self.present(tape.picture_at(position))

    def alarm(self, view: ClusterView) -> None:
        """Hold at a violation, once: what follows from it must not cover what it was."""
        if view.violation is not None and view.violation != self._alarmed:
            self.held, self._rolling = True, None
            self._alarmed = view.violation
            self.keep_pace()

    def place(self) -> Place | None:
        """Return where on the tape the picture is, or None where it is the newest of live ones."""
        tape = self.tape
        if tape is None or self._shown is None or not (self.held or self.replay):
            return None
        now_s = self._shown[0].now_s
        return Place(
            is_past=self.is_past,
            age_s=max(0.0, tape.newest.view.now_s - now_s),
            at_s=max(0.0, now_s - tape.starts_s),
            length_s=tape.newest.view.now_s - tape.starts_s,
            event=tape.number_of(self._at),
            events=len(tape.events),
            replay=self.replay is not None,
            playing=self._rolling is not None,
            ends_early=self.replay is not None and self.replay.ends_early,
        )

    # Holding and playing.

    def action_hold(self) -> None:
        """Stop the picture, or let it go on: to now, or through the recording in its own time."""
        if self.replay is not None:
            self._play_or_stop(self.replay.tape)
        else:
            self.held = not self.held
            self.tick()
        self.redraw()

    def _play_or_stop(self, tape: Tape) -> None:
        if self._rolling is not None:
            self._rolling, self.held = None, True
            return
        if self._at >= tape.end:
            self._alarmed = None
            self.show_at(tape.events[0] if tape.events else tape.start)
        self._rolling, self.held = (monotonic(), tape.time_at(self._at)), False

    def roll(self) -> None:
        """Show what a recording that plays has come to."""
        tape = self.tape
        if self._rolling is None or tape is None:
            return
        since_s, from_s = self._rolling
        position = tape.position_at(from_s + monotonic() - since_s)
        if position > self._at:
            self.show_at(position)
        if position >= tape.end:
            self._rolling, self.held = None, True
            self.redraw()

    # Going back and on.

    def action_to_event(self, step: int) -> None:
        """Show the picture of the event before, or of the next one; on a ladder, of the message."""
        tape = self.tape
        if self.page == "ladder":
            self._walk(step, tape.rungs if tape is not None else [], "message or event")
        else:
            self._walk(step, tape.events if tape is not None else [], "event")

    def action_to_election(self, step: int) -> None:
        """Show the picture of the election before, or of the next one."""
        tape = self.tape
        self._walk(step, tape.elections if tape is not None else [], "election")

    def _walk(self, step: int, places: list[int], what: str) -> None:
        tape = self.tape
        if tape is None or self._shown is None:
            self.notify("Nothing was taped: there is no past to go back to.", severity="warning")
            return
        if not self.held and self.replay is None and step > 0:
            self._onward(tape, what)
            return
        if not self.held:
            self._rolling, self.held = None, True
        find = next_of if step > 0 else previous_of
        position = find(places, self._at)
        if position is not None:
            is_now = step > 0 and isinstance(self.cluster, Steerable) and tape.is_now(position)
            self.show_at(None if is_now else position)
        elif step > 0:
            self._onward(tape, what)
        else:
            length = span_s(self._shown[0].now_s - tape.starts_s)
            self.notify(f"No earlier {what}: the tape begins {length} before this picture.")
        self.redraw()

    def _onward(self, tape: Tape, what: str) -> None:
        """Go on beyond the last event: to the end, and where time can be steered, beyond it."""
        if self.replay is not None:
            self.show_at()
            self.notify("This is the end of the recording: z plays it from the beginning.")
        elif isinstance(self.cluster, Steerable) and what == "election":
            self.action_sim_election()
        elif isinstance(self.cluster, Steerable) and self._steerable() is not None:
            self._hold()
            self.run_worker(
                self._step(self.cluster), group="step", exclusive=True, exit_on_error=False
            )
        elif self.held:
            self.show_at()
            self.notify(f"No later {what} yet: z returns to now.")
        else:
            self.notify("This is now: , and < go back, z holds the picture.")

    async def _step(self, cluster: Steerable) -> None:
        """
        Do one thing after the other in a world that stands still, until an event is new.

        On the ladder that is also a message that leaves or arrives.
        """
        self.show_at()
        before, steps = self._seen(), 0
        while self._seen() == before and steps < MOST_STEPS and cluster.step():
            steps += 1
            if steps % BREATH == 0:
                await asyncio.sleep(0)
        self.show_at()
        if self._seen() == before:
            self.notify(f"{steps:,} steps, and no new event: . goes on.")

    def _seen(self) -> tuple[object, ...]:
        view = self.source.view
        return (view.events, view.messages) if self.page == "ladder" else (view.events,)

    # The file.

    def action_record(self) -> None:
        """Begin a recording, with what was taped so far in it, or end it."""
        if self.replay is not None:
            self.notify(f"This is a recording already: {self.replay.path}", severity="warning")
            return
        if self.deck is None:
            self.notify("Nothing is taped here, so nothing can be recorded.", severity="warning")
            return
        try:
            done = self.deck.stop()
            if done is not None:
                told = f"{done.path} · {watch_s(done.length_s)} · {megabytes(done.size_bytes)}"
                self.notify(f"{told}\n./log --replay {done.path} shows it", title="recorded")
            else:
                path = self.deck.record()
                length = watch_s(self.deck.tape.newest.view.now_s - self.deck.tape.starts_s)
                self.notify(f"{path}, with the {length} until now; R ends it", title="recording")
        except (OSError, RecordingError) as broken:
            self.notify(f"no recording can be written here: {broken}", severity="error")
        self.redraw()

    def tell_of_files(self) -> None:
        """Say once where a violation was saved, and what could not be written."""
        deck = self.deck
        if deck is None or (deck.saved, deck.broken) == self._told:
            return
        if deck.broken != self._told[1]:
            self.notify(deck.broken, severity="error", timeout=LONG_S)
        if deck.saved != self._told[0]:
            words = f"{deck.saved}\n./log --replay {deck.saved} shows it"
            self.notify(words, title="the violation is recorded", severity="error", timeout=LONG_S)
        self._told = (deck.saved, deck.broken)

    # What acts on the cluster.

    def why_not_now(self) -> tuple[str, str] | None:
        """Return why nothing may be done to a cluster that is not as it is shown, or None."""
        if not self.is_past:
            return super().why_not_now()
        place = self.place()
        old = f"{span_s(place.age_s)} old" if place is not None else "not the newest"
        words = f"This picture is {old}: z returns to now, where this key works."
        return self.cluster.hands_off or words, "the past"
