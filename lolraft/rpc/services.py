"""Everything that a node's port serves beside its peers."""

from __future__ import annotations

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lolraft.config import Config
from lolraft.rpc.answers import Context, refuse
from lolraft.rpc.client_service import ClientService
from lolraft.rpc.faults_service import FaultsService
from lolraft.rpc.observe_service import ObserveService
from lolraft.rpc.pb import (
    client_pb2_grpc,
    lolraft_pb2_grpc,
    observe_pb2_grpc,
)
from lolraft.rpc.raft_service import RaftService
from lolraft.runtime.driver import Driver
from lolraft.runtime.faults import FaultBox

SERVICES = ("lolraft.Raft", "lolraft.Client", "lolraft.Peer", "lolraft.Observe")


class Health(health.aio.HealthServicer):
    """The library's, which answers a method that it does not have with a traceback."""

    async def List(self, request: object, context: Context) -> None:  # noqa: N802
        """Say that there is no such list here."""
        text = "ask Check for one service; reflection names them"
        await refuse(context, grpc.StatusCode.UNIMPLEMENTED, text)


async def add_services(
    server: grpc.aio.Server, driver: Driver, config: Config, box: FaultBox | None
) -> None:
    """Serve clients, operators and watchers on *server*; faults only where *box* is given."""
    lolraft_pb2_grpc.add_RaftServicer_to_server(RaftService(driver, config), server)
    client_pb2_grpc.add_ClientServicer_to_server(ClientService(driver, config), server)
    faults = box or FaultBox(config.node_id)
    observe_pb2_grpc.add_ObserveServicer_to_server(ObserveService(driver, faults), server)
    names = list(SERVICES)
    if box is not None:
        observe_pb2_grpc.add_FaultsServicer_to_server(FaultsService(box), server)
        names.append("lolraft.Faults")
    servicer = Health()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in ("", *names):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection(
        (*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
