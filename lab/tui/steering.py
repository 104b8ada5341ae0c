"""The keys that steer a simulated world's time, and the refusal of those that would change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.dom import DOMNode

from lab.cluster.steer import Seekable, Steerable
from lab.tui.keys import KEYS
from lab.tui.scene import Pace
from lab.tui.shard_wishes import ShardWishes

if TYPE_CHECKING:
    from textual.actions import ActionParseResult

SPEEDS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0, 16.0, None)
"""Virtual seconds per second; None is as fast as it can."""

SEEK_S = 60.0  # Of virtual time, in search of an election.
REAL_TIME = (
    "these nodes live in real time, which nobody can steer; z holds the picture, "
    "./log --backend sim has a cluster in virtual time"
)
TOUCHING = {key.action.partition("(")[0] for key in KEYS if key.touches}


class Steering(ShardWishes):
    """
    Time follows `held` and `chosen`, whoever changes them.

    A held picture of real nodes goes stale; in the simulator time itself stands still behind it.
    """

    chosen: float | None = None  # The speed at which time passes while it is not held.
    _is_known = False  # Whether `chosen` is that with which the world began, or a later one.

    if TYPE_CHECKING:

        def show_at(self, position: int | None = None) -> None:
            """Show a moment, or the newest: a held picture is not renewed by itself."""

    def begin_at(self, speed: float) -> None:
        """Let time pass at *speed* from the beginning, where it can be steered."""
        self.chosen, self._is_known = speed, True

    def keep_pace(self) -> None:
        """Let time stand while the picture is held, else pass at the chosen speed."""
        cluster = self.cluster
        if not isinstance(cluster, Steerable):
            return
        if not self._is_known:
            self.chosen, self._is_known = cluster.speed, True
        wanted = 0.0 if self.held else self.chosen
        if cluster.speed != wanted:
            cluster.set_speed(wanted)

    def pace(self) -> Pace | None:
        """Return how time passes, or None where it is real."""
        if not isinstance(self.cluster, Steerable):
            return None
        hands_off = self.cluster.hands_off is not None
        return Pace(speed=self.chosen, ended=self.cluster.ended or "", hands_off=hands_off)

    def _steerable(self) -> Steerable | None:
        cluster = self.cluster
        if not isinstance(cluster, Steerable):
            self.notify(REAL_TIME, title="time", severity="warning")
            return None
        if cluster.ended is not None:
            self.clear_notifications()
            self.notify(f"{cluster.ended}; its time stands for good", title="time")
            return None
        self.keep_pace()
        return cluster

    def action_pace(self, by: int) -> None:
        """Take the next higher or lower speed."""
        if self._steerable() is None:
            return
        place = SPEEDS.index(self.chosen) if self.chosen in SPEEDS else SPEEDS.index(1.0)
        self.chosen = SPEEDS[max(0, min(len(SPEEDS) - 1, place + by))]
        self.keep_pace()
        self.redraw()

    def action_sim_step(self) -> None:
        """Hold time, and do the next thing that happens anywhere."""
        cluster = self._steerable()
        if cluster is not None:
            self._hold()
            cluster.step()
            self.show_at()

    def action_sim_election(self) -> None:
        """Hold time, and go on to the next election."""
        cluster = self._steerable()
        if isinstance(cluster, Seekable):
            self._hold()
            self.run_worker(self._seek(cluster), group="seek", exclusive=True, exit_on_error=False)

    async def _seek(self, cluster: Seekable) -> None:
        if not await cluster.to_next_election(SEEK_S):
            self.notify(f"nobody was elected in {SEEK_S:g} s of virtual time", title="time")
        self.show_at()

    def _hold(self) -> None:
        self.held = True
        self.keep_pace()

    def why_not_now(self) -> tuple[str, str] | None:
        """Return why nothing may be done to the cluster now, and a title for it, or None."""
        hands_off = self.cluster.hands_off
        return None if hands_off is None else (hands_off, "look, do not touch")

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Refuse what would act on a cluster that may not be touched: key, click or palette."""
        name = (action if isinstance(action, str) else action[1]).partition("(")[0]
        why_not = self.why_not_now() if name.removeprefix("app.") in TOUCHING else None
        if why_not is not None:
            words, title = why_not
            self.notify(words, title=title, severity="warning")
            return True
        return await super().run_action(action, default_namespace, namespaces)
