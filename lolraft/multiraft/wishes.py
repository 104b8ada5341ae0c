"""A wish for other members, as text: one line a server, so that it can be forwarded and logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lolraft.multiraft.identity import normalise
from lolraft.raft.types import NodeId

MOST_SERVERS = 100
"""Servers that one wish names at most."""

OTHERS_LEAVE = "others leave"


class Wish(NamedTuple):
    """Say who shall vote, who shall only learn, who shall leave; all sorted and normalised."""

    voters: tuple[NodeId, ...] = ()
    learners: tuple[NodeId, ...] = ()
    removed: tuple[NodeId, ...] = ()
    others_leave: bool = False  # Whoever is not named.

    @classmethod
    def of(
        cls,
        voters: Sequence[str] = (),
        learners: Sequence[str] = (),
        removed: Sequence[str] = (),
        *,
        others_leave: bool = False,
    ) -> Wish:
        """
        Return a wish of server ids in any form.

        Raises:
            ValueError: an id makes no sense, a server is named twice, or nobody is named.
        """
        if not 0 < len(voters) + len(learners) + len(removed) <= MOST_SERVERS:
            raise ValueError(f"a change of members names 1 to {MOST_SERVERS} servers")
        wish = cls(_sorted(voters), _sorted(learners), _sorted(removed), others_leave)
        named = (*wish.voters, *wish.learners, *wish.removed)
        if len(set(named)) < len(named):
            twice = max(named, key=named.count)
            raise ValueError(f"{twice} is named twice: a server votes, learns, or leaves")
        return wish

    def encode(self) -> bytes:
        """Return what `decode` reads."""
        lines = [f"voter {name}" for name in self.voters]
        lines += [f"learner {name}" for name in self.learners]
        lines += [f"removed {name}" for name in self.removed]
        return "\n".join(lines + [OTHERS_LEAVE] * self.others_leave).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Wish:
        """
        Read what `encode` wrote.

        Raises:
            ValueError: *raw* is no wish.
        """
        names: dict[str, list[str]] = {"voter": [], "learner": [], "removed": []}
        lines = raw.decode().split("\n")
        others_leave = lines[-1] == OTHERS_LEAVE
        for line in lines[: len(lines) - others_leave]:
            standing, _, name = line.partition(" ")
            if standing not in names:
                raise ValueError(f"{standing[:20]!r} is no standing of a server")
            names[standing].append(name)
        return cls.of(*names.values(), others_leave=others_leave)


def _sorted(names: Sequence[str]) -> tuple[NodeId, ...]:
    return tuple(sorted(map(normalise, names)))
