"""Whose turn it is to stand for election: a storm of them passes in waves (PROTOCOL L8)."""

from __future__ import annotations

import heapq

from lolraft.multiraft import stepping
from lolraft.multiraft.node import Node
from lolraft.multiraft.waves import STANDING
from lolraft.raft.events import Timeout
from lolraft.raft.types import Role, ShardId

MOST_IN_FLIGHT = 100
"""
Elections of one node at a time. Were all shards of a dead leader to stand at once, answers would
come later than a round lasts, every round would be lost, and each would be asked again.
"""


def take_deadlines(node: Node) -> None:
    """Give the replicas that are due their `Timeout`, candidates only while there is room."""
    while node.deadlines and node.deadlines[0][0] <= node.now_s + 1e-9:
        deadline_s, shard_id = heapq.heappop(node.deadlines)
        shard = node.shards.get(shard_id)
        if shard is None or shard.state.deadline_s != deadline_s:
            continue
        if shard.state.role is Role.LEADER:
            _time_out(node, shard_id, deadline_s)
        else:
            node.elections.standing.discard(
                shard_id
            )  # Its round is over; the next waits for its turn.
            node.elections.due.append((deadline_s, shard_id))
    while has_turn(node):
        deadline_s, shard_id = node.elections.due.popleft()
        _time_out(node, shard_id, deadline_s)


def has_turn(node: Node) -> bool:
    """Return whether somebody is due and there is room."""
    return bool(node.elections.due) and len(node.elections.standing) < MOST_IN_FLIGHT


def _time_out(node: Node, shard_id: ShardId, deadline_s: float) -> None:
    shard = node.shards.get(shard_id)
    if shard is None or shard.state.deadline_s != deadline_s:
        return  # A leader was heard of, or a vote granted, while it waited.
    stepping.step_shard(node, shard, Timeout())
    if shard.state.role in STANDING:
        node.elections.standing.add(shard_id)
    if shard.state.deadline_s == deadline_s:
        node.watch_deadline(shard)
