"""The words that every layer shares: identities, clocks, entries, configurations, timing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import NamedTuple, NewType, TypeAlias

NodeId = NewType("NodeId", str)
"""The address that peers dial, normalised: `http://node-0:50000` (PROTOCOL C7)."""

ShardId: TypeAlias = int
"""Number of one Raft group, 0 to 2**32 - 1 (lolraft 0.10.2 called it a lane)."""

Term: TypeAlias = int
Index: TypeAlias = int

Ticket: TypeAlias = int
"""Who asked. Exactly one effect carries each ticket back."""

GroupId: TypeAlias = int
"""128-bit identity of a Raft group, born with entry 1; 0 means that none is known yet (S2)."""


class Clock(NamedTuple):
    """Identify an entry; compared by term first, which is Raft's "up to date" (§3.6.1)."""

    term: Term
    index: Index  # type: ignore[assignment]  # Hides tuple.index(), which nobody needs here.


ZERO = Clock(0, 0)
"""The clock before entry 1, which itself is (0, 1)."""


class Ballot(NamedTuple):
    """Hold what a replica must never forget: its term and its vote in it (§3.8)."""

    current_term: Term
    voted_for: NodeId | None


NO_BALLOT = Ballot(0, None)
"""What a replica starts with."""


class Role(Enum):
    """Say what a replica is doing; whether it is a learner is a fact of its configuration."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class EntryKind(IntEnum):
    """Say who reads an entry's payload."""

    BARRIER = 0  # Nobody: a new leader's first entry (§6.4).
    COMMAND = 1  # The layer above: opaque bytes here.
    CONFIGURATION = 2  # Raft: `Configuration.encode()`.


class Entries(NamedTuple):
    """
    Hold consecutive entries as columns: no object per entry, cheap to slice and to send.

    The three columns have equal length; entry *i* has index `first + i`.
    """

    first: Index
    terms: tuple[Term, ...]
    kinds: bytes  # One `EntryKind` a byte.
    payloads: tuple[bytes, ...]

    @property
    def last(self) -> Index:
        """Return the index of the last entry, or `first - 1` when there is none."""
        return self.first + len(self.terms) - 1

    @property
    def last_clock(self) -> Clock:
        """Return the clock of the last entry; there must be one."""
        return Clock(self.terms[-1], self.last)


NO_ENTRIES = Entries(1, (), b"", ())
"""An empty log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """
    Say who belongs to the group; every tuple is sorted, so that equal sets are equal values.

    While `outgoing` is not empty the configuration is joint: every decision needs a majority of
    `voters` and one of `outgoing` (§4.3).
    """

    voters: tuple[NodeId, ...]
    outgoing: tuple[NodeId, ...] = ()
    learners: tuple[NodeId, ...] = ()
    incarnations: tuple[tuple[NodeId, int], ...] = ()  # Of members added with one (S4), sorted.
    group_id: GroupId = 0

    @property
    def is_joint(self) -> bool:
        """Return whether two majorities are needed."""
        return bool(self.outgoing)

    @property
    def members(self) -> tuple[NodeId, ...]:
        """Return everybody who receives entries, sorted."""
        return tuple(sorted({*self.voters, *self.outgoing, *self.learners}))

    def is_voter(self, node_id: NodeId) -> bool:
        """Return whether *node_id* votes in either half."""
        return node_id in self.voters or node_id in self.outgoing

    def with_members(
        self,
        *,
        voters: tuple[NodeId, ...] | None = None,
        outgoing: tuple[NodeId, ...] | None = None,
        learners: tuple[NodeId, ...] | None = None,
    ) -> Configuration:
        """Return a copy with the given sets, sorted."""
        return replace(
            self,
            voters=self.voters if voters is None else tuple(sorted(voters)),
            outgoing=self.outgoing if outgoing is None else tuple(sorted(outgoing)),
            learners=self.learners if learners is None else tuple(sorted(learners)),
        )

    def encode(self) -> bytes:
        """Return the entry's payload: JSON, so that a person can read it in the lab."""
        return json.dumps(
            {
                "group": f"{self.group_id:032x}",
                "voters": self.voters,
                "outgoing": self.outgoing,
                "learners": self.learners,
                "incarnations": dict(self.incarnations),
            },
            separators=(",", ":"),
        ).encode()

    @classmethod
    def decode(cls, payload: bytes) -> Configuration:
        """
        Read what `encode` wrote.

        Raises:
            ValueError: *payload* is not a configuration.
        """
        try:
            raw = json.loads(payload)
            incarnations = tuple(sorted(raw["incarnations"].items()))
            if not all(type(number) is int and 0 <= number < 2**64 for _, number in incarnations):
                raise ValueError("an incarnation has 64 bits")
            return cls(
                voters=_names(raw["voters"]),
                outgoing=_names(raw["outgoing"]),
                learners=_names(raw["learners"]),
                incarnations=incarnations,
                group_id=int(raw["group"], 16) & (2**128 - 1),
            )
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as broken:
            raise ValueError(f"not a configuration: {payload[:80]!r}") from broken


def _names(raw: object) -> tuple[NodeId, ...]:
    if not isinstance(raw, list) or {*map(type, raw)} - {str} or len({*raw}) < len(raw):
        raise ValueError("members are a list of addresses, each once: twice would count twice")
    return tuple(sorted(raw))


NO_CONFIGURATION = Configuration(voters=())
"""What a hosted shard has before it is bootstrapped or heard an append: it is silent (§10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotMeta:
    """Describe what Raft needs beside the app's bytes (§5.1); `sessions` is opaque here."""

    clock: Clock
    configuration: Configuration
    configuration_index: Index
    sessions: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Hold the waits of the protocol, in seconds; the defaults are those of DESIGN section 5."""

    heartbeat_s: float = 0.1
    election_timeout_s: float = 1.0  # Ten intervals (L11); for check quorum and stalls.
    election_delay_max_s: float = 5.0  # Doubling delays stop here (L8).
    retry_s: float = 0.3  # An unanswered append to a live peer is sent again.
    commit_news_s: float = 0.01  # So long a commit waits for an append that carries it along.
    catch_up_s: float = 10.0  # A learner without progress for so long is taken out (C2).
    transfer_s: float = 1.0  # A leadership transfer that takes longer is given up.


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound what one replica sends at once and remembers."""

    append_bytes: int = 512 * 1024
    append_entries: int = 4096
    window: int = 16  # Appends in flight to one peer, at most (P4).
    proposal_bytes: int = 64 * 1024 * 1024  # Of requests without an answer at the leader.
    proposal_entries: int = 65_536  # And so many of them.
    entry_bytes: int = 4 * 1024 * 1024

    @property
    def in_flight(self) -> tuple[int, int]:
        """Return how many entries, and bytes of them, may be in flight to one follower."""
        # An append carries one entry at least, however long it is.
        append_bytes = max(self.append_bytes, self.entry_bytes)
        return self.window * self.append_entries, self.window * append_bytes
