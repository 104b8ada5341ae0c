"""Where the lab is served: an address, and what is to be said of it."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from lab.cluster.interface import ClusterError

HOST, PORT = "127.0.0.1", 8000
LOCAL_NAMES = ("localhost", "localhost.localdomain")


@dataclass(frozen=True, slots=True)
class Where:
    """A host and a port to listen on; port 0 is any that is free."""

    host: str = HOST
    port: int = PORT

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        """Return it as it stands in an URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def where_of(text: str) -> Where:
    """
    Return the address that *text* means: `HOST:PORT`, `HOST`, `:PORT`, `PORT` or `[IPV6]:PORT`.

    What is left out is loopback and 8000: that others reach it has to be spelled.

    Raises:
        ValueError: it is none.
    """
    host, port = text, ""
    if text.isdigit():
        host, port = "", text
    elif text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if port and not (port.isdigit() and port.isascii() and int(port) < 1 << 16):
        raise ValueError(f"{port} is no port: it is a number below 65536")
    if any(sign.isspace() or sign in "/@?#" for sign in host):
        raise ValueError(f"{host} is no host: HOST:PORT, such as 0.0.0.0:8000")
    return Where(host or HOST, int(port) if port else PORT)


def is_loopback(host: str) -> bool:
    """Return whether *host* names this machine's loopback, and nothing else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in LOCAL_NAMES


def listen(where: Where) -> tuple[socket.socket, Where]:
    """
    Return a socket that listens at *where*, and where that is: a free port has a number now.

    Raises:
        ClusterError: it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as broken:
        raise ClusterError(
            f"cannot listen at {where}: {broken.strerror or broken}; --serve HOST:PORT takes "
            "another address"
        ) from broken
    return listening, Where(where.host, listening.getsockname()[1])


def warning(where: Where) -> str:
    """Return who can reach it, and what they can do: nobody is asked for a password."""
    if where.is_loopback:
        return "there is no password: whoever has an account here can break this cluster"
    return (
        f"there is no password, and {where.host} is not loopback: "
        "WHOEVER REACHES THIS ADDRESS CAN BREAK THIS CLUSTER, and write files here with R and S"
    )
