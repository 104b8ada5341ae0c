"""Faults with aim: a node dies, freezes or is cut off at the very moment that matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from lolraft.multiraft import effects as fx
from lolraft.raft.events import AppendResponse, Message, TimeoutNow, VoteRequest, VoteResponse
from lolraft.raft.types import NodeId
from lolraft.sim.story import short
from lolraft.sim.weather import Rule

if TYPE_CHECKING:
    from lolraft.sim.faults import Nemesis
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World


def _says(test: Callable[[Message], bool]) -> Callable[[fx.Effect], bool]:
    def is_said(effect: fx.Effect) -> bool:
        return isinstance(effect, fx.SendFrame) and any(
            test(message) for _, message in effect.frame.messages
        )

    return is_said


def _tells(*kinds: str) -> Callable[[fx.Effect], bool]:
    return lambda effect: isinstance(effect, fx.Tell) and effect.kind in kinds


MOMENTS: dict[str, Callable[[fx.Effect], bool]] = {
    "vote": _says(lambda m: isinstance(m, VoteResponse) and m.granted and not m.pre_vote),
    "stand": _says(lambda m: isinstance(m, VoteRequest) and not m.pre_vote),
    "elected": _tells("elected"),
    "save": lambda effect: isinstance(effect, fx.Persist),
    "truncate": lambda effect: (
        isinstance(effect, fx.Persist)
        and any(save.truncate_from is not None for _, save in effect.batch.saves)
    ),
    "commit": lambda effect: isinstance(effect, fx.RunApply),
    "ack_append": _says(lambda m: isinstance(m, AppendResponse) and m.success),
    "answer": lambda effect: isinstance(effect, fx.Respond),
    "configuration": _tells("configuration", "removed"),
    "snapshot": lambda effect: (
        isinstance(effect, fx.Persist)
        and any(save.snapshot is not None for _, save in effect.batch.saves)
    ),
    "install": lambda effect: isinstance(effect, fx.RunInstall | fx.RunFetch),
    "transfer": _says(lambda m: isinstance(m, TimeoutNow)),
    "epoch": lambda effect: isinstance(effect, fx.Persist) and effect.batch.node is not None,
    "effect": lambda effect: True,  # Any boundary at all; a tenth as often.
    "claim": lambda effect: (
        isinstance(effect, fx.SendHeartbeat)
        and bool(effect.heartbeat.claims or effect.heartbeat.withdrawn)
    ),
}

BLOWS = (
    "die_before", "die_before", "die_after", "die_after", "forget", "forget", "freeze", "cut_off",
    "kill_peer", "mute",
)  # fmt: skip


class Ambushes:
    """
    Watch every effect, and strike at some of those that a plan names.

    Each moment has a name, `vote n2 7`: the seventh grant of n2. Chance is drawn by that name, so
    that one blow that is left out shifts no other.
    """

    def __init__(self, world: World, nemesis: Nemesis) -> None:
        self.world = world
        self._nemesis = nemesis
        rates = {"effect": world.plan.ambush_rate / 10}
        self._moments = [
            (name, MOMENTS[name], rates.get(name, world.plan.ambush_rate))
            for name in world.plan.ambushes
        ]
        self._seen: Counter[tuple[str, NodeId]] = Counter()
        self._left: dict[tuple[str, NodeId], int] = {}  # Moments to let pass.

    def before_effect(self, node: SimNode, effect: fx.Effect) -> None:
        """Look at an effect that is about to be done; the node may be dead afterwards."""
        for name, is_moment, rate in self._moments:
            if is_moment(effect) and self._strikes(name, node.node_id, rate):
                number = self._seen[name, node.node_id]
                key = f"{name} {short(node.node_id)} {number}"
                blows = self.world.plan.blows
                if blows is None or key in blows:
                    self._strike(name, key, node, effect)
                return

    def _strikes(self, name: str, node_id: NodeId, rate: float) -> bool:
        """Return whether this moment is one: the gaps between them are drawn."""
        mark = (name, node_id)
        self._seen[mark] += 1
        if mark not in self._left:
            self._left[mark] = self._gap(name, node_id, rate)
        self._left[mark] -= 1
        if self._left[mark] > 0:
            return False
        del self._left[mark]
        return True

    def _gap(self, name: str, node_id: NodeId, rate: float) -> int:
        chance = self.world.clock.chance(f"gap {name} {node_id} {self._seen[name, node_id]}")
        return 1 + int(chance.expovariate(rate))

    def _strike(self, name: str, key: str, node: SimNode, effect: fx.Effect) -> None:
        chance = self.world.clock.chance(f"ambush {key}")
        self._nemesis.use(chance)
        blow = chance.choice(BLOWS)
        self.world.did["blows"].append(key)
        self._nemesis.done[f"ambush {name}"] += 1
        self._nemesis.done[blow] += 1
        self.world.note(f"ambush at {key}: {blow}")
        getattr(self, f"_{blow}")(node, effect, chance)

    def _back_in_a_while(self, node: SimNode, chance: Random) -> None:
        delay_s = chance.choice((0.0005, 0.02, 0.2, 1.0)) * (0.5 + chance.random())
        self.world.clock.after(delay_s, self._revive, node)

    def _revive(self, node: SimNode) -> None:
        if self.world.ambushes:
            self._nemesis.revive(node)

    def _die_before(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        node.crash(silently=chance.random() < 0.2)
        self._back_in_a_while(node, chance)

    def _die_after(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        """Die when the effects of this turn are done, or a moment later."""
        delay_s = chance.choice((0.0, 0.0, 0.0003, 0.001, 0.005))
        self.world.clock.after(delay_s, self._die, node, node.life, None, chance)

    def _forget(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        """Die after this turn, and lose what is on its way to the disk."""
        self.world.clock.after(0.0, self._die, node, node.life, False, chance)

    def _die(self, node: SimNode, life: int, keeps: bool | None, chance: Random) -> None:
        if node.life == life and self.world.ambushes:
            node.crash(keeps=keeps)
            self._back_in_a_while(node, chance)

    def _freeze(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        """Freeze after this turn."""
        self.world.clock.after(0.0, self._freeze_now, node, chance)

    def _freeze_now(self, node: SimNode, chance: Random) -> None:
        if self.world.ambushes:
            node.pause()
            self.world.clock.after(chance.choice((0.05, 0.5, 1.5, 3.0)), node.resume)

    def _cut_off(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        self._nemesis.put(self._nemesis.between([node.node_id]), Rule(cut=True))

    def _mute(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        """Let nothing that it says arrive any more; it hears all the others."""
        links = [(node.node_id, name) for name in self.world.names if name != node.node_id]
        self._nemesis.put(links, Rule(drop=1.0))

    def _kill_peer(self, node: SimNode, effect: fx.Effect, chance: Random) -> None:
        """Kill who is about to hear of it, or anybody else."""
        peer = NodeId(getattr(effect, "peer", "") or chance.choice(self.world.names))
        victim = self.world.nodes[peer]
        if victim is not node:
            victim.crash()
            self._back_in_a_while(victim, chance)
