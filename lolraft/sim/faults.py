"""Faults without aim: which of them a world brings is part of its seed (swarm testing)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.wishes import Wish
from lolraft.raft.types import NodeId
from lolraft.sim.errands import Errands
from lolraft.sim.weather import Link, Rule

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


class Nemesis:
    """Do one thing after another until told to stop, then mend everything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.done: Counter[str] = Counter()
        self.errands = Errands(world.clock)
        self._count = 0
        self._chance = world.clock.chance("nemesis")
        self._is_over = False
        self._later()

    def use(self, chance: Random) -> None:
        """Draw from *chance*: each strike has a source of its own, and shifts no other."""
        self._chance = chance

    def _later(self) -> None:
        plan = self.world.plan
        if plan.kinds:
            self._count += 1
            chance = self.world.clock.chance(f"strike {self._count}")
            delay_s = chance.expovariate(1 / plan.strike_s)
            self.world.clock.after(delay_s, self._strike, self._count, chance)

    def _strike(self, number: int, chance: Random) -> None:
        if self._is_over:
            return
        plan = self.world.plan
        if plan.strikes is None or number in plan.strikes:
            self.use(chance)
            kind = chance.choice(plan.kinds)
            self.done[kind] += 1
            self.world.did["strikes"].append(number)
            strike: Callable[[], str] = getattr(self, f"_{kind}")
            self.world.struck(number, kind, strike())
        self._later()

    def heal(self, dead: Iterable[NodeId] = ()) -> None:
        """End every fault; all but *dead* come back."""
        self._is_over = True
        self.world.network.clear()
        for node in self.world.nodes.values():
            node.lag_s, node.app_slow_s, node.disk.slow_s = 0.00005, 0.0, 0.0
            node.broken_apps.clear()
            node.disk.mend()
            node.skew(rate=1.0)
            node.resume()
            inner = node.machine.node if node.machine is not None else None
            stopped = inner is not None and (
                inner.disk_failed or any(s.state.stopped for s in inner.shards.values())
            )
            if node.node_id in dead or stopped:  # Only a new start helps who has stopped (S11).
                node.crash()
            if node.node_id in dead:
                self.world.note(f"{node.node_id} stays dead")
            else:
                self.revive(node)

    # --- tools -----------------------------------------------------------------------------------

    def _some(self) -> SimNode:
        return self.world.nodes[self._chance.choice(self.world.names)]

    def _two(self) -> tuple[NodeId, NodeId]:
        one = self._chance.choice(self.world.names)
        others = [name for name in self.world.names if name != one]
        return one, self._chance.choice(others) if others else one

    def _for(self, most_s: float, undo: Callable[..., None], *arguments: object) -> None:
        """Undo something within *most_s*, mostly soon."""
        delay_s = self._chance.random() * self._chance.random() * most_s
        self.world.clock.after(delay_s, self._undo, undo, arguments)

    def _undo(self, undo: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if not self._is_over:  # Else all has been mended.
            undo(*arguments)

    def revive(self, node: SimNode) -> None:
        """Start a node that is dead."""
        if node.machine is None:
            node.start()

    def kill(self, node: SimNode, most_s: float = 3.0, *, silently: bool = False) -> None:
        """Crash a node; it comes back in a while."""
        node.crash(silently=silently)
        self._for(most_s, self.revive, node)

    def put(self, links: Iterable[Link], rule: Rule, most_s: float = 4.0) -> str:
        """Put a rule in force for a while."""
        network, links = self.world.network, list(links)
        self._for(most_s, network.take, network.put(links, rule))
        return " ".join(f"{_short(one)}>{_short(other)}" for one, other in links[:12])

    def between(self, side: Iterable[NodeId]) -> list[Link]:
        """Return all links, both ways, between *side* and the others."""
        inside = sorted(side)
        outside = [name for name in self.world.names if name not in inside]
        pairs = [(a, b) for a in inside for b in outside]
        return pairs + [(b, a) for a, b in pairs]

    # --- processes -------------------------------------------------------------------------------

    def _crash(self) -> str:
        node = self._some()
        self.kill(node)
        return node.node_id

    def _power_loss(self) -> str:
        node = self._some()
        self.kill(node, silently=True)
        return node.node_id

    def _crash_many(self) -> str:
        names = self.world.names
        some = self._chance.sample(names, self._chance.randrange(1, len(names) + 1))
        for name in some:
            self.kill(self.world.nodes[name], 2.0)
        return " ".join(some)

    def _stop(self) -> str:
        node = self._some()
        node.shut_down()
        self.world.clock.after(0.1 + self._chance.random() * 2, self._undo, self.revive, (node,))
        return node.node_id

    def _pause(self) -> str:
        node = self._some()
        node.pause()
        self._for(4.0, node.resume)
        return node.node_id

    def _lag(self) -> str:
        node = self._some()
        node.lag_s = self._chance.choice((0.002, 0.02, 0.08, 0.25))
        self._for(4.0, setattr, node, "lag_s", 0.00005)
        return f"{node.node_id} {node.lag_s}"

    def _slow_app(self) -> str:
        node = self._some()
        node.app_slow_s = self._chance.choice((0.01, 0.1, 1.0))
        self._for(4.0, setattr, node, "app_slow_s", 0.0)
        return node.node_id

    def _broken_app(self) -> str:
        node, shard_id = self._some(), self._chance.choice(self.world.plan.shards)
        node.broken_apps[shard_id] = 0
        # Only a new start helps: the replica has stopped (S11).
        self._for(3.0, self._restart, node)
        return f"{node.node_id} shard {shard_id}"

    def _restart(self, node: SimNode) -> None:
        node.broken_apps.clear()
        node.crash()
        self.revive(node)

    # --- clocks ----------------------------------------------------------------------------------

    def _clock_rate(self) -> str:
        plan = self.world.plan
        rates = [0.9, 0.97, 1.03, 1.1]
        if plan.lease_s:  # Leases are right within this bound, and may be wrong beyond it (S6).
            rates = [1 + plan.clock_drift * part for part in (-0.5, -0.2, 0.2, 0.5)]
        node, rate = self._some(), self._chance.choice(rates)
        node.skew(rate=rate)
        self._for(8.0, lambda: node.skew(rate=1.0))
        return f"{node.node_id} {rate}"

    def _clock_jump(self) -> str:
        node, jump_s = self._some(), self._chance.choice((0.05, 0.3, 1.0, 5.0, 60.0))
        if self.world.plan.lease_s:
            return "not where there are leases"
        node.skew(jump_s=jump_s)
        return f"{node.node_id} {jump_s}"

    # --- the network -----------------------------------------------------------------------------

    def _isolate(self) -> str:
        return self.put(self.between([self._some().node_id]), Rule(cut=True))

    def _partition(self) -> str:
        names = self.world.names
        side = self._chance.sample(names, self._chance.randrange(1, len(names) + 1))
        return self.put(self.between(side), Rule(cut=True))

    def _bridge(self) -> str:
        """Cut two sides that both hear one node in the middle."""
        names = list(self.world.names)
        self._chance.shuffle(names)
        rest, half = names[1:], names[1 : 1 + len(names) // 2]
        links = [(a, b) for a in rest for b in rest if a != b and (a in half) != (b in half)]
        return self.put(links, Rule(cut=True))

    def _one_way(self) -> str:
        links = [self._two()]
        if self._chance.random() < 0.3:
            one = links[0][0]
            links = [(one, name) for name in self.world.names if name != one]
        return self.put(links, Rule(drop=1.0))

    def _flap(self) -> str:
        one, other = self._two()
        links, network = [(one, other), (other, one)], self.world.network
        for number in range(8):
            length_s = self._chance.random() * 0.3

            def cut(length_s: float = length_s) -> None:
                rule = network.put(links, Rule(cut=True))
                self.world.clock.after(length_s, self._undo, network.take, (rule,))

            self.world.clock.after(0.35 * number, self._undo, cut, ())
        return f"{one} {other}"

    def _break_stream(self) -> str:
        one, other = self._two()
        self.world.network.break_stream(one, other)
        return f"{one} to {other}"

    def _anywhere(self, rule: Rule, most_s: float = 4.0) -> str:
        """Put a rule on one link, on all of one node, or on all there are."""
        names = self.world.names
        dice = self._chance.random()
        if dice < 0.3:
            return self.put([self._two()], rule, most_s)
        if dice < 0.6:
            return self.put(self.between([self._some().node_id]), rule, most_s)
        self.put([(a, b) for a in names for b in names if a != b], rule, most_s)
        return "everywhere"

    def _loss(self) -> str:
        return self._anywhere(Rule(drop=self._chance.choice((0.02, 0.1, 0.3, 0.6))))

    def _duplicates(self) -> str:
        return self._anywhere(Rule(duplicate=self._chance.choice((0.05, 0.3))))

    def _disorder(self) -> str:
        return self._anywhere(Rule(reorder=self._chance.choice((0.05, 0.3))))

    def _slow_network(self) -> str:
        delay_s = self._chance.choice((0.005, 0.02, 0.08, 0.2))
        return self._anywhere(Rule(delay_s=delay_s, jitter_s=delay_s))

    def _lost_shard(self) -> str:
        shard_id = self._chance.choice(self.world.plan.shards)
        return self._anywhere(Rule(shard_id=shard_id, drop=1.0))

    def _deaf_beats(self) -> str:
        return self.put([self._two()], Rule(kind="beat", drop=1.0))

    def _deaf_frames(self) -> str:
        return self.put([self._two()], Rule(kind="frame", drop=1.0))

    # --- disks -----------------------------------------------------------------------------------

    def _slow_disk(self) -> str:
        node = self._some()
        node.disk.slow_s = self._chance.choice((0.005, 0.05, 0.3))
        self._for(5.0, setattr, node.disk, "slow_s", 0.0)
        return f"{node.node_id} {node.disk.slow_s}"

    def _stuck_disk(self) -> str:
        node = self._some()
        node.disk.is_stuck = True
        self._for(6.0, node.disk.move)
        return node.node_id

    def _failing_disk(self) -> str:
        node = self._some()
        node.disk.fails = "a disk that fails on purpose"
        # The node never goes on after a failed sync; an operator starts it anew.
        self.world.clock.after(self._chance.random() * 2, self._undo, self._restart, (node,))
        return node.node_id

    def _damaged_log(self) -> str:
        """Let one replica lose the end of its log; two at once may be a quorum (S12)."""
        node, shard_id = self._some(), self._chance.choice(self.world.plan.shards)
        if any(other.disk.shard(shard_id).damaged for other in self.world.nodes.values()):
            return "nobody: one is damaged"
        self.kill(node)
        keep = self._chance.randrange(len(node.disk.shard(shard_id).entries.terms) + 1)
        node.disk.damage(shard_id, keep)
        return f"{node.node_id} shard {shard_id} keeps {keep}"

    def _full_disk(self) -> str:
        """Leave no space: what runs stops, and does not start again before there is some."""
        node = self._some()
        node.disk.is_full = True
        self._for(5.0, self._make_space, node)
        return node.node_id

    def _make_space(self, node: SimNode) -> None:
        node.disk.is_full = False
        self._restart(node)

    def _torn_write(self) -> str:
        """Die within the next write: a part of it is on the disk."""
        node, chance = self._some(), self._chance

        def die(life: int) -> None:
            if node.life == life and not self._is_over:
                node.crash(silently=chance.random() < 0.5, tears=True)
                self.world.clock.after(chance.random() * 2, self._undo, self.revive, (node,))

        node.disk.on_next_write = lambda: self.world.clock.after(0.0002, die, node.life)
        return node.node_id

    def _rotten_sector(self) -> str:
        """Kill a node, and let a sector of its log read as something else for a while."""
        node, shard_id = self._some(), self._chance.choice(self.world.plan.shards)
        node.crash()
        rotten = node.disk.rot(shard_id, self._chance)
        self._for(5.0, self._read_again, node)
        return f"{node.node_id} shard {shard_id}{'' if rotten else ', which has no log'}"

    def _read_again(self, node: SimNode) -> None:
        node.disk.rotten.clear()
        self.revive(node)

    # --- operators -------------------------------------------------------------------------------

    def _add(self) -> str:
        return self.operate(RequestKind.ADD_SERVER, self._some().node_id)

    def _remove(self) -> str:
        if self._chance.random() < 0.5:
            return self._change()
        return self.operate(RequestKind.REMOVE_SERVER, self._some().node_id)

    def _change(self) -> str:
        """Replace a server, or ask for any other set, with learners that are kept (4.3)."""
        names = self._chance.sample(self.world.names, len(self.world.names))
        count = self._chance.randint(1, len(names))
        voters, others = names[:count], names[count:]
        if others and self._chance.random() < 0.5:
            wish = Wish.of(voters[:1], (), others[:1])
        else:
            learners = others[: self._chance.randint(0, len(others))]
            wish = Wish.of(voters, learners, others_leave=True)
        return self.operate(RequestKind.CHANGE_MEMBERS, wish.encode().decode())

    def _transfer(self) -> str:
        server_id = self._chance.choice(("", self._some().node_id))
        return self.operate(RequestKind.TRANSFER, server_id)

    def operate(self, kind: RequestKind, server_id: str) -> str:
        """Ask some node for a change of members or of the leader."""
        named = server_id.replace("\n", ", ")
        shard_id = self._chance.choice(self.world.plan.shards)
        request = ClientRequest(ticket=0, kind=kind, shard_id=shard_id, message=server_id.encode())
        errand = self.errands.begin(kind, shard_id, request.message)

        def answered(respond: Respond | None) -> None:
            if errand is not None:
                self.errands.end(errand, respond)
            said = "died" if respond is None else respond.code.value
            self.world.note(f"{kind.value} {named} of shard {shard_id}: {said}")
            self.done[f"{kind.value} {said}"] += 1

        # A server that is told to add itself where it has no group begins one of its own.
        asked = [name for name in self.world.names if name != server_id] or [NodeId(server_id)]
        self.world.nodes[self._chance.choice(asked)].ask(request, answered)
        return f"{named} shard {shard_id}"

    def _timeout_now(self) -> str:
        node, shard_id = self._some(), self._chance.choice(self.world.plan.shards)
        node.order(shard_id, lambda respond: None)
        return f"{node.node_id} shard {shard_id}"

    def _snapshot(self) -> str:
        node = self._some()
        if node.is_running:
            for shard_id in sorted(node.queues):
                node.queues[shard_id].make_snapshot()
        return node.node_id


def _short(node_id: NodeId) -> str:
    return node_id.removeprefix("http://").split(":")[0]
