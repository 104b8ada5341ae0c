"""
What a scenario can expect; each answers why it is not so yet, or nothing.

    leader                  somebody leads                  no leader    nobody does
    leader is n1|old        leader is not old               no quorum
    n1 leads|follows        n1 is behind                    n1 has snapshot
    voters 4                voters n1 n2 n3                 equal        all logs of members are
    term unchanged          term higher                     all led      every shard has a leader
    read a = 1              a is absent                     refused      what was begun was not done
    safe                    and all of `sights.py`, such as: pause at most 2s, linearizable
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from lab.apps import kv
from lab.scenarios.script import ScenarioError, Step
from lab.scenarios.sights import SIGHTS, Why, seconds
from lab.scenarios.stage import PATIENCE_S, Failed, Stage
from lolraft.errors import RequestFailed


async def expect(stage: Stage, step: Step) -> None:
    """
    Wait until what the step says is so.

    Raises:
        Failed: it does not come in time.
        ScenarioError: nobody can tell what it says.
    """
    words, within_s = step.words, PATIENCE_S
    if len(words) > 2 and words[-2] == "within":
        within_s, words = seconds(words[-1]), words[:-2]
    text = " ".join(words)
    why = sight(stage, text)
    if why is not None:
        await stage.until(why, within_s)
        return
    for pattern, ask in QUESTIONS:
        found = re.fullmatch(pattern, text)
        if found is not None:
            await ask(stage, within_s, *found.groups())
            return
    raise ScenarioError(f"line {step.number}: nobody can tell whether {text!r}")


def sight(stage: Stage, text: str) -> Why | None:
    """Return what tells from the picture why *text* is not so yet; None where no picture can."""
    for pattern, make in PICTURES:
        found = re.fullmatch(pattern, text)
        if found is not None:
            return make(stage, *found.groups())
    return None


# --- seen in the picture -------------------------------------------------------------------------


def _leader(stage: Stage) -> Why:
    return lambda: "" if stage.shard.leader else "nobody leads"


def _no_leader(stage: Stage) -> Why:
    return lambda: f"{stage.shard.leader} leads" if stage.shard.leader else ""


def _no_quorum(stage: Stage) -> Why:
    return lambda: "" if stage.shard.status == "no-quorum" else f"it is {stage.shard.status}"


def _leader_is(stage: Stage, word: str) -> Why:
    name = stage.node(word)
    return lambda: "" if stage.shard.leader == name else f"{stage.shard.leader} leads"


def _leader_is_not(stage: Stage, word: str) -> Why:
    name = stage.node(word)
    return lambda: "" if stage.shard.leader not in (None, name) else f"{stage.shard.leader} leads"


def _role(stage: Stage, word: str, verb: str) -> Why:
    name, role = stage.node(word), {"leads": "leader", "follows": "follower"}[verb]

    def why() -> str:
        replica = stage.shard.replicas.get(name)
        return "" if replica and replica.role == role else f"{name} is {replica and replica.role}"

    return why


def _behind(stage: Stage, word: str) -> Why:
    name = stage.node(word)

    def why() -> str:
        replica = stage.shard.replicas.get(name)
        is_behind = replica is not None and replica.last_index < stage.shard.commit_index
        return "" if is_behind else f"{name} has all that is committed"

    return why


def _snapshot(stage: Stage, word: str) -> Why:
    name = stage.node(word)

    def why() -> str:
        replica = stage.shard.replicas.get(name)
        return "" if replica and replica.snapshot_index > 1 else f"{name} has no snapshot"

    return why


def _voters(stage: Stage, words: str) -> Why:
    if words.isdigit():
        count = int(words)
        return lambda: "" if len(stage.shard.voters) == count else f"voters {stage.shard.voters}"
    names = tuple(sorted(stage.node(word) for word in words.split()))
    return lambda: "" if stage.shard.voters == names else f"voters {stage.shard.voters}"


def _term(stage: Stage, how: str) -> Why:
    before = stage.marks.get("term", 0)

    def why() -> str:
        is_so = stage.shard.term > before if how == "higher" else stage.shard.term == before
        return "" if is_so else f"the term is {stage.shard.term}, it was {before}"

    return why


def _equal(stage: Stage) -> Why:
    def why() -> str:
        shard = stage.shard
        leader = shard.replicas.get(shard.leader or "")
        if leader is None:
            return "nobody leads"
        members = [*leader.voters, *leader.learners]
        ends = {
            name: (replica.last_term, replica.last_index, replica.commit_index)
            for name in members
            if (replica := shard.replicas.get(name)) is not None
        }
        same = len(ends) == len(members) and len(set(ends.values())) == 1
        settled = leader.last_index == leader.commit_index
        return "" if same and settled else f"(term, last, commit) are {ends}"

    return why


def _all_led(stage: Stage) -> Why:
    def why() -> str:
        without = [shard_id for shard_id, shard in stage.view.shards.items() if not shard.leader]
        return f"{len(without)} shards have no leader" if without else ""

    return why


def _safe(stage: Stage) -> Why:
    return lambda: "" if stage.view.verdict == "SAFE" else stage.view.verdict_why or "UNKNOWN"


# --- asked of the cluster ------------------------------------------------------------------------


async def _read(stage: Stage, within_s: float, key: str, value: str) -> None:
    await _ask(stage, within_s, key, value)


async def _absent(stage: Stage, within_s: float, key: str) -> None:
    await _ask(stage, within_s, key, None)


async def _ask(stage: Stage, within_s: float, key: str, wanted: str | None) -> None:
    shard_id = stage.shard.shard_id
    try:
        raw = await stage.client.read(shard_id, kv.get(key), timeout_s=within_s)
    except RequestFailed as failed:
        raise Failed(f"no answer: {failed}") from failed
    found = kv.decode_answer(raw)["value"]
    if found != wanted:  # A read is linearizable: it will not be better later.
        raise Failed(f"{key} is {found!r}, not {wanted!r}")


async def _refused(stage: Stage, within_s: float) -> None:
    tasks, stage.begun = stage.begun, []
    for said in await asyncio.gather(*tasks):
        if said == "OK":
            raise Failed("it was acknowledged")


PICTURES: tuple[tuple[str, Callable[..., Why]], ...] = (
    (r"leader", _leader),
    (r"no leader", _no_leader),
    (r"no quorum", _no_quorum),
    (r"leader is not (\w+)", _leader_is_not),
    (r"leader is (\w+)", _leader_is),
    (r"(\w+) (leads|follows)", _role),
    (r"(\w+) is behind", _behind),
    (r"(\w+) has snapshot", _snapshot),
    (r"voters ([\w ]+)", _voters),
    (r"term (unchanged|higher)", _term),
    (r"equal", _equal),
    (r"all led", _all_led),
    (r"safe", _safe),
    *SIGHTS,
)
QUESTIONS: tuple[tuple[str, Callable[..., Awaitable[None]]], ...] = (
    (r"read (\w+) = (\w+)", _read),
    (r"(\w+) is absent", _absent),
    (r"refused", _refused),
)
