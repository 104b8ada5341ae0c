"""A stale read is not older than its bound (`lolraft.Consistency.STALE`)."""

from __future__ import annotations

from lolraft.multiraft.frames import RequestKind
from lolraft.sim.checkers.checker import Checker
from lolraft.sim.history import Operation

SLOWEST = 0.9
"""No clock of a world runs slower: a bound by such a clock is so much longer in true time."""


class Staleness(Checker):
    """Judge every stale read when all is over."""

    promise = "a stale read keeps its bound"

    def at_rest(self) -> None:
        """Compare each with the writes of its key."""
        for shard_id, history in sorted(self.world.histories.items()):
            writes: dict[str, list[Operation]] = {}
            for item in history.operations:
                if item.kind != "read":
                    writes.setdefault(item.key, []).append(item)
            for item in history.operations:
                if item.read is RequestKind.READ_STALE and item.answer is not None:
                    why = why_too_stale(item, writes.get(item.key, []))
                    if why is not None:
                        self.broken(f"shard {shard_id}, {why}")


def why_too_stale(read: Operation, writes: list[Operation]) -> str | None:
    """
    Return why the answer was not current at any time from the bound before *read* to its end.

    A write answers the value that it replaced, an addition the sum after it. So a value was
    replaced when the write was acknowledged that answered it, and a sum when a higher one was.
    """
    assert read.answer is not None, "only answers are judged"
    since_s = read.begin_s - read.max_staleness_s / SLOWEST
    if read.key == "+":
        newer = [w for w in writes if w.answer is not None and int(w.answer) > int(read.answer)]
        source = [w for w in writes if w.answer == read.answer or w.answer is None]
    else:
        newer = [w for w in writes if w.answer == read.answer]
        source = [w for w in writes if w.value == read.answer]
    for write in newer:
        if write.end_s < since_s:
            return (
                f"client {read.client} read {read.key} = {read.answer!r} at {read.begin_s:.4f} with"
                f" a bound of {read.max_staleness_s:g} s, replaced by {write.name} and acknowledged"
                f" at {write.end_s:.4f}"
            )
    if read.answer not in ("", "0") and not any(w.begin_s <= read.end_s for w in source):
        return f"client {read.client} read {read.key} = {read.answer!r}, which nobody had written"
    return None
