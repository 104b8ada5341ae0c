"""
Could one copy of a register have given these answers? (Herlihy and Wing 1990.)

Source: the search of Wing and Gong (1993) with the memo of Lowe (2017), as Porcupine and Knossos
have it: choose which operation took effect next, and never visit the same (set of operations
done, value) twice.
"""

from __future__ import annotations

from lolraft.sim.history import PENDING, Operation

MOST_VISITS = 200_000
"""A history whose search takes more is not judged: it has too many unknown outcomes."""


class TooHard(Exception):
    """The search was given up; nothing is known of this history."""


def why_not_linearizable(operations: list[Operation], initial: str = "") -> str | None:
    """
    Return why no order explains the answers, or None when one does.

    Raises:
        TooHard: after `MOST_VISITS` states.
    """
    order = sorted(_that_matter(operations), key=lambda item: (item.begin_s, item.end_s))
    certain = sum(1 << n for n, item in enumerate(order) if item.end_s != PENDING)
    seen: set[tuple[int, str]] = set()
    stack: list[tuple[int, str]] = [(0, initial)]
    furthest = 0
    while stack:
        state = stack.pop()
        done, value = state
        if done & certain == certain:
            return None
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > MOST_VISITS:
            raise TooHard(f"{len(order)} operations")
        furthest = max(furthest, (done & certain).bit_count())
        stack.extend(_following(order, certain, done, value))
    key = order[0].key if order else "?"
    return (
        f"key {key}: no order explains the answers to all {certain.bit_count()} operations;"
        f" at most {furthest} can be explained\n{describe(order)}"
    )


def possible_ends(
    operations: list[Operation], initial: str = "", most_visits: int = MOST_VISITS
) -> frozenset[tuple[str, frozenset[str]]]:
    """
    Return how the register may stand after *operations*; nothing when no order explains them.

    So a long history is judged piece by piece: between two pieces nothing is under way, and each
    of the ends of one is where the next may have begun. An end is the value, with the values of the
    writes of unknown outcome that have not taken effect: they still may, in a later piece, where
    they are given again. Values are written once.

    Raises:
        TooHard: after *most_visits* states.
    """
    order = sorted(operations, key=lambda item: (item.begin_s, item.end_s))
    certain = sum(1 << n for n, item in enumerate(order) if item.end_s != PENDING)
    open_writes = [(n, item.value) for n, item in enumerate(order) if item.end_s == PENDING]
    seen: set[tuple[int, str]] = set()
    stack: list[tuple[int, str]] = [(0, initial)]
    ends = set()
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > most_visits:
            raise TooHard(f"{len(order)} operations")
        done, value = state
        if done & certain == certain:
            ends.add((value, frozenset(text for n, text in open_writes if not done >> n & 1)))
        stack.extend(_following(order, certain, done, value))
    return frozenset(ends)


def _that_matter(operations: list[Operation]) -> list[Operation]:
    """Leave out writes of unknown outcome that nobody has seen: they may as well not have been."""
    seen = {item.answer for item in operations}
    return [
        item
        for item in operations
        if item.end_s != PENDING or item.kind != "write" or item.value in seen
    ]


def _following(
    order: list[Operation], certain: int, done: int, value: str
) -> list[tuple[int, str]]:
    """Return the states after each operation that may take effect next."""
    following = []
    # Nothing may take effect before something that had ended when it began.
    limit_s = PENDING
    lowest = (~done & (done + 1)).bit_length() - 1  # The first that is not done.
    for n in range(lowest, len(order)):
        item = order[n]
        if item.begin_s > limit_s:
            break
        if done >> n & 1:
            continue
        limit_s = min(limit_s, item.end_s)
        after = _take(item, value)
        if after is not None:
            following.append((done | 1 << n, after))
    # The last is tried first: what is known to have happened, and of that what began first.
    following.sort(key=lambda state: (bool((state[0] ^ done) & certain), -(state[0] ^ done)))
    return following


def _take(operation: Operation, value: str) -> str | None:
    """Return the value after an operation, or None when its answer contradicts the one before."""
    answer = operation.answer
    if operation.kind == "add":
        total = str(int(value or "0") + int(operation.value))
        return total if answer in (None, total) else None
    if answer is not None and answer != value:
        return None
    return operation.value if operation.kind == "write" else value


def describe(operations: list[Operation]) -> str:
    """Return a history as lines that a person can follow."""
    lines = []
    for item in operations:
        end = "?" if item.end_s == PENDING else f"{item.end_s:.4f}"
        told = "unknown" if item.answer is None else repr(item.answer)
        lines.append(
            f"  {item.begin_s:9.4f} to {end:>9}  client {item.client}"
            f" {item.kind} {item.key} {item.value} -> {told}"
        )
    return "\n".join(lines)
