"""PySyncObj, the Python library: callers live in the leader's own process."""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata
from pathlib import Path

from tests.bench.children import BenchError, Child
from tests.bench.systems.base import NODES, Cluster, System, free_ports

DURABLE = "a journal that is never synced"
CANNOT = {"read": "its reads are local, not linearizable", "shards": "one group only"}
BATCHED = System(name="PySyncObj", client="", durable=DURABLE, cannot=CANNOT)
SINGLE = System(name="PySyncObj, unbatched", client="", durable=DURABLE, cannot=CANNOT)


def version() -> str:
    """
    Return the version that is installed.

    Raises:
        BenchError: none is; the text says how to get it.
    """
    try:
        return metadata.version("pysyncobj")
    except metadata.PackageNotFoundError:
        raise BenchError("not installed: pip install 'lolraft[bench]'") from None


class PySyncObjCluster(Cluster):
    """Three nodes with default settings, and a journal on disk."""

    def __init__(self, place: Path, *, single: bool = False) -> None:
        """Gather commands for a while before they are sent, or send each at once."""
        super().__init__(place, "pysyncobj-single" if single else "pysyncobj")
        addresses = [f"127.0.0.1:{port}" for port in free_ports(NODES)]
        for number, own in enumerate(addresses):
            others = ",".join(name for name in addresses if name != own)
            command = [sys.executable, "-m", "tests.bench.pysyncobj_node", own, others]
            command += [str(self.place / f"n{number}.journal")]
            command += ["single"] if single else []
            self.nodes.append(Child(command, self.place / f"n{number}.log", talks=True))

    async def leader(self) -> int | None:
        """Return the number of the node that leads, once all that run know one."""
        running = [node for node in self.nodes if node.pid]
        if not all(await asyncio.gather(*(node.ask("knows_leader") for node in running))):
            return None
        for node in running:
            if await node.ask("leads"):
                return self.nodes.index(node)
        return None
