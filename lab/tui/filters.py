"""What `/` understands: `!lagging`, `term>8`, `lag>100`, `n2`, `electing`, any other words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lab.observe.view import EventView, LogLineView, ShardView, with_age

_COMPARED = re.compile(r"(shard|term|lag|commit|last)(<=|>=|<|>|=)(\d+)")
_UNFINISHED = re.compile(r"(shard|term|lag|commit|last)(<=|>=|<|>|=)?")
_STATUSES = ("ok", "lagging", "electing", "no-leader", "no-quorum", "empty")


@dataclass(frozen=True, slots=True)
class Filter:
    """Words that must all hold; one with `!` before it must not."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def shard(self, shard: ShardView, name: str) -> bool:
        """Say whether a shard passes; *name* is what the screen calls it."""
        return all(_holds(word, lambda w: _of_shard(w, shard, name)) for word in self._words())

    def line(self, line: LogLineView | EventView) -> bool:
        """Say whether a log line or an event passes."""
        level = line.level if isinstance(line, LogLineView) else line.kind
        return self.words(f"{level} {line.node or ''} {line.text}")

    def words(self, whole: str) -> bool:
        """Say whether a text passes."""
        whole = whole.lower()
        return all(_holds(word, lambda w: w in whole) for word in self._words())

    def _words(self) -> list[str]:
        return self.text.lower().split()


def _holds(word: str, test: Callable[[str], bool]) -> bool:
    inverted = word.startswith("!")
    bare = word[1:] if inverted else word
    return not bare or test(bare) != inverted


def _of_shard(word: str, shard: ShardView, name: str) -> bool:
    compared = _COMPARED.fullmatch(word)
    if compared:
        field, sign, number = compared.groups()
        return _compare(_number_of(field, shard), sign, int(number))
    if _UNFINISHED.fullmatch(word):
        return True  # It is being typed: hide nothing yet.
    if word in _STATUSES:
        return shard.status == word
    if re.fullmatch(r"n\d+", word):
        return shard.leader == word
    return word in f"{name} {shard.status} {with_age(shard.why, 0.0)} {shard.leader or ''}".lower()


def _number_of(field: str, shard: ShardView) -> int:
    lasts = [replica.last_index for replica in shard.replicas.values()]
    numbers = {
        "shard": shard.shard_id,
        "term": shard.term,
        "commit": shard.commit_index,
        "last": max(lasts, default=0),
        "lag": max(lasts, default=0) - min(lasts, default=0),
    }
    return numbers[field]


def _compare(left: int, sign: str, right: int) -> bool:
    return {
        "<": left < right,
        ">": left > right,
        "=": left == right,
        "<=": left <= right,
        ">=": left >= right,
    }[sign]
