"""Elections of one node: who is due, and who stands; `elections` has the rules."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lolraft.raft.types import Role, ShardId

STANDING = (Role.PRE_CANDIDATE, Role.CANDIDATE)


@dataclass(slots=True)
class Elections:
    """Whose deadline has passed, and whose election is under way (L8)."""

    due: deque[tuple[float, ShardId]] = field(default_factory=deque)
    standing: set[ShardId] = field(default_factory=set)
