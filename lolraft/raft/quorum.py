"""Majorities, alone and joint: the only place that counts (§4.3, PROTOCOL S13)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lolraft.raft.types import Configuration, Index, NodeId


def _halves(configuration: Configuration) -> tuple[tuple[NodeId, ...], ...]:
    if configuration.outgoing:
        return (configuration.voters, configuration.outgoing)
    return (configuration.voters,)


def has_quorum(configuration: Configuration, have: Collection[NodeId]) -> bool:
    """Return whether *have* holds a majority of the voters, of both sets while joint."""
    return all(
        sum(voter in have for voter in half) * 2 > len(half) for half in _halves(configuration)
    )


def committed_index(configuration: Configuration, match: Mapping[NodeId, Index]) -> Index:
    """Return the highest index that a majority holds, of both sets while joint; 0 for unknown."""
    return min(
        (
            sorted((match.get(voter, 0) for voter in half), reverse=True)[len(half) // 2]
            for half in _halves(configuration)
            if half
        ),
        default=0,
    )
