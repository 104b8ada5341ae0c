"""What a network does to messages: rules with a scope, put in force and taken out again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lolraft.raft.types import NodeId, ShardId

Link = tuple[NodeId, NodeId]
"""One direction: (sender, receiver)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    What happens on some links while it is in force.

    `cut` stands for a broken wire: streams hold up what they carry, and break when that takes too
    long. Everything else acts on single messages, as faults above the streams do.
    """

    cut: bool = False
    drop: float = 0.0  # Probability that a message is lost; 1 is a one-way cut that nobody sees.
    duplicate: float = 0.0
    reorder: float = 0.0  # Probability that a message is overtaken by later ones.
    delay_s: float = 0.0
    jitter_s: float = 0.0
    kind: str = ""  # beat, frame, snapshot; empty means all.
    shard_id: ShardId | None = None  # Only this shard's messages are lost.


CALM = Rule()


class Weather:
    """Know the rules in force on each link."""

    def __init__(self) -> None:
        self._next = 0
        self._rules: dict[int, tuple[dict[Link, None], Rule]] = {}
        self._merged: dict[tuple[NodeId, NodeId, str], Rule] = {}
        self._cuts: dict[Link, int] = {}

    def put(self, links: Iterable[Link], rule: Rule) -> int:
        """Put *rule* in force on *links*; the number returned takes it out."""
        self._next += 1
        scope = dict.fromkeys(links)
        self._rules[self._next] = (scope, rule)
        if rule.cut:
            for link in scope:
                self._cuts[link] = self._cuts.get(link, 0) + 1
        self._merged.clear()
        return self._next

    def take(self, number: int) -> None:
        """Take a rule out; harmless when it is out already."""
        scope, rule = self._rules.pop(number, ({}, CALM))
        if rule.cut:
            for link in scope:
                self._cuts[link] -= 1
                if not self._cuts[link]:
                    del self._cuts[link]
        self._merged.clear()

    def clear(self) -> None:
        """End everything."""
        self._rules.clear()
        self._merged.clear()
        self._cuts.clear()

    @property
    def in_force(self) -> dict[int, tuple[tuple[Link, ...], Rule]]:
        """Return every rule with its links, by its number."""
        return {number: (tuple(scope), rule) for number, (scope, rule) in self._rules.items()}

    @property
    def has_cuts(self) -> bool:
        """Return whether a wire is broken."""
        return bool(self._cuts)

    @property
    def is_calm(self) -> bool:
        """Return whether no rule is in force."""
        return not self._rules

    def is_cut(self, one: NodeId, other: NodeId) -> bool:
        """Return whether the wire between the two is broken: a stream needs both directions."""
        return bool(self._cuts) and ((one, other) in self._cuts or (other, one) in self._cuts)

    def on(self, sender: NodeId, receiver: NodeId, kind: str) -> Rule:
        """Return what the rules on one link come to for one kind of message of any shard."""
        if not self._rules:
            return CALM
        key = (sender, receiver, kind)
        merged = self._merged.get(key)
        if merged is None:
            merged = self._merged[key] = self._merge(sender, receiver, kind)
        return merged

    def lost_shards(self, sender: NodeId, receiver: NodeId) -> dict[ShardId, float]:
        """Return with which probability messages of single shards are lost on a link."""
        return {
            rule.shard_id: rule.drop
            for scope, rule in self._rules.values()
            if rule.shard_id is not None and (sender, receiver) in scope
        }

    def _merge(self, sender: NodeId, receiver: NodeId, kind: str) -> Rule:
        merged = CALM
        for scope, rule in self._rules.values():
            if (sender, receiver) not in scope or rule.kind not in ("", kind):
                continue
            if rule.shard_id is not None:
                continue
            merged = replace(
                merged,
                drop=1 - (1 - merged.drop) * (1 - rule.drop),
                duplicate=max(merged.duplicate, rule.duplicate),
                reorder=max(merged.reorder, rule.reorder),
                delay_s=merged.delay_s + rule.delay_s,
                jitter_s=merged.jitter_s + rule.jitter_s,
            )
        return merged
