"""A snapshot that takes long to write still finds the sessions as of its index (S10)."""

from __future__ import annotations

from lolraft.multiraft.sessions import NEVER, SLACK, Sessions
from lolraft.raft.effects import Code


def remember(sessions: Sessions, index: int) -> None:
    assert sessions.note(index, 10, f"r{index}") is None
    row = sessions.row(f"r{index}")
    assert row is not None
    row.code = Code.OK


def test_what_a_snapshot_needs_stays_while_it_is_made() -> None:
    kept, pruned = Sessions(100, 10_000), Sessions(100, 10_000)
    for index in range(2, 202):
        remember(kept, index)
        remember(pruned, index)
    as_of_then = kept.cut(201)
    kept.hold = 201
    for index in range(202, 202 + 2 * SLACK):
        remember(kept, index)
        remember(pruned, index)
    assert kept.floor <= 201
    assert kept.cut(201) == as_of_then
    assert pruned.floor > 201, "without the hold it is forgotten"
    kept.hold = NEVER
    remember(kept, 202 + 2 * SLACK)
    assert kept.floor > 201
