"""What a read may miss: chosen for each read, the safe choice by default (§6.4)."""

from __future__ import annotations

from enum import Enum


class Consistency(Enum):
    """
    Say what a read promises, and who answers it.

    The first three are linearizable: the answer contains every write that was acknowledged before
    the read began. `LEASE` only where clocks keep the bound that the nodes were configured with.
    """

    LINEARIZABLE = "linearizable"
    """The leader answers, after a quorum has confirmed that it leads. Right, whatever clocks do."""

    LOCAL = "local"
    """
    The server that is asked answers from its own replica, follower or learner, when that has
    applied what the leader had committed when it was asked. Right, whatever clocks do; the leader
    only tells an index, for all reads that wait.
    """

    LEASE = "lease"
    """
    The leader answers at once while it holds a lease (`Config.lease_s`), which is right as long as
    `Config.clock_drift` is true; without a lease it does as for `LINEARIZABLE`.
    """

    STALE = "stale"
    """
    The server that is asked answers from its own replica if it can prove that this is at most
    `max_staleness_s` old: it contains every write that had been acknowledged so long before the
    read began, by that server's clock. It asks the leader when it has no such proof, and answers
    UNAVAILABLE when it gets none. Two such reads may go back in time between servers. With
    `max_staleness_s=math.inf` it answers always, from whatever it has.
    """
