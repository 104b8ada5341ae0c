"""
A wrong build, for one room: its leaders commit what earlier terms left by counting copies.

It is figure 3.7 of the dissertation as it must not be: section 3.6.2 lets a leader commit only by
an entry of its own term. Nodes of other processes are not touched by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lolraft.raft import replication
from lolraft.raft.quorum import committed_index
from lolraft.raft.state import RaftState


def advance_commit_by_counting(state: RaftState) -> None:
    """Commit what a quorum holds, of whatever term: the mistake."""
    if state.leadership is None:
        return
    match = {member: item.match_index for member, item in state.leadership.progress.items()}
    match[state.node_id] = state.durable_index
    index = committed_index(state.configuration, match)
    if index > state.commit_index:
        state.commit_index = index
        if state.leadership.news_due_s is None:
            state.leadership.news_due_s = state.now_s + state.timing.commit_news_s


@contextmanager
def planted() -> Iterator[None]:
    """Let every replica of this process be of the wrong build, until this context ends."""
    right = replication.advance_commit
    replication.advance_commit = advance_commit_by_counting
    try:
        yield
    finally:
        replication.advance_commit = right
