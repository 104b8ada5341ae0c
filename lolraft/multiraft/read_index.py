"""The answer to a question of this node's own: within which index is every write acknowledged?"""

from __future__ import annotations

from dataclasses import dataclass

from lolraft.raft.effects import Code
from lolraft.raft.types import Index, ShardId, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAnswer:
    """How a question for a read index ended (`local_reads`)."""

    shard_id: ShardId
    ticket: Ticket
    code: Code
    text: str
    index: Index
