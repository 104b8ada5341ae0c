"""From SIGKILL of the leader to the next accepted write."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tests.bench.children import BenchError, Child
from tests.bench.lineup import Lineup, Say
from tests.bench.rounds import Settings
from tests.bench.stats import Spread, spread
from tests.bench.systems import ours
from tests.bench.systems.base import Measured, Pool


@dataclass(slots=True, kw_only=True)
class Outages:
    """What one system's failovers took, in seconds."""

    system: str
    times_s: list[float] = field(default_factory=list)
    why: str = ""

    def spread(self) -> Spread | None:
        """Return median, minimum and maximum."""
        return spread(self.times_s)


async def measure_outages(lineup: Lineup, settings: Settings, say: Say) -> list[Outages]:
    """Kill the leaders of all systems in turn, again and again."""
    # Plain calls are another client of the same cluster, not another failover.
    systems = [one for one in lineup.running if one.system is not ours.PLAIN]
    found = {one.system.name: Outages(system=one.system.name) for one in systems}
    for _ in range(settings.tries):
        for one in systems:
            outages = found[one.system.name]
            if outages.why:
                continue
            try:
                outages.times_s.append(await fail_over(one, settings.settle_s))
            except (BenchError, TimeoutError) as broken:
                outages.why = str(broken) or "no write was accepted any more"
    for outages in found.values():
        times_s = outages.spread()
        text = f"{times_s.median:.2f} s, at most {times_s.high:.2f} s" if times_s else outages.why
        say(f"{'SIGKILL of the leader to next write':34} {outages.system:22} {text}")
    return list(found.values())


async def fail_over(one: Measured, settle_s: float) -> float:
    """Kill the leader, write, and bring it back; return the seconds between the first two."""
    await asyncio.sleep(settle_s)  # Who came back has heard too little to suspect quickly.
    cluster = one.cluster
    leader = cluster.nodes[await cluster.led()]
    asked: Pool | Child
    if one.system.client:
        asked = await one.pool()
    else:  # A survivor is the client.
        survivor = next(node for node in cluster.nodes if node is not leader)
        await survivor.ask("open", count=1)
        asked = survivor
    began_s = time.monotonic()
    killing = asyncio.ensure_future(leader.kill())
    await asyncio.sleep(0)  # The signal is sent.
    try:
        accepted_s = float(await asked.ask("insist"))
    finally:
        await killing
        await leader.start()
        await cluster.led()
    return accepted_s - began_s
