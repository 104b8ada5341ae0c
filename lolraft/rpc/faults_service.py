"""`lolraft.Faults`: breaking a node on purpose; only with `--enable-faults`."""

from __future__ import annotations

import math

import grpc

from lolraft.config import normalise_node_id
from lolraft.errors import ConfigError
from lolraft.rpc.answers import Context, refuse
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc
from lolraft.runtime.faults import FaultBox, LinkRule, Rules

KINDS = ("", "append", "vote", "beat", "snapshot", "forward")
LONGEST_LEASE_S = 3_600.0


class FaultsService(observe_pb2_grpc.FaultsServicer):
    """Set and show the rules of one node."""

    def __init__(self, box: FaultBox) -> None:
        self._box = box
        self._wire = observe_pb2.FaultRules()

    async def Set(  # noqa: N802
        self, request: observe_pb2.FaultRules, context: Context
    ) -> observe_pb2.FaultState:
        """Replace the rule set; it ends with its lease."""
        try:
            rules = parse(request)
        except (ConfigError, ValueError) as bad:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(bad))
        if not self._box.set(rules):
            text = f"rules of version {self._box.rules.version} are known; use a higher one"
            await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, text)
        self._wire.CopyFrom(request)
        return self._state()

    async def Get(  # noqa: N802
        self, request: observe_pb2.GetFaults, context: Context
    ) -> observe_pb2.FaultState:
        """Show what is in force."""
        return self._state()

    def _state(self) -> observe_pb2.FaultState:
        in_force = self._box.version_in_force
        return observe_pb2.FaultState(
            version=self._box.rules.version,
            lease_left_s=self._box.lease_left_s,
            rules=self._wire if in_force else None,
        )


def parse(wire: observe_pb2.FaultRules) -> Rules:
    """
    Return the rules as values.

    Raises:
        ValueError: a number is out of range, or a kind unknown.
        ConfigError: a node is not an address.
    """
    if wire.version == 0:
        raise ValueError("rules have a version of 1 or more, higher than the one before")
    _within("lease_s", wire.lease_s, LONGEST_LEASE_S)
    _within("storage.sync_delay_s", wire.storage.sync_delay_s, 60.0)
    _within("clock.rate", wire.clock.rate, 100.0)
    _within("clock.jump_s", wire.clock.jump_s, 3_600.0)
    return Rules(
        version=wire.version,
        lease_s=wire.lease_s,
        links=tuple(_link(rule) for rule in wire.links),
        sync_delay_s=wire.storage.sync_delay_s,
        fail_sync=wire.storage.fail_sync,
        full=wire.storage.full,
        clock_rate=wire.clock.rate or 1.0,
        clock_jump_s=wire.clock.jump_s,
    )


def _link(wire: observe_pb2.LinkRule) -> LinkRule:
    if wire.kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS[1:])} or empty, not {wire.kind!r}")
    for name in ("drop", "duplicate", "reorder"):
        _within(name, getattr(wire, name), 1.0)
    for name in ("delay_s", "jitter_s"):
        _within(name, getattr(wire, name), 60.0)
    _within("bandwidth_bytes_s", wire.bandwidth_bytes_s, 1e12)
    return LinkRule(
        sender=normalise_node_id(getattr(wire, "from")) if getattr(wire, "from") else "",
        receiver=normalise_node_id(wire.to) if wire.to else "",
        shard_id=wire.shard_id if wire.HasField("shard_id") else None,
        kind=wire.kind,
        drop=wire.drop,
        delay_s=wire.delay_s,
        jitter_s=wire.jitter_s,
        duplicate=wire.duplicate,
        reorder=wire.reorder,
        bandwidth_bytes_s=wire.bandwidth_bytes_s,
    )


def _within(name: str, value: float, most: float) -> None:
    if not math.isfinite(value) or not 0.0 <= value <= most:
        raise ValueError(f"{name} is a number from 0 to {most:g}, not {value}")
