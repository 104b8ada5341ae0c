"""`lolraft.Raft`: the wire of lolraft 0.10.2, for clients and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NoReturn

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty

from lolraft.config import Config
from lolraft.multiraft.frames import RequestKind
from lolraft.rpc.answers import (
    Context,
    message_or_abort,
    refuse,
    server_id_or_abort,
    why_bad_write,
)
from lolraft.rpc.pb import lolraft_pb2, lolraft_pb2_grpc
from lolraft.runtime.driver import Driver

NODES_ONLY = (
    "nodes of this implementation speak lolraft.Peer among themselves; a cluster cannot be mixed "
    "with nodes of lolraft 0.10.2"
)


class RaftService(lolraft_pb2_grpc.RaftServicer):
    """Turn calls into requests of the machine and its answers into responses or statuses."""

    def __init__(self, driver: Driver, config: Config) -> None:
        self._driver = driver
        self._entry_bytes = config.limits.entry_bytes

    async def Write(  # noqa: N802  # Method names are those of the wire.
        self, request: lolraft_pb2.WriteRequest, context: Context
    ) -> lolraft_pb2.Response:
        """Change the state of a shard's app, once per request id."""
        bad = why_bad_write(request.message, request.request_id, self._entry_bytes)
        if bad is not None:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, bad)
        respond = await self._driver.ask(
            RequestKind.WRITE, request.shard_id, request.message, request.request_id
        )
        return lolraft_pb2.Response(message=await message_or_abort(context, respond))

    async def Read(  # noqa: N802
        self, request: lolraft_pb2.ReadRequest, context: Context
    ) -> lolraft_pb2.Response:
        """Ask a shard's app, linearizably."""
        respond = await self._driver.ask(RequestKind.READ, request.shard_id, request.message)
        return lolraft_pb2.Response(message=await message_or_abort(context, respond))

    async def AddServer(  # noqa: N802
        self, request: lolraft_pb2.AddServerRequest, context: Context
    ) -> Empty:
        """Add a server, or bootstrap a group of one; answers when the change is committed."""
        return await self._change(RequestKind.ADD_SERVER, request, context)

    async def RemoveServer(  # noqa: N802
        self, request: lolraft_pb2.RemoveServerRequest, context: Context
    ) -> Empty:
        """Take a server out; answers when the change is committed."""
        return await self._change(RequestKind.REMOVE_SERVER, request, context)

    async def _change(
        self,
        kind: RequestKind,
        request: lolraft_pb2.AddServerRequest | lolraft_pb2.RemoveServerRequest,
        context: Context,
    ) -> Empty:
        server = await server_id_or_abort(context, request.server_id)
        respond = await self._driver.ask(kind, request.shard_id, server.encode())
        await message_or_abort(context, respond)
        return Empty()

    async def SendTimeoutNow(  # noqa: N802
        self, request: lolraft_pb2.TimeoutNow, context: Context
    ) -> Empty:
        """Start an election at once (S6)."""
        await message_or_abort(context, await self._driver.ask_timeout_now(request.shard_id))
        return Empty()

    async def GetSnapshot(  # noqa: N802
        self, request: lolraft_pb2.GetSnapshotRequest, context: Context
    ) -> AsyncIterator[lolraft_pb2.SnapshotChunk]:
        """Stream the app's bytes of a snapshot."""
        try:
            async for chunk in self._driver.open_snapshot(request.shard_id, request.index):
                yield lolraft_pb2.SnapshotChunk(data=chunk)
        except LookupError as missing:
            text = f"no snapshot {request.index} of shard {request.shard_id} here: {missing}"
            await refuse(context, grpc.StatusCode.NOT_FOUND, text)
        except Exception as broken:  # The app's: whatever it is, the node goes on.
            text = f"shard {request.shard_id} cannot read its snapshot {request.index}: {broken!r}"
            await refuse(context, grpc.StatusCode.INTERNAL, text)

    async def RequestVote(self, request: object, context: Context) -> NoReturn:  # noqa: N802
        """Refuse: only nodes of 0.10.2 call this."""
        await refuse(context, grpc.StatusCode.UNIMPLEMENTED, NODES_ONLY)

    SendHeartbeat = ProcessKernRequest = SendReplicationStream = RequestVote
