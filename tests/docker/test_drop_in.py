"""`lol-testapp:latest` in the place of 0.10.2's test container."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from lab.setup.images import ensure_node_image
from tests.wire.story import Server, play

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Containers as 0.10.2's harness makes them: started first, joined to their network later."""
    image = ensure_node_image(print)
    engine = docker.from_env()
    token = secrets.token_hex(3)
    network = engine.networks.create(f"lolraft-test-{token}_raft-network")
    containers: list[Any] = []
    try:
        for number in range(3):
            name = f"lol-testapp-{number}"
            container = engine.containers.run(
                image,
                detach=True,
                name=f"{name}-{token}",
                environment={"address": f"http://{name}:50000"},
                ports={"50000/tcp": ("127.0.0.1", None)},
            )
            containers.append(container)
        for number, container in enumerate(containers):
            network.connect(container, aliases=[f"lol-testapp-{number}"])
        yield [_server(number, container) for number, container in enumerate(containers)]
    finally:
        for container in containers:
            container.remove(force=True, v=True)
        network.remove()
        engine.close()


def _server(number: int, container: Any) -> Server:  # noqa: ANN401  # The SDK is untyped.
    container.reload()
    (published,) = container.attrs["NetworkSettings"]["Ports"]["50000/tcp"]

    def stop() -> None:
        container.stop(timeout=10)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, "a clean stop on SIGTERM"

    address = f"127.0.0.1:{published['HostPort']}"
    return Server(f"http://lol-testapp-{number}:50000", address, stop)


def test_a_client_of_0_10_2_does_all_it_did(servers: list[Server]) -> None:
    play(servers)
