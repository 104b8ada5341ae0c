"""`RaftNode`: one node, embedded in a program of your own or run by `lolraft serve`."""

from __future__ import annotations

import asyncio
import logging
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import grpc.aio

from lolraft.app import RaftApp
from lolraft.config import Config
from lolraft.errors import ConfigError, LolraftError
from lolraft.multiraft.machine import NodeMachine
from lolraft.multiraft.node import NodeConfig
from lolraft.multiraft.records import NodeRecord, ShardRecord
from lolraft.raft.types import NodeId, ShardId
from lolraft.rpc.peer_listen import listen
from lolraft.rpc.peer_transport import GrpcTransport
from lolraft.runtime.apps import AppHost
from lolraft.runtime.driver import Driver
from lolraft.runtime.faults import FaultBox, FaultyStorage, SkewedClock
from lolraft.runtime.faulty_transport import FaultyTransport
from lolraft.runtime.transport import Transport
from lolraft.storage.interface import Storage
from lolraft.storage.memory import MemoryStorage
from lolraft.storage.sqlite import SqliteStorage

MakeApp = Callable[[ShardId, Path], RaftApp]
"""Build the app of one shard; it may keep its snapshots in the directory, which is its own."""

AddServices = Callable[[grpc.aio.Server], None]

GRACE_S = 0.2
"""How long calls under way may take to end when a node stops; streams of watchers never do."""

logger = logging.getLogger(__name__)


class RaftNode:
    """
    Run one node: gRPC server, storage, apps and the machine that decides.

    Everything happens in the event loop that calls `start`, except for the disk, which has a
    thread. Use it as an async context manager, or call `start` and `stop`.
    """

    def __init__(
        self, config: Config, app: MakeApp, *, extra_services: AddServices | None = None
    ) -> None:
        self.config = config
        self._app = app
        self._extra_services = extra_services
        self._driver: Driver | None = None
        self._server: grpc.aio.Server | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._faults: FaultBox | None = None
        self._stopped = asyncio.Event()
        self._stopping = False
        self._guard: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @property
    def address(self) -> NodeId:
        """Return what peers and clients dial."""
        return self.config.node_id

    @property
    def driver(self) -> Driver:
        """
        Return the driver.

        Raises:
            LolraftError: the node has not been started.
        """
        if self._driver is None:
            raise LolraftError("the node has not been started")
        return self._driver

    @property
    def server(self) -> grpc.aio.Server:
        """
        Return the gRPC server.

        Raises:
            LolraftError: the node has not been started.
        """
        if self._server is None:
            raise LolraftError("the node has not been started")
        return self._server

    async def start(self) -> None:
        """
        Take the port, open the data and serve.

        Raises:
            ConfigError: the port is taken, or a TLS file cannot be read.
            StorageError: the data cannot be used; the text says why and what to do.
        """
        if self._driver is not None:
            raise LolraftError("a node is started once; make a new RaftNode")
        wire = GrpcTransport(
            patience_s=self.config.timing.election_timeout_s,
            max_message_bytes=self.config.max_message_bytes,
            tls=self.config.tls,
        )
        self._server = listen(self.config)
        self._server.add_generic_rpc_handlers((wire.servicer.handler(),))
        try:
            storage, apps_directory = self._places()
            transport, storage, clock = self._seams(wire, storage)
            self._driver = Driver(
                node_id=self.config.node_id,
                make_machine=self._make_machine,
                storage=storage,
                transport=transport,
                clock=clock,
                host=lambda driver: AppHost(
                    self._app, apps_directory, driver.post, driver.transport.fetch_snapshot
                ),
                shards=self.config.shards,
                app_name=self.config.app_name,
            )
            await self._driver.start()
            await self._add_services(self._server, self._driver)
            await self._server.start()
        except BaseException:
            if self._driver is not None:
                await self._driver.crash()
            await self._end(0.0)
            raise
        self._guard = asyncio.get_running_loop().create_task(self._watch(self._driver))
        logger.info("%s listens on %s", self.address, self.config.listen)

    async def stop(self, reason: str = "the node stops") -> None:
        """Stop in order: requests are answered, claims withdrawn, data flushed and closed."""
        if not self._stopping:
            self._stopping = True
            if self._driver is not None:
                await self._driver.stop(reason)
            await self._end(GRACE_S)
        await self._stopped.wait()

    async def crash(self) -> None:
        """Stop as if the process had been killed, but for the port and files: for tests."""
        if not self._stopping:
            self._stopping = True
            if self._driver is not None:
                await self._driver.crash()
            await self._end(0.0)
        await self._stopped.wait()

    async def wait_stopped(self) -> None:
        """
        Wait until the node has stopped, whoever stopped it.

        Raises:
            LolraftError: it stopped because of a mistake of its own; the log has the trace.
        """
        await self._stopped.wait()
        if self._failure is not None:
            raise LolraftError("the node stopped: internal error, see the log") from self._failure

    async def __aenter__(self) -> RaftNode:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    # --- the parts -------------------------------------------------------------------------------

    def _places(self) -> tuple[Storage, Path]:
        if self.config.data is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="lolraft-")
            return MemoryStorage(), Path(self._scratch.name)
        try:
            self.config.data.mkdir(parents=True, exist_ok=True)
        except OSError as broken:
            raise ConfigError(
                f"cannot make the data directory {self.config.data}: {broken.strerror}"
            ) from broken
        return SqliteStorage(self.config.data), self.config.data / "apps"

    def _seams(
        self, transport: Transport, storage: Storage
    ) -> tuple[Transport, Storage, Callable[[], float]]:
        """Put the faults in, where they are enabled, and nothing elsewhere."""
        if not self.config.enable_faults:
            return transport, storage, time.monotonic
        self._faults = FaultBox(self.config.node_id)
        return (
            FaultyTransport(transport, self._faults),
            FaultyStorage(storage, self._faults),
            SkewedClock(self._faults),
        )

    def _make_machine(
        self, record: NodeRecord, shards: dict[ShardId, ShardRecord], now_s: float
    ) -> NodeMachine:
        config = self.config
        return NodeMachine(
            record,
            shards,
            config=NodeConfig(
                node_id=config.node_id,
                timing=config.timing,
                limits=config.limits,
                phi_threshold=config.phi_threshold,
                members=config.members,
                snapshot_entries=config.snapshot_entries,
                snapshot_bytes=config.snapshot_bytes,
                priority=config.priority,
                # A frame holds what waits; the peer must be able to take it as one message.
                outbox_bytes=config.max_message_bytes // 2,
            ),
            seed=secrets.randbits(64),
            now_s=now_s,
        )

    async def _add_services(self, server: grpc.aio.Server, driver: Driver) -> None:
        from lolraft.rpc.services import add_services

        await add_services(server, driver, self.config, self._faults)
        if self._extra_services is not None:
            self._extra_services(server)

    async def _watch(self, driver: Driver) -> None:
        try:
            await asyncio.shield(driver.failed)
        except asyncio.CancelledError:
            raise
        except Exception as failure:
            self._failure = failure
            self._guard = None  # `_end` would cancel it, and it is the one that ends.
            await self.stop("the node stopped because of an internal error")

    async def _end(self, grace_s: float) -> None:
        if self._guard is not None:
            self._guard.cancel()
            with suppress(asyncio.CancelledError):
                await self._guard
        if self._server is not None:
            await self._server.stop(grace_s)
        if self._scratch is not None:
            await asyncio.to_thread(self._scratch.cleanup)
        self._stopped.set()
