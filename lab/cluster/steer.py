"""What only a cluster in virtual time can do: stand still, run at another pace, do one thing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


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
