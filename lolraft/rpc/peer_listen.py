"""The node's gRPC server: its limits, and the one port that peers, clients and watchers share."""

from __future__ import annotations

import socket

import grpc
import grpc.aio

from lolraft.config import Config
from lolraft.errors import ConfigError
from lolraft.rpc.strict import StrictRequests


def listen(config: Config) -> grpc.aio.Server:
    """
    Return a server that has the port of *config*; it serves once it is started.

    Raises:
        ConfigError: the port is taken, or a TLS file cannot be read.
    """
    _check_port(config.listen)
    server = grpc.aio.server(
        interceptors=[StrictRequests()],
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
        ],
    )
    try:
        if config.tls is None:
            server.add_insecure_port(config.listen)
        else:
            certificate, key, ca = config.tls.read()
            if not all(b"-----BEGIN " in text for text in (certificate, key, ca)):
                raise ConfigError("the TLS files are not a certificate, a key and a CA in PEM")
            credentials = grpc.ssl_server_credentials(
                [(key, certificate)], root_certificates=ca, require_client_auth=True
            )
            server.add_secure_port(config.listen, credentials)
    except RuntimeError as broken:
        raise _cannot_listen(config.listen, str(broken)) from broken
    return server


def _check_port(listen: str) -> None:
    """
    Try the port: the system says why it cannot be had, gRPC writes that to standard error only.

    Raises:
        ConfigError: it cannot be had.
    """
    host, _, port = listen.rpartition(":")
    reason = OSError("no such address")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as broken:
        raise _cannot_listen(listen, broken.strerror or str(broken)) from broken
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as broken:
            reason = broken
        else:
            return
    raise _cannot_listen(listen, reason.strerror or str(reason)) from reason


def _cannot_listen(listen: str, why: str) -> ConfigError:
    return ConfigError(
        f"cannot listen on {listen}: {why}. Stop the process that has the port, or choose another"
        " address of this machine with --listen HOST:PORT"
    )
