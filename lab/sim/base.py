"""What every simulated world is to the lab: nodes in virtual time, which can be steered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from lab.cluster.base import BaseCluster
from lab.cluster.interface import NodeHandle, NodeState
from lab.observe.view import EventView
from lab.sim.client import SimClient
from lab.sim.hands import Hands
from lab.sim.virtual import VirtualTime
from lab.sim.world import LabWorld
from lolraft.raft.types import NodeId
from lolraft.sim.course import Player
from lolraft.sim.node import SimNode

TICK_S = 0.25  # Of virtual time, between two reports.


class VirtualCluster(BaseCluster):
    """
    Nodes that live in this process, driven by the simulator's clock, network and disks.

    It is `Steerable`. The simulator's checkers look on: `violation` says which promise was broken,
    if one was. *on_tick* is who reports: at every tick, and after each step by hand.
    """

    def __init__(
        self,
        title: str,
        world: LabWorld,
        *,
        speed: float | None,
        player: Player | None = None,
        starts_s: float | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        super().__init__("sim", title)
        self.world = world
        self.hands = Hands(world)
        self.violation: Exception | None = None
        self.on_tick: Callable[[], None] = lambda: None
        self._tick_s = tick_s
        epoch_s = None if starts_s is None else starts_s - world.clock.now_s
        self.time = self._time_of(self.hands, speed, player=player, epoch_s=epoch_s)

    def _time_of(
        self,
        hands: Hands,
        speed: float | None,
        *,
        player: Player | None = None,
        epoch_s: float | None = None,
    ) -> VirtualTime:
        def tick() -> None:
            if self.time is time:  # Else its world is still on its way to a past moment.
                self._on_tick()

        time = VirtualTime(
            hands.world.clock,
            speed=speed,
            tick_s=self._tick_s,
            on_tick=tick,
            on_failure=self._on_failure,
            player=player,
            on_over=self._on_over,
            after=hands.wait,
            epoch_s=epoch_s,
        )
        return time

    def client(self, ids: list[NodeId] | None = None) -> SimClient:
        """Return a client that knows all nodes, or those of *ids*."""
        return SimClient(self, ids)

    def node(self, name: str) -> SimNode:
        """Return the simulated node of this name."""
        return self.world.nodes[self._handle(name).node_id]

    def take_notes(self) -> list[EventView]:
        """Return what the world itself has for the timeline since it was last asked."""
        return []

    # --- its time --------------------------------------------------------------------------------

    def now_s(self) -> float:
        """Return virtual time as seconds since 1970."""
        return self.time.wall_s

    async def sleep(self, delay_s: float) -> None:
        """Wait in virtual time."""
        await self.time.sleep(delay_s)

    @property
    def speed(self) -> float | None:
        """Return virtual seconds per second: 0 stands still, None is as fast as can be."""
        return self.time.speed

    def set_speed(self, speed: float | None) -> None:
        """Let time pass at *speed* from now on."""
        self.time.speed = speed

    def step(self) -> bool:
        """Do the next thing that happens anywhere, and report; return whether something did."""
        did = self.time.step()
        self._on_tick()
        return did

    async def to_next_election(self, within_s: float) -> bool:
        """Go on until somebody is elected, and report; return whether that came *within_s*."""
        before = self.world.elections
        found = await self.time.run_to(lambda: self.world.elections > before, within_s)
        self._on_tick()
        return found

    # --- what becomes of it ----------------------------------------------------------------------

    def _add(self, node_id: NodeId) -> NodeHandle:
        name = node_id.removeprefix("http://").partition(":")[0]
        self._handles[name] = NodeHandle(
            name=name, node_id=node_id, watch_address="", state=NodeState.RUNNING
        )
        return self._handles[name]

    def _on_tick(self) -> None:
        self._look()
        self.on_tick()

    @abstractmethod
    def _look(self) -> None:
        """Bring handles and faults up to what has happened in the world by itself."""

    def _on_failure(self, broken: Exception) -> None:
        self.violation = broken
        self._on_tick()
        self._changed()

    def _on_over(self) -> None:
        """Report for the last time."""
        self._on_tick()

    async def close(self, *, leave_running: bool = False) -> None:
        """End the world; there is nothing to leave running."""
        await self._end_loops()
        await self.time.stop()
