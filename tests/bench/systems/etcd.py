"""etcd: from the machine, or unpacked from Debian's package without installing it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio

from tests.bench import etcd_wire
from tests.bench.children import BenchError, Child
from tests.bench.systems.base import NODES, Cluster, System, free_ports

SYSTEM = System(
    name="etcd",
    client="etcd",
    durable="WAL, fdatasync",
    processes=(1, 2),
    cannot={"shards": "one group only"},
)
PACKAGE = "etcd-server"
DOWNLOAD_S = 120.0
LOOK_S = 1.0


def find_etcd(place: Path) -> str:
    """
    Return the program, fetched with apt into *place* where it is not installed.

    Raises:
        BenchError: it can be had neither way.
    """
    installed = shutil.which("etcd")
    if installed is not None:
        return installed
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise BenchError("etcd is not installed, and this is no Debian that could fetch it")
    folder = place / "etcd-package"
    folder.mkdir()
    if not _run("apt-get", "download", PACKAGE, cwd=folder):
        if os.getuid() == 0:
            _run("apt-get", "update", cwd=folder)
        if not _run("apt-get", "download", PACKAGE, cwd=folder):
            raise BenchError(f"etcd is not installed, and apt cannot download {PACKAGE}")
    package = next(folder.glob("*.deb"))
    if not _run("dpkg-deb", "-x", str(package), str(folder), cwd=folder):
        raise BenchError(f"{package.name} cannot be unpacked")
    return str(folder / "usr" / "bin" / "etcd")


def _run(*command: str, cwd: Path) -> bool:
    try:
        quiet = subprocess.DEVNULL
        ended = subprocess.run(
            command, cwd=cwd, stdin=quiet, stdout=quiet, stderr=quiet, timeout=DOWNLOAD_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def parse_version(text: str) -> str:
    """Return the version from what `etcd --version` prints, 0.0.0 where it says none."""
    found = re.search(r"etcd Version:\s*(\d+\.\d+\.\d+)", text)
    return found[1] if found else "0.0.0"


def version_of(program: str) -> str:
    """Return the version of an etcd."""
    asked = subprocess.run((program, "--version"), capture_output=True, text=True, timeout=20)
    return parse_version(asked.stdout)


class EtcdCluster(Cluster):
    """Three members with default settings."""

    def __init__(self, place: Path, program: str) -> None:
        """Run *program*."""
        super().__init__(place, "etcd")
        ports = free_ports(2 * NODES)
        self._addresses = [f"127.0.0.1:{port}" for port in ports[:NODES]]
        peers = [f"http://127.0.0.1:{port}" for port in ports[NODES:]]
        members = ",".join(f"n{number}={peer}" for number, peer in enumerate(peers))
        for number, (address, peer) in enumerate(zip(self._addresses, peers, strict=True)):
            command = [program, "--name", f"n{number}"]
            command += ["--data-dir", str(self.place / f"n{number}")]
            command += ["--listen-client-urls", f"http://{address}"]
            command += ["--advertise-client-urls", f"http://{address}"]
            command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            command += ["--initial-cluster", members, "--initial-cluster-state", "new"]
            command += ["--logger", "zap", "--log-level", "error"]
            self.nodes.append(Child(command, self.place / f"n{number}.log"))

    async def leader(self) -> int | None:
        """Return the number of the member whose status names itself."""
        lead = await asyncio.gather(*map(self._leads, range(NODES)))
        return lead.index(True) if True in lead else None

    async def servers(self) -> list[str]:
        """Return the addresses for clients, the leader's first."""
        first = await self.led()
        others = [name for n, name in enumerate(self._addresses) if n != first]
        return [self._addresses[first], *others]

    async def _leads(self, number: int) -> bool:
        if not self.nodes[number].pid:
            return False
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(self._addresses[number], options=options) as channel:
            with suppress(grpc.aio.AioRpcError):
                status = await channel.unary_unary(etcd_wire.STATUS)(b"", timeout=LOOK_S)
                return etcd_wire.leads(status)
        return False
