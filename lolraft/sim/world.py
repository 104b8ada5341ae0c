"""A world: some nodes, one seed, chaos and then peace; promises are judged all the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any, TypeVar

from lolraft.multiraft.effects import Effect, Persist, Respond, Tell
from lolraft.multiraft.events import Event
from lolraft.multiraft.frames import Frame, NodeHeartbeatAck
from lolraft.multiraft.node import NodeConfig, Shard
from lolraft.multiraft.records import Batch, NodeRecord
from lolraft.multiraft.unanswered import Session
from lolraft.raft.types import EntryKind, Index, Limits, NodeId, ShardId
from lolraft.sim import peace
from lolraft.sim.ambushes import Ambushes
from lolraft.sim.app import Registers, SimApp
from lolraft.sim.checkers import ALL
from lolraft.sim.checkers.checker import Checker
from lolraft.sim.clients import Client
from lolraft.sim.clock import Clock
from lolraft.sim.course import Course, Player, Stretch
from lolraft.sim.faults import Nemesis
from lolraft.sim.groups import members_of
from lolraft.sim.history import History
from lolraft.sim.network import Network
from lolraft.sim.node import SimNode
from lolraft.sim.plan import Plan
from lolraft.sim.rare import RareEvents
from lolraft.sim.story import Story, describe
from lolraft.sim.violation import Violation
from lolraft.storage.interface import Corrupted

BOOT_S = 1.0
TICK_S = 0.25
ANSWER_S = 4.0
TURN = Struct("<dHQII")
"""Of the digest: when, which node, its version, how many events and effects."""
ON_PURPOSE = ("on purpose", "the node stops")

AnyChecker = TypeVar("AnyChecker", bound=Checker)


class World:
    """Everything that one seed decides."""

    def __init__(
        self,
        plan: Plan,
        make_app: Callable[[], SimApp] = Registers,
        checkers: Sequence[type[Checker]] = ALL,
        *,
        thorough: bool = False,
    ) -> None:
        """
        Make the nodes; nothing runs before `run`.

        *thorough* lets the digest cover every event and effect in full, which is slow.
        """
        self.plan = plan
        self.make_app = make_app
        self.clock = Clock(plan.seed)
        self.nodes: dict[NodeId, SimNode] = {}
        self.network = Network(self.clock, self.nodes, plan.latency_s)
        self.network.on_frame = self._frame_leaves
        self.histories: dict[ShardId, History] = {}
        self.counts: Counter[str] = Counter()
        self.story = Story()
        self.is_over = False  # Clients begin nothing new.
        self.siege_at_s = float("inf")  # From then on they take their time.
        self.clients: list[Client] = []
        self.sessions: dict[tuple[ShardId, int], Session] = {}  # Two clients share one.
        self.nemesis: Nemesis | None = None
        self.ambushes: Ambushes | None = None
        self._thorough = thorough
        self._digest = blake2b(digest_size=16)
        self._seen: dict[NodeId, tuple[int, int]] = {}  # (life, version) that was looked at.
        self.did: dict[str, list[Any]] = {"strikes": [], "blows": [], "asked": []}  # See `Plan`.
        self._checkers = {kind: kind(self) for kind in (*checkers, RareEvents)}
        self._hooks = {name: self._hooked(name) for name in HOOKS}
        self._every_look = self._hooks["after_turn"]
        self._every_turn = [
            checker.after_turn for checker in self._checkers.values() if checker.every_turn
        ]
        self._make_nodes()

    def _make_nodes(self) -> None:
        plan, draw = self.plan, self.clock.chance("incarnations")
        names = [NodeId(f"http://n{n}:1") for n in range(1, plan.nodes + plan.spares + 1)]
        self.names = tuple(names)
        self.members = () if plan.grows else tuple(names[: plan.nodes])
        for name in names:
            record = NodeRecord(
                node_id=name, incarnation=draw.getrandbits(64) | 1, epoch=0, hosted=plan.shards
            )
            config = NodeConfig(
                node_id=name,
                members=self.members if name in self.members else (),
                snapshot_entries=plan.snapshot_entries,
                tail_entries=plan.tail_entries,
                session_entries=plan.session_entries,
                apply_entries=plan.apply_entries,
                answer_s=ANSWER_S,
                lease_s=plan.lease_s,
                clock_drift=plan.clock_drift,
                limits=Limits(
                    append_entries=plan.append_entries, proposal_entries=plan.proposal_entries
                ),
            )
            self.nodes[name] = SimNode(self, record, config, number=len(self.nodes))

    def checker(self, kind: type[AnyChecker]) -> AnyChecker:
        """Return this world's checker of one kind."""
        found = self._checkers.get(kind)
        if found is None:
            found = self._checkers[kind] = kind(self)
        assert isinstance(found, kind), "kept by kind"
        return found

    def _hooked(self, name: str) -> list[Callable[..., None]]:
        return [
            getattr(checker, name)
            for kind, checker in self._checkers.items()
            if getattr(kind, name) is not getattr(Checker, name)
        ]

    @property
    def digest(self) -> str:
        """Return what identifies all that happened; equal for equal seeds."""
        return self._digest.hexdigest()

    # --- what nodes report -----------------------------------------------------------------------

    def after_turn(self, node: SimNode, events: Sequence[Event], effects: Sequence[Effect]) -> None:
        """Keep the turn, and let every checker look."""
        assert node.machine is not None, "it has just had a turn"
        now_s, inner = self.clock.now_s, node.machine.node
        self.story.turn(now_s, node.node_id, events, effects)
        writes = False
        for effect in effects:
            if type(effect) is Persist:
                writes = True
                self._count(effect.batch)
        self._digest.update(TURN.pack(now_s, node.number, inner.version, len(events), len(effects)))
        if self._thorough:
            self._digest.update(repr((events, effects)).encode())
        life, version = self._seen.get(node.node_id, (0, 0))
        if life != node.life:
            version = 0
        changed: list[Shard] = []
        if inner.version != version:
            self._seen[node.node_id] = (node.life, inner.version)
            for shard_id in reversed(inner.changes):
                if inner.changes[shard_id] <= version:
                    break
                if shard_id in inner.shards:
                    changed.append(inner.shards[shard_id])
        for look in self._every_look if changed or writes else self._every_turn:
            look(node, changed, effects)

    def _count(self, batch: Batch) -> None:
        for _, save in batch.saves:
            if save.truncate_from is not None:
                self.counts["truncated"] += 1
            if save.entries is not None and EntryKind.CONFIGURATION in save.entries.kinds:
                self.counts["joint"] += b'"outgoing":["' in b"".join(save.entries.payloads)

    def before_effect(self, node: SimNode, effect: Effect) -> None:
        """Give whoever lies in wait the chance to strike before *effect* is done."""
        if self.ambushes is not None:
            self.ambushes.before_effect(node, effect)

    def _frame_leaves(self, node: SimNode, peer: NodeId, frame: Frame) -> None:
        for look in self._hooks["frame_leaves"]:
            look(node, peer, frame)

    def ack_leaves(self, node: SimNode, peer: NodeId, ack: NodeHeartbeatAck) -> None:
        """Let the checkers look at an ack."""
        for look in self._hooks["ack_leaves"]:
            look(node, peer, ack)

    def applied(
        self, node: SimNode, shard_id: ShardId, index: Index, message: bytes, app: SimApp
    ) -> None:
        """Let the checkers look at an app that has executed a command."""
        for look in self._hooks["applied"]:
            look(node, shard_id, index, message, app)

    def installed(self, node: SimNode, shard_id: ShardId, index: Index, app: SimApp) -> None:
        """Let the checkers look at an app that has started from a snapshot."""
        self.counts["installed"] += 1
        for look in self._hooks["installed"]:
            look(node, shard_id, index, app)

    def responded(self, node: SimNode, respond: Respond, known: bool) -> None:
        """Let the checkers look at an answer."""
        for look in self._hooks["responded"]:
            look(node, respond, known)

    def started(self, node: SimNode) -> None:
        """Note a boot."""
        record = node.disk.rows.node
        self.note(f"{node.node_id} starts, epoch {record.epoch if record is not None else 0}")
        for look in self._hooks["started"]:
            look(node)

    def refused(self, node: SimNode, refusal: Exception) -> None:
        """Note that a process ended at once, as its disk is not what it must be."""
        is_damaged = isinstance(refusal, Corrupted)
        self.counts["damage noticed at start" if is_damaged else "no start on a full disk"] += 1
        self.note(f"{node.node_id} does not start: {refusal}")

    def died(self, node: SimNode) -> None:
        """Note a death."""
        self.note(f"{node.node_id} died")
        for look in self._hooks["died"]:
            look(node)

    def tell(self, node: SimNode, tell: Tell) -> None:
        """
        Count a node's event.

        Raises:
            Violation: a replica stopped, and no fault asked for that.
        """
        self.counts[tell.kind] += 1
        for look in self._hooks["told"]:
            look(node, tell)
        if tell.kind == "stopped" and not any(words in tell.text for words in ON_PURPOSE):
            self.violated("no assertion breaks (STYLE 4)", f"{node.node_id}: {tell.text}")

    def struck(self, number: int, kind: str, where: str) -> None:
        """Note a strike of the nemesis."""
        self.note(f"nemesis, strike {number}: {kind} {where}")

    def violated(self, promise: str, text: str) -> None:
        """
        End the world.

        Raises:
            Violation: always.
        """
        raise Violation(promise, text)

    def note(self, text: str) -> None:
        """Put a line into the story."""
        self.story.note(self.clock.now_s, text)

    def coverage(self) -> Counter[str]:
        """Return how often each fault and each rare event was there."""
        faults = self.nemesis.done if self.nemesis is not None else Counter[str]()
        torn = Counter({"write torn": sum(node.disk.torn for node in self.nodes.values())})
        rare = self.checker(RareEvents).counts
        return faults + self.counts + self.network.counts + rare + torn

    # --- its course ------------------------------------------------------------------------------

    def run(self) -> None:
        """
        Boot, chaos, peace.

        Raises:
            Violation: a promise was broken; its text ends with the story.
        """
        try:
            self.play()
        except Violation as broken:
            text = f"{broken}\n\n{self.story.text()}\n\n{describe(self)}"
            raise Violation(broken.promise, text.removeprefix(f"{broken.promise}: ")) from None

    def play(self) -> None:
        """
        Boot, chaos, peace.

        Raises:
            Violation: a promise was broken; its text says how, and no more.
        """
        Player(self.clock, self.course()).play()

    def course(self) -> Course:
        """Return the same in stretches of time, for who looks on."""
        yield from self._boot()
        yield from self._chaos()
        yield from peace.come(self)

    def boot(self, names: Collection[NodeId] | None = None) -> None:
        """Start all nodes, or those of *names*, not quite at once."""
        Player(self.clock, self._boot(names)).play()

    def _boot(self, names: Collection[NodeId] | None = None) -> Course:
        chance = self.clock.chance("boot")
        for name, node in self.nodes.items():
            if names is None or name in names:
                self.clock.after(chance.random() * 0.3, self._start, node)
        self.clock.after(TICK_S, self._tick)
        yield Stretch(0.35)
        if self.plan.grows:
            yield from peace.grow(self)
        yield Stretch(self.clock.now_s + BOOT_S * chance.random())

    def _start(self, node: SimNode) -> None:
        if node.machine is None:
            node.start()

    def _chaos(self) -> Course:
        """Let clients work and faults strike; in a siege, few operations and as many faults."""
        plan = self.plan
        until_s = self.clock.now_s + plan.chaos_s
        if plan.siege_s:
            self.siege_at_s = until_s
        self.clients = [
            Client(
                self,
                number,
                plan.shards[number % len(plan.shards)],
                plan.manners[number % len(plan.manners)],
            )
            for number in range(max(plan.clients, len(plan.shards)))
        ]
        self.nemesis = Nemesis(self)
        if plan.ambushes:
            self.ambushes = Ambushes(self, self.nemesis)
        yield Stretch(until_s)
        yield Stretch(until_s + plan.siege_s)

    def _tick(self) -> None:
        self.clock.after(TICK_S, self._tick)
        for look in self._hooks["tick"]:
            look()

    def at_rest(self) -> None:
        """Let the checkers look at a world that has come to rest."""
        for look in self._hooks["at_rest"]:
            look()

    def members_at_rest(self) -> list[tuple[SimNode, ShardId]]:
        """Return every running member of every shard, as its leader says."""
        found = []
        for shard_id in self.plan.shards:
            for name in members_of(self, shard_id):
                node = self.nodes[name]
                if node.is_running:
                    found.append((node, shard_id))
        return found


HOOKS = (
    "after_turn", "frame_leaves", "ack_leaves", "applied", "installed", "responded", "started",
    "died", "told", "tick", "at_rest",
)  # fmt: skip


def run_seed(seed: int, plan: Plan | None = None) -> World:
    """
    Run the world of one seed.

    Raises:
        Violation: with the seed and the story in its text.
    """
    world = World(plan or Plan.of_seed(seed))
    try:
        world.run()
    except Violation as broken:
        raise Violation(broken.promise, f"seed {seed}: {broken}\n{world.plan}") from None
    return world
