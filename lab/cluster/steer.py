"""What only a cluster in virtual time can do: stand still, run at another pace, do one thing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

DROP, BRING = "drop", "bring"


@runtime_checkable
class Steerable(Protocol):
    """A cluster whose time is its own; of our backends, `sim`."""

    @property
    def speed(self) -> float | None:
        """Return virtual seconds per second: 0 stands still, None is as fast as can be."""

    def set_speed(self, speed: float | None) -> None:
        """Let time pass at *speed* from now on."""

    def step(self) -> bool:
        """Do the next thing that happens anywhere; return whether something did."""


@runtime_checkable
class Seekable(Steerable, Protocol):
    """One that can go on to what matters."""

    async def to_next_election(self, within_s: float) -> bool:
        """Go on until somebody is elected; return whether that came *within_s*."""


@runtime_checkable
class Handling(Steerable, Protocol):
    """One in which a single message can be lost, or arrive now."""

    def why_not_message(self, how: str, number: int) -> str:
        """Return why the message of this *number* cannot be `DROP`ped or `BRING`ed, or nothing."""

    def handle_message(self, how: str, number: int) -> None:
        """Lose the message of this *number*, or let it arrive now; `why_not_message` was asked."""
