"""
Fuzz tests: what peers, clients, disks and users send that no sane one would.

In the suite they are bounded and derandomized: the same examples every time, a minute in all.
`./dev fuzz [--minutes N]` runs them with new examples until the time is over.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

MORE = "LOLRAFT_FUZZ"
"""The variable that multiplies the examples, and makes them new ones each time."""


def effort(examples: int) -> settings:
    """Return how hard to try: *examples*, or as many times more as `LOLRAFT_FUZZ` says."""
    more = int(os.environ.get(MORE, "0"))
    return settings(
        max_examples=examples * max(1, more),
        derandomize=not more,
        database=None,
        deadline=None,  # Other processes want the processor too.
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
