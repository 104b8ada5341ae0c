"""The world of a seed on the lab's screen: chance's clients and faults, as `./dev sim` plays it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from lab.cluster.base import Link
from lab.cluster.interface import NodeState
from lab.cluster.untouchable import UntouchableCluster
from lab.faults import BY_CHANCE, Fault, FaultKind, Trouble
from lab.observe.view import EventView
from lab.sim.base import VirtualCluster
from lab.sim.chance import Broken, in_force
from lab.sim.world import LabWorld
from lolraft.raft.types import NodeId
from lolraft.sim import Plan
from lolraft.sim.app import Registers
from lolraft.sim.course import Player
from lolraft.sim.node import SimNode

APP = "registers"
NODE = re.compile(r"http://(n\d+):1")
STRIKE = re.compile(r"nemesis, (strike \d+): (.*)", re.DOTALL)
NAME = re.compile(r"\bn\d+\b")
KINDS = {"n starts,": "started", "n died": "exited", "n does not start": "exited", "peace": "heal"}
"""How a line of the world's story begins, with `n` for any node, and its kind on the timeline."""
TROUBLES = {
    "given up": "gave up",
    "outcome unknown": "of unknown outcome",
    "session expired": "in an expired session",
}
"""Counts of the world that say how clients fare, and how the timeline says it."""
OVER = "the seed's story is over: every promise kept"

NOT_YET = "not started yet"
STATES = {
    NodeState.PAUSED: FaultKind.PAUSE,
    NodeState.KILLED: FaultKind.KILL,
    NodeState.STOPPED: FaultKind.STOP,
}
HANDS_OFF = (
    "this world is played by its seed, and a hand would make it another: z { } steer its time; "
    "./log --backend sim has one to break"
)


class SwarmWorld(LabWorld):
    """Everything that one seed decides; each line of its story is kept for the timeline."""

    def __init__(self, plan: Plan) -> None:
        self.lines: list[tuple[float, str]] = []
        self.ends: dict[NodeId, tuple[NodeState, str]] = {}  # How each dead node ended.
        self._told_to_stop: dict[NodeId, int] = {}  # In which of its lives.
        super().__init__(plan, APP, Registers)

    def note(self, text: str) -> None:
        """Keep a line."""
        self.lines.append((self.clock.now_s, NODE.sub(r"\1", text)))
        super().note(text)

    def struck(self, number: int, kind: str, where: str) -> None:
        """Know an order to stop from a crash."""
        node = self.nodes.get(NodeId(where))
        if kind == "stop" and node is not None and node.is_running:
            self._told_to_stop[node.node_id] = node.life
        super().struck(number, kind, where)

    def died(self, node: SimNode) -> None:
        """Remember how it ended."""
        in_order = self._told_to_stop.get(node.node_id) == node.life - 1
        self.ends[node.node_id] = (NodeState.STOPPED if in_order else NodeState.KILLED, BY_CHANCE)
        super().died(node)

    def refused(self, node: SimNode, refusal: Exception) -> None:
        """Remember why it does not start."""
        self.ends[node.node_id] = (NodeState.EXITED, str(refusal))
        super().refused(node, refusal)


class SwarmCluster(UntouchableCluster, VirtualCluster):
    """
    A world that its seed plays: look on, steer its time, touch nothing.

    What chance does is on the timeline as `chance: ...`, and among the faults where the lab has a
    word for it.
    """

    hands_off = HANDS_OFF

    def __init__(self, seed: int, *, plan: Plan | None = None, speed: float | None = 1.0) -> None:
        """Make the world of *seed*; nothing runs before `start`."""
        world = SwarmWorld(plan or Plan.of_seed(seed))
        super().__init__(
            f"swarm:{seed}", world, speed=speed, player=Player(world.clock, world.course())
        )
        self._world = world
        self._known: dict[object, int] = {}  # What is broken to the number of its fault.
        self._troubles: Counter[str] = Counter()  # Of clients, as far as told.
        self._notes: list[EventView] = []

    @property
    def ended(self) -> str | None:
        """Return how the story ended."""
        if self.violation is not None:
            return "the seed's story ends with a broken promise"
        return OVER if self.time.is_over else None

    async def start(self, progress: Callable[[str], None]) -> None:
        """Let the course begin."""
        plan = self.world.plan
        progress(f"the world of seed {plan.seed}: {plan.nodes} nodes, {len(plan.shards)} shards")
        for node_id in self.world.names:
            self._add(node_id)
        self.time.start()
        self._changed()

    def take_notes(self) -> list[EventView]:
        """Return what chance did since it was last asked."""
        lines, self._world.lines = self._world.lines, []
        passed_s = self.now_s() - self.world.clock.now_s
        told = [_event(passed_s + at_s, text) for at_s, text in lines]
        notes, self._notes = self._notes, []
        return sorted([*told, *notes], key=lambda event: event.at_s)

    def _on_over(self) -> None:
        seed, digest = self.world.plan.seed, self.world.digest
        self._say("over", f"{OVER}; digest {digest}, as of ./dev sim {seed}")
        super()._on_over()

    def _say(self, kind: str, text: str, node: str | None = None) -> None:
        self._notes.append(EventView(at_s=self.now_s(), node=node, kind=kind, text=text))

    # --- what chance did -------------------------------------------------------------------------

    def _look(self) -> None:
        before = (dict(self._handles), dict(self._faults))
        for handle in self.nodes():
            node = self.world.nodes[handle.node_id]
            state, detail = NodeState.PAUSED if node.is_paused else NodeState.RUNNING, ""
            if node.machine is None:
                unborn = (NodeState.STOPPED, NOT_YET)
                state, detail = self._world.ends.get(handle.node_id, unborn)
            self._handles[handle.name] = replace(handle, state=state, detail=detail)
        self._compare(in_force(self.world) | self._of_states())
        self._ask_clients()
        if (self._handles, self._faults) != before:
            self._changed()

    def _of_states(self) -> dict[object, Broken]:
        return {
            (handle.name, handle.state): Broken(kind=STATES[handle.state], nodes=(handle.name,))
            for handle in self.nodes()
            if handle.state in STATES and handle.detail != NOT_YET
        }

    def _compare(self, broken: dict[object, Broken]) -> None:
        """Begin and end faults until they are those of *broken*."""
        for key in [key for key in self._known if key not in broken]:
            fault = self._faults.pop(self._known.pop(key))
            if fault.kind not in (FaultKind.KILL, FaultKind.STOP):  # A start is told anyhow.
                what = str(fault).replace(f" ({BY_CHANCE})", "")
                self._say("heal", f"chance: {what} is over", fault.nodes[0])
        for key, item in broken.items():
            if key not in self._known:
                fault = self._begin(item.kind, item.nodes, item.mechanism, item.links, item.trouble)
                self._known[key] = fault.number

    def _ask_clients(self) -> None:
        counts = Counter({name: self.world.counts[name] for name in TROUBLES})
        news = counts - self._troubles
        self._troubles = counts
        if news:
            told = ", ".join(f"{number} {TROUBLES[name]}" for name, number in sorted(news.items()))
            self._say("clients", f"chance's clients: operations {told}")

    # --- what nobody may do ----------------------------------------------------------------------

    def why_not(self, kind: FaultKind) -> str | None:
        """Return why not, whatever it is."""
        return HANDS_OFF

    async def heal(self, fault: Fault | None = None) -> None:
        """Refuse."""
        self._refuse()

    async def disturb(self, kind: FaultKind, where: tuple[str, ...], trouble: Trouble) -> Fault:
        """Refuse."""
        self._refuse()

    async def _cut_links(self, kind: FaultKind, nodes: tuple[str, ...], pairs: list[Link]) -> Fault:
        self._refuse()

    async def cut(self, sender: str, receiver: str) -> Fault:
        """Refuse."""
        self._refuse()


def _event(at_s: float, line: str) -> EventView:
    """Return a line of the world's story as one of the timeline."""
    strike = STRIKE.fullmatch(line)
    found = NAME.search(line)
    general = NAME.sub("n", line)
    kind = next((kind for start, kind in KINDS.items() if general.startswith(start)), "chance")
    text = f"{strike[2]} ({strike[1]})" if strike else line
    if kind in ("chance", "heal"):
        text = f"chance: {text.replace('_', ' ')}"
    return EventView(at_s=at_s, node=found[0] if found else None, kind=kind, text=text)
