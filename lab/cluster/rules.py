"""Transport rules for a whole cluster: pushed to every node, renewed while they hold (DESIGN 8)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import grpc
import grpc.aio

from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.faults import ClockTrouble, DiskTrouble, LinkTrouble
from lolraft.client_stream import channel_at
from lolraft.config import Tls
from lolraft.errors import ConfigError
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

LEASE_S, RENEW_S, PUSH_S = 3.0, 1.0, 1.5


@dataclass(frozen=True, slots=True)
class Rules:
    """What is to go wrong, by the names of nodes."""

    links: tuple[tuple[str, str, LinkTrouble], ...] = ()  # (sender, receiver, how).
    disks: tuple[tuple[str, DiskTrouble], ...] = ()
    clocks: tuple[tuple[str, ClockTrouble], ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything is to go wrong."""
        return bool(self.links or self.disks or self.clocks)


class RuleBoard:
    """
    Keep the same rules on every node, with a lease: nothing outlives the lab.

    A node that restarts or comes back gets the rules at the next renewal.
    """

    def __init__(self, nodes: Callable[[], tuple[NodeHandle, ...]], tls: Tls | None = None) -> None:
        self._nodes = nodes
        self._tls = tls
        self._rules = Rules()
        self._version = 0
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._renewing: asyncio.Task[None] | None = None

    async def set(self, rules: Rules) -> None:
        """
        Put exactly these rules in force, and wait until the nodes that run know it.

        Raises:
            ClusterError: no node takes rules.
        """
        self._rules = rules
        failures = await self._push()
        if rules and self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew())
        running = sum(node.state is NodeState.RUNNING for node in self._nodes())
        if rules and running and len(failures) >= running:
            raise ClusterError(
                f"no node takes transport rules ({failures[0]}); start them with --enable-faults"
            )

    async def push_again(self) -> None:
        """Give the rules to a node that has just come back, before the next renewal."""
        if self._rules:
            await self._push()

    async def _renew(self) -> None:
        while self._rules:
            await asyncio.sleep(RENEW_S)
            await self._push()
        self._renewing = None

    async def _push(self) -> list[str]:
        """Give every running node the rule set; return why some did not take it."""
        # Versions come from the clock, so that a lab started later is always newer.
        self._version = max(self._version + 1, int(time.time() * 1000))
        links = self._link_rules()
        running = [node for node in self._nodes() if node.state is NodeState.RUNNING]
        results = await asyncio.gather(*(self._push_to(node, links) for node in running))
        return [result for result in results if result is not None]

    def _link_rules(self) -> list[observe_pb2.LinkRule]:
        ids = {node.name: node.node_id for node in self._nodes()}
        found = []
        for sender, receiver, trouble in self._rules.links:
            if sender in ids and receiver in ids:
                rule = observe_pb2.LinkRule(to=ids[receiver], **asdict(trouble))
                setattr(rule, "from", ids[sender])
                found.append(rule)
        return found

    def _for(self, node: NodeHandle, links: list[observe_pb2.LinkRule]) -> observe_pb2.FaultRules:
        rules = observe_pb2.FaultRules(version=self._version, lease_s=LEASE_S, links=links)
        for name, disk in self._rules.disks:
            if name == node.name:
                rules.storage.MergeFrom(observe_pb2.StorageRule(**asdict(disk)))
        for name, clock in self._rules.clocks:
            if name == node.name:
                rules.clock.MergeFrom(observe_pb2.ClockRule(**asdict(clock)))
        return rules

    async def _push_to(self, node: NodeHandle, links: list[observe_pb2.LinkRule]) -> str | None:
        rules = self._for(node, links)
        try:
            await self._stub(node.watch_address).Set(rules, timeout=PUSH_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            return f"{node.name}: {error.details() or error.code().name}"
        except ConfigError as broken:  # A TLS file is gone.
            return f"{node.name}: {broken}"
        return None

    def _stub(self, address: str) -> Any:  # noqa: ANN401  # Generated stubs are untyped.
        if address not in self._channels:
            options = [("grpc.max_reconnect_backoff_ms", 500)]
            self._channels[address] = channel_at(address, self._tls, options)
        return observe_pb2_grpc.FaultsStub(self._channels[address])

    async def close(self) -> None:
        """End all rules and every connection."""
        if self._rules:
            self._rules = Rules()
            await self._push()
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
        for channel in self._channels.values():
            await channel.close()
