"""
What a scenario can do.

    call leader old         give a node a name              wait 2s      let time pass
    write a=1               write 200                       begin a=1 at old    wait for no answer
    kill stop pause resume restart NODE                     crash all    kill every node
    cut n1 -> n2            cut n1 - n2                     isolate NODE
    split n1 n2 | n3 n4 n5  heal                            elect NODE   it stands at once
    transfer NODE           add as fresh                    remove NODE
    load on                 load off                        mark         remember the term
    snapshot                expect ...                      # a caption
    at 12.5s STEP           when the story is so old        lead NODE    unless it leads already
    disturb FAULT           heal FAULT                      as in `troubles.py`
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lab.apps import kv
from lab.scenarios.expectations import expect
from lab.scenarios.script import ScenarioError, Step
from lab.scenarios.sights import seconds
from lab.scenarios.stage import Failed, Stage
from lab.scenarios.troubles import kind_of, kind_word, read_trouble, read_where, where_words
from lab.sim.cluster import SimCluster
from lab.workload.load import Load
from lolraft.errors import RequestFailed

WRITE_S = 15.0
CHANGE_S = 30.0
Act = Callable[[Stage, Step], Awaitable[None]]


async def do(stage: Stage, step: Step) -> None:
    """
    Do one step.

    Raises:
        Failed: what was expected did not come, or the cluster refused.
        ScenarioError: the step makes no sense.
    """
    act = VERBS.get(step.verb)
    if act is None:
        there = " ".join(VERBS)
        raise ScenarioError(f"line {step.number}: no step begins with {step.verb!r}; {there}")
    try:
        await act(stage, step)
    except RequestFailed as failed:
        raise Failed(str(failed)) from failed
    except (IndexError, ValueError) as broken:
        raise ScenarioError(f"line {step.number}: `{step}` is not whole") from broken


async def _caption(stage: Stage, step: Step) -> None:
    stage.say(step.words[0])


async def _call(stage: Stage, step: Step) -> None:
    stage.named[step.words[1]] = stage.node(step.words[0])


async def _wait(stage: Stage, step: Step) -> None:
    await stage.cluster.sleep(seconds(step.words[0]))


async def _mark(stage: Stage, step: Step) -> None:
    stage.marks["term"] = stage.shard.term
    if stage.load is not None:
        stage.load.mark()


async def _write(stage: Stage, step: Step) -> None:
    shard_id = stage.shard.shard_id
    if step.words[0].isdigit():
        for number in range(int(step.words[0])):
            command = kv.put(f"k{number}", f"v{number}")
            await stage.client.write(shard_id, command, timeout_s=WRITE_S)
        return
    key, value = step.words[0].split("=")
    await stage.client.write(shard_id, kv.put(key, value), timeout_s=WRITE_S)


async def _begin(stage: Stage, step: Step) -> None:
    key, value = step.words[0].split("=")
    attempt = stage.once(stage.node(step.words[2]), stage.shard.shard_id, kv.put(key, value))
    stage.begun.append(asyncio.ensure_future(attempt))
    await stage.cluster.sleep(0.2)  # Until it is in that node's log.


async def _to_node(stage: Stage, step: Step) -> None:
    deed = getattr(stage.cluster, step.verb)
    await deed(stage.node(step.words[0]))


async def _crash(stage: Stage, step: Step) -> None:
    for node in stage.cluster.nodes():
        await stage.cluster.kill(node.name)


async def _cut(stage: Stage, step: Step) -> None:
    one, how, other = stage.node(step.words[0]), step.words[1], stage.node(step.words[2])
    if how == "->":
        await stage.cluster.cut(one, other)
    else:
        await stage.cluster.cut_both(one, other)


async def _split(stage: Stage, step: Step) -> None:
    sides = " ".join(step.words).split("|")
    groups = tuple(tuple(stage.node(word) for word in side.split()) for side in sides)
    await stage.cluster.partition(groups)


async def _disturb(stage: Stage, step: Step) -> None:
    kind = kind_of(step.words[0])
    where, how_much = read_where(kind, step.words[1:], stage.node)
    await stage.cluster.disturb(kind, where, read_trouble(kind, how_much))


async def _heal(stage: Stage, step: Step) -> None:
    if not step.words:
        await stage.cluster.heal()
        return
    kind = kind_of(step.words[0])
    where, _ = read_where(kind, step.words[1:], stage.node)
    for fault in reversed(stage.cluster.faults()):
        if (fault.kind, fault.nodes) == (kind, where):
            await stage.cluster.heal(fault)
            return
    raise Failed(f"no {kind_word(kind)} {where_words(kind, where)} is in force")


async def _at(stage: Stage, step: Step) -> None:
    wait_s = stage.began_s + seconds(step.words[0]) - stage.cluster.now_s()
    if wait_s > 0:
        await stage.cluster.sleep(wait_s)
    verb, words = step.words[1], step.words[2:]
    words = (" ".join(words),) if verb == "#" else words
    await do(stage, Step(number=step.number, verb=verb, words=words))


async def _lead(stage: Stage, step: Step) -> None:
    name = stage.node(step.words[0])
    if stage.shard.leader != name:
        await _transfer(stage, step)
        await stage.until(lambda: "" if stage.shard.leader == name else f"{name} does not lead")


async def _elect(stage: Stage, step: Step) -> None:
    name = stage.id_of(stage.node(step.words[0]))
    client = stage.client_at(name)
    try:
        await client.timeout_now(name, stage.shard.shard_id)
    finally:
        await client.close()


async def _transfer(stage: Stage, step: Step) -> None:
    target = stage.id_of(stage.node(step.words[0]))
    await stage.client.transfer_leadership(stage.shard.shard_id, target, timeout_s=WRITE_S)


async def _add(stage: Stage, step: Step) -> None:
    handle = await stage.cluster.add_node()
    stage.named[step.words[1]] = handle.name
    for shard_id in stage.view.shards:
        await stage.client.add_server(shard_id, handle.node_id, timeout_s=CHANGE_S)


async def _remove(stage: Stage, step: Step) -> None:
    server = stage.id_of(stage.node(step.words[0]))
    for shard_id in stage.view.shards:
        await stage.client.remove_server(shard_id, server, timeout_s=CHANGE_S)


async def _snapshot(stage: Stage, step: Step) -> None:
    shard_id = stage.shard.shard_id
    if isinstance(stage.cluster, SimCluster):  # Its apps have no files.
        await stage.cluster.snapshot(stage.node("leader"), shard_id)
    else:
        await stage.client.read(shard_id, kv.make_snapshot(), timeout_s=WRITE_S)


async def _load(stage: Stage, step: Step) -> None:
    if step.words[0] == "on":
        stage.load = Load(
            stage.client,
            now=stage.cluster.now_s,
            sleep=stage.cluster.sleep,
            shards=tuple(stage.view.shards),
            prefix=f"load{step.number}.",  # The keys of another load hold other values.
        )
        stage.loaded = stage.load
        stage.load.start()
    elif stage.load is not None:
        stage.verdict = await stage.load.stop()
        stage.load = None
        stage.say(str(stage.verdict), "verdict")


VERBS: dict[str, Act] = {
    "#": _caption,
    "call": _call,
    "wait": _wait,
    "mark": _mark,
    "write": _write,
    "begin": _begin,
    **dict.fromkeys(("kill", "stop", "pause", "resume", "restart", "isolate"), _to_node),
    "crash": _crash,
    "cut": _cut,
    "split": _split,
    "disturb": _disturb,
    "heal": _heal,
    "at": _at,
    "lead": _lead,
    "elect": _elect,
    "transfer": _transfer,
    "add": _add,
    "remove": _remove,
    "snapshot": _snapshot,
    "load": _load,
    "expect": expect,
}
