"""The node's gRPC server: its limits, and the one port that peers, clients and watchers share."""

from __future__ import annotations

import grpc
import grpc.aio

from lolraft.config import Config
from lolraft.errors import ConfigError


def listen(config: Config) -> grpc.aio.Server:
    """
    Return a server that has the port of *config*; it serves once it is started.

    Raises:
        ConfigError: the port is taken, or a TLS file cannot be read.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),  # A second node on the port must fail, not share it.
            ("grpc.max_receive_message_length", config.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", 1_000),  # Of one connection.
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
            ("grpc.http2.max_ping_strikes", 0),
        ]
    )
    try:
        if config.tls is None:
            server.add_insecure_port(config.listen)
        else:
            certificate, key, ca = config.tls.read()
            credentials = grpc.ssl_server_credentials(
                [(key, certificate)], root_certificates=ca, require_client_auth=True
            )
            server.add_secure_port(config.listen, credentials)
    except RuntimeError as broken:
        raise ConfigError(
            f"cannot listen on {config.listen}: another process has the port, or the address is"
            " not one of this machine. Stop the other process, or choose another address with"
            " --listen HOST:PORT"
        ) from broken
    return server
