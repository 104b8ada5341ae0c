"""
Faults as words of a scenario, and back: what, where, how much.

    cut n1 -> n2            cut-both n1 - n2        isolate n1       partition n1 n2 | n3
    delay n1 -> n2 100ms 20ms                       loss, duplicate, reorder n1 -> n2 30%
    bandwidth n1 -> n2 65536B/s                     flap n1 - n2 2s  crash-loop n1 4s
    slow-disk n1 200ms      failing-sync n1         full-disk n1     clock n1 x2 +5s
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lab.faults import (
    LINK_TROUBLES,
    ClockTrouble,
    DiskTrouble,
    Fault,
    FaultKind,
    LinkTrouble,
    Rhythm,
    Trouble,
)

ONE_WAY = (FaultKind.CUT, FaultKind.DELAY, FaultKind.LOSS, FaultKind.DUPLICATE,
           FaultKind.REORDER, FaultKind.BANDWIDTH)  # fmt: skip
BOTH_WAYS = (FaultKind.CUT_BOTH, FaultKind.FLAP)
_SHARES = {FaultKind.LOSS: "drop", FaultKind.DUPLICATE: "duplicate", FaultKind.REORDER: "reorder"}
_AMOUNT = re.compile(r"([x+]?)(\d+(?:\.\d+)?(?:e-?\d+)?)(ms|s|%|B/s)?")


def kind_word(kind: FaultKind) -> str:
    """Return the word of a kind: `slow-disk`."""
    return kind.value.replace(" ", "-")


def kind_of(word: str) -> FaultKind:
    """
    Return the kind of a word.

    Raises:
        ValueError: no kind has this word.
    """
    return FaultKind(word.replace("-", " "))


def where_words(kind: FaultKind, nodes: Sequence[str]) -> str:
    """Return the nodes of a fault as words."""
    if kind is FaultKind.PARTITION:
        return " | ".join(nodes)
    arrow = " -> " if kind in ONE_WAY else " - "
    return arrow.join(nodes)


def read_where(
    kind: FaultKind, words: Sequence[str], node: Callable[[str], str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Return the nodes of a fault, and the words after them; *node* gives the name for a word.

    Raises:
        ValueError: there are too few words, or no arrow where one belongs.
    """
    if kind is FaultKind.PARTITION:
        sides = " ".join(words).split("|")
        return tuple(" ".join(node(word) for word in side.split()) for side in sides), ()
    if kind not in (*ONE_WAY, *BOTH_WAYS):
        return (node(words[0]),), tuple(words[1:])
    if len(words) < 3 or words[1] != ("->" if kind in ONE_WAY else "-"):
        raise ValueError(f"{kind_word(kind)} is between two nodes")
    return (node(words[0]), node(words[2])), tuple(words[3:])


def trouble_words(trouble: Trouble | None) -> str:
    """Return how much of it there is, as words."""
    match trouble:
        case LinkTrouble(delay_s=delay_s, jitter_s=jitter_s) if delay_s or jitter_s:
            return f"{delay_s * 1e3:.12g}ms" + (f" {jitter_s * 1e3:.12g}ms" if jitter_s else "")
        case LinkTrouble(bandwidth_bytes_s=limit) if limit:
            return f"{limit:.12g}B/s"
        case LinkTrouble():
            return f"{max(trouble.drop, trouble.duplicate, trouble.reorder) * 100:.12g}%"
        case DiskTrouble(sync_delay_s=sync_delay_s) if sync_delay_s:
            return f"{sync_delay_s * 1e3:.12g}ms"
        case ClockTrouble(rate=rate, jump_s=jump_s):
            return f"x{rate:.12g} +{jump_s:.12g}s"
        case Rhythm(period_s=period_s):
            return f"{period_s:.12g}s"
        case _:
            return ""


def read_trouble(kind: FaultKind, words: Sequence[str]) -> Trouble:
    """
    Return how much of *kind* the words ask for.

    Raises:
        ValueError: they make no sense for it.
    """
    found = [_AMOUNT.fullmatch(word) for word in words]
    amounts = [(one[1] or one[3] or "", float(one[2])) for one in found if one is not None]
    if len(amounts) != len(words):
        raise ValueError(f"how much is written 100ms, 2s, 30%, x2, +5s or 64B/s, not {words}")
    match kind, amounts:
        case FaultKind.DELAY, [("ms", delay)]:
            return LinkTrouble(delay_s=delay / 1e3)
        case FaultKind.DELAY, [("ms", delay), ("ms", jitter)]:
            return LinkTrouble(delay_s=delay / 1e3, jitter_s=jitter / 1e3)
        case ((FaultKind.LOSS | FaultKind.DUPLICATE | FaultKind.REORDER), [("%", share)]):
            return LinkTrouble(**{_SHARES[kind]: share / 100})
        case FaultKind.BANDWIDTH, [("B/s", limit)]:
            return LinkTrouble(bandwidth_bytes_s=limit)
        case ((FaultKind.FLAP | FaultKind.CRASH_LOOP), [("s", period_s)]) if period_s > 0:
            return Rhythm(period_s=period_s)
        case FaultKind.SLOW_DISK, [("ms", delay)]:
            return DiskTrouble(sync_delay_s=delay / 1e3)
        case FaultKind.FAILING_SYNC, []:
            return DiskTrouble(fail_sync=True)
        case FaultKind.FULL_DISK, []:
            return DiskTrouble(full=True)
        case FaultKind.CLOCK, [("x", rate), ("+", jump_s)] if rate > 0:
            return ClockTrouble(rate=rate, jump_s=jump_s)
        case _:
            raise ValueError(
                f"{kind_word(kind)} is not asked for by {' '.join(words) or 'nothing'}"
            )


def is_disturbance(kind: FaultKind) -> bool:
    """Return whether `Cluster.disturb` does it."""
    return kind in LINK_TROUBLES or kind in (
        FaultKind.SLOW_DISK, FaultKind.FAILING_SYNC, FaultKind.FULL_DISK, FaultKind.CLOCK,
        FaultKind.CRASH_LOOP,
    )  # fmt: skip


def fault_words(fault: Fault) -> str:
    """Return what, where and how much, as `read_where` and `read_trouble` read it."""
    parts = (kind_word(fault.kind), where_words(fault.kind, fault.nodes))
    return " ".join(filter(None, (*parts, trouble_words(fault.trouble))))
