"""Changes of members that operators asked for, and what may still come of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lolraft.multiraft.changes import wish_of
from lolraft.multiraft.effects import Respond
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.events import ChangeMembers
from lolraft.raft.types import Configuration, ShardId

if TYPE_CHECKING:
    from lolraft.sim.clock import Clock

LOST_S = 10.0
"""So long after its asker died or gave up, a change may still begin at a leader."""

UNCERTAIN = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
CHANGES = (RequestKind.ADD_SERVER, RequestKind.REMOVE_SERVER, RequestKind.CHANGE_MEMBERS)


@dataclass(eq=False, slots=True)
class Errand:
    """One change that was asked for."""

    shard_id: ShardId
    change: ChangeMembers

    def goal(self, configuration: Configuration) -> Configuration:
        """Return what the group becomes when this begins where *configuration* is in force."""
        voters, learners = self.change.applied_to(configuration.voters, configuration.learners)
        return configuration.with_members(voters=voters, outgoing=(), learners=learners)


class Errands:
    """
    Remember every change whose outcome is open.

    Who decides which nodes may be dead for long must count them in: a change that was asked for
    before may begin after, and then the group needs a majority of its goal.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: list[Errand] = []

    def begin(self, kind: RequestKind, shard_id: ShardId, message: bytes) -> Errand | None:
        """Remember that somebody asks for this; None where it is no change of members."""
        if kind not in CHANGES:
            return None
        wish = wish_of(kind, message)
        errand = Errand(shard_id, ChangeMembers(ticket=0, **wish._asdict()))
        self._open.append(errand)
        return errand

    def end(self, errand: Errand, respond: Respond | None) -> None:
        """Forget it, at once where the answer is certain."""
        if respond is not None and respond.code not in UNCERTAIN:
            self._open.remove(errand)
        else:
            self._clock.after(LOST_S, self._open.remove, errand)

    def goals(
        self, shard_id: ShardId, configurations: Collection[Configuration]
    ) -> Iterator[Configuration]:
        """Yield what a shard may become whose configuration is one of these."""
        for errand in self._open:
            if errand.shard_id == shard_id:
                yield from (goal for goal in map(errand.goal, configurations) if goal.voters)
