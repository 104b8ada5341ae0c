"""What a world is made of, drawn from its seed: swarms, now these faults and now those."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any

from lolraft.raft.types import ShardId

KINDS = (
    "crash", "crash_many", "power_loss", "stop", "pause", "lag",
    "isolate", "partition", "bridge", "one_way", "flap", "break_stream",
    "loss", "duplicates", "disorder", "slow_network", "lost_shard", "deaf_beats", "deaf_frames",
    "slow_disk", "stuck_disk", "failing_disk", "full_disk", "torn_write", "rotten_sector",
    "slow_app", "broken_app",
    "clock_rate", "clock_jump", "add", "remove", "transfer", "timeout_now", "snapshot",
)  # fmt: skip
"""Every fault that a seed may draw; `faults.py` has them, and some that a plan must name."""

AMBUSHES = (
    "vote", "stand", "elected", "save", "truncate", "commit", "ack_append", "answer",
    "configuration", "snapshot", "install", "transfer", "epoch", "claim", "effect",
)  # fmt: skip
"""Moments at which a fault may be aimed; `ambushes.py` has them."""

READS = ("read", "read-lease", "read-local", "read-stale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about a world but its chance; `of_seed` draws one."""

    seed: int
    nodes: int = 3
    spares: int = 0  # Nodes that host the shards and are no members at first.
    shards: tuple[ShardId, ...] = (0,)
    clients: int = 3
    manners: tuple[str, ...] = ("careful",)
    operations: int = 150  # A client.
    pace_s: float = 0.1  # Between two operations of a client.
    chaos_s: float = 12.0
    siege_s: float = 0.0  # After it: clients slow down, faults strike on as often as before.
    strike_s: float = 0.7  # Between two strikes of the nemesis.
    kinds: tuple[str, ...] = ("crash",)
    ambushes: tuple[str, ...] = ()
    ambush_rate: float = 0.02  # Probability that a moment is used.
    latency_s: float = 0.0005
    snapshot_entries: int = 100_000
    tail_entries: int = 10_000
    session_entries: int = 100_000
    registers: bool = False  # Clients that insist use registered sessions, not opaque ids.
    apply_entries: int = 16_384  # In the queue of one shard's app.
    proposal_entries: int = 65_536  # Without an answer, of one shard.
    append_entries: int = 4096  # In one message; few make many small steps.
    pieces: int = 1  # A snapshot travels in so many pieces at least.
    grows: bool = False  # Bootstrapped by one member, the others are added.
    reads: tuple[str, ...] = ("read",)  # Values of `RequestKind`: clients choose among them.
    lease_s: float = 0.0  # 0: no leases. In a world with leases no clock jumps,
    clock_drift: float = 0.1  # and the rates of two clocks differ by so much at most, as a ratio.
    leaves_dead: bool = False  # A minority stays dead while progress is demanded.
    # What is left of a world that was made smaller; None means all. `minimize.py` names them.
    strikes: tuple[int, ...] | None = None  # Numbers of strikes of the nemesis.
    blows: tuple[str, ...] | None = None  # Moments at which an ambush strikes.
    asked: tuple[str, ...] | None = None  # Operations of clients: c0.3 is the third of client 0.

    @classmethod
    def of_seed(cls, seed: int, *, nodes: int | None = None, shards: int | None = None) -> Plan:
        """Return the world of a seed."""
        chance = Random(f"{seed} plan")
        count = chance.choice((1, 2, 3, 5, 8, len(KINDS)))
        aims = chance.choice((0, 0, 1, 2, 4))
        small = chance.random() < 0.5
        members = chance.choice((1, 2, 3, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7))
        number = chance.choice((1, 1, 2, 2, 3, 5, 8))
        other = Random(f"{seed} sessions")  # Apart, so that the rest of a seed's world stays.
        registers = other.random() < 0.4
        reading = Random(f"{seed} reads")
        siege = Random(f"{seed} siege")  # Of large worlds: there is most to go wrong.
        return cls(
            seed=seed,
            nodes=members if nodes is None else nodes,
            spares=chance.choice((0, 0, 0, 1, 2)),
            shards=tuple(range(number if shards is None else shards)),
            clients=chance.choice((2, 4, 6)),
            manners=chance.choice((("careful",), ("careful", "hasty"), ("careful", "eager"))),
            pace_s=chance.choice((0.02, 0.1, 0.1, 0.4)),
            chaos_s=chance.choice((5.0, 10.0, 10.0, 20.0)),
            siege_s=siege.choice((0.0, 30.0, 60.0)) if members > 2 and number > 1 else 0.0,
            strike_s=chance.choice((0.15, 0.4, 0.8, 1.5)),
            kinds=tuple(sorted(chance.sample(KINDS, count))),
            ambushes=tuple(sorted(chance.sample(AMBUSHES, aims))),
            ambush_rate=chance.choice((0.005, 0.03, 0.1)),
            latency_s=chance.choice((0.0003, 0.0005, 0.001, 0.005, 0.03)),
            snapshot_entries=chance.choice((5, 15, 50)) if small else 100_000,
            tail_entries=chance.choice((0, 3, 20)) if small else 10_000,
            pieces=chance.choice((1, 1, 3, 20)),
            grows=chance.random() < 0.15,
            leaves_dead=chance.random() < 0.3,
            append_entries=chance.choice((1, 2, 4096, 4096)),
            registers=registers,
            session_entries=other.choice((6, 25, 100_000)) if registers else 100_000,
            apply_entries=other.choice((1, 4, 16_384, 16_384)),
            proposal_entries=other.choice((2, 65_536, 65_536)),
            reads=reading.choice((("read",), READS, READS)),
            lease_s=reading.choice((0.0, 0.0, 0.3, 0.5, 1.0)),
            clock_drift=reading.choice((0.02, 0.1, 0.2)),
        )

    def spec(self) -> str:
        """Return the plan as one line: what differs from a plan's defaults, as JSON."""
        given = asdict(self)
        default = asdict(Plan(seed=self.seed))
        return json.dumps(
            {"seed": self.seed} | {name: v for name, v in given.items() if v != default[name]}
        )

    @classmethod
    def of_spec(cls, spec: str) -> Plan:
        """
        Return the plan that `spec` wrote.

        Raises:
            ValueError: it is not a plan.
        """
        given = json.loads(spec)
        known = {item.name for item in fields(cls)}
        if not isinstance(given, dict) or "seed" not in given or set(given) - known:
            raise ValueError(f"not a plan: {spec[:80]}; known are {', '.join(sorted(known))}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        return cls(**values)
