"""The end of chaos: a quorum is healed, progress is demanded, then rest (DESIGN 9)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Respond
from lolraft.multiraft.events import ClientRequest
from lolraft.multiraft.frames import RequestKind
from lolraft.raft.effects import Code
from lolraft.raft.state import RaftState
from lolraft.raft.types import Configuration, EntryKind, NodeId, Role, ShardId
from lolraft.sim.checkers.durable_commit import is_quorum
from lolraft.sim.violation import Violation

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

PROGRESS_S = 10.0
"""A shard whose quorum is healed has a leader and takes a write within this (PROTOCOL L8)."""

EQUAL_S = 30.0
"""And its replicas are equal within this: a learner that is stuck is taken out after 10 s (C2)."""

REST_S = 5.0  # Longer than a forwarded request waits for an answer.
PROMISE = "liveness"


def grow(world: World) -> None:
    """Bootstrap every shard at the first node, and add the others (DESIGN 10)."""
    first, others = world.names[0], world.names[1 : world.plan.nodes]
    for shard_id in world.plan.shards:
        for server in (first, *others):
            ask(world, [first], RequestKind.ADD_SERVER, shard_id, server, 20.0)


def come(world: World) -> None:
    """
    Heal all but a minority, demand progress; heal all, demand equal states; look at the rest.

    Raises:
        Violation: too late, or something is wrong at rest.
    """
    assert world.nemesis is not None, "after chaos"
    dead = who_may_stay_dead(world) if world.plan.leaves_dead else ()
    world.ambushes = None
    world.nemesis.heal(dead)
    world.note(f"peace, but for {dead}" if dead else "peace")
    world.clock.after(1.0, _end_clients, world)
    began_s = world.clock.now_s
    for shard_id in world.plan.shards:
        left_s = began_s + PROGRESS_S - world.clock.now_s
        ask(world, list(world.names), RequestKind.WRITE, shard_id, f"peace.{shard_id}", left_s)
    for name in dead:
        world.nemesis.revive(world.nodes[name])
    until_s = world.clock.now_s + EQUAL_S
    for shard_id in world.plan.shards:
        if not _wait(world, until_s, partial(is_equal, world, shard_id)):
            raise Violation(
                PROMISE,
                f"shard {shard_id}'s replicas are not equal after {EQUAL_S:g} s:"
                f" {why_unequal(world, shard_id)}",
            )
    _rest(world)


def _end_clients(world: World) -> None:
    world.is_over = True


def _rest(world: World) -> None:
    """Wait for the clients, then for everything that they left behind."""
    world.is_over = True
    until_s = world.clock.now_s + 15.0
    if not _wait(world, until_s, lambda: not any(client.is_busy for client in world.clients)):
        raise Violation(PROMISE, "a client waits for an answer for 15 s in peace")
    world.clock.run(world.clock.now_s + REST_S)
    for shard_id in world.plan.shards:
        why = why_unequal(world, shard_id) or why_restless(world, shard_id)
        if why:
            raise Violation(PROMISE, f"shard {shard_id} does not come to rest: {why}")
    world.at_rest()


def _wait(world: World, until_s: float, test: Callable[[], bool]) -> bool:
    """Go on until *test* holds, and return whether it did; it is asked ten times a second."""
    while not test():
        if world.clock.now_s >= until_s:
            return False
        world.clock.run(min(world.clock.now_s + 0.1, until_s))
    return True


def ask(
    world: World,
    names: list[NodeId],
    kind: RequestKind,
    shard_id: ShardId,
    message: str,
    within_s: float,
) -> None:
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
    if not world.clock.run(world.clock.now_s + within_s, lambda: done):
        raise Violation(
            PROMISE,
            f"{kind.value} of shard {shard_id} is not done within {PROGRESS_S:g} s of peace:\n"
            + "\n".join(said[-6:]),
        )


def who_may_stay_dead(world: World) -> tuple[NodeId, ...]:
    """Return some nodes without which every configuration that may be in force has a quorum."""
    records = [node.disk.rows.node for node in world.nodes.values()]
    if not all(record is not None and record.proven for record in records):
        return ()  # The very first boot needs everybody (S4).
    known = [item for name in world.names for item in _configurations(world.nodes[name])]
    chance = world.clock.chance("dead")
    names = list(world.names)
    chance.shuffle(names)
    dead: list[NodeId] = []
    for name in names:
        alive = [other for other in names if other not in dead and other != name]
        if all(is_quorum(configuration, alive) for configuration in known):
            dead.append(name)
    return tuple(sorted(dead[: chance.randrange(len(dead) + 1)] if dead else ()))


def _configurations(node: SimNode) -> list[Configuration]:
    found = []
    for record in node.disk.rows.shards.values():
        if record.snapshot is not None:
            found.append(record.snapshot.configuration)
        for position, kind in enumerate(record.entries.kinds):
            if kind == EntryKind.CONFIGURATION:
                found.append(Configuration.decode(record.entries.payloads[position]))
    if node.machine is not None:
        for shard in node.machine.node.shards.values():
            found += [configuration for _, configuration in shard.state.configurations]
    return found


def leader_of(world: World, shard_id: ShardId) -> RaftState | None:
    """Return the leader with the highest term among running nodes."""
    leaders = []
    for node in world.nodes.values():
        if node.is_running and node.machine is not None:
            shard = node.machine.node.shards.get(shard_id)
            if shard is not None and shard.state.role is Role.LEADER:
                leaders.append(shard.state)
    return max(leaders, key=lambda state: state.current_term, default=None)


def members_of(world: World, shard_id: ShardId) -> tuple[NodeId, ...]:
    """Return the members of a shard, as its leader says."""
    leader = leader_of(world, shard_id)
    return () if leader is None else leader.configuration.members


def is_equal(world: World, shard_id: ShardId) -> bool:
    """Return whether nothing of `why_unequal` is the case."""
    return not why_unequal(world, shard_id)


def why_unequal(world: World, shard_id: ShardId) -> str:
    """Return how the members of a shard differ; empty when they are equal and all is settled."""
    leader = leader_of(world, shard_id)
    if leader is None or leader.leadership is None:
        return "there is no leader"
    if leader.configuration.is_joint or leader.leadership.change is not None:
        return f"a change of members is under way: {leader.configuration}"
    if leader.commit_index < leader.log.last_index:
        return f"the leader has committed {leader.commit_index} of {leader.log.last_index}"
    for name in leader.configuration.members:
        node = world.nodes[name]
        if node.machine is None:
            return f"{name} is dead"
        state = node.machine.node.shards[shard_id].state
        if state.leader_id != leader.node_id:
            return f"{name} follows {state.leader_id}, not {leader.node_id}"
        end, commit_index = leader.log.last_clock, leader.commit_index
        if (state.log.last_clock, state.commit_index) != (end, commit_index):
            return f"{name} is at {state.log.last_clock}, {state.commit_index} committed"
        if node.machine.node.shards[shard_id].applied_index != state.commit_index:
            return f"{name} has not applied all"
        mine, first = (node.queues.get(shard_id), world.nodes[leader.node_id].queues.get(shard_id))
        if mine is not None and first is not None and mine.app.dump() != first.app.dump():
            return f"{name} has another state than {leader.node_id}"
    return _who_lingers(world, shard_id, leader.configuration.members)


def _who_lingers(world: World, shard_id: ShardId, members: tuple[NodeId, ...]) -> str:
    for name in world.names:
        machine = world.nodes[name].machine
        if name in members or machine is None:
            continue
        known = machine.node.shards[shard_id].state.configuration
        # Where everybody whom it knew has left as well, nobody is there to tell it.
        if {*known.voters, *known.outgoing} & {*members}:
            return f"{name} was removed and does not clean up (L10)"
    return ""


def why_restless(world: World, shard_id: ShardId) -> str:
    """Return who has a deadline though all is well: an idle shard costs no CPU (DESIGN 4)."""
    for name in members_of(world, shard_id):
        machine = world.nodes[name].machine
        if machine is not None:
            deadline_s = machine.node.shards[shard_id].state.deadline_s
            if deadline_s is not None:
                return f"{name} has a deadline"
    return ""
