"""How a node is set up: one frozen value, checked when it is made."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lolraft.errors import ConfigError
from lolraft.multiraft.identity import normalise
from lolraft.raft.types import Limits, NodeId, ShardId, Timing

MAX_SHARD_ID = 2**32 - 1
MAX_SHARDS = 1_000_000
"""More in one list is a slip of the pen, such as `0-99999999`."""

DEFAULT_MESSAGE_BYTES = 8 * 1024 * 1024
PHI_THRESHOLD = 12.0
MOST_PRIORITY = 100


@lru_cache(maxsize=4096)
def normalise_node_id(text: str) -> NodeId:
    """
    Return the one form in which a server's address is stored and compared (PROTOCOL C7).

    Raises:
        ConfigError: *text* is not an address; the sentence says what one looks like.
    """
    try:
        return normalise(text)
    except ValueError as broken:
        raise ConfigError(str(broken)) from broken


def host_and_port(node_id: NodeId) -> tuple[str, int]:
    """Return the host (IPv6 in brackets) and port of a normalised id."""
    host, _, port = node_id.partition("://")[2].rpartition(":")
    return host, int(port)


def parse_servers(text: str) -> tuple[NodeId, ...]:
    """
    Read a list such as `http://a:50000,http://b:50000`, in its order.

    Raises:
        ConfigError: one is not an address.
    """
    return tuple(normalise_node_id(item) for item in text.split(",") if item.strip())


def parse_shards(text: str) -> tuple[ShardId, ...]:
    """
    Read a list such as `0-9,777` into sorted shard ids.

    Raises:
        ConfigError: a part is neither a number nor a range of numbers from 0 to 2**32 - 1.
    """
    shards: set[ShardId] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", part)
        if found is None:
            raise ConfigError(f"{part!r} is not a shard or a range of shards such as 0-9")
        first = int(found[1])
        last = int(found[2] or first)
        if last > MAX_SHARD_ID or first > last or last - first >= MAX_SHARDS:
            raise ConfigError(f"{part!r} is not a range of shards: 0 to {MAX_SHARD_ID}, upwards")
        shards.update(range(first, last + 1))
    if not shards:
        raise ConfigError(f"{text!r} names no shard; try 0 or 0-9,777")
    return tuple(sorted(shards))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Name the files of mutual TLS, in PEM; both sides show a certificate of the same CA."""

    certificate: Path
    key: Path
    ca: Path

    def read(self) -> tuple[bytes, bytes, bytes]:
        """
        Return the contents: certificate, key, CA.

        Raises:
            ConfigError: a file cannot be read.
        """
        try:
            return self.certificate.read_bytes(), self.key.read_bytes(), self.ca.read_bytes()
        except OSError as broken:
            raise ConfigError(f"cannot read {broken.filename}: {broken.strerror}") from broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    Say how one node runs.

    `node_id` is what peers dial. `listen` is host:port; empty means the port of the id, on
    loopback when the id is loopback and else on all interfaces. `data` None keeps everything in
    memory. `members`, the same on every node, makes an empty cluster one group per shard
    (DESIGN section 10); a node with a log ignores it. A replica whose log has grown by
    `snapshot_entries`, or `snapshot_bytes` of commands, asks its app for a snapshot. A node whose
    `priority` is above 0 prefers to lead its shards, one below 0 avoids it (and leads where no
    other can); leadership moves to the highest priority that lives.

    Raises:
        ConfigError: a value makes no sense; the text says which.
    """

    node_id: NodeId
    listen: str = ""
    data: Path | None = None
    shards: tuple[ShardId, ...] = (0,)
    members: tuple[NodeId, ...] = ()
    enable_faults: bool = False
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    snapshot_entries: int = 100_000
    snapshot_bytes: int = 64 * 1024 * 1024
    phi_threshold: float = PHI_THRESHOLD
    priority: int = 0
    max_message_bytes: int = DEFAULT_MESSAGE_BYTES
    tls: Tls | None = None
    app_name: str = ""  # Only shown to watchers.

    def __post_init__(self) -> None:
        normal = object.__setattr__  # A frozen value is brought into its one form here.
        normal(self, "node_id", normalise_node_id(self.node_id))
        normal(self, "members", tuple(sorted({normalise_node_id(m) for m in self.members})))
        normal(self, "shards", tuple(sorted(set(self.shards))))
        normal(self, "listen", self.listen or default_listen(self.node_id))
        if any(not 0 <= shard <= MAX_SHARD_ID for shard in self.shards):
            raise ConfigError(f"shards are numbers from 0 to {MAX_SHARD_ID}, not {self.shards}")
        if self.members and self.node_id not in self.members:
            raise ConfigError(
                f"{self.node_id} is not among the members {', '.join(self.members)}: a node that"
                " joins later is started without members and added with add-server"
            )
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):\d{1,5}", self.listen):
            raise ConfigError(f"cannot listen on {self.listen!r}: it must be host:port")
        if int(self.listen.rpartition(":")[2]) > 65535:
            raise ConfigError(f"cannot listen on {self.listen!r}: ports end at 65535")
        if (self.tls is not None) != self.node_id.startswith("https://"):
            raise ConfigError(f"{self.node_id}: an https id and TLS files go together")
        if self.snapshot_entries < 1 or self.snapshot_bytes < 1:
            raise ConfigError("snapshot_entries and snapshot_bytes must be positive")
        if not -MOST_PRIORITY <= self.priority <= MOST_PRIORITY:
            raise ConfigError(f"a priority is -{MOST_PRIORITY} to {MOST_PRIORITY}: {self.priority}")
        if not self.phi_threshold > 0:
            raise ConfigError(f"the phi threshold must be positive, not {self.phi_threshold}")
        if self.max_message_bytes < 2 * self.limits.entry_bytes:
            raise ConfigError(
                f"max_message_bytes must be twice entry_bytes ({self.limits.entry_bytes}) at least:"
                " a frame carries an entry and what waits beside it"
            )


def default_listen(node_id: NodeId) -> str:
    """Return where a node of this id listens unless it is told."""
    host, port = host_and_port(node_id)
    if host == "localhost":
        return f"127.0.0.1:{port}"
    try:
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return f"{host}:{port}"
    except ValueError:
        pass  # A name: it may mean another interface tomorrow, so take all.
    return f"{'[::]' if _has_ipv6() else '0.0.0.0'}:{port}"


def _has_ipv6() -> bool:
    """Return whether the wildcard of IPv6, which takes IPv4 too, can be bound here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True
