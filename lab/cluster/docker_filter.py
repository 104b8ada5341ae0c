"""Packet filters in a container's own network: two-way cuts that TCP feels (LAB part 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import docker.errors

from lab.cluster.docker_engine import Engine
from lab.cluster.interface import ClusterError

FILTER = "packet filter"
CHAIN = "LOLRAFT"


class FilterBoard:
    """
    Drop packets between pairs of nodes, on both ends, on the `raft` network only.

    A chain of our own in every container is written whole, so that writing it twice is no harm
    and emptying it heals. A container that restarts has a new network, without the chain.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wanted: frozenset[tuple[str, str]] = frozenset()
        self._written: dict[str, tuple[str, ...]] = {}  # Addresses dropped, by node.
        self._turn = asyncio.Lock()

    async def cut(self, pairs: Iterable[tuple[str, str]], running: Iterable[str]) -> None:
        """
        Cut exactly these pairs; a node that does not run gets its part when it does.

        Raises:
            ClusterError: a container does not let its packets be filtered.
        """
        self._wanted = frozenset(pairs)
        await self.apply(running)

    async def apply(self, running: Iterable[str]) -> None:
        """Write what changed in the containers that run."""
        async with self._turn:
            if not self._wanted and not any(self._written.values()):
                return
            addresses = await self._engine.call("reading addresses", self._engine.addresses)
            jobs = []
            for name in running:
                others = sorted(self._others(name))
                drops = tuple(addresses[other] for other in others if other in addresses)
                if self._written.get(name, ()) != drops:
                    jobs.append(self._write(name, drops))
            await asyncio.gather(*jobs)

    def _others(self, name: str) -> set[str]:
        return {b if a == name else a for a, b in self._wanted if name in (a, b)}

    def forget(self, name: str) -> None:
        """Take a node's chain as gone: its container ended."""
        self._written.pop(name, None)

    async def flush(self, running: Iterable[str]) -> None:
        """Empty every chain, also those that an earlier lab has written."""
        self._wanted = frozenset()
        await asyncio.gather(*(self._write(name, ()) for name in running))

    async def _write(self, name: str, drops: tuple[str, ...]) -> None:
        what = f"filtering packets of {name}"
        code, output = await self._engine.call(what, self._exec, name, script(drops))
        if code:
            raise ClusterError(f"{what}: {output.strip()[-200:]}")
        self._written[name] = drops

    def _exec(self, name: str, text: str) -> tuple[int, str]:
        container = self._engine.container(name)
        try:
            ended = container.exec_run(["sh", "-c", text], user="root")
        except docker.errors.APIError as broken:
            if container.status == "running":
                raise
            return 0, str(broken)  # It ended meanwhile, and its network with it.
        return ended.exit_code, ended.output.decode(errors="replace")


def script(drops: Iterable[str]) -> str:
    """Return the shell script that makes the chain drop exactly these addresses, at once."""
    rules = [f":{CHAIN} - [0:0]"]
    for address in drops:
        rules += [f"-A {CHAIN} -s {address} -j DROP", f"-A {CHAIN} -d {address} -j DROP"]
    table = "\\n".join(["*filter", *rules, "COMMIT"])
    known, hook = f"iptables -w -C $hook -j {CHAIN}", f"iptables -w -I $hook -j {CHAIN}"
    return (
        f"printf '{table}\\n' | iptables-restore -w --noflush || exit 1; "
        f"for hook in INPUT OUTPUT; do {known} 2>/dev/null || {hook} || exit 1; done"
    )
