"""The clock of a node: seconds that never go back, and that pass while the machine is suspended."""

from __future__ import annotations

import time

RUNS_THROUGH_SUSPEND = hasattr(time, "CLOCK_BOOTTIME")
"""Whether `boot_time_s` does; where not, who slept takes an old lease for a new one."""


def boot_time_s() -> float:
    """Return seconds since some moment: CLOCK_BOOTTIME where there is one (PROTOCOL S6)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if RUNS_THROUGH_SUSPEND else time.monotonic()
