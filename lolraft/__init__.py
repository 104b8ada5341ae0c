"""Multi-Raft for Python: many Raft groups share one process, one disk writer, one stream a peer."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lolraft.app import RaftApp
    from lolraft.client import RaftClient
    from lolraft.config import Config, Tls, parse_shards
    from lolraft.consistency import Consistency
    from lolraft.errors import ConfigError, LolraftError, Rejected, RequestFailed
    from lolraft.node import RaftNode
    from lolraft.state_app import StateApp

# gRPC's core reads this once, when it is loaded. It would write "Got goaway" to the terminal, also
# through a full-screen program, whenever a peer stops. Set it yourself to see its notes.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

_HOMES = {
    "Config": "config",
    "ConfigError": "errors",
    "Consistency": "consistency",
    "LolraftError": "errors",
    "RaftApp": "app",
    "RaftClient": "client",
    "RaftNode": "node",
    "Rejected": "errors",
    "RequestFailed": "errors",
    "StateApp": "state_app",
    "Tls": "config",
    "parse_shards": "config",
}

__all__ = [
    "Config",
    "ConfigError",
    "Consistency",
    "LolraftError",
    "RaftApp",
    "RaftClient",
    "RaftNode",
    "Rejected",
    "RequestFailed",
    "StateApp",
    "Tls",
    "parse_shards",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever lives under that name.
    """Load *name* from the module that holds it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lolraft' has no attribute {name!r}")
    return getattr(import_module(f"lolraft.{home}"), name)
