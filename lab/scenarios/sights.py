"""
What is seen in the picture, some of it only over time; each answers why it is not so yet.

    all up                      every node runs and reports
    restarted n1 n2 n3          each of them has begun another life since the first look, and is up
    n1 has committed 6          at that index
    snapshot sent               a follower lacked what the leader's log had dropped, and has it now
    earlier term committed      an entry that one leader left open, by a later one (§3.6.2)
    pause at most 2s            of the load                     acknowledged 50     writes of it
    linearizable                the load's answers are          stale read          they are not
    unsafe                      a promise was seen to break
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lab.observe.judge import reachable
from lab.observe.view import ReplicaView
from lab.scenarios.script import ScenarioError
from lab.scenarios.stage import Stage
from lab.workload.load import Verdict

Why = Callable[[], str]
SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
OPEN_S = 0.5  # An entry that is not committed for so long was left open, not only under way.


def seconds(word: str) -> float:
    """
    Read `2s` or `0.5s`.

    Raises:
        ScenarioError: it is none.
    """
    found = SECONDS.fullmatch(word)
    if found is None:
        raise ScenarioError(f"a time is written 2s or 0.5s, not {word!r}")
    return float(found[1])


# --- nodes and shards ----------------------------------------------------------------------------


def _all_up(stage: Stage) -> Why:
    def why() -> str:
        live = reachable(stage.view.nodes, stage.view.now_s)
        away = [node.name for node in stage.view.nodes if node.name not in live]
        return f"{', '.join(away)} not up" if away else ""

    return why


def _restarted(stage: Stage, words: str) -> Why:
    names = [stage.node(word) for word in words.split()]
    first = {node.name: node.epoch for node in stage.view.nodes}

    def why() -> str:
        live = reachable(stage.view.nodes, stage.view.now_s)
        again = {node.name for node in stage.view.nodes if node.epoch > first.get(node.name, 0)}
        missing = [name for name in names if name not in again & live]
        return f"{', '.join(missing)} not restarted, or not up yet" if missing else ""

    return why


def _committed(stage: Stage, word: str, index: str) -> Why:
    name, wanted = stage.node(word), int(index)

    def why() -> str:
        replica = stage.shard.replicas.get(name)
        have = replica.commit_index if replica is not None else 0
        return "" if have >= wanted else f"{name} has committed {have}"

    return why


def _snapshot_sent(stage: Stage) -> Why:
    lacking: dict[str, int] = {}  # Who has been too far behind, and for which snapshot.

    def why() -> str:
        shard = stage.shard
        leader = shard.replicas.get(shard.leader or "")
        live = reachable(stage.view.nodes, stage.view.now_s)
        for name, replica in shard.replicas.items():
            if leader is not None and 0 < replica.last_index < leader.snapshot_index:
                lacking[name] = leader.snapshot_index
            elif name in lacking and name in live and replica.last_index >= lacking[name]:
                return ""
        if lacking:
            return f"{', '.join(lacking)} needs a snapshot, and has not got it"
        return "no follower needs a snapshot"

    return why


@dataclass(slots=True)
class _Open:
    """An entry that was seen in a log and was not committed."""

    term: int
    since_s: float
    closed_s: float | None = None  # When a commit was first seen to cover it, ...
    closed_by: int = 0  # ... and by a leader of which term.


def _earlier_term(stage: Stage) -> Why:
    seen: dict[int, _Open] = {}  # By index.

    def why() -> str:
        shard, now_s = stage.shard, stage.view.now_s
        for replica in shard.replicas.values():
            at, term = replica.last_index, replica.last_term
            if at > shard.commit_index and (at not in seen or seen[at].term != term):
                seen[at] = _Open(term, now_s)
        leader = shard.replicas.get(shard.leader or "")
        for at, entry in seen.items():
            if leader is not None and at <= leader.commit_index and entry.closed_s is None:
                entry.closed_s, entry.closed_by = now_s, leader.term
        if any(_is_of_figure_3_7(stage, leader, at, entry) for at, entry in seen.items()):
            return ""
        still = [at for at, entry in seen.items() if entry.closed_s is None]
        if still:
            return f"index {max(still)} is open: no later leader has committed it"
        return "no leader has left an entry open"

    return why


def _is_of_figure_3_7(stage: Stage, leader: ReplicaView | None, at: int, entry: _Open) -> bool:
    """Return whether *entry* was left open by its own leader, and committed by a later one."""
    if leader is None or entry.closed_s is None:
        return False
    log = stage.view.logs.get(leader.node)
    terms = {one.index: one.term for one in log.entries} if log is not None else {}
    lay_open = entry.closed_s - entry.since_s >= OPEN_S
    return lay_open and entry.closed_by > entry.term and terms.get(at) == entry.term


def _unsafe(stage: Stage) -> Why:
    return lambda: "" if stage.view.verdict == "UNSAFE" else "every promise is kept"


# --- the load ------------------------------------------------------------------------------------


def _verdict(stage: Stage) -> Verdict:
    """Return what is known of the load, which goes on or has ended."""
    if stage.verdict is not None:
        return stage.verdict
    if stage.load is None:
        raise ScenarioError("there is no load: `load on` comes first")
    return stage.load.verdict


def _pause(stage: Stage, most: str) -> Why:
    most_s = seconds(most)

    def why() -> str:
        longest_s = _verdict(stage).longest_pause_s
        return "" if longest_s <= most_s else f"the longest pause was {longest_s:.2f} s"

    return why


def _acknowledged(stage: Stage, count: str) -> Why:
    def why() -> str:
        have = _verdict(stage).acknowledged
        return "" if have >= int(count) else f"{have} writes are acknowledged"

    return why


def _linearizable(stage: Stage) -> Why:
    return lambda: _verdict(stage).broken


def _stale_read(stage: Stage) -> Why:
    def why() -> str:
        verdict = _verdict(stage)
        return "" if verdict.broken else f"{verdict.read} reads, {verdict.word}"

    return why


SIGHTS: tuple[tuple[str, Callable[..., Why]], ...] = (
    (r"all up", _all_up),
    (r"restarted ([\w ]+)", _restarted),
    (r"(\w+) has committed (\d+)", _committed),
    (r"snapshot sent", _snapshot_sent),
    (r"earlier term committed", _earlier_term),
    (r"unsafe", _unsafe),
    (r"pause at most (\S+)", _pause),
    (r"acknowledged (\d+)", _acknowledged),
    (r"linearizable", _linearizable),
    (r"stale read", _stale_read),
)
