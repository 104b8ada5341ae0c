"""Mutual TLS between two nodes: who has no certificate of the CA is not served."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from lolraft.config import Config, Tls
from lolraft.multiraft.events import Event, FrameArrived, StreamUp
from lolraft.multiraft.frames import Frame
from lolraft.raft.types import Clock, NodeId, ShardId
from lolraft.rpc.peer_listen import listen
from lolraft.rpc.peer_transport import GrpcTransport
from lolraft.runtime.transport import SnapshotPiece
from tests.integration.cluster import free_port

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for keys")


class Posted:
    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def post(self, event: Event) -> None:
        self.events.put_nowait(event)

    def serve_snapshot(
        self, shard_id: ShardId, clock: Clock, group: int, offset: int
    ) -> AsyncIterator[SnapshotPiece]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return Tls(certificate=certificate, key=key, ca=certificate)


async def test_frames_travel_between_nodes_with_certificates_only(tls: Tls) -> None:
    node_id = NodeId(f"https://127.0.0.1:{free_port()}")
    config = Config(node_id=node_id, tls=tls)
    server = listen(config)
    here, there = Posted(), Posted()
    served = GrpcTransport(tls=tls)
    server.add_generic_rpc_handlers((served.servicer.handler(),))
    await served.start(there)
    await server.start()
    dialler, stranger = GrpcTransport(tls=tls), GrpcTransport()
    nobody = Posted()
    await dialler.start(here)
    await stranger.start(nobody)
    try:
        stranger.dial(node_id)
        dialler.dial(node_id)
        async with asyncio.timeout(10):
            assert await here.events.get() == StreamUp(peer=node_id)
            frame = Frame(sender=NodeId("https://a:1"), incarnation=1, epoch=1)
            dialler.send_frame(node_id, frame)
            assert await there.events.get() == FrameArrived(frame=frame)
        assert nobody.events.empty()
        async with grpc.aio.insecure_channel(node_id.removeprefix("https://")) as channel:
            call = channel.stream_stream("/lolraft.Peer/Exchange")()
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await asyncio.gather(dialler.stop(), stranger.stop(), served.stop())
        await server.stop(0)
