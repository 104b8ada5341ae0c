"""What chance has broken in a seed's world, as the faults that the lab knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.faults import BY_CHANCE, ClockTrouble, DiskTrouble, FaultKind, LinkTrouble, Trouble
from lolraft.sim import World
from lolraft.sim.node import SimNode
from lolraft.sim.story import short
from lolraft.sim.weather import Link, Rule

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One thing that is broken now."""

    kind: FaultKind
    nodes: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    trouble: Trouble | None = None
    mechanism: str = BY_CHANCE


def in_force(world: World) -> dict[object, Broken]:
    """
    Return what is broken in *world* now, by what identifies it.

    A frozen or dead node is not among it: its state says so. Slow apps, stuck disks and damaged
    logs have no word among the lab's faults; the timeline tells of them.
    """
    found: dict[object, Broken] = {}
    for number, (links, rule) in world.network.weather.in_force.items():
        broken = _weather([short(name) for name in world.names], links, rule)
        if broken is not None:
            found["rule", number] = broken
    for node in world.nodes.values():
        for broken in _of_node(node):
            found[broken.kind, broken.nodes, broken.trouble] = broken
    return found


def _of_node(node: SimNode) -> Iterable[Broken]:
    name = (short(node.node_id),)
    disk = node.disk
    if disk.slow_s:
        slow = DiskTrouble(sync_delay_s=disk.slow_s)
        yield Broken(kind=FaultKind.SLOW_DISK, nodes=name, trouble=slow)
    if disk.fails is not None:
        failing = DiskTrouble(fail_sync=True)
        yield Broken(kind=FaultKind.FAILING_SYNC, nodes=name, trouble=failing)
    if disk.is_full:
        yield Broken(kind=FaultKind.FULL_DISK, nodes=name, trouble=DiskTrouble(full=True))
    if node.rate != 1.0:
        yield Broken(kind=FaultKind.CLOCK, nodes=name, trouble=ClockTrouble(rate=node.rate))


def _weather(names: list[str], links: tuple[Link, ...], rule: Rule) -> Broken | None:
    pairs = tuple((short(one), short(other)) for one, other in links)
    if not pairs:
        return None  # It cuts nobody off from nobody.
    only = {"beat": "heartbeats", "": ""}.get(rule.kind, f"{rule.kind}s")
    only = only if rule.shard_id is None else f"shard {rule.shard_id}"
    mechanism = f"{BY_CHANCE}, {only} only" if only else BY_CHANCE
    if rule.cut or (rule.drop == 1.0 and not only):
        kind, nodes = _cut(names, pairs)
        return Broken(kind=kind, nodes=nodes, links=pairs)
    if rule.drop:
        kind, trouble = FaultKind.LOSS, LinkTrouble(drop=rule.drop)
    elif rule.duplicate:
        kind, trouble = FaultKind.DUPLICATE, LinkTrouble(duplicate=rule.duplicate)
    elif rule.reorder:
        kind, trouble = FaultKind.REORDER, LinkTrouble(reorder=rule.reorder)
    else:
        kind = FaultKind.DELAY
        trouble = LinkTrouble(delay_s=rule.delay_s, jitter_s=rule.jitter_s)
    nodes = _ends(pairs)
    return Broken(kind=kind, nodes=nodes, links=pairs, trouble=trouble, mechanism=mechanism)


def _cut(names: list[str], pairs: tuple[tuple[str, str], ...]) -> tuple[FaultKind, tuple[str, ...]]:
    """Return what a set of cut links comes to: one way, both ways, one node, or sides."""
    cut = set(pairs)
    if any((other, one) not in cut for one, other in cut):
        return FaultKind.CUT, _ends(pairs)
    if len(cut) == 2 and len(names) > 2:
        return FaultKind.CUT_BOTH, pairs[0]
    sides = _sides(names, cut)
    alone = [side[0] for side in sides if len(side) == 1]
    if len(sides) == 2 and alone:
        return FaultKind.ISOLATE, (alone[0],)
    if len(sides) > 1:
        return FaultKind.PARTITION, tuple(" ".join(side) for side in sides)
    return FaultKind.PARTITION, (", ".join(f"{one}-{two}" for one, two in pairs if one < two),)


def _sides(names: list[str], cut: set[tuple[str, str]]) -> list[list[str]]:
    """Return who still hears whom, directly or through others."""
    sides: list[list[str]] = []
    left = list(names)
    while left:
        side = [left.pop(0)]
        for one in side:  # It grows meanwhile.
            near = [other for other in left if (one, other) not in cut]
            side += near
            left = [other for other in left if other not in near]
        sides.append(sorted(side))
    return sides


def _ends(pairs: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return sender and receiver, `all` where there are many; one node where it is both."""
    senders, receivers = {one for one, _ in pairs}, {other for _, other in pairs}
    if senders == receivers and len(senders) > 2:
        everywhere = [name for name in senders if all(name in pair for pair in pairs)]
        return (everywhere[0], ALL) if everywhere else (ALL, ALL)
    one = next(iter(senders)) if len(senders) == 1 else ALL
    return one, next(iter(receivers)) if len(receivers) == 1 else ALL
