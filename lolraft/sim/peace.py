"""The end of chaos: a quorum is healed, progress is demanded, then rest (DESIGN 9)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.types import Configuration, EntryKind, NodeId, ShardId
from lolraft.sim.checkers.durable_commit import is_quorum
from lolraft.sim.checkers.liveness import CLIENTS_S, EQUAL_S, PROGRESS_S, Liveness, is_equal
from lolraft.sim.course import Course, Stretch

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

REST_S = 5.0  # Longer than a forwarded request waits for an answer.


def grow(world: World) -> Course:
    """Bootstrap every shard at the first node, and add the others (DESIGN 10)."""
    first, others = world.names[0], world.names[1 : world.plan.nodes]
    for shard_id in world.plan.shards:
        for server in (first, *others):
            yield from ask(world, [first], RequestKind.ADD_SERVER, shard_id, server, 20.0)


def come(world: World) -> Course:
    """
    Heal all but a minority, demand progress; heal all, demand equal states; look at the rest.

    Raises:
        Violation: too late, or something is wrong at rest.
    """
    assert world.nemesis is not None, "after chaos"
    dead = who_may_stay_dead(world) if world.plan.leaves_dead else ()
    world.ambushes = None
    world.nemesis.heal(dead)
    world.note(f"peace, but for {' '.join(dead)}" if dead else "peace")
    world.clock.after(1.0, _end_clients, world)
    began_s = world.clock.now_s
    for shard_id in world.plan.shards:
        left_s = began_s + PROGRESS_S - world.clock.now_s
        asked = list(world.names)
        message = f"peace.{shard_id}"
        yield from ask(world, asked, RequestKind.WRITE, shard_id, message, left_s)
    for name in dead:
        world.nemesis.revive(world.nodes[name])
    until_s = world.clock.now_s + EQUAL_S
    for shard_id in world.plan.shards:
        equal = yield from _wait(world, until_s, partial(is_equal, world, shard_id))
        if not equal:
            world.checker(Liveness).not_equal(shard_id)
    yield from _rest(world)


def _end_clients(world: World) -> None:
    world.is_over = True


def _rest(world: World) -> Course:
    """Wait for the clients, then for everything that they left behind."""
    world.is_over = True
    until_s = world.clock.now_s + CLIENTS_S
    yield from _wait(world, until_s, lambda: not any(client.is_busy for client in world.clients))
    yield Stretch(world.clock.now_s + REST_S)
    world.at_rest()


def _wait(world: World, until_s: float, test: Callable[[], bool]) -> Generator[Stretch, bool, bool]:
    """Go on until *test* holds, and return whether it did; it is asked ten times a second."""
    while not test():
        if world.clock.now_s >= until_s:
            return False
        yield Stretch(min(world.clock.now_s + 0.1, until_s))
    return True


def ask(
    world: World,
    names: list[NodeId],
    kind: RequestKind,
    shard_id: ShardId,
    message: str,
    within_s: float,
) -> Course:
    """
    Ask one node after another until the answer is OK.

    Raises:
        Violation: it is not, within *within_s* seconds.
    """
    said: list[str] = []
    done = False
    tries = 0

    is_write = kind is RequestKind.WRITE

    def attempt() -> None:
        nonlocal tries
        if not done:
            node = world.nodes[names[tries % len(names)]]
            tries += 1
            number = tries
            request = ClientRequest(
                ticket=0,
                kind=kind,
                shard_id=shard_id,
                message=f"{message}.{number} peace peace".encode()
                if is_write
                else message.encode(),
                request_id=message if is_write else "",
            )
            node.ask(request, lambda respond: answered(number, node, respond))
            world.clock.after(2.0, late, number)

    def late(number: int) -> None:
        if number == tries:
            said.append("no answer for 2 s")
            attempt()

    def answered(number: int, node: SimNode, respond: Respond | None) -> None:
        nonlocal done
        if respond is not None and respond.code is Code.OK:
            done = True
        elif number == tries and not done:
            text = "dead" if respond is None else respond.message.decode()
            said.append(f"{node.node_id}: {text}")
            world.clock.after(0.05, attempt)

    attempt()
    is_answered = yield Stretch(world.clock.now_s + within_s, lambda: done)
    if not is_answered:
        what = f"{kind.value} of shard {shard_id}"
        world.checker(Liveness).no_progress(what, said)


def who_may_stay_dead(world: World) -> tuple[NodeId, ...]:
    """Return some nodes without which every configuration that may come has a quorum."""
    records = [node.disk.rows.node for node in world.nodes.values()]
    if not all(record is not None and record.proven for record in records):
        return ()  # The very first boot needs everybody (S4).
    known = [item for shard_id in world.plan.shards for item in _may_come(world, shard_id)]
    chance = world.clock.chance("dead")
    names = list(world.names)
    chance.shuffle(names)
    dead: list[NodeId] = []
    for name in names:
        alive = [other for other in names if other not in dead and other != name]
        if all(is_quorum(configuration, alive) for configuration in known):
            dead.append(name)
    return tuple(sorted(dead[: chance.randrange(len(dead) + 1)] if dead else ()))


def _may_come(world: World, shard_id: ShardId) -> list[Configuration]:
    """Return every configuration of a shard that some node knows or an operator still hopes for."""
    assert world.nemesis is not None, "after chaos"
    nodes = [world.nodes[name] for name in world.names]
    known = [item for node in nodes for item in _configurations(node, shard_id)]
    return known + list(world.nemesis.errands.goals(shard_id, known))


def _configurations(node: SimNode, shard_id: ShardId) -> list[Configuration]:
    found = []
    record = node.disk.rows.shards.get(shard_id)
    if record is not None:
        if record.snapshot is not None:
            found.append(record.snapshot.configuration)
        for position, kind in enumerate(record.entries.kinds):
            if kind == EntryKind.CONFIGURATION:
                found.append(Configuration.decode(record.entries.payloads[position]))
    shard = node.machine.node.shards.get(shard_id) if node.machine is not None else None
    if shard is not None:
        state = shard.state
        found += [configuration for _, configuration in state.configurations]
        change = state.leadership.change if state.leadership is not None else None
        if change is not None:  # Begun, and waiting for who is new to catch up.
            goal = {"voters": change.voters, "learners": change.learners}
            found.append(state.configuration.with_members(outgoing=(), **goal))
    return found
