"""Backend `connect`: nodes that somebody else runs; watched, written to, cut by transport rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from lab.cluster.handshake import OPTIONS, context_of, why_no_tls
from lab.cluster.interface import ClusterError, NodeHandle, NodeState
from lab.cluster.untouchable import UntouchableCluster
from lab.faults import FaultKind
from lolraft.client_stream import channel_at
from lolraft.config import Tls, normalise_node_id
from lolraft.errors import ConfigError
from lolraft.raft.types import NodeId
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

FIND_S = 5.0
PROCESS = (FaultKind.KILL, FaultKind.STOP, FaultKind.PAUSE, FaultKind.CRASH_LOOP)


class ConnectedCluster(UntouchableCluster):
    """A cluster by the addresses of some of its nodes; the others are found through them."""

    def __init__(self, addresses: tuple[str, ...], tls: Tls | None = None) -> None:
        """
        Know some addresses: of nodes that speak TLS with the files of *tls*, else in plain text.

        Raises:
            ConfigError: one is no address, or *tls* does not fit its scheme.
        """
        super().__init__("connect", f"connect:{addresses[0]}", tls)
        self._addresses = tuple(dict.fromkeys(_address(one, tls) for one in addresses))

    async def start(self, progress: Callable[[str], None]) -> None:
        """
        Find every node, by what those that answer say of their peers.

        A peer that does not answer now is a node too: it is dialled for ever, by its id.

        Raises:
            ClusterError: nobody answers.
            ConfigError: the TLS files are no good.
        """
        if self.tls is not None:
            context_of(self.tls)
        progress(f"asking {', '.join(self._addresses)}")
        found: dict[NodeId, str] = {}
        named: set[NodeId] = set()
        waiting = list(self._addresses)
        asked: set[str] = set()
        while waiting:
            asked.update(waiting)
            for who, peers, address in filter(
                None, await asyncio.gather(*(_identity(address, self.tls) for address in waiting))
            ):
                found[who] = address
                named.update(peers)
                waiting += peers
            waiting = [node for node in dict.fromkeys(waiting) if node not in asked]
        if not found:
            raise ClusterError(await self._why_nobody())
        silent = {node_id: _target(node_id) for node_id in named - set(found)}
        for number, (node_id, address) in enumerate(sorted({**found, **silent}.items()), 1):
            name = f"n{number}"
            self._handles[name] = NodeHandle(
                name=name,
                node_id=node_id,
                watch_address=address,
                state=NodeState.RUNNING,
            )
        self._changed()

    async def _why_nobody(self) -> str:
        whys = await asyncio.gather(*(why_no_tls(one, self.tls) for one in self._addresses))
        return "; ".join(filter(None, whys)) or (
            f"no node answers at {', '.join(self._addresses)}; see whether they run, and "
            "whether the port is the one they listen on"
        )

    def why_not(self, kind: FaultKind) -> str | None:
        """Return why processes of somebody else are not touched."""
        if kind not in PROCESS:
            return None
        return "these nodes were not started by this lab: stop them where they run"

    async def add_node(self) -> NodeHandle:
        """Refuse."""
        raise ClusterError("start the new node where it should run, then connect to it too")

    async def close(self, *, leave_running: bool = False) -> None:
        """Heal and let go; the nodes run on."""
        self._faults.clear()
        await self._end_loops()
        await self._rules.close()


def _address(text: str, tls: Tls | None) -> NodeId:
    """Return the id that an address names; one without a scheme speaks as the others do."""
    node = normalise_node_id(f"https://{text}" if tls is not None and "://" not in text else text)
    if node.startswith("https://") and tls is None:
        raise ConfigError(f"{node} speaks TLS: give {OPTIONS} too, of this cluster's CA")
    if node.startswith("http://") and tls is not None:
        raise ConfigError(f"{node} is plain text: write https://, or leave out {OPTIONS}")
    return node


def _target(address: str) -> str:
    return address.partition("://")[2] or address


async def _identity(address: str, tls: Tls | None) -> tuple[NodeId, list[NodeId], str] | None:
    """Return a node's id, its peers and where it was asked; None when it does not answer."""
    target = _target(address)
    async with channel_at(target, tls, ()) as channel:
        stub: Any = observe_pb2_grpc.ObserveStub(channel)  # type: ignore[no-untyped-call]
        try:
            async for update in stub.Watch(observe_pb2.WatchRequest(), timeout=FIND_S):
                peers = [normalise_node_id(peer.peer) for peer in update.peers]
                return normalise_node_id(update.node.node_id), peers, target
        except grpc.aio.AioRpcError:
            pass
    return None
