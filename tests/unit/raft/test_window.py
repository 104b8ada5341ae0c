"""What is in flight to one follower has a bound, in appends, entries and bytes (PROTOCOL P4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lolraft.raft.events import AppendRequest
from lolraft.raft.types import Limits
from tests.unit.raft.group import Group

FAR_S = 10.0
"""A round trip that no window of these tests can fill."""


@pytest.mark.parametrize(
    "limits",
    [
        Limits(window=3, append_entries=4, append_bytes=10_000, entry_bytes=100),
        Limits(window=3, append_entries=1000, append_bytes=50, entry_bytes=50),
        Limits(window=2, append_entries=1000, append_bytes=10, entry_bytes=100),
    ],
    ids=["entries", "bytes", "entries longer than an append"],
)
def test_a_follower_that_does_not_answer_has_a_bounded_amount_in_flight(limits: Limits) -> None:
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    state = group.state("n1")
    state.limits = replace(limits)
    for progress in state.progress.values():
        progress.round_trip_s = FAR_S
    for _ in range(100):
        group.propose("n1", b"x" * min(40, limits.entry_bytes))
    most_entries, most_bytes = limits.in_flight
    for follower in ("n2", "n3"):
        appends = [
            message
            for to, message in group.bag
            if to == follower and isinstance(message, AppendRequest)
        ]
        payloads = [payload for append in appends for payload in append.entries.payloads]
        assert len(appends) == limits.window, "all of the window is used, and no more"
        assert 0 < len(payloads) <= most_entries
        assert sum(map(len, payloads)) <= most_bytes
