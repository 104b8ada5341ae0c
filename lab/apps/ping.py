"""`testapp.Ping`: is the test application there?"""

from __future__ import annotations

import grpc.aio
from google.protobuf.empty_pb2 import Empty

from lolraft.rpc.pb import testapp_pb2_grpc


class PingServicer(testapp_pb2_grpc.PingServicer):
    """Answer."""

    async def Ping(  # noqa: N802  # The method's name on the wire.
        self, request: Empty, context: grpc.aio.ServicerContext[Empty, Empty]
    ) -> Empty:
        """Say that the application serves."""
        return Empty()


def add_ping(server: grpc.aio.Server) -> None:
    """Serve `testapp.Ping` beside the node's own services."""
    testapp_pb2_grpc.add_PingServicer_to_server(PingServicer(), server)
