"""Names and durations as a person says them, for every part of the lab that writes sentences."""

from __future__ import annotations

from collections.abc import Sequence


def span_s(seconds: float) -> str:
    """Return a duration as a person says it: 0.6 s, 42 s, 3 min, 2 h."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def shard_name(shard_id: int) -> str:
    """Return a shard's name on the screen: s0017."""
    return f"s{shard_id:04d}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return names as a sentence has them: `n1`, `n1 and n2`, `n1, n2 and n3`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def counted(number: int, what: str) -> str:
    """Return `1 election`, `2 elections`, `1,000 shards`."""
    return f"{number:,} {what}{'s' * (number != 1)}"
