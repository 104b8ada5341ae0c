"""What a session puts on the screen, and what the screen sends it to next."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from lab.chronicle import Chronicle
from lab.cluster.interface import Cluster
from lab.observe.deck import Deck
from lab.observe.watch import Watcher
from lab.scenarios.play import Outcome, play
from lab.scenarios.retell import retell
from lab.scenarios.script import Script
from lab.scenarios.stage import Stage
from lab.sim.client import SimClient
from lab.sim.cluster import SimCluster
from lab.sim.past import Past
from lab.sim.watch import SimWatcher
from lab.tui.app import LabApp
from lab.tui.memory import Memory
from lab.tui.ports import Leaving, Onward
from lab.workload.telling import either
from lolraft.client import RaftClient


def screen_of(
    watcher: Watcher | SimWatcher,
    cluster: Cluster,
    client: RaftClient | SimClient,
    deck: Deck,
    chronicle: Chronicle,
    memory: Memory | None,
) -> LabApp:
    """Return the screen of a cluster that runs, with what it needs of the session."""
    app = LabApp(watcher, cluster, client, deck=deck, memory=memory)
    app.report = lambda: chronicle.gather.report()  # Another one gathers after a return.
    chronicle.load = either(lambda: app.load.view, chronicle.load)
    chronicle.stand_still = app.stand_still
    if isinstance(cluster, SimCluster) and isinstance(watcher, SimWatcher):
        app.past = Past(cluster, watcher, deck, chronicle)
    return app


def tale(
    script: Script, stage: Stage, chronicle: Chronicle, *, again: bool, pace_s: float
) -> Coroutine[Any, Any, Outcome]:
    """Return the telling of a scenario, or *again* of a story, after which time stands."""
    if again:
        return retell(script, stage, lambda: chronicle.stand_still())
    return play(script, stage, lambda line: None, pace_s=pace_s)


def leaving_of(left: Leaving | Onward | None) -> Leaving | None:
    """Return what is to become of the cluster that was shown."""
    return left.leaving if isinstance(left, Onward) else left


async def end(
    cluster: Cluster,
    watcher: Watcher | SimWatcher,
    client: RaftClient | SimClient | None,
    leave_running: bool,
) -> None:
    """Stop watching and asking, and close the cluster whatever comes of that."""
    try:
        await watcher.stop()
        if client is not None:
            await client.close()
    finally:
        await cluster.close(leave_running=leave_running)
